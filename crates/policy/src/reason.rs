//! The sentences that a rule may carry for people: `@reason("…")` for whoever is refused by it,
//! and `@approval("…")` on a forbid that somebody may lift for one act, saying who and why.
//! Must not know who reads them.

use aegis_model::governance::stays_on_its_line;
use cedar_policy::{Effect, Policy};

/// The annotation for whoever is refused.
const REASON: &str = "reason";
/// The annotation for what somebody may approve.
const APPROVAL: &str = "approval";
/// Longest sentence, in characters.
const LENGTH_MAX: usize = 200;

/// The reason that the rule carries.
pub(crate) fn of(rule: &Policy) -> Option<&str> {
    rule.annotation(REASON)
}

/// Who should decide about what the rule forbids, and why.
pub(crate) fn approval_of(rule: &Policy) -> Option<&str> {
    rule.annotation(APPROVAL)
}

/// Why one of the rule's sentences is none.
pub(crate) fn problem(rule: &Policy) -> Option<String> {
    if approval_of(rule).is_some() && rule.effect() == Effect::Permit {
        return Some("`@approval` stands on a `forbid` only: a `permit` has nothing to approve".to_owned());
    }
    let of_reason = of(rule).and_then(flaw).map(|flaw| format!("the reason {flaw}"));
    of_reason.or_else(|| approval_of(rule).and_then(flaw).map(|flaw| format!("the approval {flaw}")))
}

fn flaw(sentence: &str) -> Option<&'static str> {
    if sentence.trim().is_empty() {
        Some("is empty")
    } else if sentence.chars().count() > LENGTH_MAX {
        Some("is longer than 200 characters")
    } else if !stays_on_its_line(sentence) {
        Some("holds a control character")
    } else {
        None
    }
}
