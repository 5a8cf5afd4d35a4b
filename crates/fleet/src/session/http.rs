//! Speaking with an agent that is a server in its box: `POST /invocations` for each run, many at
//! a time, and `GET /ping` for how it is.
//!
//! Must not know: how runs are recorded, how HTTP is written.

mod answer;
mod lines;
mod ping;
mod server;
mod sse;

use std::sync::Arc;
use std::time::Duration;

use aegis_model::boxes::BoxError;
use aegis_model::port::{HttpError, HttpMethod, HttpRequest};
use aegis_model::{Code, Fault, SessionId};
use serde_json::Value;
use tokio::sync::{OnceCell, Semaphore};

use super::speech::{Listener, Nobody, Said};
pub(super) use lines::Lines;
pub(super) use server::Server;

/// How long an agent may take until it listens.
const LISTEN_TIME: Duration = Duration::from_secs(30);
/// How long it may take to say how it is.
const PING_TIME: Duration = Duration::from_secs(1);
/// Runs that it works on at a time; others wait. Fewer than the connections a box may have.
const RUNS_AT_ONCE: usize = 128;
/// How long after a connection broke it may come out that the agent has ended.
const END_COMES_OUT: Duration = Duration::from_millis(250);

/// Why there is no answer.
#[derive(Debug)]
enum Failed {
    /// The agent's answer says so, or is none that can be taken.
    Answer(Fault),
    /// The way to it broke; it may have ended.
    Way(Fault),
}

impl From<BoxError> for Failed {
    fn from(error: BoxError) -> Self {
        Self::Way(Fault::from(error))
    }
}

impl From<HttpError> for Failed {
    fn from(error: HttpError) -> Self {
        let (code, message) = match &error {
            HttpError::Unanswered => {
                (Code::AgentFailed, "the agent closed the connection without an answer".to_owned())
            }
            HttpError::BrokenOff => (Code::AgentFailed, "the agent broke its answer off".to_owned()),
            HttpError::Unreadable(problem) => {
                (Code::AgentAnswerInvalid, format!("what the agent answered is not HTTP: {problem}"))
            }
        };
        Self::Way(Fault::new(code, message).caused_by(error))
    }
}

/// An agent that is a server in its box.
pub(super) struct HttpAgent {
    session: SessionId,
    lines: Lines,
    server: Arc<Server>,
    listens: OnceCell<()>,
    turns: Semaphore,
}

impl HttpAgent {
    /// An agent that was just started.
    pub(super) fn new(session: SessionId, lines: Lines, server: Arc<Server>) -> Self {
        Self { session, lines, server, listens: OnceCell::new(), turns: Semaphore::new(RUNS_AT_ONCE) }
    }

    /// Waits until its process has ended.
    pub(super) async fn ended(&self) {
        self.server.ended().await;
    }

    /// Whether its process has ended of its own: not with its box.
    pub(super) fn has_ended(&self) -> bool {
        self.server.end().is_some_and(|end| end.code() != Code::StateInvalid)
    }

    /// Gives it an input, and waits for its answer.
    ///
    /// # Errors
    /// When it fails, or cannot be understood; with the end of its log.
    pub(super) async fn speak(&self, said: &Said, listener: &dyn Listener) -> Result<Value, Fault> {
        self.listening().await?;
        let broken = tokio::select! {
            biased;
            answer = self.invoke(said, listener) => match answer {
                Ok(answer) => return Ok(answer),
                Err(Failed::Answer(fault)) => return Err(self.with_log(fault)),
                Err(Failed::Way(fault)) => fault,
            },
            end = self.server.ended() => return Err(end),
        };
        // A connection that broke can be the first that shows of an end.
        match tokio::time::timeout(END_COMES_OUT, self.server.ended()).await {
            Ok(end) => Err(end),
            Err(_) => Err(self.with_log(broken)),
        }
    }

    async fn invoke(&self, said: &Said, listener: &dyn Listener) -> Result<Value, Failed> {
        let closed = |error| Failed::Way(Fault::internal(error));
        let _turn = self.turns.acquire().await.map_err(closed)?;
        invoke(&self.lines, &self.session, said, listener).await
    }

    fn with_log(&self, fault: Fault) -> Fault {
        fault.with("log", self.server.log())
    }

    /// Waits until it listens, once.
    async fn listening(&self) -> Result<(), Fault> {
        let reached = self.listens.get_or_try_init(|| async {
            let reaching = tokio::time::timeout(LISTEN_TIME, ping::reach(&self.lines));
            tokio::select! {
                biased;
                end = self.server.ended() => Err(self.never_listened(end)),
                reached = reaching => match reached {
                    Ok(Ok(())) => Ok(()),
                    Ok(Err(error)) => Err(self.with_log(Fault::from(error))),
                    Err(_) => Err(self.with_log(self.too_late())),
                },
            }
        });
        reached.await.map(|&()| ())
    }

    fn too_late(&self) -> Fault {
        let (port, seconds) = (self.lines.port(), LISTEN_TIME.as_secs());
        let message = format!("the agent does not listen on port {port} of its box after {seconds} s");
        Fault::new(Code::AgentStartFailed, message)
    }

    /// An end before it listened is one of its start.
    fn never_listened(&self, end: Fault) -> Fault {
        if end.code() != Code::AgentFailed {
            return end;
        }
        let log = end.details().get("log").cloned().unwrap_or_default();
        let message = format!("{} before it listened on port {}", end.message(), self.lines.port());
        Fault::new(Code::AgentStartFailed, message).with("log", log)
    }

    /// Closes connections that rest too long; to be called once in a while.
    pub(super) fn sweep(&self) {
        self.lines.sweep();
    }

    /// Whether it says that it works on something.
    pub(super) async fn is_busy(&self) -> bool {
        if !self.listens.initialized() {
            return false;
        }
        let asking = async {
            let conversation = match self.lines.rested() {
                Some(conversation) => conversation,
                None => self.lines.fresh().await.ok()?,
            };
            ping::ask(&self.lines, conversation).await.ok()
        };
        match tokio::time::timeout(PING_TIME, asking).await {
            Ok(Some((200, body))) => says_busy(&body),
            _ => false,
        }
    }
}

/// Gives an agent that listens an input, and takes its answer in.
async fn invoke(lines: &Lines, session: &SessionId, said: &Said, listener: &dyn Listener) -> Result<Value, Failed> {
    let request = HttpRequest {
        method: HttpMethod::Post,
        path: "/invocations",
        headers: vec![
            ("host", lines.host()),
            ("content-type", "application/json".to_owned()),
            ("accept", "application/json, text/event-stream, */*".to_owned()),
            ("x-amzn-bedrock-agentcore-runtime-session-id", session.to_string()),
            ("x-correlation-id", said.correlation_id.to_string()),
        ],
        body: said.input.clone(),
    };
    let (head, mut conversation) = lines.ask(request).await?;
    let answer = answer::take(&head, conversation.as_mut(), listener).await?;
    lines.give_back(conversation);
    Ok(answer)
}

/// Waits until the agent in a box that nobody has yet listens, and gives it that input, if any.
/// What it answers is nobody's; that it answers is what counts.
///
/// # Errors
/// When it does not listen in time, or fails.
pub(super) async fn warm_up(lines: &Lines, said: Option<(&SessionId, &Said)>) -> Result<(), Fault> {
    let failed = |message: String| Fault::new(Code::AgentStartFailed, message);
    match tokio::time::timeout(LISTEN_TIME, ping::reach(lines)).await {
        Ok(reached) => reached.map_err(Fault::from)?,
        Err(_) => return Err(failed(format!("the agent does not listen on port {}", lines.port()))),
    }
    let Some((session, said)) = said else { return Ok(()) };
    match invoke(lines, session, said, &Nobody).await {
        Ok(_) => Ok(()),
        Err(Failed::Answer(fault) | Failed::Way(fault)) => Err(fault),
    }
}

fn says_busy(body: &[u8]) -> bool {
    let Ok(answer) = serde_json::from_slice::<Value>(body) else { return false };
    answer.get("status").and_then(Value::as_str) == Some("HealthyBusy")
}

#[cfg(test)]
#[path = "http/tests.rs"]
mod tests;
