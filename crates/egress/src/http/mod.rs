//! HTTP/1.1 as the egress proxy speaks it, between an agent in its box and the internet.
//!
//! ```text
//!   agent ── bytes ──► parse_request ──► RequestHead ──► write_request ── bytes ──► host
//!                                            │
//!                                          judge
//!   agent ◄── bytes ── write_response ◄── ResponseHead ◄── parse_response ◄── bytes ── host
//!                           (bodies: BodyReader in, chunks or plain bytes out)
//! ```
//!
//! What is judged is what is sent: bytes become a structure, and nothing but that structure
//! becomes bytes again. Framing, `Host` and whatever concerns one connection only are never
//! copied; they are written from the structure. Where two readers of the same bytes could
//! disagree, the bytes are refused, so nothing can be hidden from the judge.
//!
//! Must not know: sockets, the clock, names and addresses, what a rule allows.

pub mod body;
pub mod chunked;
pub mod fields;
pub mod framing;
pub mod head;
pub mod path;
pub mod problem;
pub mod response;
pub mod scan;
pub mod target;
pub mod upgrade;
pub mod write;

pub use body::BodyReader;
pub use chunked::{CHUNK_END, ChunkHeader, ChunkedDecoder, Decoded, LAST_CHUNK, encode_chunk_header};
pub use fields::Header;
pub use framing::{BodyFraming, ResponseFraming, Version};
pub use head::{Method, RequestHead, parse_request};
pub use path::RequestPath;
pub use problem::HttpProblem;
pub use response::{RequestKind, ResponseHead, parse_response};
pub use scan::HeadScanner;
pub use target::{Authority, Target};
pub use upgrade::WebSocket;
pub use write::{write_refusal, write_request, write_response};

/// How much a head may hold. What goes beyond is refused before it has arrived as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a head, with its first line and the empty line at its end.
    pub head_bytes_max: usize,
    /// Header lines.
    pub headers_max: usize,
    /// Bytes of a request target.
    pub target_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { head_bytes_max: 64 * 1024, headers_max: 128, target_bytes_max: 16 * 1024 }
    }
}

#[cfg(test)]
mod attack_tests;
#[cfg(test)]
mod property_tests;
