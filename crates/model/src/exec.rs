//! Programs that a person starts in a session's box, and the frames by which they are spoken
//! to once the connection is theirs alone.
//!
//! ```text
//!   one byte: what it is │ four bytes: how long │ the bytes
//! ```

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::boxes::{BoxEnd, BoxSignal, Ending, Exit, TerminalSize};

/// The protocol that a connection changes to.
pub const EXEC_PROTOCOL: &str = "aegis-exec";
/// Longest frame.
pub const EXEC_FRAME_BYTES_MAX: usize = 64 * 1024;
/// What of its output is kept when it is not listened to.
pub const EXEC_OUTPUT_BYTES_MAX: usize = 1024 * 1024;

const HEAD_BYTES: usize = 5;

/// A program to be started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExecRequest {
    /// The program and its arguments.
    #[schemars(length(min = 1, max = 256))]
    pub command: Vec<String>,
    /// Variables beside those that every program in the box has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Its working directory; `/workspace` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<String>,
    /// What it reads; nothing when absent. Without effect on a connection of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The terminal it is to have; only on a connection of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<TerminalSize>,
    /// After how long it is killed; a minute when absent, never on a connection of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 86_400_000))]
    pub timeout_ms: Option<u64>,
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExecEnding {
    /// Its exit code, if it ended with one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u8>,
    /// Why it ended, if otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Processor time of it and of what it waited for.
    pub cpu_ms: u64,
    /// Its largest resident memory.
    pub memory_peak_bytes: u64,
}

impl From<Ending> for ExecEnding {
    fn from(ending: Ending) -> Self {
        let (exit_code, reason) = match ending.exit {
            Exit::Code(code) => (Some(code), None),
            Exit::Signal(signal) => (None, Some(format!("signal {signal}"))),
            Exit::OutOfMemory => (None, Some("out of memory".to_owned())),
            Exit::TimedOut => (None, Some("out of time".to_owned())),
            Exit::BoxEnded(end) => (None, Some(gone(end))),
        };
        Self { exit_code, reason, cpu_ms: ending.cpu_us / 1_000, memory_peak_bytes: ending.memory_peak_bytes }
    }
}

fn gone(end: BoxEnd) -> String {
    format!("the box ended: {}", end.as_str())
}

/// How a program ended, and what it said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExecResult {
    /// How it ended.
    #[serde(flatten)]
    pub ending: ExecEnding,
    /// What it wrote; what is not UTF-8 is replaced.
    pub output: String,
    /// The end of what it complained about.
    pub errors: String,
}

/// What is said on a connection of a program's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecFrame {
    /// To the program: bytes to read.
    Input(Bytes),
    /// To the program: no more comes.
    InputEnd,
    /// To the program: its terminal has another size.
    Resize(TerminalSize),
    /// To the program: a signal.
    Signal(BoxSignal),
    /// From the program: what it wrote.
    Output(Bytes),
    /// From the program: what it complained about.
    Errors(Bytes),
    /// From the program: how it ended; the last.
    Ended(ExecEnding),
}

/// What is no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what came is not a frame of a program's connection")]
pub struct NotAFrame;

impl ExecFrame {
    /// The frame as it travels.
    pub fn encode(&self) -> Bytes {
        let (kind, body) = match self {
            Self::Input(bytes) => (0, bytes.clone()),
            Self::InputEnd => (1, Bytes::new()),
            Self::Resize(size) => {
                let mut body = BytesMut::with_capacity(4);
                body.put_u16(size.rows);
                body.put_u16(size.columns);
                (2, body.freeze())
            }
            Self::Signal(signal) => (3, Bytes::copy_from_slice(&[place(*signal)])),
            Self::Output(bytes) => (4, bytes.clone()),
            Self::Errors(bytes) => (5, bytes.clone()),
            Self::Ended(ending) => (6, serde_json::to_vec(ending).unwrap_or_default().into()),
        };
        let mut frame = BytesMut::with_capacity(HEAD_BYTES + body.len());
        frame.put_u8(kind);
        frame.put_u32(u32::try_from(body.len()).unwrap_or(u32::MAX));
        frame.put_slice(&body);
        frame.freeze()
    }

    /// Takes a whole frame from the front, if there is one.
    ///
    /// # Errors
    /// When what is there can never become one.
    pub fn decode(received: &mut BytesMut) -> Result<Option<Self>, NotAFrame> {
        let Some(mut head) = received.get(..HEAD_BYTES) else { return Ok(None) };
        let kind = head.get_u8();
        let length = usize::try_from(head.get_u32()).map_err(|_| NotAFrame)?;
        if kind > 6 || length > EXEC_FRAME_BYTES_MAX {
            return Err(NotAFrame);
        }
        if received.len() < HEAD_BYTES + length {
            return Ok(None);
        }
        received.advance(HEAD_BYTES);
        let mut body = received.split_to(length).freeze();
        let frame = match (kind, length) {
            (0, _) => Self::Input(body),
            (1, 0) => Self::InputEnd,
            (2, 4) => Self::Resize(TerminalSize { rows: body.get_u16(), columns: body.get_u16() }),
            (3, 1) => Self::Signal(SIGNALS.get(usize::from(body.get_u8())).copied().ok_or(NotAFrame)?),
            (4, _) => Self::Output(body),
            (5, _) => Self::Errors(body),
            (6, _) => Self::Ended(serde_json::from_slice(&body).map_err(|_| NotAFrame)?),
            _ => return Err(NotAFrame),
        };
        Ok(Some(frame))
    }
}

/// Signals by their number on the wire.
const SIGNALS: [BoxSignal; 7] = [
    BoxSignal::HangUp,
    BoxSignal::Interrupt,
    BoxSignal::Quit,
    BoxSignal::Terminate,
    BoxSignal::Kill,
    BoxSignal::User1,
    BoxSignal::User2,
];

fn place(signal: BoxSignal) -> u8 {
    let place = SIGNALS.iter().position(|known| *known == signal);
    place.and_then(|place| u8::try_from(place).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<ExecFrame> {
        let ending =
            ExecEnding { exit_code: None, reason: Some("signal 9".to_owned()), cpu_ms: 1, memory_peak_bytes: 2 };
        let mut frames: Vec<ExecFrame> = SIGNALS.map(ExecFrame::Signal).to_vec();
        frames.extend([
            ExecFrame::Input(Bytes::from_static(b"abc")),
            ExecFrame::InputEnd,
            ExecFrame::Resize(TerminalSize { rows: 24, columns: 300 }),
            ExecFrame::Output(Bytes::new()),
            ExecFrame::Errors(Bytes::from(vec![7; EXEC_FRAME_BYTES_MAX])),
            ExecFrame::Ended(ending),
        ]);
        frames
    }

    #[test]
    fn frames_read_back_whatever_the_pieces_they_come_in() {
        let sent: Vec<u8> = frames().iter().flat_map(ExecFrame::encode).collect();
        for piece in [1, 7, 4_096, sent.len()] {
            let (mut received, mut read) = (BytesMut::new(), Vec::new());
            for bytes in sent.chunks(piece) {
                received.extend_from_slice(bytes);
                while let Some(frame) = ExecFrame::decode(&mut received).unwrap() {
                    read.push(frame);
                }
            }
            assert_eq!(read, frames());
            assert!(received.is_empty());
        }
    }

    #[test]
    fn what_can_never_become_a_frame_is_told_at_once() {
        let refused = |bytes: &[u8]| ExecFrame::decode(&mut BytesMut::from(bytes));
        assert_eq!(refused(&[9, 0, 0, 0, 0]), Err(NotAFrame));
        assert_eq!(refused(&[0, 255, 0, 0, 0]), Err(NotAFrame));
        assert_eq!(refused(&[2, 0, 0, 0, 1, 0]), Err(NotAFrame));
        assert_eq!(refused(&[3, 0, 0, 0, 1, 200]), Err(NotAFrame));
        assert_eq!(refused(&[6, 0, 0, 0, 1, b'x']), Err(NotAFrame));
        assert_eq!(refused(&[0, 0, 0]), Ok(None));
    }
}
