//! What became of the boxes so far.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use aegis_model::boxes::{BoxCounts, BoxEnd};

/// What became of the boxes so far.
#[derive(Debug, Default)]
pub struct Tally {
    alive: AtomicUsize,
    made: AtomicU64,
    failed: AtomicU64,
    making_us: AtomicU64,
    ended: [AtomicU64; BoxEnd::ALL.len()],
}

/// One box among those that live, until it is dropped.
#[derive(Debug)]
pub struct Counted(Arc<Tally>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Tally {
    /// One more lives, unless `most` do already.
    pub fn one_more(self: &Arc<Self>, most: usize) -> Option<Counted> {
        let before = self.alive.fetch_add(1, Ordering::Relaxed);
        let counted = Counted(Arc::clone(self));
        (before < most).then_some(counted)
    }

    /// One was made, in that time, or could not be made.
    pub fn tried(&self, made: bool, took_ns: u64) {
        if made {
            self.made.fetch_add(1, Ordering::Relaxed);
            self.making_us.fetch_add(took_ns / 1_000, Ordering::Relaxed);
        } else {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// One that was made has ended.
    pub fn ended(&self, end: BoxEnd) {
        let place = BoxEnd::ALL.iter().position(|known| *known == end);
        if let Some(count) = place.and_then(|place| self.ended.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many live.
    pub fn alive(&self) -> usize {
        self.alive.load(Ordering::Relaxed)
    }

    /// Everything.
    pub fn counts(&self) -> BoxCounts {
        BoxCounts {
            alive: self.alive(),
            made: self.made.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
            ended: self.ended.each_ref().map(|count| count.load(Ordering::Relaxed)),
            making_us: self.making_us.load(Ordering::Relaxed),
        }
    }
}
