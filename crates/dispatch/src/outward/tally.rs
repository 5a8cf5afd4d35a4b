//! What left boxes so far, counted: for metrics, which know no names.

use std::sync::atomic::{AtomicU64, Ordering};

use aegis_model::outward::{OutwardRecord, OutwardState, Refusal};

use crate::DecisionAnswer;

/// How many decisions a record tells of: what was repeated is told by the same record, when it
/// is over.
pub(super) const fn times(record: &OutwardRecord) -> u64 {
    if record.repeated > 0 { record.repeated } else { 1 }
}

/// The answer that it tells of; none where it tells how something ended. What passes only
/// because it is observed was not allowed.
pub(super) const fn answer(record: &OutwardRecord) -> Option<DecisionAnswer> {
    match (record.state, record.refusal) {
        (OutwardState::Begun, _) if record.allowed => Some(DecisionAnswer::Allowed),
        (OutwardState::Begun | OutwardState::Refused, Some(Refusal::EvaluationFailed)) => Some(DecisionAnswer::Failed),
        (OutwardState::Begun | OutwardState::Refused, _) => Some(DecisionAnswer::Denied),
        _ => None,
    }
}

/// What is counted.
#[derive(Debug, Default)]
pub struct Tally {
    begun: AtomicU64,
    failed: AtomicU64,
    revoked: AtomicU64,
    observed: AtomicU64,
    refused: [AtomicU64; Refusal::ALL.len()],
    bytes_out: AtomicU64,
    bytes_in: AtomicU64,
}

/// What was counted, at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// What was let out.
    pub begun: u64,
    /// How much of that did not reach its host, or was broken off by it.
    pub failed: u64,
    /// How much of that was ended because a rule or a grant is no longer what it was.
    pub revoked: u64,
    /// How much of it was let out only because its session is observed.
    pub observed: u64,
    /// What was refused, by the reason, repetitions included.
    pub refused: Vec<(&'static str, u64)>,
    /// Bytes that went out.
    pub bytes_out: u64,
    /// Bytes that came back.
    pub bytes_in: u64,
}

impl Tally {
    /// Counts a record.
    pub(super) fn count(&self, record: &OutwardRecord) {
        let add = |counter: &AtomicU64, number: u64| {
            counter.fetch_add(number, Ordering::Relaxed);
        };
        match record.state {
            OutwardState::Begun => {
                add(&self.begun, 1);
                add(&self.observed, u64::from(record.observed));
                return;
            }
            OutwardState::Refused => {
                let place = record.refusal.and_then(|refusal| Refusal::ALL.iter().position(|known| *known == refusal));
                if let Some(counter) = place.and_then(|place| self.refused.get(place)) {
                    add(counter, times(record));
                }
            }
            OutwardState::Failed => add(&self.failed, 1),
            OutwardState::Revoked => add(&self.revoked, 1),
            OutwardState::Ended | OutwardState::Exceeded => {}
        }
        add(&self.bytes_out, record.bytes_out);
        add(&self.bytes_in, record.bytes_in);
    }

    /// What was counted so far.
    pub fn counted(&self) -> Counted {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let refused = Refusal::ALL.iter().zip(&self.refused).map(|(refusal, count)| (refusal.as_str(), read(count)));
        Counted {
            begun: read(&self.begun),
            failed: read(&self.failed),
            revoked: read(&self.revoked),
            observed: read(&self.observed),
            refused: refused.collect(),
            bytes_out: read(&self.bytes_out),
            bytes_in: read(&self.bytes_in),
        }
    }
}
