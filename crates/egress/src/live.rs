//! What is open now: how much each connection has moved, when it moved something last, and the
//! word that ends it. Must not know how bytes move.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aegis_model::outward::{OutwardState, Wanted};
use aegis_model::port::{Clock, Occupant};
use tokio::sync::SetOnce;

use crate::relay::Direction;
use crate::room::Room;

/// How much a connection has moved.
pub(crate) struct Meter {
    out: AtomicU64,
    back: AtomicU64,
    touched_ns: AtomicU64,
    clock: Arc<dyn Clock>,
    room: Arc<Room>,
    stop: SetOnce<Stop>,
}

/// Why a connection is ended from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// It is not let out any more.
    Revoked,
    /// It took too long or carried too much.
    Exceeded,
}

impl From<Stop> for OutwardState {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Revoked => Self::Revoked,
            Stop::Exceeded => Self::Exceeded,
        }
    }
}

impl Meter {
    /// Nothing moved yet.
    pub(crate) fn new(room: &Arc<Room>, clock: &Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            out: AtomicU64::new(0),
            back: AtomicU64::new(0),
            touched_ns: AtomicU64::new(clock.elapsed_ns()),
            clock: Arc::clone(clock),
            room: Arc::clone(room),
            stop: SetOnce::new(),
        })
    }

    /// So many bytes moved. A session that has moved all it may is ended by this.
    pub(crate) fn count(&self, direction: Direction, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        match direction {
            Direction::Out => self.out.fetch_add(bytes, Ordering::Relaxed),
            Direction::In => self.back.fetch_add(bytes, Ordering::Relaxed),
        };
        self.touched_ns.store(self.clock.elapsed_ns(), Ordering::Relaxed);
        if !self.room.spend(bytes) {
            self.end(Stop::Exceeded);
        }
    }

    /// Bytes that went out, and that came back.
    pub(crate) fn moved(&self) -> (u64, u64) {
        (self.out.load(Ordering::Relaxed), self.back.load(Ordering::Relaxed))
    }

    /// For how long nothing has moved.
    pub(crate) fn rests_ns(&self) -> u64 {
        self.clock.elapsed_ns().saturating_sub(self.touched_ns.load(Ordering::Relaxed))
    }

    /// Ends it. The first word counts.
    pub(crate) fn end(&self, why: Stop) {
        let _ = self.stop.set(why);
    }

    /// Waits until it is to end, and says why.
    pub(crate) async fn ended(&self) -> Stop {
        *self.stop.wait().await
    }

    /// Does this until it is done, or until the word comes that ends it. What was ended
    /// before is not begun.
    pub(crate) async fn unless_ended<T>(&self, work: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            biased;
            stop = self.ended() => Err(stop),
            done = work => Ok(done),
        }
    }
}

/// A connection that is open.
pub(crate) struct Live {
    /// Whose.
    pub(crate) occupant: Arc<Occupant>,
    /// What must go on being allowed: what it was let out for, at each address that needs a grant
    /// of its own.
    pub(crate) wanted: Mutex<Vec<Wanted>>,
    /// How much it moves.
    pub(crate) meter: Arc<Meter>,
    /// When it began.
    pub(crate) begun_ns: u64,
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
