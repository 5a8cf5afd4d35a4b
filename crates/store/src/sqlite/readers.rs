//! The connections that read, and the threads they read on. Knows no query.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aegis_model::port::{Integrity, StoreError, StoreResult};
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::schema;
use super::trouble::Trouble;

/// Connections that read at the same time.
const READERS: usize = 4;

/// A small pool of reading connections.
pub(super) struct Readers {
    path: PathBuf,
    integrity: Arc<dyn Integrity>,
    idle: Mutex<Vec<Connection>>,
    free: Arc<Semaphore>,
}

impl Readers {
    pub(super) fn open(path: &Path, integrity: Arc<dyn Integrity>) -> rusqlite::Result<Self> {
        let idle = (0..READERS).map(|_| schema::connect_reader(path)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { path: path.to_owned(), integrity, idle: Mutex::new(idle), free: Arc::new(Semaphore::new(READERS)) })
    }

    /// Runs a question on an idle connection, on a thread that may block.
    pub(super) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl FnOnce(&Connection, &dyn Integrity) -> Result<T, Trouble> + Send + 'static,
    ) -> StoreResult<T> {
        let closed = || StoreError::Unavailable("the store is closed".to_owned());
        let permit = self.free.clone().acquire_owned().await.map_err(|_| closed())?;
        let readers = self.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let connection = readers.lend().ok_or_else(closed)?;
            let answer = question(&connection, readers.integrity.as_ref()).map_err(StoreError::from);
            readers.idle().push(connection);
            answer
        });
        asked.await.unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
    }

    /// Closes every idle connection and answers no more.
    pub(super) fn close(&self) {
        self.free.close();
        self.idle().clear();
    }

    /// An idle connection, or a new one where a panic has cost one.
    fn lend(&self) -> Option<Connection> {
        let kept = self.idle().pop();
        if kept.is_some() || self.free.is_closed() {
            return kept;
        }
        schema::connect_reader(&self.path).ok()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
