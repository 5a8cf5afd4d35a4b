//! Runs and sessions, as they are stored and as callers see them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::api::GovernanceAnswer;
use crate::boxes::BoxStats;
use crate::id::{AgentName, CorrelationId, RunId, SessionId};
use crate::ledger::EntryDecision;
use crate::life::{run, session};
use crate::outcome::Outcome;
use crate::time::Timestamp;

/// Longest time a run may be given.
pub const RUN_TIMEOUT_MAX_MS: u64 = 24 * 60 * 60 * 1_000;
/// Largest answer of an agent.
pub const OUTPUT_BYTES_MAX: usize = 1024 * 1024;

/// How a caller waits for a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Until it has ended.
    #[default]
    Sync,
    /// Listening to what it says meanwhile.
    Stream,
    /// Not at all; it asks later.
    Async,
}

/// One unit of work in a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// The id.
    pub id: RunId,
    /// Whose work it is.
    pub agent: AgentName,
    /// By which version.
    pub version: u64,
    /// The session it belongs to.
    pub session_id: SessionId,
    /// Where it is in its life.
    #[serde(flatten)]
    pub state: run::State,
    /// How its caller waits for it.
    pub mode: Mode,
    /// What the agent was given.
    pub input: Value,
    /// After how long it is ended.
    pub timeout_ms: u64,
    /// The run that this one repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_of: Option<RunId>,
    /// Who asked for it.
    pub started_by: String,
    /// The request that asked for it.
    pub correlation_id: CorrelationId,
    /// By which decision.
    pub decision: EntryDecision,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The intent that it fulfils, if it was asked for by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fulfils: Option<Fulfilment>,
    /// What became of it, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// An intent that a run fulfils, and by which answer of governance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Fulfilment {
    /// The service that asked.
    pub service: String,
    /// What it asked to be done.
    pub intent: String,
    /// What governance said.
    pub governance: GovernanceAnswer,
}

/// A run in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunSummary {
    /// The id.
    pub id: RunId,
    /// Whose work it is.
    pub agent: AgentName,
    /// By which version.
    pub version: u64,
    /// The session it belongs to.
    pub session_id: SessionId,
    /// Where it is in its life.
    #[serde(flatten)]
    pub state: run::State,
    /// `OK`, or a code of the error table, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// How long it took, once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
}

impl From<Run> for RunSummary {
    fn from(run: Run) -> Self {
        let (code, latency_ms) = match run.outcome {
            Some(outcome) => (Some(outcome.code), Some(outcome.latency_ms)),
            None => (None, None),
        };
        Self {
            id: run.id,
            agent: run.agent,
            version: run.version,
            session_id: run.session_id,
            state: run.state,
            code,
            created_at: run.created_at,
            latency_ms,
        }
    }
}

/// One conversation with one agent; has one box.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// The id.
    pub id: SessionId,
    /// The agent.
    pub agent: AgentName,
    /// The version it keeps.
    pub version: u64,
    /// Where it is in its life, and why it ended.
    #[serde(flatten)]
    pub state: session::State,
    /// Whether it outlives its run: somebody named it.
    pub kept: bool,
    /// Whether what its grants do not allow is reported, and let out all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub observed: bool,
    /// The kind of its box.
    pub isolation: String,
    /// Who began it.
    pub started_by: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}

/// A session, and what its box uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SessionView {
    /// The session.
    #[serde(flatten)]
    pub session: Session,
    /// What its box uses and has used, while it lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stats: Option<BoxStats>,
}

/// Longest line of a log that is kept whole.
pub const LOG_LINE_BYTES_MAX: usize = 8 * 1024;

/// A line of a log before it has its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDraft {
    /// When it was written.
    pub at: Timestamp,
    /// The run during which it was written, where it belongs to one.
    pub run_id: Option<RunId>,
    /// The request it belongs to.
    pub correlation_id: CorrelationId,
    /// What was written.
    pub text: String,
}

/// A line of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// Its number in its session, from 1.
    pub number: u64,
    /// When it was written.
    pub at: Timestamp,
    /// The run during which it was written, where it belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The request it belongs to.
    pub correlation_id: CorrelationId,
    /// What was written.
    pub text: String,
}
