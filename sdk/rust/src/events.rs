//! What a run says, as it comes. A broken connection is taken up again where it broke; the
//! run is not started a second time. Must not know: what events mean.

use std::collections::VecDeque;

use aegis_model::api::RunBegun;
use aegis_model::{Operation, Outcome, RunId};
use bytes::BytesMut;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::Client;
use crate::error::ClientError;
use crate::request::Request;

/// Largest event that is taken.
const EVENT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// How often in a row a broken connection is taken up again without a word heard.
const RESUMES_MAX: u32 = 5;

/// What an invocation answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Invoked {
    /// It has ended well.
    Ended(Box<Outcome>),
    /// It goes on.
    Begun(RunBegun),
}

/// Something a run said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub id: u64,
    /// `run` first, then `event` and `gap`, `outcome` last.
    pub kind: String,
    /// What was said.
    pub data: Value,
}

/// The events of a run.
pub struct Events {
    client: Client,
    answer: reqwest::Response,
    text: BytesMut,
    ready: VecDeque<Event>,
    run: Option<RunId>,
    last: u64,
    over: bool,
}

impl Events {
    pub(crate) async fn open(client: &Client, request: Request) -> Result<Self, ClientError> {
        let last = request.last_event.unwrap_or(0);
        let answer = client.follow(request).await?;
        let (text, ready) = (BytesMut::new(), VecDeque::new());
        Ok(Self { client: client.clone(), answer, text, ready, run: None, last, over: false })
    }

    /// The next event; `None` after the outcome.
    ///
    /// # Errors
    /// When the connection broke and cannot be taken up again.
    pub async fn next(&mut self) -> Result<Option<Event>, ClientError> {
        let mut resumes = 0;
        loop {
            if let Some(event) = self.ready.pop_front() {
                self.heard(&event);
                return Ok(Some(event));
            }
            if self.over {
                return Ok(None);
            }
            match self.client.transport().piece(&mut self.answer).await {
                Ok(Some(piece)) => {
                    self.text.extend_from_slice(&piece);
                    self.take_events()?;
                }
                broken if resumes == RESUMES_MAX || self.run.is_none() => {
                    broken?;
                    let problem = "the stream of events ended before the run did";
                    return Err(self.client.transport().misunderstood(None, problem));
                }
                _ => {
                    resumes += 1;
                    self.resume().await?;
                }
            }
        }
    }

    fn heard(&mut self, event: &Event) {
        self.last = event.id;
        if event.kind == "run" {
            let id = event.data.get("run_id").and_then(Value::as_str);
            self.run = id.and_then(|id| id.parse().ok());
        }
        self.over = event.kind == "outcome";
    }

    async fn resume(&mut self) -> Result<(), ClientError> {
        let Some(run) = &self.run else { return Ok(()) };
        let request = Request::of(Operation::RunEvents).at("run_id", run).after(self.last);
        self.answer = self.client.follow(request).await?;
        self.text.clear();
        Ok(())
    }

    fn take_events(&mut self) -> Result<(), ClientError> {
        while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
            let block = self.text.split_to(end + 2);
            self.ready.extend(parse(&String::from_utf8_lossy(&block)));
        }
        if self.text.len() > EVENT_BYTES_MAX {
            return Err(self.client.transport().misunderstood(None, "an event is too large"));
        }
        Ok(())
    }
}

/// One event; a comment is none.
fn parse(block: &str) -> Option<Event> {
    let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let data = serde_json::from_str(field("data")?).ok()?;
    Some(Event { id: field("id")?.parse().ok()?, kind: field("event")?.to_owned(), data })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_is_read_and_a_comment_is_none() {
        let event = parse("id: 7\nevent: event\ndata: {\"a\":1}\n\n").expect("an event");
        assert_eq!(event, Event { id: 7, kind: "event".to_owned(), data: json!({"a": 1}) });
        assert_eq!(parse(": alive\n\n"), None);
        assert_eq!(parse("id: x\nevent: event\ndata: 1\n\n"), None);
    }
}
