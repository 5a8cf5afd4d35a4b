//! A tenant's own policies: rules with names, in sets that are put in force as a whole. Each set
//! that ever was in force is a revision, which nobody can change.
//! Must not know Cedar.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::counter::Counter;
use crate::id::PolicyName;
use crate::time::Timestamp;

/// Most policies of a tenant.
pub const POLICIES_MAX: usize = 10_000;
/// Longest text of all policies of a tenant together.
pub const POLICIES_SIZE_MAX_BYTES: usize = 3 * 1024 * 1024;
/// Longest reason for a change.
pub const POLICY_REASON_LENGTH_MAX: usize = 1_000;

/// Whether a policy counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PolicyMode {
    /// It counts.
    #[default]
    Enforce,
    /// It does not count; where it would make a difference, that is reported.
    LogOnly,
}

impl PolicyMode {
    /// The mode as it is written in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "ENFORCE",
            Self::LogOnly => "LOG_ONLY",
        }
    }
}

/// A policy of a tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What it is called, unique in its set.
    pub name: PolicyName,
    /// Whether it counts; it does when absent.
    #[serde(default)]
    pub mode: PolicyMode,
    /// One rule or several, in Cedar.
    pub text: String,
}

/// A set of policies that is, or was, in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyRevision {
    /// Its number, from 1 on; 0 is what a tenant begins with.
    pub revision: u64,
    /// Who put it in force.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When; absent for what a tenant begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<Timestamp>,
    /// The earlier revision that it repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<u64>,
    /// SHA-256 over what counts of it, in hexadecimal.
    pub policy_hash: String,
    /// The policies.
    pub policies: Vec<Policy>,
    /// The counters that they look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counters: Vec<Counter>,
}

/// What there is to say of a revision without its policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyRevisionInfo {
    /// Its number.
    pub revision: u64,
    /// Who put it in force.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When; absent for what a tenant begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<Timestamp>,
    /// The earlier revision that it repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<u64>,
    /// SHA-256 over what counts of it, in hexadecimal.
    pub policy_hash: String,
    /// How many policies it holds.
    pub policies: u64,
    /// How many of them are `LOG_ONLY`.
    pub log_only: u64,
}

impl From<&PolicyRevision> for PolicyRevisionInfo {
    fn from(revision: &PolicyRevision) -> Self {
        let log_only = revision.policies.iter().filter(|policy| policy.mode == PolicyMode::LogOnly).count();
        Self {
            revision: revision.revision,
            author: revision.author.clone(),
            reason: revision.reason.clone(),
            applied_at: revision.applied_at,
            repeats: revision.repeats,
            policy_hash: revision.policy_hash.clone(),
            policies: revision.policies.len() as u64,
            log_only: log_only as u64,
        }
    }
}

/// Which revision of a tenant's set is in force, as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyInForce {
    /// The revision.
    pub revision: u64,
}

/// How a policy differs from one set to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyChange {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its text is another.
    Changed,
    /// It counts now, or does not any more; its text is the same.
    ModeChanged,
}
