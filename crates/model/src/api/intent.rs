//! `/intents`, `/governance` and `/dispatch`: what services may ask for, under which rules, and
//! the asking.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{AgentName, CorrelationId, DecisionId, EndpointName, SessionId};
use crate::outcome::Outcome;
use crate::run::{Fulfilment, Run};
use crate::time::Timestamp;

/// What does an intent, named in the path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntentSet {
    /// The agent that does it.
    pub agent: AgentName,
    /// The endpoint of the agent; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointName>,
    /// After how long it is ended; never later than the agent's manifest says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400_000))]
    pub timeout_ms: Option<u64>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1000))]
    pub description: String,
}

/// Something that a service asks to be done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DispatchRequest {
    /// The service.
    pub service: String,
    /// What it asks to be done.
    pub intent: String,
    /// The circumstances, an object: governance looks at them, and the agent is given them.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub context: Value,
    /// The agent's session; one of its own, which ends with it, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
}

/// What governance said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GovernanceAnswer {
    /// The decision.
    pub decision_id: DecisionId,
    /// Whether it may be done.
    pub allowed: bool,
    /// Why, in a sentence.
    pub reason: String,
    /// How long the decision took.
    pub decision_time_ms: f64,
}

/// What became of a dispatch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Dispatched {
    /// The service that asked.
    pub service: String,
    /// What it asked to be done.
    pub intent: String,
    /// The request.
    pub correlation_id: CorrelationId,
    /// When it was asked.
    pub timestamp: Timestamp,
    /// What governance said.
    pub governance: GovernanceAnswer,
    /// What became of it.
    pub outcome: Outcome,
    /// How long all of it took.
    pub total_time_ms: u64,
}

impl Dispatched {
    /// What is said of a run that fulfilled an intent, once it has ended.
    pub fn of(run: &Run) -> Option<Self> {
        let Fulfilment { service, intent, governance } = run.fulfils.clone()?;
        let outcome = run.outcome.clone()?;
        let total_time_ms = outcome.finished_at.since_ms(run.created_at);
        let (correlation_id, timestamp) = (run.correlation_id.clone(), run.created_at);
        Some(Self { service, intent, correlation_id, timestamp, governance, outcome, total_time_ms })
    }
}
