//! What agents write to their logs.

use async_trait::async_trait;

use crate::id::{SessionId, TenantId};
use crate::run::{LogDraft, LogLine};

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("logs cannot be reached")]
pub struct LogError(#[source] pub std::io::Error);

/// The logs of sessions. A log is for people: it is kept as long as there is room, the newest
/// lines longest, and never holds up whoever writes.
#[async_trait]
pub trait Logs: Send + Sync {
    /// Adds a line to a session's log. Never waits: what cannot be kept up with is left out,
    /// and a line says how much.
    fn append(&self, tenant: &TenantId, session: &SessionId, line: LogDraft);

    /// Lines after that number, oldest first; every line that was added before is seen.
    ///
    /// # Errors
    /// When they cannot be read.
    async fn read(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<LogLine>, LogError>;
}
