//! The durable memory of the house: the `Store` port over SQLite, with group commit and a
//! coherent cache above the port.
//!
//! Owns every SQL statement, the data directory and its lock. Must not know the domain, the
//! clock or any key: marks and tree growth come in through the port `Integrity`.

mod cached;
mod group;
mod rules;
mod sqlite;

use std::path::Path;
use std::sync::Arc;

use aegis_model::port::{Integrity, Store};

pub use cached::Cached;
pub use group::GroupCommit;
pub use sqlite::{DirectoryLock, OpenError, RowReport, SqliteStore, verify_rows};

/// Opens the data directory with everything that belongs above it: cache, group commit,
/// SQLite. The directory is free again when the last reference is gone.
///
/// # Errors
/// When the directory cannot be used; the message names the cause.
pub fn open(dir: &Path, integrity: Arc<dyn Integrity>) -> Result<Arc<dyn Store>, OpenError> {
    open_taken(DirectoryLock::take(dir)?, integrity)
}

/// The same, in a directory that was taken before, e.g. to read keys that lie in it.
///
/// # Errors
/// When the directory cannot be used; the message names the cause.
pub fn open_taken(directory: DirectoryLock, integrity: Arc<dyn Integrity>) -> Result<Arc<dyn Store>, OpenError> {
    let sqlite = SqliteStore::open_taken(directory, integrity)?;
    Ok(Arc::new(Cached::new(Arc::new(GroupCommit::new(Arc::new(sqlite))))))
}
