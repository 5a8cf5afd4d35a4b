//! Committed changes that whoever watches over the installation wants to hear of, counted: for
//! metrics, which know no names.
//!
//! Must not know: which acts they are; the table in `model` says.

use std::sync::atomic::{AtomicU64, Ordering};

use aegis_model::SecurityChange;

/// How many of each kind were committed since the start.
#[derive(Debug, Default)]
pub(crate) struct Watched([AtomicU64; SecurityChange::ALL.len()]);

impl Watched {
    /// Counts one that was committed.
    pub(crate) fn count(&self, change: SecurityChange) {
        let place = SecurityChange::ALL.iter().position(|known| *known == change);
        if let Some(counter) = place.and_then(|place| self.0.get(place)) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What was counted so far, those that never happened among it.
    pub(crate) fn counted(&self) -> Vec<(SecurityChange, u64)> {
        let read = |(change, counter): (&SecurityChange, &AtomicU64)| (*change, counter.load(Ordering::Relaxed));
        SecurityChange::ALL.iter().zip(&self.0).map(read).collect()
    }
}
