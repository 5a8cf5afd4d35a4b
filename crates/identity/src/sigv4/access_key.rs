//! Access keys: an id that names the key in every request, and a secret that never travels.
//! Both have the lengths and letters that the SDKs of AWS expect; the prefix says that the
//! key is ours, so that nobody searches AWS for it.
//! Must not know: who holds a key, or how its secret is kept.

use std::fmt;

use zeroize::Zeroizing;

use crate::base64_text::to_base64;
use crate::mac::BLOCK_LENGTH;

/// What ids made here begin with; AWS has none like it.
const PREFIX: &str = "AEGS";
const ID_LENGTH_MAX: usize = 128;
/// Shortest secret that is taken from outside.
const SECRET_LENGTH_MIN: usize = 16;
/// Longest secret: with `AWS4` before it, a key of HMAC is one block at most.
const SECRET_LENGTH_MAX: usize = BLOCK_LENGTH - 4;
/// RFC 4648 base 32.
const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// The id of an access key, which is no secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKeyId(String);

/// The secret of an access key. Wiped when dropped; never printed by `Debug`.
#[derive(Clone)]
pub struct SecretAccessKey(Zeroizing<String>);

/// An access key: id and secret.
#[derive(Debug)]
pub struct AccessKey {
    /// Names the key.
    pub id: AccessKeyId,
    /// Signs. To be shown once and kept sealed.
    pub secret: SecretAccessKey,
}

/// Why a text is no part of an access key. Never holds any part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AccessKeyError {
    /// The id is empty, too long, or has other letters.
    #[error("an access key id has 1 to 128 letters, digits and `_`")]
    Id,
    /// The secret has another length or other letters.
    #[error("a secret access key has 16 to 60 visible ASCII characters")]
    Secret,
}

impl AccessKey {
    /// A new key. `random` must be unguessable: 10 bytes make the id, 30 the secret.
    pub fn generate(random: &[u8; 40]) -> Self {
        let (id, secret) = random.split_at(10);
        let letters = id.chunks(5).flat_map(base32);
        let id = AccessKeyId(PREFIX.chars().chain(letters).collect());
        Self { id, secret: SecretAccessKey(Zeroizing::new(to_base64(secret))) }
    }
}

impl AccessKeyId {
    /// Reads an id, ours or another's.
    ///
    /// # Errors
    /// When the text is empty, longer than 128, or has other characters than `[A-Za-z0-9_]`.
    pub fn parse(text: &str) -> Result<Self, AccessKeyError> {
        let length = (1..=ID_LENGTH_MAX).contains(&text.len());
        let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if length && letters { Ok(Self(text.to_owned())) } else { Err(AccessKeyError::Id) }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl SecretAccessKey {
    /// Takes a secret from outside, or from where ours was sealed.
    ///
    /// # Errors
    /// When it has less than 16 or more than 60 characters, or invisible ones.
    pub fn parse(text: &str) -> Result<Self, AccessKeyError> {
        let length = (SECRET_LENGTH_MIN..=SECRET_LENGTH_MAX).contains(&text.len());
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if length && visible { Ok(Self(Zeroizing::new(text.to_owned()))) } else { Err(AccessKeyError::Secret) }
    }

    /// The secret, for showing it once, sealing it, or deriving a key from it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretAccessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretAccessKey(…)")
    }
}

/// Five bytes as eight letters.
fn base32(bytes: &[u8]) -> impl Iterator<Item = char> + use<> {
    let bits = bytes.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    (0..8).rev().map(move |place| char::from(ALPHABET[usize::from((bits >> (5 * place)) as u8 & 31)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn base_32_agrees_with_rfc_4648() {
        assert_eq!(base32(b"fooba").collect::<String>(), "MZXW6YTB");
        assert_eq!(base32(&[0xFF; 5]).collect::<String>(), "77777777");
    }

    #[test]
    fn what_is_no_access_key_is_refused() {
        for bad in ["", "A B", "A/B", "é", &"A".repeat(129)] {
            assert_eq!(AccessKeyId::parse(bad), Err(AccessKeyError::Id), "{bad}");
        }
        for bad in ["", "short", &"a".repeat(15), &"a".repeat(61), "a secret with spaces", "sixteen-letters\n"] {
            assert_eq!(SecretAccessKey::parse(bad).err(), Some(AccessKeyError::Secret), "{bad}");
        }
        assert!(SecretAccessKey::parse(&"a".repeat(60)).is_ok());
    }

    #[test]
    fn debug_shows_the_id_and_no_secret() {
        let key = AccessKey::generate(&[0x5A; 40]);
        let shown = format!("{key:?}");
        assert!(shown.contains(key.id.as_str()) && shown.contains("SecretAccessKey(…)"), "{shown}");
        assert!(!shown.contains(&key.secret.reveal()[..4]), "{shown}");
    }

    proptest! {
        #[test]
        fn every_key_has_the_shape_that_sdks_expect(random in proptest::array::uniform32(0_u8..), more: [u8; 8]) {
            let mut bytes = [0; 40];
            bytes[..32].copy_from_slice(&random);
            bytes[32..].copy_from_slice(&more);
            let key = AccessKey::generate(&bytes);
            prop_assert!(key.id.as_str().starts_with(PREFIX) && key.id.as_str().len() == 20);
            prop_assert!(key.id.as_str().bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
            prop_assert_eq!(AccessKeyId::parse(key.id.as_str()), Ok(key.id.clone()));
            prop_assert_eq!(key.secret.reveal().len(), 40);
            prop_assert_eq!(crate::from_base64(key.secret.reveal()), Ok(bytes[10..].to_vec()));
            prop_assert!(SecretAccessKey::parse(key.secret.reveal()).is_ok());
        }
    }
}
