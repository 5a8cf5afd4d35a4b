//! The canonical request: the one text that a signature is made over.
//! Must not know: keys and times.

use sha2::{Digest, Sha256};

use super::path::{self, PathRule};
use super::request::RequestHead;
use crate::mac::to_hex;

/// The canonical request; `None` if the rule refuses the path. `query` is canonical already,
/// `signed` sorted, and every signed header is there.
pub(super) fn request(
    head: RequestHead<'_>,
    query: &str,
    signed: &[String],
    rule: PathRule,
    payload: &str,
) -> Option<Vec<u8>> {
    let path = path::canonical(head.path, rule)?;
    let names = signed.join(";");
    let mut text = Vec::with_capacity(1_024);
    for line in [head.method, &path, query] {
        text.extend_from_slice(line.as_bytes());
        text.push(b'\n');
    }
    for name in signed {
        push_header(&mut text, head, name);
    }
    for part in ["\n", &names, "\n", payload] {
        text.extend_from_slice(part.as_bytes());
    }
    Some(text)
}

/// The digest that is signed.
pub(super) fn digest_hex(canonical: &[u8]) -> String {
    to_hex(&Sha256::digest(canonical))
}

/// `name:value,value` with a line break.
fn push_header(text: &mut Vec<u8>, head: RequestHead<'_>, name: &str) {
    text.extend_from_slice(name.as_bytes());
    for (place, value) in head.values(name).enumerate() {
        text.push(if place == 0 { b':' } else { b',' });
        push_collapsed(text, value);
    }
    text.push(b'\n');
}

/// The value without spaces around it and with one space where there were several.
fn push_collapsed(text: &mut Vec<u8>, value: &[u8]) {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    let mut previous = 0;
    for byte in value.get(start..end).unwrap_or_default() {
        if *byte != b' ' || previous != b' ' {
            text.push(*byte);
        }
        previous = *byte;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &[u8], expected: &[u8]) {
        let mut text = Vec::new();
        push_collapsed(&mut text, value);
        assert_eq!(text, expected, "{value:?}");
    }

    #[test]
    fn values_are_trimmed_and_their_spaces_collapsed() {
        check(b"", b"");
        check(b"  ", b"");
        check(b" a ", b"a");
        check(b"\ta  b   \"c  d\" ", b"a b \"c d\"");
        check(b"a\t\tb", b"a\t\tb");
        check(b"\xff  \xfe", b"\xff \xfe");
    }

    #[test]
    fn repeated_headers_are_joined_in_their_order() {
        let head = RequestHead {
            method: "GET",
            path: "/",
            query: "",
            headers: &[("B", b"2"), ("a", b" x "), ("b", b"1"), ("c", b"")],
        };
        let signed = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let text = request(head, "q=1", &signed, PathRule::Strict, "hash").unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "GET\n/\nq=1\na:x\nb:2,1\nc:\n\na;b;c\nhash");
    }
}
