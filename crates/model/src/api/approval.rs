//! `/approvals`: which are listed, how long is waited for one, how one is decided.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::approval::ApprovalState;

/// Which approvals, and which part of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalListQuery {
    /// At most so many items; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
    /// The `next_cursor` of the part before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Only those in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<ApprovalState>,
}

/// How long to wait for a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalViewQuery {
    /// Answer only when it is not pending any more, or after so many milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 30000))]
    pub wait_ms: Option<u64>,
}

/// An approval for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StandingWish {
    /// For how long: a minute to 30 days.
    #[schemars(range(min = 60000, max = 2592000000_u64))]
    pub for_ms: u64,
    /// How often the act may pass meanwhile; as often as asked for when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000000))]
    pub uses: Option<u32>,
}

/// Letting an act pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalApprove {
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Also what the same principal asks of the same kind on the same resource, with whatever
    /// arguments; only this one act, once, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<StandingWish>,
}

/// Rejecting an act.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovalDeny {
    /// Why: whoever asked is told.
    pub reason: String,
}
