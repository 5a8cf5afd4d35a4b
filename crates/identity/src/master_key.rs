//! A key from which others follow by purpose, and under which something is sealed: the root of
//! an installation, a generation of its key-encryption key, the data key of a tenant.
//! Must not know: where the key is kept, or what the derived keys are used for.

use std::fmt;

use zeroize::Zeroizing;

use crate::envelope::{self, OpenError};
use crate::mac::hkdf_sha256;

/// The salt of every derivation; a fixed one keeps keys of Aegis apart from other uses.
const SALT: &[u8; 8] = b"aegis v1";
/// The purpose of the key that seals; the one it follows from encrypts nothing itself.
const ENVELOPE_PURPOSE: &str = "aegis envelope";

/// 32 secret bytes from which other keys follow. Wiped when dropped.
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Takes the bytes over; they must be unguessable.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The key for one purpose, by HKDF-SHA-256: the same every time, and of no help in
    /// finding the master key or the key of another purpose.
    pub fn derive(&self, purpose: &str) -> [u8; 32] {
        hkdf_sha256(SALT, &*self.0, purpose.as_bytes())
    }

    /// Seals `plain` so that it opens only with this key and the same `aad`. Let `aad` name
    /// the place the sealed bytes are stored at, so that they cannot be moved to another.
    /// A `nonce` is used once; random bytes are good.
    pub fn seal(&self, nonce: [u8; 24], aad: &[u8], plain: &[u8]) -> Vec<u8> {
        envelope::seal(&self.envelope_key(), nonce, aad, plain)
    }

    /// Opens what [`MasterKey::seal`] made.
    ///
    /// # Errors
    /// When the bytes are no envelope, were altered, or belong to another key or `aad`.
    pub fn open(&self, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        envelope::open(&self.envelope_key(), aad, sealed)
    }

    /// The bytes, to be kept sealed.
    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The same key once more. Not `Clone`, so that each copy is meant.
    pub(crate) fn copy(&self) -> Self {
        Self(self.0.clone())
    }

    fn envelope_key(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.derive(ENVELOPE_PURPOSE))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn purposes_and_keys_stay_apart() {
        let master = MasterKey::new([1; 32]);
        let other = MasterKey::new([2; 32]);
        let mut seen = BTreeSet::from([[1; 32], [2; 32]]);
        for purpose in ["", "api keys", "api key", "ledger", "ledger\u{1}", ENVELOPE_PURPOSE] {
            assert!(seen.insert(master.derive(purpose)), "{purpose}");
            assert!(seen.insert(other.derive(purpose)), "{purpose}");
            assert_eq!(master.derive(purpose), master.derive(purpose));
        }
    }

    /// A stored envelope and every derived key depend on these bytes: they never change.
    #[test]
    fn derived_keys_never_change() {
        let derived = MasterKey::new(std::array::from_fn(|place| place as u8)).derive("api keys");
        assert_eq!(crate::mac::to_hex(&derived), "b05318dce03714e2c9df7cb1182797ca030d649394e1ce494435ebc2d2b984ac");
    }

    #[test]
    fn what_one_master_key_seals_no_other_opens() {
        let sealed = MasterKey::new([1; 32]).seal([7; 24], b"tenant/a", b"keys");
        assert_eq!(
            MasterKey::new([1; 32]).open(b"tenant/a", &sealed).map(|plain| plain.to_vec()),
            Ok(b"keys".to_vec())
        );
        assert_eq!(MasterKey::new([2; 32]).open(b"tenant/a", &sealed).map(|_| ()), Err(OpenError::Forged));
        assert_eq!(MasterKey::new([1; 32]).open(b"tenant/b", &sealed).map(|_| ()), Err(OpenError::Forged));
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", MasterKey::new([1; 32])), "MasterKey(…)");
    }
}
