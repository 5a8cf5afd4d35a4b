//! The writer: one thread, one connection, one transaction at a time. A batch that is
//! refused is rolled back alone; when the database fails, the whole transaction is given up
//! and everything in memory is read again, so that no guess outlives a failure.

use std::path::PathBuf;
use std::sync::Arc;

use aegis_model::port::{Integrity, StoreError, StoreResult};
use aegis_model::record::{Batch, ClaimQuery, Committed, Lease, Work};
use aegis_model::time::Timestamp;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::batch::Writing;
use super::memory::Memory;
use super::schema;
use super::trouble::Trouble;
use crate::rules;

/// What the writer can be asked to do. Whoever asks may be gone when the answer comes.
pub(super) enum Command {
    Commit {
        batches: Vec<Batch>,
        reply: oneshot::Sender<Vec<StoreResult<Committed>>>,
    },
    Claim {
        query: ClaimQuery,
        reply: oneshot::Sender<StoreResult<Vec<Work>>>,
    },
    Renew {
        lease: Lease,
        until: Timestamp,
        reply: oneshot::Sender<StoreResult<()>>,
    },
    Check {
        reply: oneshot::Sender<StoreResult<()>>,
    },
    #[cfg(test)]
    Pragma {
        text: String,
        reply: oneshot::Sender<StoreResult<i64>>,
    },
}

/// The writer's state.
pub(super) struct Writer {
    path: PathBuf,
    integrity: Arc<dyn Integrity>,
    connection: Connection,
    /// Absent after a failure, until it is read again.
    memory: Option<Memory>,
    /// The connection could not be brought to rest and must be opened anew.
    broken: bool,
}

impl Writer {
    pub(super) fn new(path: PathBuf, integrity: Arc<dyn Integrity>, connection: Connection) -> Result<Self, Trouble> {
        let memory = Some(Memory::load(&connection, integrity.as_ref())?);
        Ok(Self { path, integrity, connection, memory, broken: false })
    }

    /// Serves until nobody can ask any more.
    pub(super) fn serve(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(command) = commands.blocking_recv() {
            self.answer(command);
        }
    }

    /// An answer nobody waits for any more is dropped.
    fn answer(&mut self, command: Command) {
        match command {
            Command::Commit { batches, reply } => drop(reply.send(self.commit(&batches))),
            Command::Claim { query, reply } => drop(reply.send(self.alone(|writing| writing.claim(&query)))),
            Command::Renew { lease, until, reply } => {
                drop(reply.send(self.alone(|writing| writing.renew(&lease, until))));
            }
            Command::Check { reply } => drop(reply.send(self.check())),
            #[cfg(test)]
            Command::Pragma { text, reply } => {
                let answer = self.connection.query_row(&text, [], |row| row.get(0));
                drop(reply.send(answer.map_err(super::trouble::told)));
            }
        }
    }

    /// First without savepoints, which cost a third of the time: a batch that is refused has
    /// mostly written nothing yet. Only if one has, the call begins again with savepoints.
    fn commit(&mut self, batches: &[Batch]) -> Vec<StoreResult<Committed>> {
        let mut done = self.try_within(|writing| together(writing, batches));
        if matches!(done, Err(Trouble::Entangled)) {
            self.give_up();
            done = self.try_within(|writing| each(writing, batches));
        }
        match self.settled(done) {
            Ok(results) => results,
            Err(error) if batches.len() > 1 && is_of_one_batch(&error) => self.commit_apart(batches),
            Err(error) => batches.iter().map(|_| Err(error.clone())).collect(),
        }
    }

    /// Nothing of the call holds: one batch was too much for the disk or met an altered page.
    /// Each gets its own transaction, so that it spoils no other.
    fn commit_apart(&mut self, batches: &[Batch]) -> Vec<StoreResult<Committed>> {
        let one = |batch| match self.within(|writing| each(writing, std::slice::from_ref(batch))) {
            Ok(mut results) => results.pop().unwrap_or(Ok(Committed::default())),
            Err(error) => Err(error),
        };
        batches.iter().map(one).collect()
    }

    /// One piece of work in a transaction of its own.
    fn alone<T>(&mut self, work: impl FnOnce(&mut Writing) -> Result<T, Trouble>) -> StoreResult<T> {
        self.within(work)
    }

    /// Runs `work` in a transaction and commits it, or leaves nothing behind.
    fn within<T>(&mut self, work: impl FnOnce(&mut Writing) -> Result<T, Trouble>) -> StoreResult<T> {
        let done = self.try_within(work);
        self.settled(done)
    }

    /// After a failure nothing is left of the transaction, nor of what memory said of it.
    fn settled<T>(&mut self, done: Result<T, Trouble>) -> StoreResult<T> {
        if done.is_err() {
            self.give_up();
        }
        done.map_err(StoreError::from)
    }

    fn try_within<T>(&mut self, work: impl FnOnce(&mut Writing) -> Result<T, Trouble>) -> Result<T, Trouble> {
        self.prepare()?;
        let Self { connection, integrity, memory: Some(memory), .. } = self else {
            return Err(StoreError::Unavailable("the seal is not read".to_owned()).into());
        };
        connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let mut writing = Writing { connection, integrity: integrity.as_ref(), memory };
        let done = work(&mut writing)?;
        memory.save(connection, integrity.as_ref())?;
        connection.prepare_cached("COMMIT")?.execute([])?;
        Ok(done)
    }

    /// Opens and reads again whatever a failure has made doubtful.
    fn prepare(&mut self) -> Result<(), Trouble> {
        if self.broken {
            self.connection = schema::connect_writer(&self.path)?;
            self.broken = false;
        }
        if self.memory.is_none() {
            self.memory = Some(Memory::load(&self.connection, self.integrity.as_ref())?);
        }
        Ok(())
    }

    /// Rolls back, forgets what memory says, and marks the connection as broken if it does
    /// not come to rest.
    fn give_up(&mut self) {
        self.memory = None;
        if !self.connection.is_autocommit() {
            drop(self.connection.execute_batch("ROLLBACK"));
        }
        self.broken = self.broken || !self.connection.is_autocommit();
    }

    /// Writes the seal as it is: a real write with a real fsync.
    fn check(&mut self) -> StoreResult<()> {
        self.alone(|writing| writing.memory.seal.save(writing.connection, writing.integrity))
    }
}

/// Whether a failure may be the fault of one batch of several.
fn is_of_one_batch(error: &StoreError) -> bool {
    matches!(error, StoreError::Full | StoreError::Tampered(_))
}

/// All batches without savepoints; none if one of them was refused after it had written.
fn together(writing: &mut Writing, batches: &[Batch]) -> Result<Vec<StoreResult<Committed>>, Trouble> {
    let mut results = Vec::with_capacity(batches.len());
    for batch in batches {
        if let Err(error) = rules::acceptable(batch) {
            results.push(Err(error));
            continue;
        }
        let written = writing.connection.total_changes();
        writing.memory.begin_batch();
        match writing.apply(batch) {
            Ok(done) => results.push(Ok(done)),
            Err(Trouble::Refused(error)) if writing.connection.total_changes() == written => {
                writing.memory.undo_batch();
                results.push(Err(error));
            }
            Err(Trouble::Refused(_)) if batches.len() > 1 => return Err(Trouble::Entangled),
            Err(failed) => return Err(failed),
        }
    }
    Ok(results)
}

/// Each batch behind its own savepoint.
fn each(writing: &mut Writing, batches: &[Batch]) -> Result<Vec<StoreResult<Committed>>, Trouble> {
    let mut results = Vec::with_capacity(batches.len());
    for batch in batches {
        results.push(match rules::acceptable(batch) {
            Ok(()) => apart(writing, batch)?,
            Err(error) => Err(error),
        });
    }
    Ok(results)
}

/// One batch behind a savepoint. The outer error means that the transaction is lost.
fn apart(writing: &mut Writing, batch: &Batch) -> Result<StoreResult<Committed>, Trouble> {
    let connection = writing.connection;
    connection.prepare_cached("SAVEPOINT batch")?.execute([])?;
    writing.memory.begin_batch();
    let done = match writing.apply(batch) {
        Ok(done) => Ok(done),
        Err(Trouble::Refused(error)) => {
            writing.memory.undo_batch();
            connection.prepare_cached("ROLLBACK TO batch")?.execute([])?;
            Err(error)
        }
        Err(failed) => return Err(failed),
    };
    connection.prepare_cached("RELEASE batch")?.execute([])?;
    Ok(done)
}
