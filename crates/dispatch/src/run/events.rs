//! What a run says, for whoever listens: a bounded ring, so that a listener that is slow, or
//! comes back, finds what is still there, and is told of what is not.
//!
//! Must not know: how events travel to a listener.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde::Serialize;
use tokio::sync::watch;

/// Events of a run that are remembered.
const EVENTS_MAX: usize = 1_024;
/// Bytes of them.
const BYTES_MAX: usize = 256 * 1024;

/// What kind of thing was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Which run this is; the first of all.
    Run,
    /// The agent said something.
    Event,
    /// Events are missing here.
    Gap,
    /// What became of it; the last of all.
    Outcome,
}

impl EventKind {
    /// The kind as it is written in a stream.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Event => "event",
            Self::Gap => "gap",
            Self::Outcome => "outcome",
        }
    }
}

/// Something a run said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEvent {
    /// Its number, from 1.
    pub id: u64,
    /// What it is.
    pub kind: EventKind,
    /// JSON.
    pub data: Bytes,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<RunEvent>,
    bytes: usize,
    last: u64,
}

/// What a run says.
#[derive(Debug)]
pub struct RunEvents {
    ring: Mutex<Ring>,
    /// The number of the last one, for whoever waits; closed by the outcome.
    told: watch::Sender<u64>,
}

impl Default for RunEvents {
    fn default() -> Self {
        Self { ring: Mutex::default(), told: watch::Sender::new(0) }
    }
}

impl RunEvents {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        // What a panicking holder left is still whole: each change is a single step.
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells one more.
    pub fn tell(&self, kind: EventKind, data: &impl Serialize) {
        let data: Bytes = serde_json::to_vec(data).unwrap_or_default().into();
        let mut ring = self.ring();
        ring.last += 1;
        ring.bytes += data.len();
        let event = RunEvent { id: ring.last, kind, data };
        ring.events.push_back(event);
        while ring.events.len() > EVENTS_MAX || (ring.bytes > BYTES_MAX && ring.events.len() > 1) {
            let oldest = ring.events.pop_front();
            ring.bytes -= oldest.map_or(0, |event| event.data.len());
        }
        let last = ring.last;
        drop(ring);
        self.told.send_replace(last);
    }

    /// How many bytes are remembered.
    pub fn bytes(&self) -> usize {
        self.ring().bytes
    }

    /// What is there after that number; first of all how many are missing, if any.
    pub fn after(&self, id: u64) -> Vec<RunEvent> {
        let ring = self.ring();
        let first = ring.events.front().map_or(ring.last + 1, |event| event.id);
        let missing = first.saturating_sub(id.saturating_add(1));
        let gap = (missing > 0).then(|| RunEvent {
            id: first - 1,
            kind: EventKind::Gap,
            data: Bytes::from(format!("{{\"missed\":{missing}}}")),
        });
        gap.into_iter().chain(ring.events.iter().filter(|event| event.id > id).cloned()).collect()
    }

    /// Waits until there is something after that number.
    pub async fn wait(&self, id: u64) {
        let mut told = self.told.subscribe();
        // The sender lives as long as this does.
        let _ = told.wait_for(|last| *last > id).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_comes_back_misses_nothing_that_is_still_there() {
        let events = RunEvents::default();
        for number in 1..=3 {
            events.tell(EventKind::Event, &number);
        }
        let ids: Vec<u64> = events.after(1).iter().map(|event| event.id).collect();
        assert_eq!(ids, [2, 3]);
        assert!(events.after(3).is_empty());
    }

    #[test]
    fn what_is_gone_is_a_gap_with_its_size() {
        let events = RunEvents::default();
        for number in 0..EVENTS_MAX + 10 {
            events.tell(EventKind::Event, &number);
        }
        let after = events.after(4);
        assert_eq!((after[0].kind, after[0].id), (EventKind::Gap, 10));
        assert_eq!(after[0].data, Bytes::from("{\"missed\":6}"));
        assert_eq!(after[1].id, 11);
        assert_eq!(after.len(), EVENTS_MAX + 1);
    }

    #[test]
    fn large_events_push_out_older_ones_but_never_themselves() {
        let events = RunEvents::default();
        events.tell(EventKind::Run, &1);
        events.tell(EventKind::Event, &"x".repeat(BYTES_MAX));
        assert_eq!(events.after(1).len(), 1);
        assert!(events.after(0).iter().any(|event| event.kind == EventKind::Gap));
    }
}
