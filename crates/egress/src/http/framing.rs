//! Where a body ends, told in exactly one way. Must not know: the body.

use super::HttpProblem;
use super::fields::{ConnectionTokens, Fields};

/// Nineteen digits are less than 2^64, so that a length never overflows.
const LENGTH_DIGITS_MAX: usize = 19;

/// The versions that are spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `HTTP/1.0`.
    Http10,
    /// `HTTP/1.1`.
    Http11,
}

/// How the body of a request is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFraming {
    /// There is none.
    None,
    /// So many bytes, perhaps none.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// How the body of a response is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseFraming {
    /// There is none, whatever the headers say.
    None,
    /// So many bytes, perhaps none.
    Length(u64),
    /// In chunks.
    Chunked,
    /// Until the host closes the connection.
    UntilClose,
}

impl Version {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, HttpProblem> {
        match bytes {
            b"HTTP/1.1" => Ok(Self::Http11),
            b"HTTP/1.0" => Ok(Self::Http10),
            _ => Err(HttpProblem::UnknownVersion),
        }
    }
}

impl BodyFraming {
    /// What the headers of a message announce.
    pub(super) fn parse(fields: &Fields<'_>, version: Version) -> Result<Self, HttpProblem> {
        let mut encodings = fields.values("transfer-encoding");
        let encoding = encodings.next();
        let length = fields.only("content-length")?;
        match (encoding, length) {
            (None, None) => Ok(Self::None),
            (None, Some(length)) => parse_length(length).map(Self::Length),
            (Some(_), Some(_)) => Err(HttpProblem::LengthAndEncoding),
            (Some(_), None) if version == Version::Http10 => Err(HttpProblem::EncodingInOldVersion),
            (Some(encoding), None) => {
                let chunked = encoding.eq_ignore_ascii_case(b"chunked") && encodings.next().is_none();
                chunked.then_some(Self::Chunked).ok_or(HttpProblem::UnknownTransferEncoding)
            }
        }
    }
}

/// Whether a connection goes on after a message, unless its framing says otherwise.
pub(super) fn keeps_alive(version: Version, connection: &ConnectionTokens) -> bool {
    !connection.has("close") && (version == Version::Http11 || connection.has("keep-alive"))
}

fn parse_length(value: &[u8]) -> Result<u64, HttpProblem> {
    if value.is_empty() || value.len() > LENGTH_DIGITS_MAX || !value.iter().all(u8::is_ascii_digit) {
        return Err(HttpProblem::BadContentLength);
    }
    let digits = std::str::from_utf8(value).map_err(|_| HttpProblem::BadContentLength)?;
    digits.parse().map_err(|_| HttpProblem::BadContentLength)
}
