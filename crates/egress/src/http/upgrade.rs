//! The one change of protocol that is served: WebSocket. Must not know: its frames.

use std::fmt;

use super::HttpProblem;
use super::fields::{ConnectionTokens, Fields};

/// Headers of a handshake that are written from the structure.
pub(super) const WRITTEN_BY_UPGRADE: &[&str] = &["sec-websocket-key", "sec-websocket-version"];

/// A well-formed WebSocket handshake.
#[derive(Clone, PartialEq, Eq)]
pub struct WebSocket {
    key: String,
}

impl WebSocket {
    /// The key of the handshake: 24 characters of base64.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl fmt::Debug for WebSocket {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WebSocket")
    }
}

/// The handshake in the headers of a request. An upgrade to anything else is as good as not
/// asked for; one that is half a handshake could be a whole one to the host, and is refused.
pub(super) fn requested(fields: &Fields<'_>, connection: &ConnectionTokens) -> Result<Option<WebSocket>, HttpProblem> {
    if !fields.values("upgrade").any(names_websocket) {
        return Ok(None);
    }
    let alone = |name| fields.only(name).map_err(|_| HttpProblem::BadWebSocket);
    let (version, key) = (alone("sec-websocket-version")?, alone("sec-websocket-key")?);
    if !is_accepted(fields, connection) || version != Some(b"13".as_slice()) {
        return Err(HttpProblem::BadWebSocket);
    }
    let key = key.filter(|key| is_key(key)).and_then(|key| std::str::from_utf8(key).ok());
    key.map(|key| Some(WebSocket { key: key.to_owned() })).ok_or(HttpProblem::BadWebSocket)
}

/// Whether headers name WebSocket, alone, as the protocol that this connection changes to.
pub(super) fn is_accepted(fields: &Fields<'_>, connection: &ConnectionTokens) -> bool {
    let alone = matches!(fields.only("upgrade"), Ok(Some(value)) if value.eq_ignore_ascii_case(b"websocket"));
    alone && connection.has("upgrade")
}

/// Whether a value speaks of WebSocket in any way, also with a version or among others.
fn names_websocket(value: &[u8]) -> bool {
    value.to_ascii_lowercase().windows(b"websocket".len()).any(|window| window == b"websocket")
}

fn is_key(key: &[u8]) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.strip_suffix(b"==").is_some_and(|digits| digits.len() == 22 && digits.iter().all(is_base64))
}
