//! Percent encoding as signatures need it: everything but the unreserved characters of
//! RFC 3986, in upper-case hexadecimal. Must not know: what is encoded.

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Appends the bytes, encoded. `kept` is left alone besides the unreserved characters.
pub(super) fn push_encoded(text: &mut String, bytes: &[u8], kept: Option<u8>) {
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) || kept == Some(*byte) {
            text.push(char::from(*byte));
        } else {
            text.push('%');
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// The bytes, encoded.
pub(super) fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 16);
    push_encoded(&mut text, bytes, None);
    text
}

/// Decodes a name or a value of a query. A plus sign is a space: so does every parser of forms
/// read it, and the signature has to cover what will be read. `None` for a broken escape,
/// which parsers read in different ways.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        plain.push(match byte {
            b'+' => b' ',
            b'%' => digit(bytes.next()?)? << 4 | digit(bytes.next()?)?,
            other => other,
        });
    }
    Some(plain)
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_unreserved_characters_stay() {
        assert_eq!(encoded(b"AZaz09-._~"), "AZaz09-._~");
        assert_eq!(encoded("/ +%:ሴ*'".as_bytes()), "%2F%20%2B%25%3A%E1%88%B4%2A%27");
    }

    #[test]
    fn broken_escapes_are_refused() {
        assert_eq!(decoded("a%2fB%2F+%2b"), Some(b"a/B/ +".to_vec()));
        for bad in ["%", "%2", "%zz", "%2g", "%+1", "%é"] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn everything_encoded_decodes(bytes: Vec<u8>) {
            prop_assert_eq!(decoded(&encoded(&bytes)), Some(bytes));
        }
    }
}
