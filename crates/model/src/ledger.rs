//! Plain data of the ledger: hashes, the head of a tree, the entry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decision::ReasonClass;
use crate::id::{CorrelationId, TenantId};
use crate::time::Timestamp;

/// SHA-256.
pub type Hash = [u8; 32];

/// The head of a tenant's RFC 6962 tree, small enough to be rewritten with every commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TreeHead {
    /// Number of entries.
    pub size: u64,
    /// Roots of the complete subtrees that make up the tree, largest first: one for every
    /// one bit of `size`.
    pub frontier: Vec<Hash>,
}

/// The root of a complete subtree that is kept so that proofs need not read every entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeNode {
    /// 1 for the root over 256 entries, 2 over 65,536, and so on.
    pub level: u8,
    /// Counted from 0 in its level.
    pub index: u64,
    /// The root.
    pub hash: Hash,
}

/// The decision in an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryDecision {
    /// Whether it was allowed.
    pub allowed: bool,
    /// The decision's id.
    pub id: String,
    /// Why, in one word.
    pub reason: ReasonClass,
}

/// What was decided and done. Written as RFC 8785 canonical JSON; the position is given by
/// the tree. MACs are HMAC-SHA-256 under the tenant's data key, in hexadecimal: a bare
/// digest of a short text could be guessed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What was done, or tried: the operation's name.
    pub action: String,
    /// Ties the entry to the request.
    pub correlation_id: CorrelationId,
    /// By which decision; absent where nothing was to be decided.
    pub decision: Option<EntryDecision>,
    /// The kind of box it happened in; absent outside boxes.
    pub isolation: Option<String>,
    /// `act` for what was done or begun, `outcome` for how it ended, `denial` for what was refused,
    /// `observed` for what was done though it is not allowed, in a session that is observed.
    pub kind: String,
    /// MAC of the result.
    pub outcome_mac: Option<String>,
    /// The policy in force.
    pub policy_hash: Option<String>,
    /// Who.
    pub principal: String,
    /// MAC of the request.
    pub request_mac: Option<String>,
    /// What it was done to.
    pub subject: String,
    /// Whose.
    pub tenant: TenantId,
    /// When, by the server's clock.
    pub time: Timestamp,
}
