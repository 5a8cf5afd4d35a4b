//! Speaking with an agent that reads one JSON document and writes one: events are lines of
//! their own, complaints are its log.
//!
//! Must not know: which box it runs in, who waits for the answer.

use std::sync::Arc;

use aegis_model::boxes::{BoxError, BoxSignal, Ending, Exit};
use aegis_model::port::{ByteSource, Running, Steering};
use aegis_model::run::OUTPUT_BYTES_MAX;
use aegis_model::{Code, Fault};
use serde_json::Value;

use super::speech::{Listener, LogTail, Spoken};

/// Longest line that can be an event.
const EVENT_BYTES_MAX: usize = 256 * 1024;

/// Hears a program out that was given its input.
pub async fn hear_out(running: Running, listener: &dyn Listener) -> Spoken {
    let Running { input, mut output, mut errors, steering } = running;
    drop(input);
    let mut abandoned = Abandoned(Some(Arc::clone(&steering)));
    let mut answer = Answer::default();
    let mut tail = LogTail::default();
    let heard = {
        let speaking = answer.take_all(output.as_mut(), listener);
        let complaining = async {
            log_all(errors.as_mut(), listener, &mut tail).await;
            Ok(())
        };
        tokio::try_join!(speaking, complaining)
    };
    if let Err(fault) = heard {
        // Its end is not waited for: it may not come.
        return Spoken { answer: Err(fault.with("log", tail.lines())), cpu_us: 0, memory_peak_bytes: 0 };
    }
    let ending = steering.ending().await;
    abandoned.0 = None;
    let answer = match failed(&ending) {
        None => answer.into_value(),
        Some(fault) => Err(fault),
    };
    Spoken {
        answer: answer.map_err(|fault| fault.with("log", tail.lines())),
        cpu_us: ending.cpu_us,
        memory_peak_bytes: ending.memory_peak_bytes,
    }
}

/// Kills a program that nobody hears out any more.
struct Abandoned(Option<Arc<dyn Steering>>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        if let Some(steering) = self.0.take() {
            tokio::spawn(async move { steering.signal(BoxSignal::Kill).await });
        }
    }
}

async fn log_all(errors: &mut dyn ByteSource, listener: &dyn Listener, tail: &mut LogTail) {
    while let Ok(Some(bytes)) = errors.read().await {
        listener.log(&bytes);
        tail.take(&bytes);
    }
}

/// How a program failed, if it did.
pub(super) fn failed(ending: &Ending) -> Option<Fault> {
    let failed = |message: String| Some(Fault::new(Code::AgentFailed, message));
    match ending.exit {
        Exit::Code(0) => None,
        Exit::Code(code) => failed(format!("the agent ended with exit code {code}")),
        Exit::Signal(signal) => failed(format!("the agent was ended by signal {signal}")),
        Exit::OutOfMemory => Some(Fault::new(Code::AgentOutOfMemory, "the agent used more memory than it has")),
        Exit::TimedOut => Some(Fault::new(Code::TimedOut, "the agent took longer than it may")),
        Exit::BoxEnded(end) => Some(Fault::from(BoxError::Ended(end))),
    }
}

/// What was written so far that is not an event.
#[derive(Default)]
struct Answer {
    text: Vec<u8>,
    line: Vec<u8>,
}

impl Answer {
    async fn take_all(&mut self, output: &mut dyn ByteSource, listener: &dyn Listener) -> Result<(), Fault> {
        while let Some(bytes) = output.read().await.map_err(Fault::from)? {
            self.take(&bytes, listener)?;
        }
        self.end_line(listener);
        self.within_bounds()
    }

    fn take(&mut self, bytes: &[u8], listener: &dyn Listener) -> Result<(), Fault> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.end_line(listener);
            }
            self.within_bounds()?;
        }
        Ok(())
    }

    fn within_bounds(&self) -> Result<(), Fault> {
        if self.text.len() + self.line.len() <= OUTPUT_BYTES_MAX {
            return Ok(());
        }
        let message = format!("the agent wrote more than {OUTPUT_BYTES_MAX} bytes to stdout");
        Err(Fault::new(Code::AgentAnswerInvalid, message))
    }

    /// A line is an event or a part of the answer.
    fn end_line(&mut self, listener: &dyn Listener) {
        match event(&self.line) {
            Some(event) => {
                self.line.clear();
                listener.event(event);
            }
            None => self.text.append(&mut self.line),
        }
    }

    /// The one document; nothing at all is `null`.
    fn into_value(self) -> Result<Value, Fault> {
        let text = self.text.trim_ascii();
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(text).map_err(|error| {
            let shown: String = String::from_utf8_lossy(text).chars().take(200).flat_map(char::escape_debug).collect();
            Fault::new(
                Code::AgentAnswerInvalid,
                format!("what the agent wrote to stdout is not one JSON document: {error}"),
            )
            .with("stdout", shown)
        })
    }
}

/// The event of a line `{"event": …}` that says nothing else.
fn event(line: &[u8]) -> Option<Value> {
    if line.len() > EVENT_BYTES_MAX || !line.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let Ok(Value::Object(mut object)) = serde_json::from_slice(line) else { return None };
    if object.len() == 1 { object.remove("event") } else { None }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use serde_json::json;

    use super::*;

    #[derive(Default)]
    struct Heard(Mutex<Vec<Value>>);

    impl Listener for Heard {
        fn event(&self, event: Value) {
            self.0.lock().unwrap().push(event);
        }

        fn log(&self, _: &[u8]) {}
    }

    fn heard(pieces: &[&str]) -> (Result<Value, Code>, Vec<Value>) {
        let (heard, mut answer) = (Heard::default(), Answer::default());
        let taken = pieces.iter().try_for_each(|piece| answer.take(piece.as_bytes(), &heard));
        answer.end_line(&heard);
        let value = taken.and_then(|()| answer.into_value()).map_err(|fault| fault.code());
        (value, heard.0.into_inner().unwrap())
    }

    #[test]
    fn lines_that_are_events_are_not_part_of_the_answer() {
        let (value, events) = heard(&["{\"event\": 1}\n{\"a\":\n", "2}\n{\"ev", "ent\": {\"x\": 3}}\n"]);
        assert_eq!(value, Ok(json!({"a": 2})));
        assert_eq!(events, [json!(1), json!({"x": 3})]);
    }

    #[test]
    fn nothing_is_null_and_what_is_not_json_is_told() {
        assert_eq!(heard(&[]).0, Ok(Value::Null));
        assert_eq!(heard(&["\n \n"]).0, Ok(Value::Null));
        assert_eq!(heard(&["hello"]).0, Err(Code::AgentAnswerInvalid));
        assert_eq!(heard(&["1\n2\n"]).0, Err(Code::AgentAnswerInvalid));
        assert_eq!(heard(&["{\"event\": 1, \"b\": 2}"]).0, Ok(json!({"event": 1, "b": 2})));
    }

    #[test]
    fn an_answer_without_end_is_cut_off() {
        let long = "x".repeat(OUTPUT_BYTES_MAX / 2);
        assert_eq!(heard(&[&long, &long, "y"]).0, Err(Code::AgentAnswerInvalid));
    }
}
