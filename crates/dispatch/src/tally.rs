//! Decisions that were made, counted: for metrics, which know no names.
//!
//! Must not know: what was asked, or who asked it.

use std::sync::atomic::{AtomicU64, Ordering};

use aegis_model::{Code, Decision, Fault, ReasonClass};

/// What a decision was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionKind {
    /// An operation of the API.
    Api,
    /// Something that wanted out of a box.
    Outward,
    /// Something that an agent says it is about to do.
    Intent,
}

impl DecisionKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Api, Self::Outward, Self::Intent];

    /// The word as it is written in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Outward => "outward",
            Self::Intent => "intent",
        }
    }
}

/// How a decision came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecisionAnswer {
    /// Yes.
    Allowed,
    /// No.
    Denied,
    /// No, because it could not be judged.
    Failed,
}

impl DecisionAnswer {
    /// Every answer.
    pub const ALL: [Self; 3] = [Self::Allowed, Self::Denied, Self::Failed];

    /// The word as it is written in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
            Self::Failed => "failed",
        }
    }

    /// What became of a judging. A freeze is a no, whoever says it.
    pub(crate) fn of(judged: Result<&Decision, &Fault>) -> Self {
        match judged {
            Ok(decision) if decision.allowed => Self::Allowed,
            Ok(decision) if decision.class == ReasonClass::EvaluationFailed => Self::Failed,
            Ok(_) => Self::Denied,
            Err(fault) if matches!(fault.code(), Code::Denied | Code::Frozen) => Self::Denied,
            Err(_) => Self::Failed,
        }
    }
}

/// Upper bounds of what is told of how long judging takes, in microseconds. A second is among
/// them: an alert asks for it.
const BOUNDS_US: [u64; 10] = [50, 100, 250, 500, 1_000, 5_000, 25_000, 100_000, 1_000_000, 10_000_000];

/// What is counted of one kind.
#[derive(Debug, Default)]
struct OfKind {
    answers: [AtomicU64; DecisionAnswer::ALL.len()],
    /// By how long they took; the last are those that took longer than any bound.
    took: [AtomicU64; BOUNDS_US.len() + 1],
    took_ns: AtomicU64,
}

/// Decisions since the start.
#[derive(Debug, Default)]
pub struct Decisions {
    kinds: [OfKind; DecisionKind::ALL.len()],
    log_only: AtomicU64,
}

/// What was counted of one kind, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct DecisionsCounted {
    /// The kind.
    pub kind: DecisionKind,
    /// How many came out how, those that never did among them.
    pub answers: Vec<(DecisionAnswer, u64)>,
    /// How many judgings took up to so many seconds, and longer than the bound before; the last bound is
    /// infinity.
    pub took: Vec<(f64, u64)>,
    /// How many seconds all of them took together.
    pub took_s: f64,
}

impl Decisions {
    /// Counts so many decisions that came out like that.
    pub(crate) fn count(&self, kind: DecisionKind, answer: DecisionAnswer, number: u64) {
        let of_kind = place(&DecisionKind::ALL, kind).and_then(|place| self.kinds.get(place));
        let place = place(&DecisionAnswer::ALL, answer);
        if let Some(counter) = of_kind.zip(place).and_then(|(of_kind, place)| of_kind.answers.get(place)) {
            counter.fetch_add(number, Ordering::Relaxed);
        }
    }

    /// Notes how long a judging took.
    pub(crate) fn took(&self, kind: DecisionKind, took_ns: u64) {
        let Some(of_kind) = place(&DecisionKind::ALL, kind).and_then(|place| self.kinds.get(place)) else { return };
        let slower = BOUNDS_US.iter().take_while(|bound| **bound * 1_000 < took_ns).count();
        if let Some(counter) = of_kind.took.get(slower) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        of_kind.took_ns.fetch_add(took_ns, Ordering::Relaxed);
    }

    /// Counts a decision that policies in `LOG_ONLY` would have made otherwise, if it is one.
    pub(crate) fn tried(&self, decision: &Decision) {
        self.log_only.fetch_add(u64::from(decision.log_only.is_some()), Ordering::Relaxed);
    }

    /// What was counted so far, kind by kind.
    pub fn counted(&self) -> Vec<DecisionsCounted> {
        DecisionKind::ALL.into_iter().zip(&self.kinds).map(|(kind, counted)| counted.read(kind)).collect()
    }

    /// How many decisions policies in `LOG_ONLY` would have made otherwise.
    pub fn log_only(&self) -> u64 {
        self.log_only.load(Ordering::Relaxed)
    }
}

impl OfKind {
    fn read(&self, kind: DecisionKind) -> DecisionsCounted {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let seconds = |bound: u64| std::time::Duration::from_micros(bound).as_secs_f64();
        let bounds = BOUNDS_US.into_iter().map(seconds).chain([f64::INFINITY]);
        DecisionsCounted {
            kind,
            answers: DecisionAnswer::ALL.into_iter().zip(self.answers.iter().map(read)).collect(),
            took: bounds.zip(self.took.iter().map(read)).collect(),
            took_s: std::time::Duration::from_nanos(read(&self.took_ns)).as_secs_f64(),
        }
    }
}

fn place<T: PartialEq>(all: &[T], one: T) -> Option<usize> {
    all.iter().position(|known| *known == one)
}

#[cfg(test)]
mod tests {
    use aegis_model::decision::{LayerReason, PolicyLayer};
    use aegis_model::{DecisionId, Timestamp};

    use super::*;

    fn decision(allowed: bool, class: ReasonClass) -> Decision {
        let id = DecisionId::generate(Timestamp::from_millis(1), [0; 10]);
        Decision { id, allowed, class, reasons: Vec::new(), policy_hash: String::new(), log_only: None }
    }

    fn answers(decisions: &Decisions, kind: DecisionKind) -> Vec<u64> {
        let of_kind = decisions.counted().into_iter().find(|counted| counted.kind == kind).unwrap();
        of_kind.answers.into_iter().map(|(_, count)| count).collect()
    }

    #[test]
    fn what_could_not_be_judged_is_told_apart_from_a_no() {
        let decisions = Decisions::default();
        let count = |judged: Result<&Decision, &Fault>| {
            decisions.count(DecisionKind::Intent, DecisionAnswer::of(judged), 1);
        };
        count(Ok(&decision(true, ReasonClass::Permitted)));
        count(Ok(&decision(false, ReasonClass::NotPermitted)));
        count(Ok(&decision(false, ReasonClass::Forbidden)));
        count(Err(&Fault::new(Code::Frozen, "frozen")));
        count(Ok(&decision(false, ReasonClass::EvaluationFailed)));
        count(Err(&Fault::new(Code::StoreUnavailable, "no store")));
        assert_eq!(answers(&decisions, DecisionKind::Intent), [1, 3, 2]);
        assert_eq!(answers(&decisions, DecisionKind::Api), [0, 0, 0]);
    }

    #[test]
    fn each_judging_is_in_the_bucket_of_its_time_and_in_one_only() {
        let decisions = Decisions::default();
        for took_ns in [0, 50_000, 50_001, 1_000_000_000, 60_000_000_000] {
            decisions.took(DecisionKind::Outward, took_ns);
        }
        let counted = decisions.counted().into_iter().find(|counted| counted.kind == DecisionKind::Outward).unwrap();
        let found: Vec<(f64, u64)> = counted.took.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(found, [(0.00005, 2), (0.0001, 1), (1.0, 1), (f64::INFINITY, 1)]);
        assert!((counted.took_s - 61.000_100_001).abs() < 1e-9, "{}", counted.took_s);
    }

    #[test]
    fn what_a_trial_would_change_is_counted_and_nothing_else() {
        let decisions = Decisions::default();
        let class = ReasonClass::Forbidden;
        let reason =
            LayerReason { layer: PolicyLayer::Tenant, allowed: false, class, policies: Vec::new(), errors: Vec::new() };
        let differs = Decision { log_only: Some(reason), ..decision(true, ReasonClass::Permitted) };
        decisions.tried(&differs);
        decisions.tried(&decision(true, ReasonClass::Permitted));
        decisions.tried(&differs);
        assert_eq!(decisions.log_only(), 2);
    }
}
