//! The head of a request as a signature sees it: method, raw path, raw query and headers.
//! Must not know: HTTP types; whoever has one borrows its parts.

use std::fmt;

use super::claims::ReadError;

/// Headers beyond these are more than any client sends.
const HEADERS_MAX: usize = 128;
/// Bytes of a raw path.
const PATH_BYTES_MAX: usize = 8_192;

/// The head of a request, borrowed from whoever received it or is about to send it. Over
/// HTTP/2 the caller adds `host` from the authority.
#[derive(Clone, Copy)]
pub struct RequestHead<'a> {
    /// As on the request line.
    pub method: &'a str,
    /// As on the request line: raw, still encoded, without the query.
    pub path: &'a str,
    /// As on the request line, without the question mark; empty if there is none.
    pub query: &'a str,
    /// Every header, repeated ones as often as they came, in their order.
    pub headers: &'a [(&'a str, &'a [u8])],
}

impl<'a> RequestHead<'a> {
    /// Every value of a header, in their order.
    pub(super) fn values(self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.headers.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value)
    }

    /// Whether a header is there.
    pub(super) fn has(self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    /// The value of a header that comes once at most, without the spaces around it.
    pub(super) fn single(self, name: &'static str) -> Result<Option<&'a str>, ReadError> {
        let mut values = self.values(name);
        let first = values.next();
        if values.next().is_some() {
            return Err(ReadError::RepeatedHeader(name));
        }
        let text = first.map(|value| std::str::from_utf8(value).map_err(|_| ReadError::HeaderValue)).transpose()?;
        Ok(text.map(|text| text.trim_matches([' ', '\t'])))
    }

    /// Refuses what no server of HTTP lets through, because a line break inside a value would
    /// let one signature stand for two requests.
    pub(super) fn check(self) -> Result<(), ReadError> {
        let method = !self.method.is_empty() && self.method.len() <= 32 && self.method.bytes().all(is_token);
        let path = self.path.is_empty() || self.path.starts_with('/');
        if !method {
            return Err(ReadError::Method);
        }
        if self.path.len() > PATH_BYTES_MAX {
            return Err(ReadError::TooLong("path"));
        }
        if !path || self.path.bytes().any(|byte| byte.is_ascii_control() || matches!(byte, b'?' | b'#')) {
            return Err(ReadError::Path);
        }
        if self.headers.len() > HEADERS_MAX {
            return Err(ReadError::TooMany("headers"));
        }
        let clean = |value: &[u8]| !value.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
        if self.headers.iter().all(|(_, value)| clean(value)) { Ok(()) } else { Err(ReadError::HeaderValue) }
    }
}

impl fmt::Debug for RequestHead<'_> {
    /// Without values of headers and without the query: both may hold credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestHead({} {}, {} headers)", self.method, self.path, self.headers.len())
    }
}

/// A character of a method or of a header's name (RFC 9110, `tchar`).
pub(super) fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: RequestHead<'static> = RequestHead {
        method: "GET",
        path: "/a",
        query: "b=c",
        headers: &[("Host", b" a\t"), ("x", b"1"), ("X", b"2")],
    };

    #[test]
    fn headers_are_found_whatever_their_case() {
        assert_eq!(GOOD.single("host"), Ok(Some("a")));
        assert_eq!(GOOD.single("absent"), Ok(None));
        assert_eq!(GOOD.single("x"), Err(ReadError::RepeatedHeader("x")));
        assert_eq!(GOOD.values("x").collect::<Vec<_>>(), [b"1", b"2"]);
        assert!(GOOD.has("HOST") && !GOOD.has("hos"));
    }

    #[test]
    fn what_no_server_of_http_lets_through_is_refused() {
        assert_eq!(GOOD.check(), Ok(()));
        for method in ["", "GE T", "GET\n", &"A".repeat(33)] {
            assert_eq!(RequestHead { method, ..GOOD }.check(), Err(ReadError::Method), "{method:?}");
        }
        for path in ["a", "/a\n", "/a?b", "/a#b", "*", "/\u{7f}"] {
            assert_eq!(RequestHead { path, ..GOOD }.check(), Err(ReadError::Path), "{path:?}");
        }
        let long = format!("/{}", "a".repeat(PATH_BYTES_MAX));
        assert_eq!(RequestHead { path: &long, ..GOOD }.check(), Err(ReadError::TooLong("path")));
        for value in [&b"a\nb"[..], b"a\r", b"\0"] {
            assert_eq!(RequestHead { headers: &[("a", value)], ..GOOD }.check(), Err(ReadError::HeaderValue));
        }
        let many = [("a", &b""[..]); HEADERS_MAX + 1];
        assert_eq!(RequestHead { headers: &many, ..GOOD }.check(), Err(ReadError::TooMany("headers")));
    }

    #[test]
    fn debug_shows_no_values() {
        assert_eq!(format!("{GOOD:?}"), "RequestHead(GET /a, 3 headers)");
    }
}
