//! Access keys: an id that names the key in every request, and a secret that never travels.
//! Both have letters that the SDKs of AWS expect.
//! Must not know: who holds a key, how its id is made, or how its secret is kept.

use std::fmt;

use zeroize::Zeroizing;

use crate::base64_text::to_base64;
use crate::mac::BLOCK_LENGTH;

const ID_LENGTH_MAX: usize = 128;
/// Shortest secret that is taken from outside.
const SECRET_LENGTH_MIN: usize = 16;
/// Longest secret: with `AWS4` before it, a key of HMAC is one block at most.
const SECRET_LENGTH_MAX: usize = BLOCK_LENGTH - 4;
/// The id of an access key, which is no secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccessKeyId(String);

/// The secret of an access key. Wiped when dropped; never printed by `Debug`.
#[derive(Clone)]
pub struct SecretAccessKey(Zeroizing<String>);

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
    /// A new secret. `random` must be unguessable.
    pub fn generate(random: &[u8; 30]) -> Self {
        Self(Zeroizing::new(to_base64(random)))
    }

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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
    fn debug_shows_no_secret() {
        let secret = SecretAccessKey::generate(&[0x5A; 30]);
        let shown = format!("{secret:?}");
        assert_eq!(shown, "SecretAccessKey(…)");
        assert!(!shown.contains(&secret.reveal()[..4]), "{shown}");
    }

    proptest! {
        #[test]
        fn every_secret_has_the_shape_that_sdks_expect(random in proptest::array::uniform30(0_u8..)) {
            let secret = SecretAccessKey::generate(&random);
            prop_assert_eq!(secret.reveal().len(), 40);
            prop_assert_eq!(crate::from_base64(secret.reveal()), Ok(random.to_vec()));
            prop_assert!(SecretAccessKey::parse(secret.reveal()).is_ok());
        }
    }
}
