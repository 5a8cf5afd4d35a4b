//! Logs as files, written by one thread behind a bounded queue.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use aegis_identity::redact;
use aegis_model::port::{LogError, Logs};
use aegis_model::run::{LOG_LINE_BYTES_MAX, LogDraft, LogLine};
use aegis_model::{SessionId, TenantId};
use async_trait::async_trait;
use tokio::sync::oneshot;

use super::shelf::{Book, Shelf};

/// Lines that wait to be written.
const WAITING_MAX: usize = 4_096;
/// Books that are open at a time.
const OPEN_MAX: usize = 64;
/// How long a written line may lie in memory.
const FLUSH_AFTER: Duration = Duration::from_millis(100);

/// Whose log, and of which session.
type Whose = (TenantId, SessionId);

enum Task {
    Write(Whose, LogDraft),
    /// Everything before this is to be on its file.
    Settle(oneshot::Sender<()>),
}

/// Logs in a directory.
pub struct DiskLogs {
    shelf: Shelf,
    tasks: SyncSender<Task>,
    lost: AtomicU64,
}

impl DiskLogs {
    /// Opens the directory; keeps up to `bytes_max` of logs in it.
    ///
    /// # Errors
    /// When the directory or the writer cannot be had.
    pub fn open(directory: PathBuf, bytes_max: u64) -> io::Result<Self> {
        let shelf = Shelf::open(directory, bytes_max)?;
        let (tasks, waiting) = sync_channel(WAITING_MAX);
        let writer = Writer { shelf: shelf.clone(), open: HashMap::new() };
        std::thread::Builder::new().name("logs".to_owned()).spawn(move || writer.run(&waiting))?;
        Ok(Self { shelf, tasks, lost: AtomicU64::new(0) })
    }

    async fn settle(&self) {
        let (told, settled) = oneshot::channel();
        let tasks = self.tasks.clone();
        // The queue may be full: waiting for it must not hold up an async thread.
        let sent = tokio::task::spawn_blocking(move || tasks.send(Task::Settle(told)).is_ok()).await;
        if sent.unwrap_or(false) {
            let _ = settled.await;
        }
    }
}

#[async_trait]
impl Logs for DiskLogs {
    fn append(&self, tenant: &TenantId, session: &SessionId, mut line: LogDraft) {
        line.text = shown(&line.text);
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            line.text.push_str(&format!(" […{lost} earlier lines were not kept: too many at once]"));
        }
        let task = Task::Write((tenant.clone(), session.clone()), line);
        if let Err(TrySendError::Full(_)) = self.tasks.try_send(task) {
            self.lost.fetch_add(lost + 1, Ordering::Relaxed);
        }
    }

    async fn read(
        &self,
        tenant: &TenantId,
        session: &SessionId,
        after: u64,
        limit: usize,
    ) -> Result<Vec<LogLine>, LogError> {
        self.settle().await;
        let (shelf, tenant, session) = (self.shelf.clone(), tenant.clone(), session.clone());
        let read = tokio::task::spawn_blocking(move || shelf.read(&tenant, &session, after, limit));
        read.await.map_err(|error| LogError(io::Error::other(error)))?.map_err(LogError)
    }
}

/// A line as it is kept: cut, without keys, without what could draw on a terminal.
fn shown(text: &str) -> String {
    let cut = text.floor_char_boundary(LOG_LINE_BYTES_MAX);
    let (text, rest) = text.split_at_checked(cut).unwrap_or((text, ""));
    let mut shown: String = redact(text).chars().filter(|letter| !letter.is_control() || *letter == '\t').collect();
    if !rest.is_empty() {
        shown.push('…');
    }
    shown
}

/// The one thread that writes.
struct Writer {
    shelf: Shelf,
    open: HashMap<Whose, Book>,
}

impl Writer {
    fn run(mut self, tasks: &Receiver<Task>) {
        loop {
            match tasks.recv_timeout(FLUSH_AFTER) {
                Ok(Task::Write(whose, line)) => self.write(whose, line),
                Ok(Task::Settle(told)) => {
                    self.flush();
                    let _ = told.send(());
                }
                Err(RecvTimeoutError::Timeout) => self.flush(),
                Err(RecvTimeoutError::Disconnected) => return self.flush(),
            }
        }
    }

    /// A line that cannot be written is lost: a full disk must not stop an agent.
    fn write(&mut self, whose: Whose, line: LogDraft) {
        if self.open.len() >= OPEN_MAX && !self.open.contains_key(&whose) {
            self.flush();
            self.open.clear();
            self.shelf.sweep();
        }
        let book = match self.open.entry(whose) {
            std::collections::hash_map::Entry::Occupied(found) => found.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => {
                let (tenant, session) = free.key();
                match self.shelf.book(tenant, session) {
                    Ok(book) => free.insert(book),
                    Err(_) => return,
                }
            }
        };
        let _lost = book.write(line);
    }

    fn flush(&mut self) {
        for book in self.open.values_mut() {
            let _lost = book.flush();
        }
    }
}
