//! What rules look at beside the request's own context: the time, and counters. A set knows it
//! from its rules' syntax trees, so that nothing is made that nobody looks at.
//! Must not know what the time is or how anything is counted.

use cedar_policy::Policy;
use cedar_policy::pst::{Clause, Expr, Var};

/// The moment of the request, in the context.
pub(crate) const NOW: &str = "now";
/// The hour of the day in UTC, in the context.
pub(crate) const HOUR: &str = "hour";
/// The day of the week in UTC, in the context.
pub(crate) const WEEKDAY: &str = "weekday";
/// The counters, in the context.
pub(crate) const COUNTS: &str = "counts";

/// What rules look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// The time: `context.now`, `context.hour` or `context.weekday`.
    pub time: bool,
    /// Counters: `context.counts`.
    pub counters: bool,
}

impl Looks {
    /// At everything.
    pub(crate) const ALL: Self = Self { time: true, counters: true };
    const NOTHING: Self = Self { time: false, counters: false };

    /// What either looks at.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self { time: self.time || other.time, counters: self.counters || other.counters }
    }

    /// What a rule looks at. One whose tree cannot be read counts as looking at everything.
    pub(crate) fn of(policy: &Policy) -> Self {
        let Ok(tree) = policy.to_pst() else {
            return Self::ALL;
        };
        let clauses = tree.body().clauses().iter();
        clauses.fold(Self::NOTHING, |looks, clause| match clause {
            Clause::When(condition) | Clause::Unless(condition) => looks.or(Self::of_condition(condition)),
        })
    }

    fn of_condition(condition: &Expr) -> Self {
        condition.reduce(&Self::of_context, &Self::or, Self::NOTHING)
    }

    /// What is looked at here, where this is about the context; whoever takes the context as a
    /// whole may look at everything in it.
    fn of_context(expression: &Expr) -> Option<Self> {
        let is_context = |expression: &Expr| matches!(expression, Expr::Var(Var::Context));
        match expression {
            Expr::GetAttr { expr, attr } if is_context(expr) => Some(Self::named(attr)),
            Expr::HasAttr { expr, attrs } if is_context(expr) => Some(Self::named(attrs.first())),
            whole if is_context(whole) => Some(Self::ALL),
            _ => None,
        }
    }

    fn named(attribute: &str) -> Self {
        match attribute {
            NOW | HOUR | WEEKDAY => Self { time: true, counters: false },
            COUNTS => Self { time: false, counters: true },
            _ => Self::NOTHING,
        }
    }
}
