//! What one box has taken of the way out: its connections, its rate, its bytes, and what it was
//! refused lately. Must not know how any of it is used.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aegis_door::{Allowance, Limits};
use aegis_model::DecisionId;
use aegis_model::outward::OutwardRecord;
use aegis_model::port::Occupant;

use crate::locked;
use crate::settings::Settings;

/// How long the same refusal is told by the same record.
const REPEATED_NS: u64 = 10_000_000_000;
/// Different refusals that are remembered.
const REFUSALS_MAX: usize = 256;

/// What one box has taken of the way out.
pub(crate) struct Room {
    /// Whose box it is.
    pub(crate) occupant: Arc<Occupant>,
    open: AtomicUsize,
    open_max: usize,
    spent: AtomicU64,
    spent_max: u64,
    allowance: Mutex<Allowance>,
    /// Records of different refusals; those beyond are told by one for all of them.
    records: Mutex<Allowance>,
    refusals: Mutex<HashMap<RefusalKey, Repeated>>,
}

/// What makes refusals the same.
type RefusalKey = (String, Option<u16>, String, Option<String>, Option<String>);

/// A refusal, and how often it was repeated.
struct Repeated {
    record: OutwardRecord,
    since_ns: u64,
}

/// A place among the connections of a box, until it is dropped.
pub(crate) struct Place(Arc<Room>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Room {
    /// Nothing taken yet.
    pub(crate) fn new(occupant: Arc<Occupant>, settings: &Settings, now_ns: u64) -> Arc<Self> {
        let rate = Limits { streams_max: 0, burst: settings.session_burst, per_second: settings.session_per_second };
        Arc::new(Self {
            occupant,
            open: AtomicUsize::new(0),
            open_max: settings.session_connections_max,
            spent: AtomicU64::new(0),
            spent_max: settings.session_bytes_max,
            allowance: Mutex::new(Allowance::new(rate, now_ns)),
            records: Mutex::new(Allowance::new(rate, now_ns)),
            refusals: Mutex::default(),
        })
    }

    /// A place for one more connection, if there may be one while so many are free for everybody.
    /// No box holds more than it leaves to others: whoever comes later finds room, too.
    pub(crate) fn enter(self: &Arc<Self>, free: usize) -> Option<Place> {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(self));
        (before < self.open_max.min(free)).then_some(place)
    }

    /// Whether nothing of the box is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.load(Ordering::Relaxed) == 0
    }

    /// Takes one of its connections and requests per second; whether there was one left.
    pub(crate) fn hurry(&self, now_ns: u64) -> bool {
        locked(&self.allowance).take(now_ns).is_ok()
    }

    /// Whether one more refusal may have a record of its own.
    pub(crate) fn may_record(&self, now_ns: u64) -> bool {
        locked(&self.records).take(now_ns).is_ok()
    }

    /// Spends bytes; whether it may go on.
    pub(crate) fn spend(&self, bytes: u64) -> bool {
        self.spent.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) <= self.spent_max
    }

    /// Whether it has bytes left.
    pub(crate) fn has_bytes(&self) -> bool {
        self.spent.load(Ordering::Relaxed) < self.spent_max
    }

    /// The same refusal again: the decision that was told for it, if that was not long ago.
    pub(crate) fn repeated(&self, record: &OutwardRecord, now_ns: u64) -> Option<DecisionId> {
        let mut refusals = locked(&self.refusals);
        let known = refusals.get_mut(&key(record))?;
        if now_ns.saturating_sub(known.since_ns) >= REPEATED_NS {
            return None;
        }
        known.record.repeated = known.record.repeated.saturating_add(1);
        Some(known.record.id.clone())
    }

    /// Remembers a refusal that was just recorded, and gives back those that are owed a record of
    /// how often they were repeated.
    pub(crate) fn remember(&self, record: OutwardRecord, now_ns: u64) -> Vec<OutwardRecord> {
        let mut refusals = locked(&self.refusals);
        let mut owed: Vec<OutwardRecord> = Vec::new();
        if refusals.len() >= REFUSALS_MAX {
            owed.extend(refusals.drain().map(|(_, known)| known.record));
        }
        let before = refusals.insert(key(&record), Repeated { record, since_ns: now_ns });
        owed.extend(before.map(|known| known.record));
        owed.retain(|record| record.repeated > 0);
        owed
    }

    /// Refusals that are not told by the same record any more and were repeated; all of them
    /// when the box is gone.
    pub(crate) fn owed(&self, now_ns: u64) -> Vec<OutwardRecord> {
        let gone = self.occupant.is_gone();
        let mut owed = Vec::new();
        locked(&self.refusals).retain(|_, known| {
            let old = gone || now_ns.saturating_sub(known.since_ns) >= REPEATED_NS;
            if old && known.record.repeated > 0 {
                owed.push(known.record.clone());
            }
            !old
        });
        owed
    }
}

fn key(record: &OutwardRecord) -> RefusalKey {
    let refusal = record.refusal.map_or("", |refusal| refusal.as_str());
    let manner = format!("{} {refusal}", record.manner);
    (record.host.clone(), record.port, manner, record.method.clone(), record.path.clone())
}

#[cfg(test)]
mod tests {
    use aegis_model::TenantId;

    use super::*;

    #[test]
    fn no_box_holds_more_than_it_leaves_to_others() {
        let settings = Settings { session_connections_max: 1_000, ..Settings::default() };
        let room = |name: &str| {
            let occupant = Occupant::new(TenantId::first(), (name.parse().unwrap(), 1), "process");
            Room::new(Arc::new(occupant), &settings, 0)
        };
        let (greedy, modest) = (room("greedy"), room("modest"));
        let mut places = Vec::new();
        let mut take = |room: &Arc<Room>| {
            let taken = room.enter(100_usize.saturating_sub(places.len()));
            let got = taken.is_some();
            places.extend(taken);
            got
        };
        assert_eq!((0..1_000).filter(|_| take(&greedy)).count(), 50);
        assert_eq!((0..1_000).filter(|_| take(&modest)).count(), 25);
        assert!(!take(&greedy));
    }
}
