//! Who is asking: the principal behind a credential, its role and its tenant.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{AgentName, CorrelationId, KeyId, TenantId};

/// What a principal may do by its role; finer rules are policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also invokes, simulates, approves.
    Operator,
    /// Also creates, deletes and configures within the tenant.
    Admin,
    /// An admin of its own tenant who also manages tenants. Sees nothing of theirs.
    PlatformAdmin,
}

impl Role {
    /// Every role, weakest first.
    pub const ALL: [Self; 4] = [Self::Viewer, Self::Operator, Self::Admin, Self::PlatformAdmin];

    /// The role as it is written in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
            Self::PlatformAdmin => "platform-admin",
        }
    }
}

/// Somebody known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Principal {
    /// The holder of an API key.
    Key {
        /// The key.
        id: KeyId,
    },
    /// Somebody for whom another issuer vouches by a token.
    User {
        /// Who vouches.
        issuer: String,
        /// For whom, in the issuer's words.
        subject: String,
    },
    /// An agent, speaking through the door of its box.
    Agent {
        /// The agent.
        name: AgentName,
    },
    /// The server itself, at start or in the background.
    System,
}

impl Principal {
    /// The principal as it is written in the ledger.
    pub fn name(&self) -> String {
        match self {
            Self::Key { id } => format!("key/{id}"),
            Self::User { issuer, subject } => format!("user/{subject}@{issuer}"),
            Self::Agent { name } => format!("agent/{name}"),
            Self::System => "system".to_owned(),
        }
    }
}

/// A principal with its tenant and role, all three from the credential only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The owner of everything this caller can see.
    pub tenant: TenantId,
    /// Who.
    pub principal: Principal,
    /// As what.
    pub role: Role,
    /// The request this is about.
    pub correlation_id: CorrelationId,
}
