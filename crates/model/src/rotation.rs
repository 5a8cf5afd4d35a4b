//! Rotation of a secret by a program: an agent proposes a new value, is asked in another box
//! whether the value works, and only then it takes the place of the one before.
//!
//! ```text
//!          due or wanted        it proposed a value      it says that the value works
//!   rests ──────────────► propose ────────────────► verify ────────────────► rests, rotated
//!     ▲                      │                         │
//!     └── failed: the value before stays; a proposed ──┘
//!         one is kept for the next try, which is later
//! ```

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{AgentName, SecretName, TenantId};
use crate::time::Timestamp;

/// What a rotation program is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RotationStep {
    /// Make a new value, or go on with the one it proposed before, and set it wherever it has
    /// to be known.
    Propose,
    /// Say whether the proposed value works.
    Verify,
}

impl RotationStep {
    /// The step as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Propose => "propose",
            Self::Verify => "verify",
        }
    }
}

/// What one box is for, if it is for nothing but a rotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationTask {
    /// Of which secret.
    pub secret: SecretName,
    /// What is asked for.
    pub step: RotationStep,
    /// Which try it is: a box of an earlier one has no say any more.
    pub attempt: u64,
}

/// A rotation that is to be worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RotationDue {
    /// Whose secret.
    pub tenant: TenantId,
    /// Which.
    pub secret: SecretName,
    /// By which program.
    pub agent: AgentName,
    /// By which version of it.
    pub version: u64,
    /// What comes next.
    pub step: RotationStep,
}

/// Why a rotation did not come about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RotationFailure {
    /// When.
    pub at: Timestamp,
    /// In which step.
    pub step: RotationStep,
    /// What went wrong; nothing that the program wrote.
    pub reason: String,
}

/// How a secret is rotated by a program, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RotationInfo {
    /// The agent that is the program.
    pub agent: AgentName,
    /// The version of it.
    pub agent_version: u64,
    /// For how long the value before can still be read.
    pub overlap_ms: u64,
    /// What is under way, if anything is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<RotationStep>,
    /// Whether a value is proposed that is not used yet.
    pub proposed: bool,
    /// How often it failed since it last came about.
    pub failures: u32,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<RotationFailure>,
    /// When it is tried again, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Timestamp>,
}

/// How a secret is rotated by a program, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotationRecord {
    /// The agent that is the program.
    pub agent: AgentName,
    /// The version of it: whoever may deploy another one may not thereby read the secret.
    pub agent_version: u64,
    /// For how long the value before can still be read.
    pub overlap_ms: u64,
    /// Somebody wants it now.
    #[serde(default)]
    pub wanted: bool,
    /// What is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<RotationStep>,
    /// How many tries there were.
    #[serde(default)]
    pub attempts: u64,
    /// The value that is proposed, sealed under the tenant's data key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<String>,
    /// How often it failed since it last came about.
    #[serde(default)]
    pub failures: u32,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<RotationFailure>,
    /// When it is tried again, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Timestamp>,
}

impl RotationRecord {
    /// As it is shown.
    pub fn info(&self) -> RotationInfo {
        RotationInfo {
            agent: self.agent.clone(),
            agent_version: self.agent_version,
            overlap_ms: self.overlap_ms,
            step: self.step,
            proposed: self.proposed.is_some(),
            failures: self.failures,
            last_failure: self.last_failure.clone(),
            retry_after: self.retry_after,
        }
    }
}
