//! What something in a box opens: streams to the API and to the world, which the guest takes
//! inside and hands over, and questions for names. Whoever serves the box's door takes it from
//! here. So much waits or is open, and no more: what goes beyond is closed, and the box is not
//! the worse for it. Must not know: what is said on the streams.

use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use aegis_door::{QuestionId, StreamKind, ToGuest};
use aegis_model::port::{NameAsker, Opening, Openings, Towards};
use async_trait::async_trait;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::connection::{self, Place, Places};
use super::shared::Shared;

/// Streams to the API that wait to be served, or are open.
const API_STREAMS_MAX: u32 = 64;
/// Streams to the world that wait to be served, or are open.
const OUTWARD_STREAMS_MAX: u32 = 4_096;
/// Questions for names that wait to be answered.
const QUESTIONS_MAX: u32 = 256;
/// What waits to be taken.
const WAITING_MAX: usize = 512;

/// What a guest said.
enum Said {
    Stream(StreamKind, OwnedFd, Place),
    Question(QuestionId, String, Place),
}

/// What one box has opened.
#[derive(Debug)]
pub struct Opened {
    api: Places,
    outward: Places,
    questions: Places,
    waiting: Mutex<Option<Sender<Said>>>,
    taken: Mutex<Option<Receiver<Said>>>,
}

impl std::fmt::Debug for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Said")
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking holder left is still whole: each change is a single step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Opened {
    fn default() -> Self {
        let (waiting, taken) = channel(WAITING_MAX);
        Self {
            api: Places::new(API_STREAMS_MAX),
            outward: Places::new(OUTWARD_STREAMS_MAX),
            questions: Places::new(QUESTIONS_MAX),
            waiting: Mutex::new(Some(waiting)),
            taken: Mutex::new(Some(taken)),
        }
    }
}

impl Opened {
    /// Something inside opened this one.
    pub fn offer(&self, kind: StreamKind, stream: OwnedFd) {
        let places = match kind {
            StreamKind::Api => &self.api,
            StreamKind::Proxy | StreamKind::Host { .. } => &self.outward,
        };
        if let Some(place) = places.take() {
            self.put(Said::Stream(kind, stream, place));
        }
    }

    /// Something inside asks for this name.
    pub fn ask(&self, question: QuestionId, name: String) {
        if let Some(place) = self.questions.take() {
            self.put(Said::Question(question, name, place));
        }
    }

    fn put(&self, said: Said) {
        if let Some(waiting) = &*lock(&self.waiting) {
            let _ = waiting.try_send(said);
        }
    }

    /// What is opened, for whoever serves it; the first one to ask.
    pub fn take(&self, shared: &Arc<Shared>) -> Option<Box<dyn Openings>> {
        let said = lock(&self.taken).take()?;
        Some(Box::new(Listened { said, shared: Arc::clone(shared) }))
    }

    /// No more come.
    pub fn close(&self) {
        lock(&self.waiting).take();
        lock(&self.taken).take();
    }
}

/// What one box opens, as it comes.
struct Listened {
    said: Receiver<Said>,
    shared: Arc<Shared>,
}

#[async_trait]
impl Openings for Listened {
    async fn next(&mut self) -> Option<Opening> {
        loop {
            let said = self.said.recv().await?;
            if self.said.sender_strong_count() == 0 {
                // The box is gone; what it said last is nobody's any more.
                return None;
            }
            match said {
                Said::Stream(kind, stream, place) => {
                    // One for which there is no room is closed.
                    if let Ok(stream) = connection::taken(stream, &self.shared.counts, place) {
                        return Some(Opening::Stream { towards: towards(kind), stream });
                    }
                }
                Said::Question(question, name, place) => {
                    let asker = Asker { question, shared: Arc::downgrade(&self.shared), _place: place };
                    return Some(Opening::Name { name, asker: Box::new(asker) });
                }
            }
        }
    }
}

fn towards(kind: StreamKind) -> Towards {
    match kind {
        StreamKind::Api => Towards::Api,
        StreamKind::Proxy => Towards::Proxy,
        StreamKind::Host { name, port } => Towards::Host { name, port },
    }
}

/// The guest, waiting for what became of a name.
struct Asker {
    question: QuestionId,
    shared: Weak<Shared>,
    _place: Place,
}

#[async_trait]
impl NameAsker for Asker {
    async fn tell(self: Box<Self>, ports: Vec<u16>) {
        if let Some(shared) = self.shared.upgrade() {
            // A box that is gone has nobody left who waits for it.
            let _ = shared.channel.say(&ToGuest::Named { question: self.question, ports }, &[]).await;
        }
    }
}
