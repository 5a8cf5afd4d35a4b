//! Secrets: what is asked for. What is shown is in `crate::secret`; a value never is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{AgentName, SecretName};
use crate::rotation::RotationStep;
use crate::secret::SecretValue;

/// A value that is to be used from now on, and no other.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretSet {
    /// The value: 1 byte to 64 KiB of text. It is never shown again.
    pub value: SecretValue,
    /// What it is for; as before when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 200))]
    pub description: Option<String>,
    /// How old a version becomes before another one is due; as before when absent, 30 days for
    /// a new secret, at most 10 years.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 315_360_000_000_u64))]
    pub rotate_every_ms: Option<u64>,
}

/// A value that is to be used from now on, while the one before can still be read.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRotate {
    /// The value: 1 byte to 64 KiB of text, other than the one before. It is never shown again.
    pub value: SecretValue,
    /// For how long the one before can still be read; 24 hours when absent, at most 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub overlap_ms: Option<u64>,
}

/// A program that is to rotate a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotationSet {
    /// The agent that is the program: one that reads one document and writes one (`stdio`).
    pub agent: AgentName,
    /// The version of it; the one that `default` points to now when absent. It stays that one
    /// whatever is deployed later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub agent_version: Option<u64>,
    /// For how long the value before can still be read; 24 hours when absent, at most 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_592_000_000_u64))]
    pub overlap_ms: Option<u64>,
}

/// The value that a rotation program proposes.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RotationProposal {
    /// The value: 1 byte to 64 KiB of text, other than the one that is used.
    pub value: SecretValue,
}

/// What a rotation program is given to work with.
#[derive(PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RotationValues {
    /// Which secret.
    pub secret: SecretName,
    /// What is asked for.
    pub step: RotationStep,
    /// The value that is used; absent when the proposed one is to be verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<String>,
    /// The value that was proposed, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<String>,
}

impl std::fmt::Debug for RotationValues {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RotationValues({}, {})", self.secret, self.step.as_str())
    }
}
