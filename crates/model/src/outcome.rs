//! The structured result of a run or step. Failure is data.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::id::{RunId, SessionId, StepId};
use crate::time::Timestamp;

/// How it ended: the terminal states of a run, and two that only a step can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeStatus {
    /// It did what was asked.
    Succeeded,
    /// It did not.
    Failed,
    /// It was stopped by its time limit.
    TimedOut,
    /// Somebody stopped it.
    Cancelled,
    /// It was stopped by its budget.
    BudgetExceeded,
    /// It was stopped by the policy.
    PolicyViolation,
    /// The kill switch stopped it.
    Killed,
    /// Its box or its node is gone.
    Crashed,
    /// A step did a part of its work.
    Partial,
    /// A step was not needed.
    Skipped,
}

/// The decision behind an outcome, in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeDecision {
    /// The decision's id.
    pub id: String,
    /// Whether it was allowed.
    pub allowed: bool,
    /// Why, in one word.
    pub reason: String,
}

/// What it used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Usage {
    /// Processor time.
    pub cpu_ms: u64,
    /// Largest resident memory.
    pub memory_peak_bytes: u64,
    /// Tokens sent to models.
    pub tokens_in: u64,
    /// Tokens received from models.
    pub tokens_out: u64,
    /// Bytes that left through the door.
    pub egress_bytes: u64,
}

/// The structured result of a run or step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Outcome {
    /// The run.
    pub run_id: RunId,
    /// The step, when it is a step's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_id: Option<StepId>,
    /// How it ended.
    pub status: OutcomeStatus,
    /// `OK`, or a code of the error table.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// What it produced.
    pub output: Value,
    /// More about a failure, such as the end of the agent's log.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Value>,
    /// What it cost.
    pub cost_cents: u64,
    /// How long it took.
    pub latency_ms: u64,
    /// Whether the same may succeed later.
    pub retryable: bool,
    /// What it changed in the world.
    pub side_effects: Vec<String>,
    /// The decision behind it.
    pub decision: OutcomeDecision,
    /// What it used.
    pub usage: Usage,
    /// The kind of box it ran in.
    pub isolation: String,
    /// The session it ran in.
    pub session_id: SessionId,
    /// The trace it belongs to.
    pub trace_id: String,
    /// When it ended.
    pub finished_at: Timestamp,
}
