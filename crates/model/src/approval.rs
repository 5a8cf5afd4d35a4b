//! What the policy lets pass only when somebody approves it: the question, and its answer.
//!
//! ```text
//!            approve             the act passes
//!   Pending ────────▶ Approved ─────────────────▶ Used
//!      │  │               │  └─ for a while: passes, and stays, until the time or the uses end
//!      │  └──── deny ───▶ Rejected
//!      ├── withdraw ──────┴─▶ Withdrawn
//!      └── time, or another policy ──▶ Expired ◀── (Approved)
//! ```
//!
//! Must not know: how it is stored, or who may decide.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{ApprovalId, CorrelationId, DecisionId};
use crate::operation::Operation;
use crate::time::Timestamp;

/// Longest reason of a decision, in characters.
pub const APPROVAL_REASON_LENGTH_MAX: usize = 1_000;
/// Most approvals of a tenant that wait to be decided.
pub const APPROVALS_PENDING_MAX: usize = 1_000;
/// Longest wait for a decision, in one request.
pub const APPROVAL_WAIT_MAX_MS: u64 = 30_000;
/// How much is shown of the body of a request.
pub const ASKED_BODY_BYTES_MAX: usize = 8 * 1024;
/// How much is shown of the path of a request.
pub const ASKED_PATH_BYTES_MAX: usize = 2 * 1024;

/// How far an approval is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalState {
    /// Nobody has decided.
    Pending,
    /// The act may pass.
    Approved,
    /// Somebody said no.
    Rejected,
    /// Whoever asked, or an admin, took it back.
    Withdrawn,
    /// Its time was over before anybody decided, or before the act was asked for again; or the
    /// policies were changed in between.
    Expired,
    /// The act has passed.
    Used,
}

impl ApprovalState {
    /// Every state.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Approved, Self::Rejected, Self::Withdrawn, Self::Expired, Self::Used];

    /// The state as it is written in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Expired => "expired",
            Self::Used => "used",
        }
    }

    /// Whether time can still change it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Approved)
    }
}

/// What was asked for, as far as people need it to decide.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Asked {
    /// The method.
    pub method: String,
    /// Path and query, cut at 2 KiB.
    pub path: String,
    /// The body, if it is JSON or other text, cut at 8 KiB; never one that holds a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// How long the whole body is.
    pub body_size_bytes: u64,
}

impl Asked {
    /// What there is to show of a request.
    pub fn of(operation: Operation, path: &str, body: &[u8]) -> Self {
        let text = || String::from_utf8_lossy(cut(body, ASKED_BODY_BYTES_MAX)).into_owned();
        let is_text = std::str::from_utf8(body).is_ok() && !body.is_empty();
        Self {
            method: operation.method().as_str().to_owned(),
            path: String::from_utf8_lossy(cut(path.as_bytes(), ASKED_PATH_BYTES_MAX)).into_owned(),
            body: (is_text && !operation.carries_secret()).then(text),
            body_size_bytes: body.len() as u64,
        }
    }
}

/// The beginning of a text, ending with a whole character.
fn cut(text: &[u8], bytes_max: usize) -> &[u8] {
    let is_inside = |end: &usize| text.get(*end).is_some_and(|byte| byte & 0xC0 == 0x80);
    let end = (0..=bytes_max.min(text.len())).rev().find(|end| !is_inside(end)).unwrap_or(0);
    text.get(..end).unwrap_or_default()
}

/// An approval for a while, for whatever arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// Until when.
    pub until: Timestamp,
    /// How often the act may still pass; as often as asked for when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses_left: Option<u32>,
}

/// A question to people whether an act may happen, and their answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// How far it is.
    pub state: ApprovalState,
    /// Who asked for the act.
    pub principal: String,
    /// The act.
    pub operation: Operation,
    /// What it acts on.
    pub resource: String,
    /// The request.
    pub asked: Asked,
    /// MAC of the exact act, under the tenant's key: principal, operation, resource and request.
    pub action_mac: String,
    /// The revision of the tenant's policies that asks for it.
    pub policy_revision: u64,
    /// Who should decide, and why, as the rule says it.
    pub sentence: String,
    /// The request that asked first.
    pub correlation_id: CorrelationId,
    /// When that was.
    pub requested_at: Timestamp,
    /// Until when it can be decided; once it is approved, until when the act may pass.
    pub expires_at: Timestamp,
    /// Who decided, or took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
    /// When that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// Why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Whether it holds for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
    /// The decision by which the act passed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_by: Option<DecisionId>,
}

impl Approval {
    /// As it is at that time, under that revision of the tenant's policies: time that is over,
    /// and another policy, end what is still open.
    #[must_use]
    pub fn as_of(self, now: Timestamp, policy_revision: u64) -> Self {
        let is_over = self.expires_at <= now || self.policy_revision != policy_revision;
        match self.state.is_open() && is_over {
            true => Self { state: ApprovalState::Expired, ..self },
            false => self,
        }
    }

    /// Whether it was asked for, or approved, under other policies than those in force.
    pub fn is_stale(&self, policy_revision: u64) -> bool {
        self.policy_revision != policy_revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_up_to_its_limit_and_ends_with_a_whole_character() {
        let long = "ä".repeat(ASKED_BODY_BYTES_MAX);
        let asked = Asked::of(Operation::AgentInvoke, "/p", format!("x{long}").as_bytes());
        let shown = asked.body.unwrap_or_default();
        assert_eq!((shown.len(), asked.body_size_bytes), (ASKED_BODY_BYTES_MAX - 1, 2 * 8 * 1024 + 1));
        assert!(shown.ends_with('ä') && !shown.contains('\u{fffd}'));
        let path = Asked::of(Operation::AgentList, &"p".repeat(5_000), b"").path;
        assert_eq!(path.len(), ASKED_PATH_BYTES_MAX);
    }

    #[test]
    fn a_body_that_holds_a_secret_or_is_no_text_is_never_shown() {
        for operation in Operation::ALL {
            let asked = Asked::of(*operation, "/p", br#"{"value":"hidden"}"#);
            assert_eq!(asked.body.is_some(), !operation.carries_secret(), "{operation:?}");
        }
        assert_eq!(Asked::of(Operation::AgentDeploy, "/p", &[0xFF, 0xFE]).body, None);
        assert_eq!(Asked::of(Operation::AgentDelete, "/p", b"").body, None);
    }

    #[test]
    fn states_read_back() {
        for state in ApprovalState::ALL {
            assert_eq!(serde_json::to_value(state).ok(), Some(state.as_str().into()));
        }
    }
}
