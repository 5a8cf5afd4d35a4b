//! What is said between a run and an agent, whatever the protocol.

use aegis_model::{CorrelationId, Fault};
use bytes::Bytes;
use serde_json::Value;

/// The most lines of its log that explain a failure.
const TAIL_LINES: usize = 20;
/// The most bytes of them.
const TAIL_BYTES: usize = 4 * 1024;

/// Whoever hears what an agent says while it works. Must not block.
pub trait Listener: Send + Sync {
    /// It said something on the way to its answer.
    fn event(&self, event: Value);

    /// It wrote to its log.
    fn log(&self, bytes: &[u8]);
}

/// Nobody hears it.
pub(super) struct Nobody;

impl Listener for Nobody {
    fn event(&self, _: Value) {}

    fn log(&self, _: &[u8]) {}
}

/// What an agent is told.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its input: one JSON document.
    pub input: Bytes,
    /// The request that it belongs to.
    pub correlation_id: CorrelationId,
}

/// What an agent said in the end, and what that took.
#[derive(Debug)]
pub struct Spoken {
    /// Its answer, or why there is none.
    pub answer: Result<Value, Fault>,
    /// Processor time.
    pub cpu_us: u64,
    /// Largest resident memory.
    pub memory_peak_bytes: u64,
}

impl Spoken {
    /// There is no answer.
    pub fn failed(fault: Fault) -> Self {
        Self { answer: Err(fault), cpu_us: 0, memory_peak_bytes: 0 }
    }
}

/// The end of a log.
#[derive(Debug, Default)]
pub struct LogTail(Vec<u8>);

impl LogTail {
    /// More was written.
    pub fn take(&mut self, bytes: &[u8]) {
        let bytes = bytes.get(bytes.len().saturating_sub(TAIL_BYTES)..).unwrap_or_default();
        self.0.extend_from_slice(bytes);
        let over = self.0.len().saturating_sub(TAIL_BYTES);
        self.0.drain(..over);
    }

    /// Its last lines, without control characters.
    pub fn lines(&self) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.0).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines.len().saturating_sub(TAIL_LINES);
        let clean = |line: &&str| line.chars().filter(|letter| !letter.is_control() || *letter == '\t').collect();
        lines.get(last..).unwrap_or_default().iter().map(clean).collect()
    }
}
