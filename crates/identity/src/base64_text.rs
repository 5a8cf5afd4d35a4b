//! Bytes as text: RFC 4648 base 64, one text per value. With padding for storing, with the
//! alphabet of URLs and without padding inside tokens.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// A text that is not base 64. Does not repeat the text, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is not base 64")]
pub struct Base64Error;

/// The bytes as text.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads what [`to_base64`] wrote.
///
/// # Errors
/// When the text is anything else.
pub fn from_base64(text: &str) -> Result<Vec<u8>, Base64Error> {
    STANDARD.decode(text).map_err(|_| Base64Error)
}

/// The bytes as text, as tokens spell them.
pub(crate) fn to_base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads what [`to_base64url`] wrote; refuses padding and loose bits.
pub(crate) fn from_base64url(text: &str) -> Result<Vec<u8>, Base64Error> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| Base64Error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn rfc_4648_vectors_hold() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(to_base64(bytes.as_bytes()), text);
            assert_eq!(from_base64(text), Ok(bytes.as_bytes().to_vec()));
        }
    }

    #[test]
    fn a_second_text_for_the_same_bytes_is_refused() {
        for bad in ["Zg", "Zg=", "Zh==", " Zg==", "Zg==\n", "Zm9v====", "Z-9v", "!"] {
            assert_eq!(from_base64(bad), Err(Base64Error), "{bad:?}");
        }
    }

    #[test]
    fn tokens_spell_bytes_in_one_way() {
        assert_eq!(to_base64url(&[0xFB, 0xFF]), "-_8");
        assert_eq!(from_base64url("-_8"), Ok(vec![0xFB, 0xFF]));
        for bad in ["-_8=", "+/8", "-_9", "-_", "-", "-_8\n", " -_8", "-_8 ", "-_8A="] {
            let read = from_base64url(bad);
            assert!(read == Err(Base64Error) || to_base64url(&read.unwrap()) == bad, "{bad:?}");
        }
        for bad in ["-_8=", "+/8", "-_9", "-", "-_8\n", " -_8"] {
            assert_eq!(from_base64url(bad), Err(Base64Error), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_value_reads_back(bytes: Vec<u8>) {
            prop_assert_eq!(from_base64(&to_base64(&bytes)), Ok(bytes));
        }
    }
}
