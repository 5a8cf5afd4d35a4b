//! What was allowed before, counted, for rules about the past: how often something happened in a
//! window, and with it whether it may happen once more.
//!
//! A decision looks and reserves under one lock of its tenant, so that of many at once no more
//! pass than rules allow. What is reserved is committed in the same batch as the act, or given
//! back when the act does not happen; the store's numbers are the truth, and memory follows them.
//!
//! ```text
//!            decide: allowed            changes                settle
//!   (unasked) ────────────▶ Reserved ─────────────▶ Committing ──────▶ Settled
//!                              │  ▲                     │
//!                   given back ▼  └──────── failed ─────┘
//! ```
//!
//! Must not know what a rule says, nor how the store keeps numbers.

mod book;
mod kept;
mod place;
mod sweep;
#[cfg(test)]
mod tests;
mod together;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, TryLockError};

use aegis_ledger::journal::Journal;
use aegis_model::counter::Counter;
use aegis_model::port::{Counted, Store, StoreError, StoreResult};
use aegis_model::record::{Kind, ListQuery, Record, RecordKey, count_of};
use aegis_model::{Fault, TenantId, Timestamp};

use book::{Amount, Held, Missing, Reservation, Shelf, Wanted};
use place::Place;
pub use sweep::sweep;
pub use together::Together;

/// Most keys of counters in memory, over all tenants, beside those that acts under way hold.
const KEYS_MAX: usize = 100_000;
/// The part of them that is dropped at once when there are more.
const DROPPED_PART: usize = 16;
/// How many documents are read at once.
const PAGE: usize = 500;

/// What rules about the past look at, for one act.
pub struct Counting<'a> {
    /// The counters that the tenant declares.
    pub counters: &'a [Counter],
    /// What is to be done.
    pub action: &'a str,
    /// By whom.
    pub principal: &'a str,
    /// To what.
    pub resource: &'a str,
    /// In which session.
    pub session: Option<&'a str>,
    /// The circumstances that are whole numbers.
    pub amounts: &'a (dyn Fn(&str) -> Option<i64> + Sync),
    /// When.
    pub at: Timestamp,
}

/// What counters have counted.
pub struct Histories {
    store: Arc<dyn Store>,
    shelves: RwLock<HashMap<TenantId, Arc<Shelf>>>,
    /// Grows with every question.
    questions: AtomicU64,
    /// Keys in memory, over all tenants.
    keys: AtomicUsize,
    keys_max: usize,
    /// Held by whoever makes room.
    room: Mutex<()>,
}

impl Histories {
    /// Over the store that the journal commits to. To be made once: it must know of every act.
    pub fn new(journal: &Journal) -> Arc<Self> {
        Self::with_room(Arc::clone(journal.store()), KEYS_MAX)
    }

    fn with_room(store: Arc<dyn Store>, keys_max: usize) -> Arc<Self> {
        let (shelves, questions, keys) = (RwLock::default(), AtomicU64::new(0), AtomicUsize::new(0));
        Arc::new(Self { store, shelves, questions, keys, keys_max, room: Mutex::new(()) })
    }

    /// Asks `decide`, with what every counter has counted so far; what cannot be counted is left
    /// out. Reserves what the act counts for if it answers that it is allowed. Nobody else of the
    /// tenant decides at the same time.
    ///
    /// # Errors
    /// When the store cannot tell what was counted: then nobody is asked.
    pub async fn decide<T>(
        &self,
        tenant: &TenantId,
        question: &Counting<'_>,
        decide: impl FnOnce(&BTreeMap<String, i64>) -> (bool, T),
    ) -> Result<(T, Option<Arc<dyn Counted>>), Fault> {
        let wanted: Vec<Wanted<'_>> = question.counters.iter().map(|counter| wanted(counter, question)).collect();
        let shelf = self.shelf(tenant);
        let used = self.questions.fetch_add(1, Ordering::Relaxed);
        loop {
            let changed = shelf.changed.notified();
            let missing = {
                let mut book = shelf.open();
                let known = book.len();
                let missing = book.missing(&wanted, used);
                self.keys.fetch_add(book.len().saturating_sub(known), Ordering::Relaxed);
                if missing.is_empty() {
                    let now = book.now(question.at);
                    let (allowed, told) = decide(&book.counts(&wanted, now));
                    let held = if allowed { book.reserve(wanted, now) } else { Vec::new() };
                    drop(book);
                    return Ok((told, counted(&shelf, tenant, held)));
                }
                missing
            };
            self.make_room();
            if missing.iter().any(|missing| missing.is_committing) {
                // What is read while something is on its way to the store says nothing.
                changed.await;
            } else {
                self.read_all(&shelf, (tenant, question.at), &missing).await?;
            }
        }
    }

    fn shelf(&self, tenant: &TenantId) -> Arc<Shelf> {
        let shelves = self.shelves.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(shelf) = shelves.get(tenant) {
            return Arc::clone(shelf);
        }
        drop(shelves);
        let mut shelves = self.shelves.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shelves.entry(tenant.clone()).or_default())
    }

    /// Reads what is missing, before the book is opened again.
    async fn read_all(
        &self,
        shelf: &Shelf,
        (tenant, at): (&TenantId, Timestamp),
        missing: &[Missing<'_>],
    ) -> StoreResult<()> {
        for Missing { place, stamp, .. } in missing {
            let committed = self.read(tenant, place, at).await?;
            shelf.open().learn(&place.digest, *stamp, committed);
        }
        Ok(())
    }

    /// What the store has counted, by steps, as far as it is seen from then on.
    async fn read(&self, tenant: &TenantId, place: &Place, at: Timestamp) -> StoreResult<Vec<(u64, i64)>> {
        if !place.has_window() {
            let found = self.store.get(&RecordKey::new(Kind::Tally, tenant.clone(), place.group())).await?;
            return found.iter().map(|record| Ok((0, number(record)?))).collect();
        }
        let mut after = place.first_seen(at).checked_sub(1).map(|unseen| place.id(unseen));
        let mut steps = Vec::new();
        loop {
            let query = ListQuery {
                kind: Kind::Tally,
                tenant: tenant.clone(),
                index: Some(("counter", place.group())),
                after: after.take(),
                newest_first: false,
                limit: PAGE,
            };
            let page = self.store.list(&query).await?;
            for record in &page {
                steps.push((place.step_of(&record.key.id).ok_or_else(|| altered(record))?, number(record)?));
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(last.key.id.clone()),
                _ => return Ok(steps),
            }
        }
    }

    /// Drops the keys that were not asked for the longest, when there are too many.
    fn make_room(&self) {
        if self.keys.load(Ordering::Relaxed) <= self.keys_max {
            return;
        }
        let _alone = match self.room.try_lock() {
            Ok(alone) => alone,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        let shelves: Vec<_> =
            self.shelves.read().unwrap_or_else(PoisonError::into_inner).values().map(Arc::clone).collect();
        let mut idle: Vec<u64> = Vec::new();
        shelves.iter().for_each(|shelf| idle.extend(shelf.open().idle()));
        let over = self.keys.load(Ordering::Relaxed).saturating_sub(self.keys_max - self.keys_max / DROPPED_PART);
        let Some(last) = over.min(idle.len()).checked_sub(1) else { return };
        let (_, until, _) = idle.select_nth_unstable(last);
        for shelf in &shelves {
            let mut book = shelf.open();
            let before = book.len();
            book.drop_until(*until);
            self.keys.fetch_sub(before.saturating_sub(book.len()), Ordering::Relaxed);
        }
    }
}

fn wanted<'a>(counter: &'a Counter, question: &Counting<'_>) -> Wanted<'a> {
    let amount = match &counter.sum {
        _ if !counter.actions.iter().any(|action| action == question.action) => Amount::Nothing,
        None => Amount::By(1),
        Some(circumstance) => match (question.amounts)(circumstance) {
            Some(amount) if amount >= 0 => Amount::By(amount),
            _ => Amount::Unknown,
        },
    };
    Wanted { name: &counter.name, place: Place::of(counter, question), amount }
}

fn counted(shelf: &Arc<Shelf>, tenant: &TenantId, held: Vec<Held>) -> Option<Arc<dyn Counted>> {
    if held.is_empty() {
        return None;
    }
    Some(Arc::new(Reservation::new(Arc::clone(shelf), tenant.clone(), held)))
}

fn number(record: &Record) -> StoreResult<i64> {
    count_of(&record.body).ok_or_else(|| altered(record))
}

fn altered(record: &Record) -> StoreError {
    StoreError::Tampered(format!("{} `{}`", record.key.kind.as_str(), record.key.id))
}
