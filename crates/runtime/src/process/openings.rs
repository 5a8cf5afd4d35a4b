//! Streams that something in a box opens to the API: the guest takes the connection inside and
//! hands it over, whoever serves the box's door takes it from here. So many wait or are open, and
//! no more: what goes beyond is closed, and the box is not the worse for it.
//! Must not know: what is said on them.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aegis_model::port::{Connection, Openings};
use async_trait::async_trait;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::connection::{self, Place, Places};
use super::streams::Counts;

/// Streams that wait to be served, or are open.
const STREAMS_MAX: u32 = 64;

/// A stream that was handed over.
type Handed = (OwnedFd, Place);

/// The streams of one box.
#[derive(Debug)]
pub struct Opened {
    places: Places,
    waiting: Mutex<Option<Sender<Handed>>>,
    taken: Mutex<Option<Receiver<Handed>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking holder left is still whole: each change is a single step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Opened {
    fn default() -> Self {
        let (waiting, taken) = channel(STREAMS_MAX as usize);
        Self { places: Places::new(STREAMS_MAX), waiting: Mutex::new(Some(waiting)), taken: Mutex::new(Some(taken)) }
    }
}

impl Opened {
    /// Something inside opened this one.
    pub fn offer(&self, stream: OwnedFd) {
        let Some(place) = self.places.take() else { return };
        if let Some(waiting) = &*lock(&self.waiting) {
            let _ = waiting.try_send((stream, place));
        }
    }

    /// The streams, for whoever serves them; the first one to ask.
    pub fn take(&self, counts: &Arc<Counts>) -> Option<Box<dyn Openings>> {
        let streams = lock(&self.taken).take()?;
        Some(Box::new(Streams { streams, counts: Arc::clone(counts) }))
    }

    /// No more come.
    pub fn close(&self) {
        lock(&self.waiting).take();
        lock(&self.taken).take();
    }
}

/// The streams of one box, as they come.
struct Streams {
    streams: Receiver<Handed>,
    counts: Arc<Counts>,
}

#[async_trait]
impl Openings for Streams {
    async fn next(&mut self) -> Option<Connection> {
        loop {
            let (stream, place) = self.streams.recv().await?;
            if self.streams.sender_strong_count() == 0 {
                // The box is gone; what it said last is nobody's any more.
                return None;
            }
            // Whoever hung up before he was served is not missed.
            if let Ok(connection) = connection::open(stream, &self.counts, place).await {
                return Some(connection);
            }
        }
    }
}
