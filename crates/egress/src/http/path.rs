//! The path of a request, brought into one form once, so that the one who judges and the one
//! who serves read the same. Must not know: which paths a rule allows.

use super::HttpProblem;

/// What may not stand in a path as it is, besides what cannot be seen.
const NOT_IN_PATH: &[u8] = b"\"#<>?\\^`{|}";

const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// A path in its one form, and the query as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestPath {
    path: String,
    query: Option<String>,
}

impl RequestPath {
    /// Reads a path that begins with `/`, and a query after `?`. Escapes of characters that
    /// need none are undone, the others are written in upper case, and dot segments are
    /// followed. `%2F`, `%25` and `%5C` stay as they are: what they mean is the rules' to say.
    ///
    /// # Errors
    /// When the path does not begin with `/`, leads above its root, or either part holds what
    /// may not stand in it.
    pub fn parse(text: &str) -> Result<Self, HttpProblem> {
        let (path, query) = match text.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (text, None),
        };
        if !query.unwrap_or_default().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#') {
            return Err(HttpProblem::BadQuery);
        }
        let path = follow_dots(&normalise_escapes(path)?)?;
        Ok(Self { path, query: query.map(str::to_owned) })
    }

    /// The path, in its one form.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The query without its question mark, as it came.
    pub fn query(&self) -> Option<&str> {
        self.query.as_deref()
    }
}

fn normalise_escapes(path: &str) -> Result<String, HttpProblem> {
    let mut normal = String::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = bytes.next().and_then(hex_value).ok_or(HttpProblem::BadEscape)?;
            let low = bytes.next().and_then(hex_value).ok_or(HttpProblem::BadEscape)?;
            push_escaped(&mut normal, high << 4 | low)?;
        } else if byte.is_ascii_graphic() && !NOT_IN_PATH.contains(&byte) {
            normal.push(char::from(byte));
        } else {
            return Err(HttpProblem::BadPath);
        }
    }
    Ok(normal)
}

fn push_escaped(normal: &mut String, byte: u8) -> Result<(), HttpProblem> {
    if byte.is_ascii_control() {
        return Err(HttpProblem::EscapedControl);
    }
    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
        normal.push(char::from(byte));
        return Ok(());
    }
    normal.push('%');
    for digit in [byte >> 4, byte & 0x0F] {
        normal.push(char::from(HEX_DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0')));
    }
    Ok(())
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn follow_dots(path: &str) -> Result<String, HttpProblem> {
    let mut kept = Vec::new();
    let mut ends_in_dots = false;
    for segment in path.strip_prefix('/').ok_or(HttpProblem::BadPath)?.split('/') {
        ends_in_dots = matches!(segment, "." | "..");
        match segment {
            "." => {}
            ".." => {
                kept.pop().ok_or(HttpProblem::AboveRoot)?;
            }
            _ if is_disguised(segment) => return Err(HttpProblem::DisguisedDotSegment),
            _ => kept.push(segment),
        }
    }
    if ends_in_dots {
        kept.push("");
    }
    Ok(format!("/{}", kept.join("/")))
}

/// Some servers cut parameters off before they look for dots, so that `..;a` is `..` to them.
fn is_disguised(segment: &str) -> bool {
    let rest = segment.strip_prefix("..").or_else(|| segment.strip_prefix('.'));
    rest.is_some_and(|rest| rest.starts_with(';') || rest.starts_with("%3B"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Result<&str, HttpProblem>) {
        let shown = RequestPath::parse(text).map(|path| match path.query() {
            Some(query) => format!("{}?{query}", path.path()),
            None => path.path().to_owned(),
        });
        assert_eq!(shown, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn a_path_has_one_form() {
        check("/", Ok("/"));
        check("/%61%2D%2e%5F%7e", Ok("/a-._~"));
        check("/%c3%a9%2f%5c%25%3a", Ok("/%C3%A9%2F%5C%25%3A"));
        check("/%252e%252e/", Ok("/%252e%252e/"));
        check("/a/b/../c", Ok("/a/c"));
        check("/a/./b/.", Ok("/a/b/"));
        check("/a/b/..", Ok("/a/"));
        check("/a/..", Ok("/"));
        check("/.", Ok("/"));
        check("/a/%2e%2E/b", Ok("/b"));
        check("/a/.%2e/%2e/b", Ok("/b"));
        check("//a//b//", Ok("//a//b//"));
        check("//..", Ok("/"));
        check("/a/..//b", Ok("//b"));
        check("/...", Ok("/..."));
        check("/a..b/.c/d..", Ok("/a..b/.c/d.."));
        check("/..%2F", Ok("/..%2F"));
        check("/a;b=c/d,e:f@g!$&'()*+=", Ok("/a;b=c/d,e:f@g!$&'()*+="));
    }

    #[test]
    fn a_query_stays_as_it_came() {
        check("/a?", Ok("/a?"));
        check("/a?b=%zz&c=../d?%61\\\"", Ok("/a?b=%zz&c=../d?%61\\\""));
        check("/a?b c", Err(HttpProblem::BadQuery));
        check("/a?b#c", Err(HttpProblem::BadQuery));
        check("/a?\u{e9}", Err(HttpProblem::BadQuery));
        check("/a?\0", Err(HttpProblem::BadQuery));
        check("/a?\x7f", Err(HttpProblem::BadQuery));
    }

    #[test]
    fn nothing_leads_above_the_root() {
        for path in ["/..", "/../a", "/a/../..", "/%2e%2e", "/.%2E/a", "/./..", "/a/../../a"] {
            check(path, Err(HttpProblem::AboveRoot));
        }
    }

    #[test]
    fn what_cannot_be_read_in_one_way_is_refused() {
        for path in ["/%", "/%2", "/%2g", "/%g2", "/%+1", "/%%41", "/% 1"] {
            check(path, Err(HttpProblem::BadEscape));
        }
        for path in ["/%00", "/%0d%0a", "/%1F", "/%7f", "/a%00.."] {
            check(path, Err(HttpProblem::EscapedControl));
        }
        for path in
            ["", "a", "?a", "/ ", "/\\", "/\"", "/<", "/>", "/^", "/`", "/{", "/|", "/}", "/#", "/\t", "/\u{e9}"]
        {
            check(path, Err(HttpProblem::BadPath));
        }
        for path in ["/a/..;/b", "/.;a", "/..;", "/..%3b/a", "/%2e%2e;a=b/c"] {
            check(path, Err(HttpProblem::DisguisedDotSegment));
        }
    }

    proptest! {
        #[test]
        fn the_one_form_is_the_form_of_itself(text in "/([a./%;]|%2[eEfF5]|%5[cC]|//|\\.\\./|[!-~]){0,24}(\\?[!-~]{0,8})?") {
            if let Ok(path) = RequestPath::parse(&text) {
                let written = path.query().map_or(path.path().to_owned(), |query| format!("{}?{query}", path.path()));
                prop_assert_eq!(RequestPath::parse(&written), Ok(path.clone()));
                prop_assert!(!path.path().contains("/./") && !path.path().contains("/../"));
                prop_assert!(!path.path().ends_with("/.") && !path.path().ends_with("/.."));
                prop_assert!(path.path().starts_with('/'));
            }
        }

        #[test]
        fn no_text_brings_the_reader_down(text: String) {
            let _ = RequestPath::parse(&text);
        }
    }
}
