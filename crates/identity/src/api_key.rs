//! API keys: made from random bytes, shown once, kept only as a keyed hash.
//! Must not know: who holds a key, until when it is good, or whether it was revoked; that is
//! the key record's.

use std::fmt;

use aegis_model::KeyId;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::key_text::{self, KeyParseError};
use crate::mac::{hmac_sha256, to_hex};

/// Keeps the MACs of API keys apart from every other use of the same pepper.
const MAC_DOMAIN: &[u8] = b"aegis api key v1";

/// An API key with its secret. Wiped when dropped; never printed by `Debug`.
pub struct ApiKey {
    id: KeyId,
    secret: Zeroizing<[u8; 32]>,
}

/// The server's own secret in the keyed hash of API keys: a stolen database alone does not
/// let anybody test guesses. Wiped when dropped.
pub struct Pepper(Zeroizing<[u8; 32]>);

impl ApiKey {
    /// A new key. `random` must be unguessable; it is the whole secret.
    pub fn generate(id: KeyId, random: [u8; 32]) -> Self {
        Self { id, secret: Zeroizing::new(random) }
    }

    /// Reads a key that a caller presents. Strict, of bounded length, and without a look-up.
    ///
    /// # Errors
    /// When the text is not a key as [`ApiKey::reveal`] writes it.
    pub fn parse(text: &str) -> Result<Self, KeyParseError> {
        let (id, secret) = key_text::read(text)?;
        Ok(Self { id, secret })
    }

    /// The id, which is no secret.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The key as its holder needs it. To be shown once and kept nowhere.
    pub fn reveal(&self) -> String {
        key_text::write(&self.id, &self.secret)
    }

    /// HMAC-SHA-256 over id and secret, in hexadecimal: all that is ever stored. The id is
    /// part of it, so that a hash copied into another key's record verifies nothing.
    pub fn mac(&self, pepper: &Pepper) -> String {
        to_hex(&hmac_sha256(&pepper.0, &[MAC_DOMAIN, self.id.as_str().as_bytes(), &*self.secret]))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}{}_…)", key_text::PREFIX, key_text::id_letters(&self.id))
    }
}

impl Pepper {
    /// Takes the bytes over; derive them from the root of the key ring.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(…)")
    }
}

/// Whether `stored_mac_hex` is the stored hash of this key. Takes the same time wherever the
/// two differ.
pub fn verify(key: &ApiKey, pepper: &Pepper, stored_mac_hex: &str) -> bool {
    key.mac(pepper).as_bytes().ct_eq(stored_mac_hex.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aegis_model::Timestamp;

    fn key(id_noise: u8, secret: u8) -> ApiKey {
        ApiKey::generate(KeyId::generate(Timestamp::from_millis(1), [id_noise; 10]), [secret; 32])
    }

    #[test]
    fn a_key_verifies_against_its_own_hash_only() {
        let pepper = Pepper::new([9; 32]);
        let stored = key(1, 2).mac(&pepper);
        assert!(verify(&key(1, 2), &pepper, &stored));
        assert!(!verify(&key(1, 3), &pepper, &stored), "another secret");
        assert!(!verify(&key(2, 2), &pepper, &stored), "another id");
        assert!(!verify(&key(1, 2), &Pepper::new([8; 32]), &stored), "another pepper");
    }

    #[test]
    fn a_damaged_hash_verifies_nothing() {
        let pepper = Pepper::new([9; 32]);
        let stored = key(1, 2).mac(&pepper);
        assert_eq!(stored.len(), 64);
        for bad in ["", "0", &stored[..63], &format!("{stored}0"), &stored.to_uppercase(), &"0".repeat(64)] {
            assert!(!verify(&key(1, 2), &pepper, bad), "{bad}");
        }
        for place in 0..64 {
            let mut damaged = stored.clone().into_bytes();
            damaged[place] ^= 1;
            assert!(!verify(&key(1, 2), &pepper, &String::from_utf8(damaged).unwrap()), "{place}");
        }
    }

    #[test]
    fn the_hash_is_the_documented_one() {
        let made = key(1, 2);
        let input = [format!("aegis api key v1{}", made.id()).as_bytes(), &[2; 32]].concat();
        assert_eq!(made.mac(&Pepper::new([9; 32])), to_hex(&hmac_sha256(&[9; 32], &[&input])));
    }

    #[test]
    fn a_revealed_key_parses_into_the_same_key() {
        let pepper = Pepper::new([5; 32]);
        let made = key(3, 4);
        let read = ApiKey::parse(&made.reveal()).unwrap();
        assert_eq!(read.id(), made.id());
        assert!(verify(&read, &pepper, &made.mac(&pepper)));
    }

    #[test]
    fn debug_shows_the_id_and_no_secret() {
        let made = key(3, 4);
        let shown = format!("{made:?} {:?}", Pepper::new([0xAB; 32]));
        let revealed = made.reveal();
        assert!(shown.contains(&revealed[..32]) && shown.ends_with("Pepper(…)"), "{shown}");
        assert!(!shown.contains(&revealed[33..40]), "{shown}");
    }
}
