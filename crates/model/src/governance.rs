//! Governance records: which intents of a service may be fulfilled, when, how often and under
//! which conditions. A record is checked as a whole before it is kept.
//! Must not know how a record is enforced, which time zones there are, or what time it is.

mod check;
mod operator;
mod value;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use check::{
    CONDITIONS_MAX, DESCRIPTION_LENGTH_MAX, FIELD_DEPTH_MAX, GovernanceProblem, LIMIT_MAX, VALUE_LENGTH_MAX,
    VALUES_MAX, intent_problem, is_field_name, stays_on_its_line,
};
pub use operator::{Operator, Takes};
pub use value::{ConditionValue, Number, ValueKind};

/// What holds for one intent of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GovernanceRecord {
    /// The service.
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9_.-]{0,62}$"))]
    pub service: String,
    /// What is to be done by it.
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9_.-]{0,62}$"))]
    pub intent: String,
    /// Whether it may be done at all.
    #[serde(default = "enabled")]
    pub enabled: bool,
    /// What the record is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub description: Option<String>,
    /// When; at any time when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_restrictions: Option<TimeRestrictions>,
    /// How often; as often as one likes when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limits: Option<RateLimits>,
    /// What must be true of the circumstances, all of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub conditions: Vec<Condition>,
}

const fn enabled() -> bool {
    true
}

/// When an intent may be fulfilled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TimeRestrictions {
    /// The hours of the day, each from its first minute to its last; every hour when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 24), inner(range(min = 0, max = 23)))]
    pub allowed_hours: Option<Vec<i64>>,
    /// The days of the week (`mon` to `sun`); every day when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 7))]
    pub days: Option<Vec<String>>,
    /// The time zone that hours and days are of, by its name in the IANA's table.
    #[serde(default = "universal_time")]
    #[schemars(regex(pattern = "^[A-Za-z0-9/_+-]{1,64}$"))]
    pub timezone: String,
}

fn universal_time() -> String {
    "UTC".to_owned()
}

/// How often an intent may be fulfilled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateLimits {
    /// In one minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub requests_per_minute: Option<u64>,
    /// In one hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub requests_per_hour: Option<u64>,
}

/// What kind of condition it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ConditionKind {
    /// It looks at a field of the circumstances.
    ContextCheck,
}

/// What must be true of a field of the circumstances. A field that is not there, or is of
/// another type than the value it is compared with, does not meet it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    /// What kind of condition it is.
    #[serde(rename = "type")]
    pub kind: ConditionKind,
    /// The field: the names on the way to it, with points between them.
    #[schemars(regex(pattern = "^[A-Za-z_][A-Za-z0-9_-]{0,62}(\\.[A-Za-z_][A-Za-z0-9_-]{0,62}){0,7}$"))]
    pub field: String,
    /// How the field is compared: one of [`Operator::ALL`].
    pub operator: String,
    /// With what: a text, a number, a boolean or a list, as the operator takes it. `exists` and
    /// `not_exists` take none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// What it means, in a sentence for whoever does not meet it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub description: Option<String>,
}

impl GovernanceRecord {
    /// Checks everything that can be checked without a table of time zones.
    ///
    /// # Errors
    /// Every problem, each with its place in the record.
    pub fn check(&self) -> Result<(), Vec<GovernanceProblem>> {
        check::check(self)
    }

    /// Service and intent as they are written in policies: `SERVICE/INTENT`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.service, self.intent)
    }
}

impl Condition {
    /// The condition in one sentence: its description, or what it compares, in a form that
    /// stays on its line.
    pub fn told(&self) -> String {
        if let Some(description) = &self.description {
            return description.clone();
        }
        let value = match &self.value {
            None => String::new(),
            Some(Value::String(text)) => format!(" {text}"),
            Some(value) => format!(" {value}"),
        };
        let told = format!("{} {}{value}", self.field, self.operator);
        check::on_one_line(&told)
    }
}

#[cfg(test)]
mod tests;
