//! The cache of signatures that were seen: a mutating request is done once.
//!
//! Keeps a signature until it is refused for its age anyway. Bounded: when everything in it
//! is still good, nothing more is admitted, so that nobody makes room for a replay by flooding.
//! Give each tenant a cache of its own, and then nobody's flood stops another.
//! Must not know: the clock, or which requests mutate.

use std::collections::{BTreeMap, BTreeSet};

use aegis_model::Timestamp;

/// Whether a request may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "what was not admitted may not go on"]
pub enum Admission {
    /// Seen for the first time, and now kept.
    Admitted,
    /// Seen before, or so old that it may have been seen and forgotten.
    Replayed,
    /// There is no room to remember it.
    Full,
}

/// Verified signatures, each until it expires.
#[derive(Debug)]
pub struct ReplayCache {
    capacity: usize,
    expiries: BTreeMap<[u8; 32], Timestamp>,
    by_expiry: BTreeSet<(Timestamp, [u8; 32])>,
    /// INVARIANT: never goes back. A clock that is set back would make signatures good again
    /// that were forgotten already.
    latest: Timestamp,
}

impl ReplayCache {
    /// An empty cache. An entry costs about 150 bytes.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, expiries: BTreeMap::new(), by_expiry: BTreeSet::new(), latest: Timestamp::from_millis(0) }
    }

    /// Admits a verified signature once. `valid_until` is the last moment at which it is
    /// accepted, see [`Claims::valid_until`](super::Claims::valid_until).
    pub fn admit(&mut self, signature: [u8; 32], valid_until: Timestamp, now: Timestamp) -> Admission {
        self.latest = self.latest.max(now);
        self.forget_expired();
        if valid_until < self.latest || self.expiries.contains_key(&signature) {
            return Admission::Replayed;
        }
        if self.expiries.len() >= self.capacity {
            return Admission::Full;
        }
        self.expiries.insert(signature, valid_until);
        self.by_expiry.insert((valid_until, signature));
        Admission::Admitted
    }

    /// Whether any that is kept is still good.
    pub fn keeps_any(&mut self, now: Timestamp) -> bool {
        self.latest = self.latest.max(now);
        self.forget_expired();
        !self.is_empty()
    }

    /// How many signatures are kept.
    pub fn len(&self) -> usize {
        self.expiries.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.expiries.is_empty()
    }

    /// Each entry is removed once, so this costs no more than the admissions did.
    fn forget_expired(&mut self) {
        while let Some((valid_until, signature)) = self.by_expiry.first().copied() {
            if valid_until >= self.latest {
                break;
            }
            self.by_expiry.pop_first();
            self.expiries.remove(&signature);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_signature_is_admitted_once_while_it_is_good() {
        let mut cache = ReplayCache::new(2);
        assert_eq!(cache.admit([1; 32], at(10), at(5)), Admission::Admitted);
        assert_eq!(cache.admit([1; 32], at(10), at(10)), Admission::Replayed);
        assert_eq!(cache.admit([2; 32], at(20), at(10)), Admission::Admitted);
        assert_eq!(cache.admit([3; 32], at(20), at(10)), Admission::Full);
        assert_eq!(cache.admit([3; 32], at(20), at(11)), Admission::Admitted);
        assert_eq!(cache.len(), 2);
    }

    #[test]
    fn a_clock_that_is_set_back_brings_nothing_back() {
        let mut cache = ReplayCache::new(8);
        assert_eq!(cache.admit([1; 32], at(10), at(5)), Admission::Admitted);
        assert_eq!(cache.admit([2; 32], at(90), at(50)), Admission::Admitted);
        assert_eq!(cache.len(), 1, "the first one is forgotten");
        assert_eq!(cache.admit([1; 32], at(10), at(6)), Admission::Replayed);
    }

    #[test]
    fn a_cache_without_room_admits_nothing() {
        let mut cache = ReplayCache::new(0);
        assert_eq!(cache.admit([1; 32], at(10), at(5)), Admission::Full);
        assert!(cache.is_empty());
    }

    /// Everything that was ever admitted, kept for ever.
    #[derive(Default)]
    struct Model {
        admitted: Vec<([u8; 32], u64)>,
        latest: u64,
    }

    impl Model {
        fn admit(&mut self, signature: [u8; 32], until: u64, now: u64, capacity: usize) -> Admission {
            self.latest = self.latest.max(now);
            let held: Vec<_> = self.admitted.iter().filter(|(_, until)| *until >= self.latest).collect();
            if until < self.latest || held.iter().any(|(seen, _)| *seen == signature) {
                return Admission::Replayed;
            }
            if held.len() >= capacity {
                return Admission::Full;
            }
            self.admitted.push((signature, until));
            Admission::Admitted
        }
    }

    proptest! {
        #[test]
        fn the_cache_does_what_a_list_of_everything_would(
            capacity in 0..6_usize,
            calls in prop::collection::vec((0..8_u8, 0..40_u64, 0..40_u64), 0..200),
        ) {
            let mut cache = ReplayCache::new(capacity);
            let mut model = Model::default();
            for (signature, until, now) in calls {
                let expected = model.admit([signature; 32], until, now, capacity);
                prop_assert_eq!(cache.admit([signature; 32], at(until), at(now)), expected);
                prop_assert!(cache.len() <= capacity && cache.by_expiry.len() == cache.len());
            }
        }
    }
}
