//! The one sentence that whoever asks about an intent is given. Must not know how it was decided.

use aegis_model::decision::{PolicyLayer, ReasonClass};
use aegis_model::governance::{Condition, GovernanceRecord};

use crate::decide::Verdict;

/// What the rules of a record end with, behind `SERVICE/INTENT`.
pub(super) const HOURS: &str = "/hours";
pub(super) const DAYS: &str = "/days";
pub(super) const MINUTE: &str = "/minute";
pub(super) const HOUR: &str = "/hour";

pub(super) const AUTHORIZED: &str = "Request authorized";
pub(super) const DISABLED: &str = "Policy is disabled";
pub(super) const OUTSIDE: &str = "Request outside allowed time window";
pub(super) const TOO_OFTEN: &str = "Rate limit exceeded";
const FAILED: &str = "Governance evaluation error";
const NOT_PERMITTED: &str = "Not permitted by policy";

/// What the rule of a condition ends with; people count from 1.
pub(super) fn condition_suffix(index: usize) -> String {
    format!("/condition-{}", index + 1)
}

pub(super) fn condition_not_met(condition: &Condition) -> String {
    format!("Condition not met: {}", condition.told())
}

/// Why an intent may or may not be fulfilled, in one sentence: of several reasons the one that is
/// looked at first. `record` is the one that the verdict's third set was made of.
pub fn governance_reason(service: &str, intent: &str, record: Option<&GovernanceRecord>, verdict: &Verdict) -> String {
    let Some(record) = record else {
        return format!("No policy defined for {service}:{intent}");
    };
    if !record.enabled {
        return DISABLED.to_owned();
    }
    if refused_by(record, verdict, HOURS) || refused_by(record, verdict, DAYS) {
        return OUTSIDE.to_owned();
    }
    if refused_by(record, verdict, MINUTE) || refused_by(record, verdict, HOUR) {
        return TOO_OFTEN.to_owned();
    }
    let mut conditions = record.conditions.iter().enumerate();
    if let Some((_, unmet)) = conditions.find(|(index, _)| refused_by(record, verdict, &condition_suffix(*index))) {
        return condition_not_met(unmet);
    }
    let sentence = match (verdict.class, verdict.allowed) {
        (ReasonClass::EvaluationFailed, _) => FAILED,
        (_, false) => NOT_PERMITTED,
        (_, true) => AUTHORIZED,
    };
    sentence.to_owned()
}

/// Whether one of the rules that decided is the record's rule with this ending.
fn refused_by(record: &GovernanceRecord, verdict: &Verdict, suffix: &str) -> bool {
    let own = verdict.reasons.iter().filter(|reason| reason.layer == PolicyLayer::Governance && !reason.allowed);
    let id = format!("{}{suffix}", record.id());
    own.flat_map(|reason| &reason.policies).any(|policy| *policy == id)
}
