//! What is known of a tenant's counters, under one lock: looked at, decided and reserved in one
//! go, and reserved things committed or given back.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aegis_model::port::{Counted, StoreError};
use aegis_model::record::{Change, Kind, RecordKey};
use aegis_model::{TenantId, Timestamp};
use tokio::sync::Notify;

use super::kept::Kept;
use super::place::{Digest, Place};

/// What an act adds to a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Amount {
    /// Nothing: it is no action that is counted.
    Nothing,
    /// So much.
    By(i64),
    /// Nobody knows: the circumstance is missing, or below zero.
    Unknown,
}

/// A counter that a question is about.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    /// What rules call it.
    pub name: &'a str,
    /// Where it counts.
    pub place: Place,
    /// What the act adds.
    pub amount: Amount,
}

/// A counter that must be read before anything can be decided.
pub(super) struct Missing<'a> {
    /// Where it counts.
    pub place: &'a Place,
    /// The stamp of what is known of it.
    pub stamp: u64,
    /// Whether a commit is under way.
    pub is_committing: bool,
}

/// A tenant's book.
#[derive(Default)]
pub(super) struct Shelf {
    book: Mutex<Book>,
    /// Tells whoever waits that a commit has ended.
    pub changed: Notify,
}

/// What is known of a tenant's counters.
#[derive(Default)]
pub(super) struct Book {
    newest: Timestamp,
    stamps: u64,
    kept: HashMap<Digest, Kept>,
}

impl Shelf {
    /// The book, to be closed before anything is waited for.
    pub(super) fn open(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn stamp(&mut self) -> u64 {
        self.stamps = self.stamps.saturating_add(1);
        self.stamps
    }

    /// Which counters of the question must be read first. Each has a place in the book from now
    /// on, used by question number `used`.
    pub(super) fn missing<'a>(&mut self, wanted: &'a [Wanted<'_>], used: u64) -> Vec<Missing<'a>> {
        let Self { stamps, kept, .. } = self;
        let mut missing = Vec::new();
        for Wanted { place, .. } in wanted {
            let kept = kept.entry(place.digest).or_insert_with(|| {
                *stamps = stamps.saturating_add(1);
                Kept::unknown(*stamps)
            });
            kept.used = used;
            if !kept.is_known() {
                missing.push(Missing { place, stamp: kept.stamp, is_committing: kept.is_committing() });
            }
        }
        missing
    }

    /// Takes over what was read of a counter.
    pub(super) fn learn(&mut self, digest: &Digest, stamp: u64, committed: Vec<(u64, i64)>) {
        if let Some(kept) = self.kept.get_mut(digest) {
            kept.learn(stamp, committed);
        }
    }

    /// The time: never earlier than it was.
    pub(super) fn now(&mut self, at: Timestamp) -> Timestamp {
        self.newest = self.newest.max(at);
        self.newest
    }

    /// What each counter has counted, and what is reserved.
    pub(super) fn counts(&mut self, wanted: &[Wanted<'_>], now: Timestamp) -> BTreeMap<String, i64> {
        let mut counts = BTreeMap::new();
        for Wanted { name, place, amount } in wanted {
            let kept = self.kept.get_mut(&place.digest).filter(|_| *amount != Amount::Unknown);
            if let Some(kept) = kept {
                counts.insert((*name).to_owned(), kept.total(place.first_seen(now)));
            }
        }
        counts
    }

    /// Reserves what the act adds.
    pub(super) fn reserve(&mut self, wanted: Vec<Wanted<'_>>, now: Timestamp) -> Vec<Held> {
        let mut held = Vec::new();
        for Wanted { place, amount, .. } in wanted {
            let Amount::By(amount) = amount else { continue };
            if let Some(kept) = self.kept.get_mut(&place.digest).filter(|_| amount > 0) {
                let step = place.step(now);
                kept.reserve(step, amount);
                held.push(Held { place, step, amount });
            }
        }
        held
    }

    /// How many counters have a place here.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// When the counters that nobody would miss were last asked for.
    pub(super) fn idle(&self) -> impl Iterator<Item = u64> {
        self.kept.values().filter(|kept| kept.is_idle()).map(|kept| kept.used)
    }

    /// Drops the counters that nobody would miss and that were last asked for up to question
    /// number `used`.
    pub(super) fn drop_until(&mut self, used: u64) {
        self.kept.retain(|_, kept| !kept.is_idle() || kept.used > used);
    }

    fn each(&mut self, held: &[Held], mut change: impl FnMut(&mut Kept, u64, &Held)) {
        for one in held {
            let stamp = self.stamp();
            if let Some(kept) = self.kept.get_mut(&one.place.digest) {
                change(kept, stamp, one);
            }
        }
    }
}

/// What is reserved of one counter.
#[derive(Debug)]
pub(super) struct Held {
    place: Place,
    step: u64,
    amount: i64,
}

/// How far a reservation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not in the store.
    Reserved,
    /// On its way there, or nobody has said any more what became of it.
    Committing,
    /// In the store.
    Settled,
}

/// What an allowed act counts for.
pub(super) struct Reservation {
    shelf: Arc<Shelf>,
    tenant: TenantId,
    held: Vec<Held>,
    stage: Mutex<Stage>,
}

impl Reservation {
    /// Of what was reserved in the book of that shelf.
    pub(super) fn new(shelf: Arc<Shelf>, tenant: TenantId, held: Vec<Held>) -> Self {
        Self { shelf, tenant, held, stage: Mutex::new(Stage::Reserved) }
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnMut(&mut Kept, u64, &Held)) {
        self.shelf.open().each(&self.held, change);
        self.shelf.changed.notify_waiters();
    }

    fn count_up(&self) {
        self.change(|kept, stamp, held| kept.settle(stamp, (held.step, held.amount)));
    }
}

impl std::fmt::Debug for Reservation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stage = *self.stage();
        f.debug_struct("Reservation").field("held", &self.held).field("stage", &stage).finish_non_exhaustive()
    }
}

impl Counted for Reservation {
    fn changes(&self) -> Vec<Change> {
        let mut stage = self.stage();
        match *stage {
            Stage::Settled => return Vec::new(),
            // Nobody has said what became of the commit before: better counted twice than never.
            Stage::Committing => {}
            Stage::Reserved => {
                self.change(|kept, stamp, _| kept.begin(stamp));
                *stage = Stage::Committing;
            }
        }
        let change = |held: &Held| Change::Count {
            key: RecordKey::new(Kind::Tally, self.tenant.clone(), held.place.id(held.step)),
            by: held.amount,
            index: held.place.index(held.step),
        };
        self.held.iter().map(change).collect()
    }

    fn settle(&self) {
        let mut stage = self.stage();
        if *stage == Stage::Committing {
            *stage = Stage::Settled;
            self.count_up();
        }
    }

    fn failed(&self, error: &StoreError) {
        let mut stage = self.stage();
        if *stage == Stage::Committing {
            *stage = Stage::Reserved;
            let is_certain = is_certain(error);
            self.change(|kept, stamp, _| kept.fail(stamp, is_certain));
        }
    }
}

/// Whether the error says that nothing of the batch holds.
const fn is_certain(error: &StoreError) -> bool {
    match error {
        StoreError::Conflict { .. }
        | StoreError::Immutable { .. }
        | StoreError::LeaseLost { .. }
        | StoreError::Unacceptable(_)
        | StoreError::Full => true,
        StoreError::Unavailable(_) | StoreError::Tampered(_) => false,
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let stage = *self.stage();
        match stage {
            Stage::Settled => {}
            Stage::Reserved => self.change(|kept, _, held| kept.give_back(held.step, held.amount)),
            // Whoever committed it has gone away. It may be in the store, or get there yet.
            Stage::Committing => self.count_up(),
        }
    }
}
