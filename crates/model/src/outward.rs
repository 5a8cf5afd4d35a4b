//! What leaves a box for the world: what is wanted, how it was ruled, and the record of it.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decision::{Decision, LayerReason, ReasonClass};
use crate::id::{AgentName, CorrelationId, DecisionId, SessionId};
use crate::time::Timestamp;

/// How a host is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Manner {
    /// A request of HTTP that can be read.
    Http {
        /// Its method.
        method: String,
        /// Its path, normalised, without the query.
        path: String,
        /// Whether it asks for a WebSocket.
        websocket: bool,
    },
    /// TLS that nobody opens on the way.
    Tls,
    /// Bytes.
    Tcp,
}

impl Manner {
    /// The manner as it is written in records.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::Tls => "tls",
            Self::Tcp => "tcp",
        }
    }
}

/// What something in a box wants to reach.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// The host, in normal form.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How it is to be spoken to.
    pub manner: Manner,
    /// The address that the name turned out to lie at, if it is not public.
    pub private_address: Option<IpAddr>,
}

/// What the policy says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// The answer of the policy.
    pub decision: Decision,
    /// Whether it may happen: because it is allowed, or because its session is observed and no
    /// rule of the installation is against it.
    pub passes: bool,
    /// The generation of the policy that the answer was taken from.
    pub generation: u64,
}

impl AsRef<Decision> for Ruling {
    fn as_ref(&self) -> &Decision {
        &self.decision
    }
}

impl Ruling {
    /// Whether it may happen only because its session is observed.
    pub const fn is_observed(&self) -> bool {
        self.passes && !self.decision.allowed
    }
}

/// Why something that wants out is not let out, in one word: all that somebody inside learns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// No grant names it.
    NotPermitted,
    /// A rule forbids it.
    Forbidden,
    /// A rule could not be evaluated.
    EvaluationFailed,
    /// The name is none that could be granted.
    Name,
    /// The host lies at an address that nobody may reach without a grant that names it.
    Address,
    /// The host lies at an address of this server itself.
    OwnAddress,
    /// TLS names another host than was asked for, or none.
    ServerName,
    /// TLS hides whom it is for.
    EncryptedHello,
    /// The grant looks into requests, and TLS hides them.
    Hidden,
    /// The bytes are neither TLS nor HTTP, and no grant allows others.
    Protocol,
    /// The request cannot be read without doubt.
    Malformed,
    /// More connections, bytes or requests than a session may have.
    TooMuch,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 12] = [
        Self::NotPermitted,
        Self::Forbidden,
        Self::EvaluationFailed,
        Self::Name,
        Self::Address,
        Self::OwnAddress,
        Self::ServerName,
        Self::EncryptedHello,
        Self::Hidden,
        Self::Protocol,
        Self::Malformed,
        Self::TooMuch,
    ];

    /// The word as it is written in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotPermitted => "not_permitted",
            Self::Forbidden => "forbidden",
            Self::EvaluationFailed => "evaluation_failed",
            Self::Name => "name",
            Self::Address => "address",
            Self::OwnAddress => "own_address",
            Self::ServerName => "server_name",
            Self::EncryptedHello => "encrypted_hello",
            Self::Hidden => "hidden",
            Self::Protocol => "protocol",
            Self::Malformed => "malformed",
            Self::TooMuch => "too_much",
        }
    }

    /// The same in words: what somebody inside may read as well.
    pub const fn said(self) -> &'static str {
        match self {
            Self::NotPermitted => "no grant names it",
            Self::Forbidden => "a rule forbids it",
            Self::EvaluationFailed => "a rule could not be evaluated",
            Self::Name => "that is not the name of a host; address hosts by their names",
            Self::Address => "its address is not a public one, and no grant names the range",
            Self::OwnAddress => "its address is one of the server itself",
            Self::ServerName => "TLS names another host, or none",
            Self::EncryptedHello => "TLS hides the host it is for; switch encrypted client hello off",
            Self::Hidden => "the grant looks into requests, and TLS hides them",
            Self::Protocol => "the bytes are neither TLS nor HTTP, and no grant allows others",
            Self::Malformed => "the request cannot be read without doubt",
            Self::TooMuch => "the session has taken all it may",
        }
    }
}

impl From<ReasonClass> for Refusal {
    fn from(class: ReasonClass) -> Self {
        match class {
            ReasonClass::Permitted | ReasonClass::NotPermitted => Self::NotPermitted,
            ReasonClass::Forbidden | ReasonClass::NeedsApproval => Self::Forbidden,
            ReasonClass::EvaluationFailed => Self::EvaluationFailed,
        }
    }
}

/// How far something that wanted out has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutwardState {
    /// It was let out, and has not ended.
    Begun,
    /// It has ended of its own.
    Ended,
    /// It was not let out.
    Refused,
    /// It was let out, and the host could not be reached, or broke it off.
    Failed,
    /// It was ended, because a rule or a grant is no longer what it was.
    Revoked,
    /// It was ended, because it took too long or carried too much.
    Exceeded,
}

impl OutwardState {
    /// The state as it is written in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Ended => "ended",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Revoked => "revoked",
            Self::Exceeded => "exceeded",
        }
    }
}

/// One decision about something that wanted out of a box, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutwardRecord {
    /// The decision; what somebody inside was told as the handle of a refusal.
    pub id: DecisionId,
    /// When it was decided.
    pub at: Timestamp,
    /// The agent.
    pub agent: AgentName,
    /// Its version.
    pub version: u64,
    /// The session; absent for a box that was kept ready and had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<SessionId>,
    /// The request that the session began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<CorrelationId>,
    /// The host it wanted to reach, as it was named.
    pub host: String,
    /// The port; absent where only a name was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How it was spoken to, as far as that was known: `http`, `tls`, `tcp` or `name`.
    pub manner: String,
    /// The method, if it was a request that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// The path, if it was a request that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The address that was dialled, or that it was refused for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
    /// Whether every set allows it.
    pub allowed: bool,
    /// Whether it passed without being allowed, because its session is observed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed: bool,
    /// How far it came.
    pub state: OutwardState,
    /// Why it was not let out, or would not have been.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<Refusal>,
    /// What each set said.
    pub reasons: Vec<LayerReason>,
    /// SHA-256 over the sets, in hexadecimal.
    pub policy_hash: String,
    /// How often the same was refused again since; told once for all of them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub repeated: u64,
    /// Bytes that went out.
    pub bytes_out: u64,
    /// Bytes that came back.
    pub bytes_in: u64,
    /// How long it took.
    pub duration_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks like this")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl OutwardRecord {
    /// What it was about, as it is written in the ledger.
    pub fn subject(&self) -> String {
        match self.port {
            Some(port) => format!("host/{}:{port}", self.host),
            None => format!("host/{}", self.host),
        }
    }

    /// Whether nothing permits it: it was refused, or passed only because its session is observed.
    pub fn is_unpermitted(&self) -> bool {
        self.state == OutwardState::Refused || self.observed
    }

    /// The rule that let it out, if one did: of the agent's own grants first.
    pub fn rule(&self) -> Option<&str> {
        self.reasons.iter().rev().find_map(|reason| reason.policies.first()).map(String::as_str)
    }
}
