//! A passphrase, and the key that follows from it by Argon2id (RFC 9106). Must not know: what
//! the key seals, or where the passphrase comes from.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

/// What people and programs guess in a blink is not a passphrase.
const LENGTH_MIN_BYTES: usize = 12;
const LENGTH_MAX_BYTES: usize = 1024;

/// A passphrase. Wiped from memory when dropped, and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Passphrase(Zeroizing<Vec<u8>>);

/// The bytes are no passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a passphrase has {LENGTH_MIN_BYTES} to {LENGTH_MAX_BYTES} bytes")]
pub struct NoPassphrase;

impl Passphrase {
    /// More than the longest passphrase with the end of its line.
    pub const INPUT_SIZE_MAX_BYTES: u64 = LENGTH_MAX_BYTES as u64 + 2;

    /// Takes the bytes over, without the one end of line that a file or a terminal puts after
    /// them.
    ///
    /// # Errors
    /// When it is too short or too long.
    pub fn new(bytes: Vec<u8>) -> Result<Self, NoPassphrase> {
        let mut bytes = Zeroizing::new(bytes);
        if bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
        }
        match (LENGTH_MIN_BYTES..=LENGTH_MAX_BYTES).contains(&bytes.len()) {
            true => Ok(Self(bytes)),
            false => Err(NoPassphrase),
        }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

/// What it costs to try a passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory.
    pub memory_kib: u32,
    /// How often it is gone through.
    pub passes: u32,
    /// In how many lanes.
    pub lanes: u32,
}

impl Cost {
    /// The second recommendation of RFC 9106, for machines that do not have 2 GiB to spare.
    pub const DEFAULT: Self = Self { memory_kib: 64 * 1024, passes: 3, lanes: 4 };

    /// Whether a key ring may ask for it: nobody who can write that file shall be able to make
    /// a start take all memory, or forever.
    pub(crate) const fn is_bearable(self) -> bool {
        self.memory_kib <= 1024 * 1024 && self.passes <= 64 && self.lanes <= 64
    }
}

/// The key that follows from a passphrase, and what is needed to find it again. Wiped from
/// memory when dropped.
#[derive(Clone)]
pub struct PassphraseKey {
    pub(crate) cost: Cost,
    pub(crate) salt: [u8; 16],
    pub(crate) key: Zeroizing<[u8; 32]>,
}

impl PassphraseKey {
    /// The key that follows from the passphrase; `None` when there is no such cost. Takes as
    /// long as the cost says.
    pub fn derive(passphrase: &Passphrase, cost: Cost, salt: [u8; 16]) -> Option<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32)).ok()?;
        let mut key = Zeroizing::new([0; 32]);
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into(&passphrase.0, &salt, &mut *key).ok()?;
        Some(Self { cost, salt, key })
    }
}

impl fmt::Debug for PassphraseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PassphraseKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac::to_hex;

    const CHEAP: Cost = Cost { memory_kib: 32, passes: 1, lanes: 4 };

    fn key(text: &str, cost: Cost, salt: u8) -> Option<[u8; 32]> {
        let passphrase = Passphrase::new(text.as_bytes().to_vec()).unwrap();
        PassphraseKey::derive(&passphrase, cost, [salt; 16]).map(|derived| *derived.key)
    }

    /// RFC 9106, section 5.3: Argon2id.
    #[test]
    fn the_derivation_agrees_with_the_published_vector() {
        let params = argon2::ParamsBuilder::new()
            .m_cost(32)
            .t_cost(3)
            .p_cost(4)
            .data(argon2::AssociatedData::new(&[4; 12]).unwrap())
            .build()
            .unwrap();
        let argon2 = Argon2::new_with_secret(&[3; 8], Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut out = [0; 32];
        argon2.hash_password_into(&[1; 32], &[2; 16], &mut out).unwrap();
        assert_eq!(to_hex(&out), "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
    }

    #[test]
    fn the_key_depends_on_passphrase_salt_and_cost() {
        let own = key("correct horse", CHEAP, 1);
        assert!(own.is_some());
        assert_eq!(own, key("correct horse", CHEAP, 1));
        assert_ne!(own, key("correct horsf", CHEAP, 1));
        assert_ne!(own, key("correct horse", CHEAP, 2));
        for other in [Cost { memory_kib: 40, ..CHEAP }, Cost { passes: 2, ..CHEAP }, Cost { lanes: 1, ..CHEAP }] {
            assert_ne!(own, key("correct horse", other, 1), "{other:?}");
        }
        assert_eq!(key("correct horse", Cost { memory_kib: 0, ..CHEAP }, 1), None);
        assert!(Cost::DEFAULT.is_bearable() && !Cost { memory_kib: u32::MAX, ..CHEAP }.is_bearable());
    }

    #[test]
    fn one_end_of_line_is_no_part_of_a_passphrase() {
        let read = |text: &str| Passphrase::new(text.as_bytes().to_vec()).map(|passphrase| passphrase.0.to_vec());
        for text in ["twelve bytes", "twelve bytes\n", "twelve bytes\r\n"] {
            assert_eq!(read(text).as_deref(), Ok(&b"twelve bytes"[..]));
        }
        assert_eq!(read("twelve bytes\n\n").as_deref(), Ok(&b"twelve bytes\n"[..]));
        for bad in ["", "\n", "eleven byte", "eleven byte\n", &"x".repeat(1025)] {
            assert_eq!(read(bad), Err(NoPassphrase));
        }
    }

    #[test]
    fn debug_shows_nothing() {
        let passphrase = Passphrase::new(b"correct horse".to_vec()).unwrap();
        assert_eq!(format!("{passphrase:?}"), "Passphrase(…)");
        let key = PassphraseKey::derive(&passphrase, CHEAP, [0; 16]);
        assert_eq!(format!("{key:?}"), "Some(PassphraseKey(…))");
    }
}
