//! The answer of the policy, at the two depths it is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::DecisionId;

/// Which of the three sets a rule belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PolicyLayer {
    /// The installation's rules.
    Platform,
    /// The tenant's own policies.
    Tenant,
    /// What a manifest asked for and the tenant approved.
    Grants,
    /// The tenant's governance records; about intents they stand in the place of grants.
    Governance,
}

impl PolicyLayer {
    /// The layer as it is written in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Tenant => "tenant",
            Self::Grants => "grants",
            Self::Governance => "governance",
        }
    }
}

/// Why, in one word: all that somebody inside a box learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReasonClass {
    /// Every set permits it.
    Permitted,
    /// No rule of at least one set permits it.
    NotPermitted,
    /// A rule forbids it.
    Forbidden,
    /// A rule could not be evaluated, so the answer is no.
    EvaluationFailed,
    /// Only rules forbid it that somebody may lift for this one act, by approving it.
    NeedsApproval,
}

/// What one set said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LayerReason {
    /// The set.
    pub layer: PolicyLayer,
    /// Whether this set allows the act.
    pub allowed: bool,
    /// Why.
    pub class: ReasonClass,
    /// The ids of the rules that decided.
    pub policies: Vec<String>,
    /// What went wrong while evaluating, if anything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// One answer of the policy. An act happens only if `allowed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decision {
    /// The answer's own id.
    pub id: DecisionId,
    /// Whether every set allows it.
    pub allowed: bool,
    /// Why, in one word.
    pub class: ReasonClass,
    /// What each set said.
    pub reasons: Vec<LayerReason>,
    /// SHA-256 over the three sets the answer was taken from, in hexadecimal.
    pub policy_hash: String,
    /// What the tenant's set would say if its policies in `LOG_ONLY` counted, where that is
    /// something else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_only: Option<LayerReason>,
}
