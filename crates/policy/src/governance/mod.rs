//! From governance records to the policies that keep them: one permit for the intent, and a
//! forbid for every restriction, so that one more restriction can only allow less.
//! Must not know who writes records, time zones, or how often anything was allowed.

mod answer;
mod ask;
mod condition;

use std::collections::BTreeSet;

use aegis_model::TenantId;
use aegis_model::governance::{GovernanceProblem, GovernanceRecord};

use crate::action::IntentAction;
use crate::quote::{literal, literal_set};
use crate::set::PolicySource;

pub use answer::governance_reason;
pub use ask::{IntentAsk, intent_request};

/// Longest reason of a rule, in characters.
const REASON_LENGTH_MAX: usize = 200;

/// The policies that keep the records of a tenant, to be compiled as
/// [`PolicyLayer::Governance`](aegis_model::decision::PolicyLayer::Governance): for an enabled
/// record `SERVICE/INTENT` permits, and `SERVICE/INTENT/hours`, `/days`, `/minute`, `/hour`,
/// `/condition-1`, … forbid what it restricts; for a disabled one `SERVICE/INTENT` forbids.
///
/// # Errors
/// Every problem of every record, below the record's place in the list.
pub fn governance_policies(
    tenant: &TenantId,
    records: &[GovernanceRecord],
) -> Result<Vec<PolicySource>, Vec<GovernanceProblem>> {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    let mut governed = BTreeSet::new();
    for (index, record) in records.iter().enumerate() {
        let mut refuse = |found: GovernanceProblem| {
            problems.push(GovernanceProblem { pointer: format!("/{index}{}", found.pointer), ..found });
        };
        match record.check() {
            Err(found) => found.into_iter().for_each(&mut refuse),
            Ok(()) => match written(tenant, record) {
                Ok(rules) => sources.extend(rules),
                Err(found) => refuse(found),
            },
        }
        if !governed.insert(record.id()) {
            let message = "another record is of the same service and intent".to_owned();
            refuse(GovernanceProblem { pointer: "/intent".to_owned(), message });
        }
    }
    if problems.is_empty() { Ok(sources) } else { Err(problems) }
}

/// The rules of a record that was checked.
fn written(tenant: &TenantId, record: &GovernanceRecord) -> Result<Vec<PolicySource>, GovernanceProblem> {
    let intent = Intent { id: record.id() };
    if !record.enabled {
        return Ok(vec![intent.rule("", "forbid", answer::DISABLED, "")]);
    }
    let tenant = literal(tenant.as_str());
    let own = format!("\nwhen {{ principal.tenant == Tenant::{tenant} && resource.tenant == Tenant::{tenant} }}");
    let mut rules = vec![intent.rule("", "permit", answer::AUTHORIZED, &own)];
    rules.extend(intent.times(record));
    rules.extend(intent.rates(record));
    for (index, each) in record.conditions.iter().enumerate() {
        let met = condition::met(each).ok_or_else(|| GovernanceProblem {
            pointer: format!("/conditions/{index}"),
            message: "the condition cannot be written as a policy".to_owned(),
        })?;
        rules.push(intent.unless(&answer::condition_suffix(index), &answer::condition_not_met(each), &met));
    }
    Ok(rules)
}

/// Writes the rules of one intent. Every text of a record goes through `quote`.
struct Intent {
    id: String,
}

impl Intent {
    fn times(&self, record: &GovernanceRecord) -> Vec<PolicySource> {
        let Some(times) = &record.time_restrictions else { return Vec::new() };
        let hours = times.allowed_hours.iter().map(|hours| {
            let hours: Vec<String> = hours.iter().map(i64::to_string).collect();
            self.unless(answer::HOURS, answer::OUTSIDE, &format!("[{}].contains(context.local_hour)", hours.join(", ")))
        });
        let days = times.days.iter().map(|days| {
            let days = literal_set(days.iter().map(String::as_str));
            self.unless(answer::DAYS, answer::OUTSIDE, &format!("{days}.contains(context.local_weekday)"))
        });
        hours.chain(days).collect()
    }

    fn rates(&self, record: &GovernanceRecord) -> Vec<PolicySource> {
        let Some(limits) = &record.rate_limits else { return Vec::new() };
        let below = |suffix: &str, so_far: &str, limit: u64| {
            self.unless(suffix, answer::TOO_OFTEN, &format!("context.{so_far} < {limit}"))
        };
        let minute = limits.requests_per_minute.map(|limit| below(answer::MINUTE, "last_minute", limit));
        let hour = limits.requests_per_hour.map(|limit| below(answer::HOUR, "last_hour", limit));
        minute.into_iter().chain(hour).collect()
    }

    /// Forbids it unless the condition, which is Cedar, is met.
    fn unless(&self, suffix: &str, reason: &str, condition: &str) -> PolicySource {
        self.rule(suffix, "forbid", reason, &format!("\nunless {{ {condition} }}"))
    }

    fn rule(&self, suffix: &str, effect: &str, reason: &str, condition: &str) -> PolicySource {
        let reason: String = reason.chars().take(REASON_LENGTH_MAX).collect();
        let text = format!(
            "@reason({})\n{effect} (principal, action == Action::{}, resource == Intent::{}){condition};\n",
            literal(&reason),
            literal(IntentAction::Fulfil.as_str()),
            literal(&self.id),
        );
        PolicySource { id: format!("{}{suffix}", self.id), text }
    }
}
