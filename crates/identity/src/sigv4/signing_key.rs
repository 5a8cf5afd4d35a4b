//! The key that signs: derived from a secret for one day, one region, one service.
//! Must not know: what is signed, or whose key it is.

use std::fmt;

use zeroize::Zeroizing;

use super::access_key::SecretAccessKey;
use super::scope::Scope;
use crate::mac::{BLOCK_LENGTH, hmac_sha256};

/// Stands in for the secret of a key that nobody has. That it is known does not matter:
/// what it signs is never accepted.
const UNKNOWN_SECRET: &str = "unknown-key-unknown-key-unknown-key-unkn";

/// A derived key. Good for its scope only, so it may be kept until the day is over. Wiped
/// when dropped; never printed by `Debug`.
#[derive(Clone)]
pub struct SigningKey {
    key: Zeroizing<[u8; 32]>,
    scope: Scope,
    known: bool,
}

impl SigningKey {
    /// The key of a secret in a scope.
    pub fn derive(secret: &SecretAccessKey, scope: &Scope) -> Self {
        Self { key: derive(secret.reveal(), scope), scope: scope.clone(), known: true }
    }

    /// A key for an access key id that nobody has. Verifying with it does the same work as
    /// with any other key and always fails, so that the time does not tell which ids exist.
    pub fn unknown(scope: &Scope) -> Self {
        Self { key: derive(UNKNOWN_SECRET, scope), scope: scope.clone(), known: false }
    }

    /// [`SigningKey::derive`] for a secret that was found, else [`SigningKey::unknown`]; both
    /// take the same time.
    pub fn derive_or_unknown(secret: Option<&SecretAccessKey>, scope: &Scope) -> Self {
        let text = secret.map_or(UNKNOWN_SECRET, SecretAccessKey::reveal);
        Self { key: derive(text, scope), scope: scope.clone(), known: secret.is_some() }
    }

    /// What the key is good for.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Whether somebody has the key.
    pub(super) fn is_known(&self) -> bool {
        self.known
    }

    /// Signs the digest of a canonical request.
    pub(super) fn sign(&self, moment: &str, request_sha256_hex: &str) -> [u8; 32] {
        let head = format!("{}\n{moment}\n{}\n", super::ALGORITHM, self.scope);
        hmac_sha256(&self.key, &[head.as_bytes(), request_sha256_hex.as_bytes()])
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, …)", self.scope)
    }
}

/// The chain of derivation. A secret is never longer than its block, see [`SecretAccessKey`].
fn derive(secret: &str, scope: &Scope) -> Zeroizing<[u8; 32]> {
    let mut block = Zeroizing::new([0_u8; BLOCK_LENGTH]);
    block.iter_mut().zip(b"AWS4".iter().chain(secret.as_bytes())).for_each(|(place, byte)| *place = *byte);
    let date = Zeroizing::new(hmac_sha256(&block, &[scope.date().as_bytes()]));
    let region = Zeroizing::new(hmac_sha256(&date, &[scope.region().as_bytes()]));
    let service = Zeroizing::new(hmac_sha256(&region, &[scope.service().as_bytes()]));
    Zeroizing::new(hmac_sha256(&service, &[b"aws4_request"]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac::to_hex;

    fn scope() -> Scope {
        Scope::read_credential("A/20150830/us-east-1/iam/aws4_request").unwrap().1
    }

    /// The example of AWS's own description of the derivation.
    #[test]
    fn the_derivation_agrees_with_the_published_example() {
        let secret = SecretAccessKey::parse("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY").unwrap();
        let key = SigningKey::derive(&secret, &scope());
        assert_eq!(to_hex(&*key.key), "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9");
        assert_eq!(*SigningKey::derive_or_unknown(Some(&secret), &scope()).key, *key.key);
    }

    #[test]
    fn an_unknown_key_is_nobodys_even_if_its_secret_is_guessed() {
        let guessed = SecretAccessKey::parse(UNKNOWN_SECRET).unwrap();
        assert!(SigningKey::derive(&guessed, &scope()).is_known());
        assert!(!SigningKey::unknown(&scope()).is_known());
        assert!(!SigningKey::derive_or_unknown(None, &scope()).is_known());
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", SigningKey::unknown(&scope()));
        assert_eq!(shown, "SigningKey(20150830/us-east-1/iam/aws4_request, …)");
    }
}
