//! What an agent writes to its log, line by line. Must not know: where logs are kept.

use std::sync::{Arc, Mutex, PoisonError};

use aegis_model::port::{Clock, Logs};
use aegis_model::run::{LOG_LINE_BYTES_MAX, LogDraft};
use aegis_model::{CorrelationId, RunId, SessionId, TenantId};

/// The log of one run, or of a session beside its runs.
pub struct LineLog {
    /// Where it is kept.
    pub logs: Arc<dyn Logs>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Whose.
    pub tenant: TenantId,
    /// Of which session.
    pub session: SessionId,
    /// Of which run, if of one.
    pub run: Option<RunId>,
    /// The request it belongs to.
    pub correlation_id: CorrelationId,
    /// A line that has not ended yet.
    pub line: Mutex<Vec<u8>>,
}

impl LineLog {
    /// More was written.
    pub fn take(&self, bytes: &[u8]) {
        let mut line = self.line.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            line.extend_from_slice(piece);
            if line.ends_with(b"\n") || line.len() > LOG_LINE_BYTES_MAX {
                self.keep(&std::mem::take(&mut *line));
            }
        }
    }

    fn keep(&self, line: &[u8]) {
        let text = String::from_utf8_lossy(line.trim_ascii_end()).into_owned();
        let (run_id, correlation_id) = (self.run.clone(), self.correlation_id.clone());
        self.logs.append(&self.tenant, &self.session, LogDraft { at: self.clock.now(), run_id, correlation_id, text });
    }

    /// Nothing more comes: what has no end of line is a line too.
    pub fn end(&self) {
        let line = std::mem::take(&mut *self.line.lock().unwrap_or_else(PoisonError::into_inner));
        if !line.is_empty() {
            self.keep(&line);
        }
    }
}

impl Drop for LineLog {
    fn drop(&mut self) {
        self.end();
    }
}
