//! From what a server answers to the answer of the agent. Must not know: how it came.

use aegis_model::port::{HttpConversation, HttpHead};
use aegis_model::run::OUTPUT_BYTES_MAX;
use aegis_model::{Code, Fault};
use serde_json::Value;

use super::Failed;
use super::sse::Events;
use crate::session::speech::Listener;

/// So much of the answer of an agent that failed is told.
const TOLD_CHARACTERS_MAX: usize = 500;
/// So much of it is read.
const TOLD_BYTES_MAX: usize = 4 * TOLD_CHARACTERS_MAX;

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Events,
    Text,
}

impl Form {
    fn of(content_type: Option<&str>) -> Self {
        let name = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
        match name.trim().to_ascii_lowercase().as_str() {
            "application/json" => Self::Json,
            "text/event-stream" => Self::Events,
            other if other.ends_with("+json") => Self::Json,
            _ => Self::Text,
        }
    }
}

/// Takes an answer in: events are heard at once, the rest is what the agent answers.
pub(super) async fn take(
    head: &HttpHead,
    conversation: &mut dyn HttpConversation,
    listener: &dyn Listener,
) -> Result<Value, Failed> {
    if !(200..300).contains(&head.status) {
        return Err(Failed::Answer(refusal(head.status, conversation).await));
    }
    match Form::of(head.content_type.as_deref()) {
        Form::Events => take_events(conversation, listener).await,
        form => {
            let body = whole(conversation).await?;
            value(form, &body).map_err(Failed::Answer)
        }
    }
}

/// What an agent says that answers with another status than that all is well.
async fn refusal(status: u16, conversation: &mut dyn HttpConversation) -> Fault {
    let mut body = Vec::new();
    while body.len() < TOLD_BYTES_MAX
        && let Ok(Some(piece)) = conversation.read().await
    {
        body.extend_from_slice(&piece);
    }
    body.truncate(TOLD_BYTES_MAX);
    let text = String::from_utf8_lossy(&body);
    let told: String = text.trim().chars().filter(|letter| !letter.is_control()).take(TOLD_CHARACTERS_MAX).collect();
    let message = match told.as_str() {
        "" => format!("the agent answered with status {status}"),
        told => format!("the agent answered with status {status}: {told}"),
    };
    Fault::new(Code::AgentFailed, message).with("status", status)
}

async fn whole(conversation: &mut dyn HttpConversation) -> Result<Vec<u8>, Failed> {
    let mut body = Vec::new();
    while let Some(piece) = conversation.read().await? {
        if body.len() + piece.len() > OUTPUT_BYTES_MAX {
            return Err(Failed::Answer(too_long("the answer of the agent")));
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn too_long(what: &str) -> Fault {
    Fault::new(Code::AgentAnswerInvalid, format!("{what} is longer than {OUTPUT_BYTES_MAX} bytes"))
}

fn value(form: Form, body: &[u8]) -> Result<Value, Fault> {
    if body.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    if form == Form::Text {
        return Ok(Value::String(String::from_utf8_lossy(body).into_owned()));
    }
    serde_json::from_slice(body).map_err(|error| {
        let start: String = String::from_utf8_lossy(body).chars().take(200).flat_map(char::escape_debug).collect();
        let message = format!("what the agent answered is not the JSON that it says it is: {error}");
        Fault::new(Code::AgentAnswerInvalid, message).with("answer", start)
    })
}

/// Events on their way, and the answer that they are together: `null` where that is too long.
struct Heard<'l> {
    listener: &'l dyn Listener,
    all: Option<Vec<Value>>,
    bytes: usize,
}

impl Heard<'_> {
    fn hear(&mut self, data: Vec<u8>) {
        self.bytes = self.bytes.saturating_add(data.len());
        let value = serde_json::from_slice(&data)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&data).into_owned()));
        match &mut self.all {
            Some(all) if self.bytes <= OUTPUT_BYTES_MAX => all.push(value.clone()),
            _ => self.all = None,
        }
        self.listener.event(value);
    }
}

async fn take_events(conversation: &mut dyn HttpConversation, listener: &dyn Listener) -> Result<Value, Failed> {
    let mut heard = Heard { listener, all: Some(Vec::new()), bytes: 0 };
    let mut events = Events::default();
    while let Some(piece) = conversation.read().await? {
        events.take(&piece, |data| heard.hear(data));
        if events.held_bytes() > OUTPUT_BYTES_MAX {
            return Err(Failed::Answer(too_long("an event of the agent")));
        }
    }
    events.end(|data| heard.hear(data));
    Ok(heard.all.map_or(Value::Null, Value::Array))
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::Mutex;

    use aegis_model::port::{HttpError, HttpRequest};
    use async_trait::async_trait;
    use bytes::Bytes;
    use serde_json::json;

    use super::*;

    struct Scripted(VecDeque<Result<Bytes, HttpError>>);

    #[async_trait]
    impl HttpConversation for Scripted {
        async fn ask(&mut self, _: HttpRequest) -> Result<HttpHead, HttpError> {
            Err(HttpError::Unanswered)
        }

        async fn read(&mut self) -> Result<Option<Bytes>, HttpError> {
            self.0.pop_front().transpose()
        }

        fn is_open(&mut self) -> bool {
            false
        }
    }

    #[derive(Default)]
    struct Listening(Mutex<Vec<Value>>);

    impl Listener for Listening {
        fn event(&self, event: Value) {
            self.0.lock().unwrap().push(event);
        }

        fn log(&self, _: &[u8]) {}
    }

    type Taken = Result<Value, (Code, String)>;

    async fn taken(status: u16, content_type: Option<&str>, pieces: &[&str]) -> (Taken, Vec<Value>) {
        let head = HttpHead { status, content_type: content_type.map(str::to_owned) };
        let mut pieces = Scripted(pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece.as_bytes()))).collect());
        let listening = Listening::default();
        let taken = take(&head, &mut pieces, &listening).await.map_err(|failed| match failed {
            Failed::Answer(fault) | Failed::Way(fault) => (fault.code(), fault.message().to_owned()),
        });
        (taken, listening.0.into_inner().unwrap())
    }

    async fn check(content_type: Option<&str>, pieces: &[&str], expected: Value) {
        assert_eq!(taken(200, content_type, pieces).await.0, Ok(expected), "{content_type:?} {pieces:?}");
    }

    #[tokio::test]
    async fn the_content_type_says_what_an_answer_is() {
        check(Some("application/json"), &["{\"a\"", ":1}"], json!({"a": 1})).await;
        check(Some("Application/JSON; charset=utf-8"), &["1"], json!(1)).await;
        check(Some("application/problem+json"), &["1"], json!(1)).await;
        check(Some("text/plain"), &["1"], json!("1")).await;
        check(None, &["{}"], json!("{}")).await;
        check(Some("application/json"), &[], json!(null)).await;
        check(None, &[], json!(null)).await;
        let (wrong, _) = taken(200, Some("application/json"), &["hello"]).await;
        assert_eq!(wrong.unwrap_err().0, Code::AgentAnswerInvalid);
    }

    #[tokio::test]
    async fn events_are_heard_and_together_are_the_answer() {
        let stream = ["data: {\"a\":1}\n", "\n: x\n\ndata: hello\n\n", "data: 3"];
        let (answer, events) = taken(200, Some("text/event-stream; charset=utf-8"), &stream).await;
        assert_eq!(answer, Ok(json!([{"a": 1}, "hello", 3])));
        assert_eq!(events, [json!({"a": 1}), json!("hello"), json!(3)]);
    }

    #[tokio::test]
    async fn too_many_events_are_heard_and_no_answer() {
        let event = format!("data: {}\n\n", "x".repeat(OUTPUT_BYTES_MAX / 2));
        let (answer, events) = taken(200, Some("text/event-stream"), &[&event, &event, &event]).await;
        assert_eq!((answer, events.len()), (Ok(Value::Null), 3));
        let (endless, _) = taken(200, Some("text/event-stream"), &["data: ", &"x".repeat(OUTPUT_BYTES_MAX + 1)]).await;
        assert_eq!(endless.unwrap_err().0, Code::AgentAnswerInvalid);
    }

    #[tokio::test]
    async fn an_answer_that_is_too_long_is_none() {
        let half = "x".repeat(OUTPUT_BYTES_MAX / 2);
        assert!(taken(200, Some("text/plain"), &[&half, &half]).await.0.is_ok());
        let (long, _) = taken(200, Some("text/plain"), &[&half, &half, "x"]).await;
        assert_eq!(long.unwrap_err().0, Code::AgentAnswerInvalid);
    }

    #[tokio::test]
    async fn another_status_is_a_failure_that_tells_what_it_said() {
        let (failed, _) = taken(500, Some("application/json"), &["{\"error\":", "\"no\\u001b\n such model\"}"]).await;
        let message = "the agent answered with status 500: {\"error\":\"no\\u001b such model\"}";
        assert_eq!(failed, Err((Code::AgentFailed, message.to_owned())));
        let (moved, _) = taken(302, None, &[]).await;
        assert_eq!(moved, Err((Code::AgentFailed, "the agent answered with status 302".to_owned())));
        let (long, _) = taken(404, None, &[&"ä".repeat(100_000)]).await;
        assert!(long.unwrap_err().1.chars().count() < 600);
    }
}
