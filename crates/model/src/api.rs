//! The bodies of requests and answers: shared by the server, the SDK and the command line,
//! and the source of the schemas in OpenAPI.

mod approval;
mod identity;
mod intent;
mod key;
mod policy;
mod secret;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agent::{BundleInfo, GrantState};
use crate::freeze::FreezeTarget;
use crate::id::{AgentName, EndpointName, RunId, SessionId, TenantId};
use crate::ledger::Entry;
use crate::manifest::Manifest;
use crate::run::{LogLine, Mode};
use crate::time::Timestamp;
pub use approval::{ApprovalApprove, ApprovalDeny, ApprovalListQuery, ApprovalViewQuery, StandingWish};
pub use identity::{Identity, IdentityToken, IdentityTokenWish, WorkloadIdentity};
pub use intent::{DispatchRequest, Dispatched, GovernanceAnswer, IntentSet};
pub use key::{AwsKey, EncryptionKeyRotated, KeyCreate, KeyCreated};
pub use policy::{
    Expected, PolicyApply, PolicyAsk, PolicyCase, PolicyCaseResult, PolicyDiff, PolicyDifference, PolicyDraft,
    PolicyDraftSet, PolicyExplanation, PolicyList, PolicyListQuery, PolicyReplay, PolicyReplayed, PolicyResource,
    PolicyRollback, PolicyRule, PolicySet, PolicySubject, PolicyTest, PolicyTestResult, ReplayedDecision,
};
pub use secret::{RotationProposal, RotationSet, RotationValues, SecretRotate, SecretSet};

/// How many items a page has when nobody says.
pub const PAGE_LIMIT_DEFAULT: usize = 50;
/// How many items a page may have.
pub const PAGE_LIMIT_MAX: usize = 500;

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Send it back as `cursor` for the next part; absent at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// Which part of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PageQuery {
    /// At most so many items; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
    /// The `next_cursor` of the part before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// An agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentView {
    /// The name.
    pub name: AgentName,
    /// The newest version.
    pub latest_version: u64,
    /// When it was first deployed.
    pub created_at: Timestamp,
    /// When it was last deployed.
    pub updated_at: Timestamp,
}

/// A version of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VersionView {
    /// The agent.
    pub agent: AgentName,
    /// The number.
    pub version: u64,
    /// Whether the grants it asks for hold.
    pub grants: GrantState,
    /// Who approved the grants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    /// Who deployed it.
    pub deployed_by: String,
    /// When.
    pub created_at: Timestamp,
    /// What was changed on the way from an older form of the manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The code, where the version has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleInfo>,
    /// The manifest in its present form.
    pub manifest: Manifest,
}

/// Where an endpoint shall point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EndpointSet {
    /// The version.
    #[schemars(range(min = 1))]
    pub version: u64,
}

/// A new tenant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantCreate {
    /// Its name.
    pub id: TenantId,
}

/// The signed head of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckpointView {
    /// The checkpoint, a C2SP signed note.
    pub checkpoint: String,
    /// The key to pin: what signs this tenant's checkpoints.
    pub verifier_key: String,
    /// The key that it took the place of, which signs along until the next change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_verifier_key: Option<String>,
    /// Number of entries.
    pub size: u64,
    /// The root, in base64.
    pub root: String,
}

/// Which entries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntriesQuery {
    /// From this position on; the newest when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// At most so many; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
}

/// A ledger entry with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerItem {
    /// The position in the tenant's tree, from 0.
    pub position: u64,
    /// The entry.
    pub entry: Entry,
    /// The entry's exact bytes, in base64.
    pub bytes: String,
}

/// Ledger entries, oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerItems {
    /// The entries.
    pub items: Vec<LedgerItem>,
    /// Number of entries in the ledger.
    pub size: u64,
}

/// Which proof of inclusion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProofQuery {
    /// The entry's position.
    pub position: u64,
    /// In the ledger of this size; the present one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// A proof that an entry is in a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProofView {
    /// The entry's position.
    pub position: u64,
    /// In the ledger of this size.
    pub size: u64,
    /// The entry's leaf hash, in base64.
    pub leaf: String,
    /// The root, in base64.
    pub root: String,
    /// The hashes from the leaf to the root, in base64.
    pub path: Vec<String>,
    /// The same with the signed checkpoint, as a C2SP `tlog-proof`; only for the present size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tlog_proof: Option<String>,
}

/// Which proof of consistency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyQuery {
    /// The earlier size.
    pub from: u64,
    /// The later size; the present one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
}

/// A proof that a later ledger extends an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsistencyView {
    /// The earlier size.
    pub from: u64,
    /// The later size.
    pub to: u64,
    /// The root of the earlier ledger, in base64.
    pub from_root: String,
    /// The root of the later ledger, in base64.
    pub to_root: String,
    /// The hashes of the proof, in base64.
    pub path: Vec<String>,
}

/// What to freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FreezeRequest {
    /// `all`, `tenant/NAME`, `agent/NAME` or `key/ID`.
    pub target: FreezeTarget,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1000))]
    pub reason: String,
}

/// What to thaw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ThawRequest {
    /// `all`, `tenant/NAME`, `agent/NAME` or `key/ID`.
    pub target: FreezeTarget,
}

/// Whether the server is well. No detail: the answer is open to everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// `ok`, or `unavailable`.
    pub status: String,
}

/// Something for an agent to do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InvokeRequest {
    /// What the agent is given; `null` when absent.
    #[serde(default)]
    pub input: Value,
    /// The session it belongs to; one of its own, which ends with it, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The endpoint to ask; `default` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<EndpointName>,
    /// After how long it is ended; never later than the manifest says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400_000))]
    pub timeout_ms: Option<u64>,
    /// How the caller waits.
    #[serde(default)]
    pub mode: Mode,
}

/// A run that was begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunBegun {
    /// The run.
    pub run_id: RunId,
    /// Its session.
    pub session_id: SessionId,
}

/// Which runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunListQuery {
    /// At most so many items; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
    /// The `next_cursor` of the part before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Only those of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// Only those of this session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
}

/// Which sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SessionListQuery {
    /// At most so many items; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
    /// The `next_cursor` of the part before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Only those of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// Also those that have ended.
    #[serde(default)]
    pub all: bool,
}

/// Which decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionListQuery {
    /// At most so many items; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
    /// The `next_cursor` of the part before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Only those of this agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentName>,
    /// Only those of this session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// Only those about this host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// Only refusals, and what passed only because its session is observed.
    #[serde(default)]
    pub refused: bool,
}

/// Which lines of a session's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogQuery {
    /// Only lines after this number.
    #[serde(default)]
    pub after: u64,
    /// At most so many; 50 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 500))]
    pub limit: Option<u32>,
    /// Only those of this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
}

/// Lines of a session's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLines {
    /// The lines, oldest first.
    pub items: Vec<LogLine>,
    /// Send it back as `after` for what comes later.
    pub next: u64,
}
