//! Headers: their grammar, and which of them belong to one connection only. Must not know:
//! requests, responses, what a value means but for `Connection`.

use std::collections::BTreeSet;
use std::fmt;

use super::HttpProblem;
use super::scan::is_text;

/// Headers that concern one connection, or that are written from the structure. None of them
/// is ever copied.
const PER_CONNECTION: [&str; 14] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authentication-info",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that `Connection` may not take away: the message would mean something else then.
const PER_MESSAGE: [&str; 13] = [
    "authorization",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "location",
    "range",
    "set-cookie",
    "transfer-encoding",
    "www-authenticate",
];

/// A header that is carried from end to end. It can only hold what can be written safely.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    name: String,
    value: Vec<u8>,
}

impl Header {
    /// A header to be added to a message.
    ///
    /// # Errors
    /// When the name is not a token, the value holds a control character, or the header is one
    /// that is written from the structure.
    pub fn new(name: &str, value: &[u8]) -> Result<Self, HttpProblem> {
        let name = lower_name(name.as_bytes())?;
        if is_per_connection(&name) {
            return Err(HttpProblem::ReservedHeader(name));
        }
        if !value.iter().copied().all(is_text) {
            return Err(HttpProblem::BadHeaderValue);
        }
        Ok(Self { name, value: trim(value).to_vec() })
    }

    /// The name, in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value, without the blanks around it.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

/// Values are often secrets, so only their length is shown.
impl fmt::Debug for Header {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: ({} bytes)", self.name, self.value.len())
    }
}

struct Field<'a> {
    name: String,
    value: &'a [u8],
}

/// The headers of a message as they came, in their order.
pub(super) struct Fields<'a>(Vec<Field<'a>>);

impl<'a> Fields<'a> {
    /// Reads lines that a scanner has found, the empty one at the end included.
    pub(super) fn parse(block: &'a [u8]) -> Result<Self, HttpProblem> {
        let lines = block.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        lines.filter(|line| !line.is_empty()).map(parse_field).collect::<Result<_, _>>().map(Self)
    }

    /// All values of a header.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |field| field.name == name).map(|field| field.value)
    }

    /// The value of a header that may stand at most once.
    pub(super) fn only(&self, name: &'static str) -> Result<Option<&'a [u8]>, HttpProblem> {
        let mut values = self.values(name);
        let first = values.next();
        if values.next().is_some() { Err(HttpProblem::Repeated(name)) } else { Ok(first) }
    }

    /// The headers that go on, without those of this connection and those in `besides`.
    pub(super) fn end_to_end(&self, connection: &ConnectionTokens, besides: &[&str]) -> Vec<Header> {
        let kept = |field: &&Field| {
            !is_per_connection(&field.name)
                && !connection.has(&field.name)
                && !besides.iter().any(|name| *name == field.name)
        };
        let header = |field: &Field| Header { name: field.name.clone(), value: field.value.to_vec() };
        self.0.iter().filter(kept).map(header).collect()
    }
}

/// What the `Connection` headers of a message name, in lower case.
pub(super) struct ConnectionTokens(BTreeSet<String>);

impl ConnectionTokens {
    /// Reads them. `tolerated` may be named although it belongs to the message.
    pub(super) fn parse(fields: &Fields<'_>, tolerated: Option<&str>) -> Result<Self, HttpProblem> {
        let mut tokens = BTreeSet::new();
        for element in fields.values("connection").flat_map(|value| value.split(|byte| *byte == b',')) {
            let element = trim(element);
            if element.is_empty() {
                continue;
            }
            let token = lower_token(element).ok_or(HttpProblem::BadConnection)?;
            if PER_MESSAGE.contains(&token.as_str()) && tolerated != Some(token.as_str()) {
                return Err(HttpProblem::ConnectionNames(token));
            }
            tokens.insert(token);
        }
        Ok(Self(tokens))
    }

    /// Whether something is named.
    pub(super) fn has(&self, token: &str) -> bool {
        self.0.contains(token)
    }
}

/// Whether bytes are a token of the grammar.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// The bytes without the blanks around them. Only space and tab are blanks.
pub(super) fn trim(bytes: &[u8]) -> &[u8] {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = bytes.iter().position(|byte| !is_blank(byte)).unwrap_or(bytes.len());
    let end = bytes.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last.saturating_add(1));
    bytes.get(start..end).unwrap_or_default()
}

fn parse_field(line: &[u8]) -> Result<Field<'_>, HttpProblem> {
    if matches!(line.first(), Some(b' ' | b'\t')) {
        return Err(HttpProblem::FoldedHeader);
    }
    let colon = line.iter().position(|byte| *byte == b':').ok_or(HttpProblem::HeaderWithoutColon)?;
    let (name, rest) = line.split_at_checked(colon).ok_or(HttpProblem::HeaderWithoutColon)?;
    let value = rest.get(1..).unwrap_or_default();
    if !value.iter().copied().all(is_text) {
        return Err(HttpProblem::BadHeaderValue);
    }
    Ok(Field { name: lower_name(name)?, value: trim(value) })
}

/// The name of a header. Servers that hand headers to programs as variables cannot tell `_`
/// from `-`, so that a framing header must not be spelled with the one.
fn lower_name(bytes: &[u8]) -> Result<String, HttpProblem> {
    let name = lower_token(bytes).ok_or(HttpProblem::BadHeaderName)?;
    if name.contains('_') && is_per_connection(&name.replace('_', "-")) {
        return Err(HttpProblem::DisguisedHeader(name));
    }
    Ok(name)
}

fn lower_token(bytes: &[u8]) -> Option<String> {
    is_token(bytes).then(|| bytes.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect())
}

fn is_per_connection(name: &str) -> bool {
    PER_CONNECTION.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_that_is_added_cannot_break_out_of_its_line() {
        assert_eq!(Header::new("x", b"a\r\nhost: b"), Err(HttpProblem::BadHeaderValue));
        assert_eq!(Header::new("x: y\r\nz", b""), Err(HttpProblem::BadHeaderName));
        assert_eq!(Header::new("", b""), Err(HttpProblem::BadHeaderName));
        let reserved = HttpProblem::ReservedHeader("content-length".to_owned());
        assert_eq!(Header::new("Content-Length", b"5"), Err(reserved));
        let header = Header::new("X-Key", b"\t a b \t").unwrap();
        assert_eq!((header.name(), header.value()), ("x-key", b"a b".as_slice()));
    }

    #[test]
    fn a_value_is_not_shown() {
        let shown = format!("{:?}", Header::new("authorization", b"Bearer secret").unwrap());
        assert_eq!(shown, "authorization: (13 bytes)");
    }

    #[test]
    fn only_space_and_tab_are_blanks() {
        assert_eq!(trim(b" \t a\x0b \t"), b"a\x0b");
        assert_eq!(trim(b" \t "), b"");
        assert_eq!(trim(b""), b"");
    }
}
