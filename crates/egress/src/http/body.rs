//! A body of any framing, read as one. Must not know: whether an agent or a host sends it.

use super::{BodyFraming, ChunkedDecoder, Decoded, HttpProblem, ResponseFraming};

/// Reads a body, in pieces of any size.
#[derive(Clone, Debug)]
pub struct BodyReader(Reading);

#[derive(Clone, Debug)]
enum Reading {
    Length { left: u64 },
    Chunked(ChunkedDecoder),
    UntilClose,
}

impl BodyReader {
    /// Reads on, up to the end of the next data, of the body, or of the input.
    ///
    /// # Errors
    /// When the body is refused. It stays so.
    pub fn decode(&mut self, input: &[u8]) -> Result<Decoded, HttpProblem> {
        match &mut self.0 {
            Reading::Length { left } => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left = left.saturating_sub(u64::try_from(taken).unwrap_or(u64::MAX));
                Ok(Decoded { consumed: taken, data: 0..taken, ended: *left == 0 })
            }
            Reading::Chunked(decoder) => decoder.decode(input),
            Reading::UntilClose => Ok(Decoded { consumed: input.len(), data: 0..input.len(), ended: false }),
        }
    }

    /// Whether the body has ended, so that nothing more is to be read for it. A body without
    /// bytes has ended from the beginning; one until close ends with the connection only.
    pub fn is_ended(&self) -> bool {
        match &self.0 {
            Reading::Length { left } => *left == 0,
            Reading::Chunked(decoder) => decoder.is_ended(),
            Reading::UntilClose => false,
        }
    }

    /// The other side closes the connection.
    ///
    /// # Errors
    /// When the body has not ended: it is not what was to be sent, and nobody may take it so.
    pub fn close(self) -> Result<(), HttpProblem> {
        let complete = self.is_ended() || matches!(self.0, Reading::UntilClose);
        complete.then_some(()).ok_or(HttpProblem::Truncated)
    }
}

impl From<BodyFraming> for BodyReader {
    fn from(framing: BodyFraming) -> Self {
        Self(match framing {
            BodyFraming::None => Reading::Length { left: 0 },
            BodyFraming::Length(left) => Reading::Length { left },
            BodyFraming::Chunked => Reading::Chunked(ChunkedDecoder::new()),
        })
    }
}

impl From<ResponseFraming> for BodyReader {
    fn from(framing: ResponseFraming) -> Self {
        Self(match framing {
            ResponseFraming::None => Reading::Length { left: 0 },
            ResponseFraming::Length(left) => Reading::Length { left },
            ResponseFraming::Chunked => Reading::Chunked(ChunkedDecoder::new()),
            ResponseFraming::UntilClose => Reading::UntilClose,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_with_a_length_takes_no_more_than_that() {
        let mut reader = BodyReader::from(BodyFraming::Length(5));
        assert_eq!(reader.decode(b"abc"), Ok(Decoded { consumed: 3, data: 0..3, ended: false }));
        assert_eq!(reader.clone().close(), Err(HttpProblem::Truncated));
        assert_eq!(reader.decode(b"deGET /"), Ok(Decoded { consumed: 2, data: 0..2, ended: true }));
        assert_eq!(reader.decode(b"GET /"), Ok(Decoded { consumed: 0, data: 0..0, ended: true }));
        assert_eq!(reader.close(), Ok(()));
    }

    #[test]
    fn a_body_that_is_not_there_has_ended_at_once() {
        for reader in [BodyReader::from(BodyFraming::None), BodyReader::from(ResponseFraming::None)] {
            assert!(reader.is_ended());
            assert_eq!(reader.close(), Ok(()));
        }
        assert!(BodyReader::from(ResponseFraming::Length(0)).is_ended());
        assert!(!BodyReader::from(BodyFraming::Chunked).is_ended());
    }

    #[test]
    fn only_a_body_until_close_may_end_with_the_connection() {
        let mut reader = BodyReader::from(ResponseFraming::UntilClose);
        assert_eq!(reader.decode(b"abc"), Ok(Decoded { consumed: 3, data: 0..3, ended: false }));
        assert_eq!(reader.close(), Ok(()));
        let mut reader = BodyReader::from(ResponseFraming::Chunked);
        assert!(!reader.decode(b"0\r\n").unwrap().ended);
        assert_eq!(reader.close(), Err(HttpProblem::Truncated));
    }
}
