//! The head of a response, read into a structure. Must not know: the rules, the agent.

use super::fields::{ConnectionTokens, Fields};
use super::framing::keeps_alive;
use super::head::split_first_line;
use super::scan::Section;
use super::{BodyFraming, HeadScanner, Header, HttpProblem, Limits, RequestHead, ResponseFraming, Version, upgrade};

/// What of a request decides where the body of its response ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestKind {
    /// It was `HEAD`.
    pub head: bool,
    /// It was `CONNECT`.
    pub connect: bool,
}

/// What a response says before its body. The reason is thrown away: it is the host's text, and
/// nobody has to read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    /// The version the host speaks.
    pub version: Version,
    /// The status, 100 to 599.
    pub status: u16,
    /// The headers that go on to the agent, in their order.
    pub headers: Vec<Header>,
    /// Where the body ends.
    pub framing: ResponseFraming,
    /// The length that is announced. Where `framing` is none, it is what a `GET` would be given.
    pub announced_length: Option<u64>,
    /// Whether the host goes on with this connection.
    pub keep_alive: bool,
    /// Whether the headers change the protocol to WebSocket, and to nothing else.
    pub upgrades_to_websocket: bool,
}

impl RequestKind {
    /// The kind of a request.
    pub fn of(request: &RequestHead) -> Self {
        Self { head: request.method.as_str() == "HEAD", connect: request.method.as_str() == "CONNECT" }
    }
}

impl ResponseHead {
    /// Whether another response to the same request follows.
    pub fn is_interim(&self) -> bool {
        self.status < 200 && !self.is_switching()
    }

    /// Whether the host changes the protocol. Only a caller who asked for that goes on, and
    /// only when `upgrades_to_websocket` says that it is the protocol he asked for.
    pub fn is_switching(&self) -> bool {
        self.status == 101
    }

    /// All values of a header that goes on, by its name in lower case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |header| header.name() == name).map(Header::value)
    }
}

/// Reads the head of a response from the beginning of `input`, and says how many bytes it took;
/// `None` when more is needed. The scanner is used as for a request.
///
/// # Errors
/// When the head is refused, which can be before it is complete. What follows on the
/// connection has no meaning then.
pub fn parse_response(
    input: &[u8],
    limits: &Limits,
    request: &RequestKind,
    scanner: &mut HeadScanner,
) -> Result<Option<(ResponseHead, usize)>, HttpProblem> {
    let Some(range) = scanner.scan(input, Section::Response, limits)? else {
        return Ok(None);
    };
    let consumed = range.end;
    let head = read_head(input.get(range).unwrap_or_default(), request)?;
    *scanner = HeadScanner::new();
    Ok(Some((head, consumed)))
}

fn read_head(head: &[u8], request: &RequestKind) -> Result<ResponseHead, HttpProblem> {
    let (line, block) = split_first_line(head);
    let (version, status) = read_status_line(line)?;
    let fields = Fields::parse(block)?;
    // Large hosts name the transfer encoding here. It is this connection's anyway, and has
    // been read by then, so that nothing is taken away.
    let connection = ConnectionTokens::parse(&fields, Some("transfer-encoding"))?;
    let announced = BodyFraming::parse(&fields, version)?;
    let framing = framing_of(status, announced, request)?;
    let announced_length = match announced {
        BodyFraming::Length(length) if !has_no_content(status, request) => Some(length),
        _ => None,
    };
    Ok(ResponseHead {
        version,
        status,
        headers: fields.end_to_end(&connection, &[]),
        framing,
        announced_length,
        keep_alive: framing != ResponseFraming::UntilClose && keeps_alive(version, &connection),
        upgrades_to_websocket: upgrade::is_accepted(&fields, &connection),
    })
}

/// The reason may be absent with its space: many hosts leave it out, and nothing else can be
/// meant.
fn read_status_line(line: &[u8]) -> Result<(Version, u16), HttpProblem> {
    let (version, rest) = line.split_at_checked("HTTP/1.1".len()).ok_or(HttpProblem::BadStatusLine)?;
    let version = Version::parse(version)?;
    let (digits, reason) = rest.split_at_checked(" 200".len()).ok_or(HttpProblem::BadStatusLine)?;
    let [b' ', hundreds @ b'1'..=b'5', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] = digits else {
        return Err(HttpProblem::BadStatusLine);
    };
    if !matches!(reason.first(), None | Some(b' ')) {
        return Err(HttpProblem::BadStatusLine);
    }
    let digit = |byte: &u8| u16::from(byte.saturating_sub(b'0'));
    Ok((version, digit(hundreds) * 100 + digit(tens) * 10 + digit(ones)))
}

/// Whether there is nothing after the head, and nothing that could have been there.
fn has_no_content(status: u16, request: &RequestKind) -> bool {
    status < 200 || status == 204 || (request.connect && status < 300)
}

fn framing_of(status: u16, announced: BodyFraming, request: &RequestKind) -> Result<ResponseFraming, HttpProblem> {
    if has_no_content(status, request) {
        // Who overlooks this rule would take the next response, or the tunnel, for a body.
        let announces_body = !matches!(announced, BodyFraming::None | BodyFraming::Length(0));
        return if announces_body { Err(HttpProblem::BodyNotAllowed) } else { Ok(ResponseFraming::None) };
    }
    if request.head || status == 304 {
        return Ok(ResponseFraming::None);
    }
    Ok(match announced {
        BodyFraming::None => ResponseFraming::UntilClose,
        BodyFraming::Length(length) => ResponseFraming::Length(length),
        BodyFraming::Chunked => ResponseFraming::Chunked,
    })
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
