//! Secrets: what is asked for. What is shown is in `crate::secret`; a value never is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
