//! The keys that seal keys. What they are, and where they lie, is the adapter's business: a
//! file beside the data, or a service that never gives them away.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use crate::error::Fault;
use crate::time::Timestamp;

/// The name of the key under which everything was sealed before keys had names.
const FIRST_KEY: &str = "1";

/// A sealed key, and the name of the key it is sealed under. Its text form is
/// `NAME.BASE64`, or base64 alone if it is older than names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// The name of the key-encryption key.
    pub under: String,
    /// What was sealed.
    pub sealed: Vec<u8>,
}

impl fmt::Display for WrappedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.under, STANDARD.encode(&self.sealed))
    }
}

/// The text is no sealed key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the text is no sealed key")]
pub struct NoWrappedKey;

impl FromStr for WrappedKey {
    type Err = NoWrappedKey;

    fn from_str(text: &str) -> Result<Self, NoWrappedKey> {
        // A name may hold anything; base64 holds no dot.
        let (under, sealed) = text.rsplit_once('.').unwrap_or((FIRST_KEY, text));
        let sealed = STANDARD.decode(sealed).map_err(|_| NoWrappedKey)?;
        if under.is_empty() || sealed.is_empty() {
            return Err(NoWrappedKey);
        }
        Ok(Self { under: under.to_owned(), sealed })
    }
}

/// Which key-encryption keys there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrapKeys {
    /// The name of the one that seals.
    pub current: String,
    /// Those before it that can still open: none, unless a rotation is under way.
    pub older: Vec<String>,
}

/// Seals and opens other keys under key-encryption keys that come in generations.
///
/// Guarantees every adapter keeps (the conformance suite tests them):
/// - what was wrapped opens with the same context only, unaltered, and under the key it names;
/// - when `rotate` has answered, the new key is durable, and everything is wrapped under it;
/// - until `retire` has answered, everything that was ever wrapped opens;
/// - a name is never given to another key;
/// - a step that failed has either happened whole or not at all, and can be repeated.
#[async_trait]
pub trait KeyWrap: Send + Sync {
    /// Seals `key` under the current key-encryption key. The context says what it is and whose;
    /// it is bound to the result and not kept.
    ///
    /// # Errors
    /// When the keys cannot be used now.
    async fn wrap(&self, context: &str, key: &[u8]) -> Result<WrappedKey, Fault>;

    /// Opens what was wrapped for the same context. Wiped from memory when it is dropped.
    ///
    /// # Errors
    /// `Tampered` when it was altered, or is sealed under a key that is not there.
    async fn unwrap(&self, context: &str, wrapped: &WrappedKey) -> Result<Zeroizing<Vec<u8>>, Fault>;

    /// Which keys there are.
    ///
    /// # Errors
    /// When the keys cannot be used now.
    async fn keys(&self) -> Result<WrapKeys, Fault>;

    /// Makes a new key-encryption key, under which everything is wrapped from now on, and
    /// gives its name.
    ///
    /// # Errors
    /// When it could not be made durable; nothing has changed then.
    async fn rotate(&self, at: Timestamp) -> Result<String, Fault>;

    /// Destroys every key but the current one, which must have that name. What is still
    /// wrapped under another can never be opened again.
    ///
    /// # Errors
    /// `Conflict` when another one is current; when it could not be made durable.
    async fn retire(&self, current: &str) -> Result<(), Fault>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Option<(&str, &[u8])>) {
        let parsed = text.parse::<WrappedKey>().ok();
        assert_eq!(parsed.as_ref().map(|key| (key.under.as_str(), key.sealed.as_slice())), expected, "{text}");
    }

    #[test]
    fn a_sealed_key_names_the_key_it_is_sealed_under() {
        check("7.AQID", Some(("7", &[1, 2, 3])));
        check("arn:aws:kms:eu-west-1:1:key/a.b.AQID", Some(("arn:aws:kms:eu-west-1:1:key/a.b", &[1, 2, 3])));
        for bad in ["", ".", "7.", ".AQID", "7.AQI", "7.AQ ID", "7:AQID"] {
            check(bad, None);
        }
        let key = WrappedKey { under: "a.b".to_owned(), sealed: vec![0, 255] };
        assert_eq!(key.to_string().parse(), Ok(key));
    }

    #[test]
    fn what_is_older_than_names_is_sealed_under_the_first_key() {
        check("AQID", Some(("1", &[1, 2, 3])));
    }
}
