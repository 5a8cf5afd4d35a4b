//! Bodies in chunks: read strictly, and written anew. Extensions and trailers are read and
//! dropped, for nobody judges them. Must not know: whose body it is.

use std::num::NonZeroU64;
use std::ops::Range;

use super::fields::Fields;
use super::scan::{Section, is_text};
use super::{HeadScanner, HttpProblem, Limits};

/// What follows the data of every chunk.
pub const CHUNK_END: &[u8] = b"\r\n";

/// What ends a body in chunks, without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Sixteen hexadecimal digits are a `u64`, so that a size never overflows.
const SIZE_DIGITS_MAX: u8 = 16;
const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";
const EXTENSION_BYTES_MAX: u16 = 256;
const TRAILER_LIMITS: Limits = Limits { head_bytes_max: 8 * 1024, headers_max: 128, target_bytes_max: 0 };

/// What became of a piece of input. Whatever is not empty is consumed at least in part, unless
/// the body has ended; the rest is to be given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// How many bytes of the input are done with.
    pub consumed: usize,
    /// Which of them are data.
    pub data: Range<usize>,
    /// Whether the body has ended. What follows in the input is no part of it.
    pub ended: bool,
}

/// Reads a body in chunks, in pieces of any size.
#[derive(Clone, Debug, Default)]
pub struct ChunkedDecoder {
    state: State,
}

/// The line before the data of a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    bytes: [u8; ChunkHeader::BYTES_MAX],
    length: usize,
}

#[derive(Clone, Debug)]
enum State {
    Size { value: u64, digits: u8 },
    Extension { size: u64, seen: u16 },
    SizeEnd { size: u64 },
    Data { left: NonZeroU64 },
    DataEnd,
    DataEndAfterReturn,
    Trailers { bytes: Vec<u8>, scanner: HeadScanner },
    Ended,
    Refused(HttpProblem),
}

impl Default for State {
    fn default() -> Self {
        Self::Size { value: 0, digits: 0 }
    }
}

impl Decoded {
    /// Nothing but what was consumed.
    pub(super) fn without_data(consumed: usize, ended: bool) -> Self {
        Self { consumed, data: consumed..consumed, ended }
    }
}

impl ChunkedDecoder {
    /// One that has read nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads on, up to the end of the next data, of the body, or of the input.
    ///
    /// # Errors
    /// When the body is refused. It stays so.
    pub fn decode(&mut self, input: &[u8]) -> Result<Decoded, HttpProblem> {
        let mut consumed: usize = 0;
        while let Some(byte) = input.get(consumed).copied() {
            match std::mem::take(&mut self.state) {
                State::Ended => {
                    self.state = State::Ended;
                    break;
                }
                State::Data { left } => return Ok(self.take_data(left, consumed, input.len())),
                state => self.state = next_state(state, byte).inspect_err(|problem| self.refuse(problem))?,
            }
            consumed = consumed.saturating_add(1);
        }
        Ok(Decoded::without_data(consumed, self.is_ended()))
    }

    /// Whether the body has ended.
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    fn take_data(&mut self, left: NonZeroU64, start: usize, input_end: usize) -> Decoded {
        let available = input_end.saturating_sub(start);
        let taken = usize::try_from(left.get()).unwrap_or(usize::MAX).min(available);
        let after = left.get().saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
        self.state = NonZeroU64::new(after).map_or(State::DataEnd, |left| State::Data { left });
        let end = start.saturating_add(taken);
        Decoded { consumed: end, data: start..end, ended: false }
    }

    fn refuse(&mut self, problem: &HttpProblem) {
        self.state = State::Refused(problem.clone());
    }
}

impl ChunkHeader {
    const BYTES_MAX: usize = SIZE_DIGITS_MAX as usize + CHUNK_END.len();

    /// The line with its end.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

/// The line before a chunk with so much data. A chunk without data would end the body, so that
/// none can be asked for.
pub fn encode_chunk_header(length: NonZeroU64) -> ChunkHeader {
    let figure = |place: u32| {
        let value = usize::try_from(length.get() >> (place * 4) & 0x0F).unwrap_or(0);
        HEX_DIGITS.get(value).copied().unwrap_or(b'0')
    };
    let figures = (0..=length.ilog2() / 4).rev().map(figure);
    let mut header = ChunkHeader { bytes: [0; ChunkHeader::BYTES_MAX], length: 0 };
    for (slot, byte) in header.bytes.iter_mut().zip(figures.chain(CHUNK_END.iter().copied())) {
        *slot = byte;
        header.length = header.length.saturating_add(1);
    }
    header
}

fn next_state(state: State, byte: u8) -> Result<State, HttpProblem> {
    match state {
        State::Size { value, digits } => after_size_byte(value, digits, byte),
        State::Extension { size, seen } => match byte {
            b'\r' => Ok(State::SizeEnd { size }),
            _ if !is_text(byte) || seen >= EXTENSION_BYTES_MAX => Err(HttpProblem::BadChunkExtension),
            _ => Ok(State::Extension { size, seen: seen.saturating_add(1) }),
        },
        State::SizeEnd { size } if byte == b'\n' => Ok(match NonZeroU64::new(size) {
            Some(left) => State::Data { left },
            None => State::Trailers { bytes: Vec::new(), scanner: HeadScanner::new() },
        }),
        State::SizeEnd { .. } => Err(HttpProblem::BareCarriageReturn),
        State::DataEnd if byte == b'\r' => Ok(State::DataEndAfterReturn),
        State::DataEndAfterReturn if byte == b'\n' => Ok(State::default()),
        State::DataEnd | State::DataEndAfterReturn => Err(HttpProblem::BadChunkEnd),
        State::Trailers { bytes, scanner } => after_trailer_byte(bytes, scanner, byte),
        State::Refused(problem) => Err(problem),
        State::Data { .. } | State::Ended => Ok(state),
    }
}

fn after_size_byte(value: u64, digits: u8, byte: u8) -> Result<State, HttpProblem> {
    match (char::from(byte).to_digit(16), byte) {
        (Some(digit), _) if digits < SIZE_DIGITS_MAX => {
            Ok(State::Size { value: value << 4 | u64::from(digit), digits: digits.saturating_add(1) })
        }
        (None, b'\r') if digits > 0 => Ok(State::SizeEnd { size: value }),
        (None, b';') if digits > 0 => Ok(State::Extension { size: value, seen: 0 }),
        _ => Err(HttpProblem::BadChunkSize),
    }
}

fn after_trailer_byte(mut bytes: Vec<u8>, mut scanner: HeadScanner, byte: u8) -> Result<State, HttpProblem> {
    bytes.push(byte);
    if scanner.scan(&bytes, Section::Trailers, &TRAILER_LIMITS)?.is_none() {
        return Ok(State::Trailers { bytes, scanner });
    }
    Fields::parse(&bytes)?;
    Ok(State::Ended)
}

#[cfg(test)]
#[path = "chunked_tests.rs"]
mod tests;
