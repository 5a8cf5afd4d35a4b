//! SQLite behind the port. One thread writes, a few connections read; nothing here blocks
//! a thread of the caller's runtime.

mod batch;
mod directory;
mod memory;
mod open_error;
mod read;
mod readers;
mod row;
mod schema;
mod trouble;
mod verify;
mod work;
mod writer;

#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use aegis_model::id::TenantId;
use aegis_model::ledger::{Hash, TreeHead};
use aegis_model::port::{Integrity, Store, StoreError, StoreResult};
use aegis_model::record::{
    Batch, ClaimQuery, Committed, Event, Lease, ListQuery, Record, RecordKey, StoredEntry, Work,
};
use aegis_model::time::Timestamp;
use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

pub use directory::DirectoryLock;
pub use open_error::OpenError;
use readers::Readers;
pub use verify::{RowReport, verify_rows};
use writer::{Command, Writer};

/// Commands that may wait for the writer before callers wait to ask.
const COMMANDS_MAX: usize = 64;

/// The store in one SQLite database in a data directory of its own.
pub struct SqliteStore {
    commands: Option<mpsc::Sender<Command>>,
    readers: Arc<Readers>,
    thread: Option<JoinHandle<()>>,
    _directory: DirectoryLock,
}

impl SqliteStore {
    /// Opens the database in `dir`, made if it is missing, migrated if it is older.
    ///
    /// # Errors
    /// When the directory is in use or cannot be used, or the database is not sound.
    pub fn open(dir: &Path, integrity: Arc<dyn Integrity>) -> Result<Self, OpenError> {
        Self::open_taken(DirectoryLock::take(dir)?, integrity)
    }

    /// The same, in a directory that was taken before.
    ///
    /// # Errors
    /// When the directory cannot be used, or the database is not sound.
    pub fn open_taken(directory: DirectoryLock, integrity: Arc<dyn Integrity>) -> Result<Self, OpenError> {
        let database = directory.database()?;
        let path = database.as_path();
        let failed = |error| OpenError::of_database(path, error);
        let mut connection = schema::connect_writer(path).map_err(failed)?;
        schema::migrate(&mut connection, path, integrity.as_ref())?;
        let writer = Writer::new(path.to_owned(), integrity.clone(), connection)
            .map_err(|error| OpenError::of_trouble(path, error))?;
        let readers = Arc::new(Readers::open(path, integrity).map_err(failed)?);
        let (commands, waiting) = mpsc::channel(COMMANDS_MAX);
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.serve(waiting))
            .map_err(|error| OpenError::of_io(directory.dir(), error))?;
        Ok(Self { commands: Some(commands), readers, thread: Some(thread), _directory: directory })
    }

    /// Asks the writer. A writer that is gone answers `Unavailable`, never nothing.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command + Send) -> StoreResult<T> {
        let gone = || StoreError::Unavailable("the writer has stopped".to_owned());
        let (reply, answer) = oneshot::channel();
        let commands = self.commands.as_ref().ok_or_else(gone)?;
        commands.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())
    }
}

impl Drop for SqliteStore {
    /// Waits until the writer has done what it was asked, so that the directory is free and
    /// at rest when the lock is dropped.
    fn drop(&mut self) {
        self.readers.close();
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit_many(&self, batches: Vec<Batch>) -> Vec<StoreResult<Committed>> {
        let count = batches.len();
        match self.ask(|reply| Command::Commit { batches, reply }).await {
            Ok(results) => results,
            Err(error) => std::iter::repeat_n(Err(error), count).collect(),
        }
    }

    async fn get(&self, key: &RecordKey) -> StoreResult<Option<Record>> {
        let key = key.clone();
        let found = self.readers.ask(move |connection, integrity| read::record(connection, integrity, &key)).await?;
        Ok(found.map(|row| row.record))
    }

    async fn list(&self, query: &ListQuery) -> StoreResult<Vec<Record>> {
        let query = query.clone();
        self.readers.ask(move |connection, integrity| read::list(connection, integrity, &query)).await
    }

    async fn tail(&self, tenant: &TenantId, stream: Option<&str>, after: u64, limit: usize) -> StoreResult<Vec<Event>> {
        let (tenant, stream) = (tenant.clone(), stream.map(str::to_owned));
        let ask = move |connection: &Connection, integrity: &dyn Integrity| {
            read::tail(connection, integrity, &tenant, (stream.as_deref(), after, limit))
        };
        self.readers.ask(ask).await
    }

    async fn claim(&self, query: &ClaimQuery) -> StoreResult<Vec<Work>> {
        let query = query.clone();
        self.ask(|reply| Command::Claim { query, reply }).await?
    }

    async fn renew(&self, lease: &Lease, until: Timestamp) -> StoreResult<()> {
        let lease = lease.clone();
        self.ask(|reply| Command::Renew { lease, until, reply }).await?
    }

    async fn tree_head(&self, tenant: &TenantId) -> StoreResult<TreeHead> {
        let tenant = tenant.clone();
        self.readers.ask(move |connection, integrity| read::tree_head(connection, integrity, &tenant)).await
    }

    async fn entries(&self, tenant: &TenantId, position: u64, limit: usize) -> StoreResult<Vec<StoredEntry>> {
        let tenant = tenant.clone();
        let ask = move |connection: &Connection, integrity: &dyn Integrity| {
            read::entries(connection, integrity, &tenant, (position, limit))
        };
        self.readers.ask(ask).await
    }

    async fn leaves(&self, tenant: &TenantId, position: u64, limit: usize) -> StoreResult<Vec<Hash>> {
        let tenant = tenant.clone();
        let ask = move |connection: &Connection, integrity: &dyn Integrity| {
            read::leaves(connection, integrity, &tenant, (position, limit))
        };
        self.readers.ask(ask).await
    }

    async fn nodes(&self, tenant: &TenantId, level: u8, index: u64, limit: usize) -> StoreResult<Vec<Hash>> {
        let tenant = tenant.clone();
        let ask = move |connection: &Connection, integrity: &dyn Integrity| {
            read::nodes(connection, integrity, (&tenant, level), (index, limit))
        };
        self.readers.ask(ask).await
    }

    async fn check(&self) -> StoreResult<()> {
        self.ask(|reply| Command::Check { reply }).await??;
        self.readers.ask(|connection, integrity| memory::Seal::load(connection, integrity).map(|_| ())).await
    }
}
