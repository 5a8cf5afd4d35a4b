//! Secrets: as they are stored, sealed, and as they are shown, without their values.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::SecretName;
use crate::rotation::{RotationInfo, RotationRecord};
use crate::time::Timestamp;

/// Longest value.
pub const SECRET_SIZE_MAX_BYTES: usize = 64 * 1024;
/// How old a value becomes before another one is due, when nobody says.
pub const ROTATE_EVERY_MS_DEFAULT: u64 = 30 * 24 * 60 * 60 * 1_000;
/// For how long the value before a rotation stays readable, when nobody says.
pub const OVERLAP_MS_DEFAULT: u64 = 24 * 60 * 60 * 1_000;

/// A value on its way in. It is never shown: not by `Debug`, not by any answer.
#[derive(PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("writeOnly" = true))]
pub struct SecretValue(#[schemars(length(min = 1, max = 65_536))] String);

impl SecretValue {
    /// Takes the text over.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// Gives the text away, without leaving a copy.
    pub fn into_text(self) -> String {
        self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(…)")
    }
}

/// What a version of a secret is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretState {
    /// It is the one that is used.
    Current,
    /// It was used before a rotation, and can still be read.
    Overlapping,
    /// It cannot be read any more.
    Retired,
}

impl SecretState {
    /// The state as it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Overlapping => "overlapping",
            Self::Retired => "retired",
        }
    }
}

/// What is known of one version of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretVersion {
    /// Its number. Numbers go on counting, also after the secret was deleted.
    pub number: u64,
    /// What it is good for.
    pub state: SecretState,
    /// When it was set.
    pub created_at: Timestamp,
    /// Who set it.
    pub created_by: String,
    /// Until when it can still be read, if it overlaps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlaps_until: Option<Timestamp>,
}

/// What is known of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretInfo {
    /// Its name.
    pub name: SecretName,
    /// What it is for, said by whoever set it.
    pub description: String,
    /// The number of the version that is used.
    pub version: u64,
    /// How old a version becomes before another one is due.
    pub rotate_every_ms: u64,
    /// From when on another version is due.
    pub rotate_after: Timestamp,
    /// Whether another version is due.
    pub overdue: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: String,
    /// Its versions, newest first; older ones than these are in the ledger only.
    pub versions: Vec<SecretVersion>,
    /// The program that rotates it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationInfo>,
}

/// A secret as it is stored. One that was deleted stays, without versions, so that its numbers
/// go on counting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretRecord {
    /// Its name.
    pub name: SecretName,
    /// What it is for.
    pub description: String,
    /// How old a version becomes before another one is due.
    pub rotate_every_ms: u64,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who created it.
    pub created_by: String,
    /// The highest number that any of its versions ever had.
    pub latest: u64,
    /// Its versions, oldest first. None when it is deleted; otherwise one of them is current.
    pub versions: Vec<VersionRecord>,
    /// The program that rotates it, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<RotationRecord>,
}

/// A version of a secret as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// Its number.
    pub number: u64,
    /// When it was set.
    pub created_at: Timestamp,
    /// Who set it.
    pub created_by: String,
    /// What is kept of it.
    pub kept: Kept,
}

/// What is kept of a version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Kept {
    /// It is the one that is used.
    Current {
        /// Sealed under the tenant's data key, in base64.
        sealed: String,
    },
    /// It can be read until then.
    Overlapping {
        /// Sealed under the tenant's data key, in base64.
        sealed: String,
        /// Until when.
        until: Timestamp,
    },
    /// Nothing.
    Retired,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_does_not_show_itself() {
        assert_eq!(format!("{:?}", SecretValue::new("hunter2".to_owned())), "SecretValue(…)");
    }
}
