//! The kill switch: what can be frozen.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::caller::Role;
use crate::id::{AgentName, KeyId, TenantId};
use crate::time::Timestamp;

/// What a freeze covers. Written `all`, `tenant/NAME`, `agent/NAME` or `key/ID`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum FreezeTarget {
    /// The whole installation.
    All,
    /// One tenant.
    Tenant(TenantId),
    /// One agent of the caller's tenant.
    Agent(AgentName),
    /// One API key of the caller's tenant.
    Key(KeyId),
}

/// A text that names nothing that can be frozen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not `all`, `tenant/NAME`, `agent/NAME` or `key/ID`")]
pub struct FreezeTargetError(String);

impl FromStr for FreezeTarget {
    type Err = FreezeTargetError;

    fn from_str(text: &str) -> Result<Self, FreezeTargetError> {
        let wrong = || FreezeTargetError(text.chars().take(80).flat_map(char::escape_debug).collect());
        let target = match text.split_once('/') {
            None if text == "all" => Some(Self::All),
            Some(("tenant", name)) => name.parse().ok().map(Self::Tenant),
            Some(("agent", name)) => name.parse().ok().map(Self::Agent),
            Some(("key", id)) => id.parse().ok().map(Self::Key),
            _ => None,
        };
        target.ok_or_else(wrong)
    }
}

impl TryFrom<String> for FreezeTarget {
    type Error = FreezeTargetError;
    fn try_from(text: String) -> Result<Self, FreezeTargetError> {
        text.parse()
    }
}

impl From<FreezeTarget> for String {
    fn from(target: FreezeTarget) -> String {
        target.to_string()
    }
}

impl fmt::Display for FreezeTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Tenant(name) => write!(f, "tenant/{name}"),
            Self::Agent(name) => write!(f, "agent/{name}"),
            Self::Key(id) => write!(f, "key/{id}"),
        }
    }
}

/// A freeze in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Freeze {
    /// What is frozen.
    pub target: FreezeTarget,
    /// Why, said by whoever froze it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Who froze it.
    pub frozen_by: String,
    /// As what: nobody of a weaker role lifts it.
    pub frozen_as: Role,
    /// Since when.
    pub frozen_at: Timestamp,
}
