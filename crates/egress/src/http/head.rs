//! The head of a request, read into a structure. Must not know: what a rule allows, where the
//! bytes come from.

use super::fields::{ConnectionTokens, Fields, is_token};
use super::framing::keeps_alive;
use super::scan::Section;
use super::target::HTTP_PORT;
use super::upgrade::{self, WebSocket};
use super::{Authority, BodyFraming, HeadScanner, Header, HttpProblem, Limits, Target, Version};

/// The longest method.
pub(super) const METHOD_BYTES_MAX: usize = 32;

/// The methods everybody knows. Spelled in another case they are another method to some
/// servers and the same to others, so that they are refused.
const KNOWN_METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// A method: a token of at most 32 bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Method(String);

/// What a request says before its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// What is asked for.
    pub target: Target,
    /// The version the agent speaks.
    pub version: Version,
    /// Whom it is for: as the target says, or else the `Host` header. Both agree.
    pub authority: Authority,
    /// The headers that go on to the host, in their order.
    pub headers: Vec<Header>,
    /// Where the body ends.
    pub framing: BodyFraming,
    /// Whether the agent waits for an interim response before it sends the body.
    pub expect_continue: bool,
    /// Whether the agent wants to go on with this connection.
    pub keep_alive: bool,
    /// The WebSocket handshake, if this is one. Any other upgrade has been dropped.
    pub upgrade: Option<WebSocket>,
}

impl Method {
    /// Reads a method.
    ///
    /// # Errors
    /// When it is not a token, too long, or a known method in another case.
    pub fn parse(bytes: &[u8]) -> Result<Self, HttpProblem> {
        let text = std::str::from_utf8(bytes).map_err(|_| HttpProblem::BadMethod)?;
        let is_misspelled = KNOWN_METHODS.iter().any(|known| known.eq_ignore_ascii_case(text) && *known != text);
        if !is_token(bytes) || bytes.len() > METHOD_BYTES_MAX || is_misspelled {
            return Err(HttpProblem::BadMethod);
        }
        Ok(Self(text.to_owned()))
    }

    /// The method as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl RequestHead {
    /// All values of a header that goes on, by its name in lower case.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.headers.iter().filter(move |header| header.name() == name).map(Header::value)
    }
}

/// Reads the head of a request from the beginning of `input`, and says how many bytes it took;
/// `None` when more is needed. The scanner remembers what was looked at: give the same one with
/// the same input, grown, until a head is complete; it is ready for the next one then.
///
/// # Errors
/// When the head is refused, which can be before it is complete. What follows on the
/// connection has no meaning then.
pub fn parse_request(
    input: &[u8],
    limits: &Limits,
    scanner: &mut HeadScanner,
) -> Result<Option<(RequestHead, usize)>, HttpProblem> {
    let Some(range) = scanner.scan(input, Section::Request, limits)? else {
        return Ok(None);
    };
    let consumed = range.end;
    let head = read_head(input.get(range).unwrap_or_default(), limits)?;
    *scanner = HeadScanner::new();
    Ok(Some((head, consumed)))
}

/// The first line of a head without its end, and the lines after it.
pub(super) fn split_first_line(head: &[u8]) -> (&[u8], &[u8]) {
    let end = head.iter().position(|byte| *byte == b'\n').unwrap_or(head.len());
    let (line, rest) = head.split_at_checked(end).unwrap_or_default();
    (line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default())
}

fn read_head(head: &[u8], limits: &Limits) -> Result<RequestHead, HttpProblem> {
    let (line, block) = split_first_line(head);
    let (method, target, version) = read_request_line(line, limits)?;
    let fields = Fields::parse(block)?;
    let connection = ConnectionTokens::parse(&fields, None)?;
    let authority = agreed_authority(&target, &fields, version)?;
    let framing = BodyFraming::parse(&fields, version)?;
    if method.as_str() == "CONNECT" && framing != BodyFraming::None {
        return Err(HttpProblem::BodyNotAllowed);
    }
    let upgrade = upgrade::requested(&fields, &connection)?;
    if upgrade.is_some() && (method.as_str() != "GET" || version != Version::Http11 || framing != BodyFraming::None) {
        return Err(HttpProblem::BadWebSocket);
    }
    let besides = if upgrade.is_some() { upgrade::WRITTEN_BY_UPGRADE } else { &[] };
    Ok(RequestHead {
        expect_continue: expects_continue(&fields)? && version == Version::Http11,
        keep_alive: keeps_alive(version, &connection),
        headers: fields.end_to_end(&connection, besides),
        method,
        target,
        version,
        authority,
        framing,
        upgrade,
    })
}

fn read_request_line(line: &[u8], limits: &Limits) -> Result<(Method, Target, Version), HttpProblem> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(HttpProblem::BadRequestLine);
    };
    if target.is_empty() || version.is_empty() {
        return Err(HttpProblem::BadRequestLine);
    }
    let method = Method::parse(method)?;
    if target.len() > limits.target_bytes_max {
        return Err(HttpProblem::TargetTooLong(limits.target_bytes_max));
    }
    let version = Version::parse(version)?;
    let target = Target::parse(target, method.as_str())?;
    Ok((method, target, version))
}

/// Whom the request is for. Where the target and `Host` both say it, they have to agree: who
/// believes the one and who believes the other would send it to different machines.
fn agreed_authority(target: &Target, fields: &Fields<'_>, version: Version) -> Result<Authority, HttpProblem> {
    let host = fields.only("host")?.map(read_host).transpose()?;
    match (target.authority(), host) {
        (Some(named), Some(host)) => {
            // A tunnel has no usual port, so that a `Host` without one says nothing against it.
            let default = if let Target::Authority { port, .. } = target { *port } else { HTTP_PORT };
            host.is_same(&named, default).then_some(named).ok_or(HttpProblem::HostMismatch)
        }
        (Some(named), None) if version == Version::Http10 => Ok(named),
        (None, Some(host)) => Ok(host),
        (_, None) => Err(HttpProblem::MissingHost),
    }
}

fn read_host(value: &[u8]) -> Result<Authority, HttpProblem> {
    Authority::parse(std::str::from_utf8(value).map_err(|_| HttpProblem::BadHost)?)
}

fn expects_continue(fields: &Fields<'_>) -> Result<bool, HttpProblem> {
    match fields.only("expect")? {
        None => Ok(false),
        Some(value) if value.eq_ignore_ascii_case(b"100-continue") => Ok(true),
        Some(_) => Err(HttpProblem::UnknownExpectation),
    }
}

#[cfg(test)]
#[path = "head_tests.rs"]
mod tests;
