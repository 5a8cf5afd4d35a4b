//! The connections to one agent: those that rest are used again. Must not know: what is said
//! on them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aegis_model::boxes::BoxError;
use aegis_model::port::{AgentHttp, Clock, HttpConversation, HttpError, HttpHead, HttpRequest, LiveBox};

use super::Failed;

/// A connection that rests longer is closed: before servers do so of their own, and so that one
/// that serves a single connection at a time comes to the next.
const REST_NS: u64 = 2_000_000_000;

/// A connection that rests.
struct Resting {
    conversation: Box<dyn HttpConversation>,
    since_ns: u64,
}

/// The connections to one agent.
pub(in crate::session) struct Lines {
    live: Arc<dyn LiveBox>,
    http: Arc<dyn AgentHttp>,
    clock: Arc<dyn Clock>,
    port: u16,
    resting: Mutex<Vec<Resting>>,
}

impl Lines {
    /// No connection yet to that port of the box.
    pub(in crate::session) fn new(
        live: Arc<dyn LiveBox>,
        port: u16,
        http: Arc<dyn AgentHttp>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { live, http, clock, port, resting: Mutex::default() }
    }

    fn resting(&self) -> MutexGuard<'_, Vec<Resting>> {
        // What a panicking holder left is still whole: each change is a single step.
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the agent is to listen.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// The agent's name in requests.
    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Asks on a connection that rests, or a new one. One that rested may have been closed
    /// just now; it is asked once more on a new one then.
    pub(super) async fn ask(&self, request: HttpRequest) -> Result<(HttpHead, Box<dyn HttpConversation>), Failed> {
        if let Some(mut rested) = self.rested() {
            match rested.ask(request.clone()).await {
                Err(HttpError::Unanswered) => {}
                other => return Ok((other?, rested)),
            }
        }
        let mut conversation = self.fresh().await?;
        Ok((conversation.ask(request).await?, conversation))
    }

    /// A new connection.
    pub(super) async fn fresh(&self) -> Result<Box<dyn HttpConversation>, BoxError> {
        let connection = self.live.connect(self.port).await?;
        self.http.converse(connection).await.map_err(|_| BoxError::ConnectionLost)
    }

    /// The connection that came to rest last, if one rests that is still open.
    pub(super) fn rested(&self) -> Option<Box<dyn HttpConversation>> {
        loop {
            let mut last = self.resting().pop()?;
            if last.conversation.is_open() {
                return Some(last.conversation);
            }
        }
    }

    /// Lets a connection rest, if anything more can be said on it.
    pub(super) fn give_back(&self, mut conversation: Box<dyn HttpConversation>) {
        if conversation.is_open() {
            let since_ns = self.clock.elapsed_ns();
            self.resting().push(Resting { conversation, since_ns });
        }
    }

    /// Closes those that rest too long, or were closed by the agent.
    pub(super) fn sweep(&self) {
        let now = self.clock.elapsed_ns();
        let fit = |one: &mut Resting| now.saturating_sub(one.since_ns) < REST_NS && one.conversation.is_open();
        self.resting().retain_mut(fit);
    }
}
