//! Intents: what a service may ask to be done, by name, and which agent does it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{AgentName, EndpointName};
use crate::time::Timestamp;

/// An intent as it is registered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Intent {
    /// The service that asks.
    pub service: String,
    /// What it asks to be done.
    pub intent: String,
    /// The agent that does it.
    pub agent: AgentName,
    /// The endpoint of the agent; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointName>,
    /// After how long it is ended; never later than the agent's manifest says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// When it was changed last.
    pub changed_at: Timestamp,
}

impl Intent {
    /// Service and intent as they are written in policies: `SERVICE/INTENT`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.service, self.intent)
    }
}
