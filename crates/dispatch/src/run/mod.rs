//! Runs: work that agents are given, from the record that it begins to the record of what
//! became of it.
//!
//! Must not know: what a box is made of, how a run's caller is spoken to.

mod begin;
mod drive;
pub mod events;
pub mod exec;
mod live;
mod look;
mod records;
mod recover;
mod stop;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aegis_fleet::Fleet;
use aegis_fleet::session::Sessions;
use aegis_fleet::session::log::LineLog;
use aegis_ledger::journal::Journal;
use aegis_model::ledger::EntryDecision;
use aegis_model::port::{Clock, Entropy, Logs, Store};
use aegis_model::run::Run;
use aegis_model::{DecisionId, Fault, ReasonClass, RunId, TenantId, Timestamp};

use crate::Freezes;
pub use drive::fault;
pub use live::LiveRun;

/// Ended runs whose events are remembered for listeners that come back.
const ENDED_KEPT_MAX: usize = 256;
/// Bytes of their events.
const ENDED_KEPT_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The runs of every tenant.
pub struct Runs {
    journal: Arc<Journal>,
    fleet: Arc<Fleet>,
    sessions: Arc<Sessions>,
    freezes: Arc<Freezes>,
    logs: Arc<dyn Logs>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    book: Mutex<Book>,
    stopping: AtomicBool,
}

/// The runs that are remembered.
#[derive(Default)]
struct Book {
    live: HashMap<RunId, Arc<LiveRun>>,
    ended: VecDeque<Arc<LiveRun>>,
    ended_bytes: usize,
}

/// The rooms and ports that runs need.
pub struct Parts {
    /// Records.
    pub journal: Arc<Journal>,
    /// Agents.
    pub fleet: Arc<Fleet>,
    /// Their sessions.
    pub sessions: Arc<Sessions>,
    /// The kill switch.
    pub freezes: Arc<Freezes>,
    /// What agents write to their logs.
    pub logs: Arc<dyn Logs>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids.
    pub entropy: Arc<dyn Entropy>,
}

impl Runs {
    /// No run yet.
    pub fn new(parts: Parts) -> Arc<Self> {
        let Parts { journal, fleet, sessions, freezes, logs, clock, entropy } = parts;
        let (book, stopping) = (Mutex::default(), AtomicBool::new(false));
        Arc::new(Self { journal, fleet, sessions, freezes, logs, clock, entropy, book, stopping })
    }

    fn store(&self) -> &Arc<dyn Store> {
        self.journal.store()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // What a panicking holder left is still whole: each change is a single step.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn random(&self) -> Result<[u8; 10], Fault> {
        let mut random = [0; 10];
        self.entropy.fill(&mut random).map_err(Fault::internal)?;
        Ok(random)
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    /// What the server does of its own accord was decided by nobody else.
    fn own_decision(&self, at: Timestamp, random: [u8; 10]) -> EntryDecision {
        EntryDecision {
            allowed: true,
            id: DecisionId::generate(at, random).to_string(),
            reason: ReasonClass::Permitted,
        }
    }

    fn enlist(&self, tenant: TenantId, run: Run) -> Arc<LiveRun> {
        let id = run.id.clone();
        let log = LineLog {
            logs: Arc::clone(&self.logs),
            clock: Arc::clone(&self.clock),
            tenant,
            session: run.session_id.clone(),
            run: Some(id.clone()),
            correlation_id: run.correlation_id.clone(),
            line: Mutex::default(),
        };
        let live = Arc::new(LiveRun::new(log, run));
        self.book().live.insert(id, Arc::clone(&live));
        live
    }

    fn forget(&self, id: &RunId) {
        self.book().live.remove(id);
    }

    /// A run that has ended stays findable for a while.
    fn delist(&self, live: &Arc<LiveRun>) {
        let mut book = self.book();
        book.live.remove(&live.id);
        book.ended_bytes += live.events.bytes();
        book.ended.push_back(Arc::clone(live));
        while book.ended.len() > ENDED_KEPT_MAX || book.ended_bytes > ENDED_KEPT_BYTES_MAX {
            let oldest = book.ended.pop_front();
            book.ended_bytes -= oldest.map_or(0, |run| run.events.bytes()).min(book.ended_bytes);
        }
    }

    /// The run, if it has not ended or has just ended.
    pub fn live(&self, tenant: &TenantId, id: &RunId) -> Option<Arc<LiveRun>> {
        let book = self.book();
        let found = book.live.get(id).or_else(|| book.ended.iter().find(|run| run.id == *id));
        found.filter(|run| run.tenant == *tenant).cloned()
    }

    fn all_live(&self) -> Vec<Arc<LiveRun>> {
        self.book().live.values().cloned().collect()
    }
}
