//! One public key, as JSON (RFC 7517, 7518, 8037) and as what verifies.
//! Must not know: whose key it is, or where it was published.

use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, RSA_PKCS1_2048_8192_SHA256};
use ring::signature::{RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::algorithm::Algorithm;
use crate::base64_text::{from_base64url, to_base64url};

/// Letters of a key's id.
pub(super) const KEY_ID_LENGTH_MAX: usize = 256;
const RSA_BITS_MIN: usize = 2_048;
const RSA_BITS_MAX: usize = 8_192;
/// Bytes of an RSA exponent; the usual one, 65537, has three.
const RSA_EXPONENT_BYTES_MAX: usize = 4;
/// Members that only private and symmetric keys have.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public key that verifies tokens, ready for use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyingKey {
    id: Option<String>,
    material: Material,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Material {
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// The uncompressed point.
    P256([u8; 65]),
    Ed25519([u8; 32]),
}

/// Why a key of a set is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// It is not a JSON object.
    #[error("the key is no object")]
    NotObject,
    /// Another type of key, a symmetric one among others.
    #[error("the type of the key is not RSA, EC or OKP")]
    KeyType,
    /// Another curve.
    #[error("the curve of the key is neither P-256 nor Ed25519")]
    Curve,
    /// For encryption, or for nothing that we know.
    #[error("the key is not for verifying signatures")]
    Use,
    /// For another algorithm than its type is used with here.
    #[error("the algorithm of the key is not the one of its type")]
    Algorithm,
    /// The private half was published with it: whoever read it can sign.
    #[error("the key is published with its private half")]
    Private,
    /// An RSA key that is too short to be safe or too long to be checked quickly.
    #[error("the RSA modulus has less than 2048 or more than 8192 bits")]
    RsaSize,
    /// A member is missing, of another type, or not canonical.
    #[error("a member of the key is missing or malformed")]
    Malformed,
    /// A key with the same id and algorithm comes before it.
    #[error("another key has the same id")]
    Repeated,
}

impl VerifyingKey {
    /// Reads one key.
    pub(super) fn read(jwk: &Map<String, Value>) -> Result<Self, SkipReason> {
        if PRIVATE_MEMBERS.iter().any(|name| jwk.contains_key(*name)) {
            return Err(SkipReason::Private);
        }
        let material = match text(jwk, "kty")? {
            Some("RSA") => rsa(jwk)?,
            Some("EC") => p256(jwk)?,
            Some("OKP") => ed25519(jwk)?,
            _ => return Err(SkipReason::KeyType),
        };
        let id = text(jwk, "kid")?;
        if id.is_some_and(|id| id.is_empty() || id.len() > KEY_ID_LENGTH_MAX) {
            return Err(SkipReason::Malformed);
        }
        let key = Self { id: id.map(str::to_owned), material };
        key.check_purpose(jwk)?;
        Ok(key)
    }

    /// A key of ours.
    pub(super) fn ed25519(public: [u8; 32]) -> Self {
        Self { id: None, material: Material::Ed25519(public) }
    }

    /// The id that tokens name it by.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The only algorithm it is used with.
    pub fn algorithm(&self) -> Algorithm {
        match self.material {
            Material::Rsa { .. } => Algorithm::Rs256,
            Material::P256(_) => Algorithm::Es256,
            Material::Ed25519(_) => Algorithm::EdDsa,
        }
    }

    /// RFC 7638: SHA-256 over the needed members, as tokens spell bytes.
    pub fn thumbprint(&self) -> String {
        let text = match &self.material {
            Material::Rsa { n, e } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, to_base64url(e), to_base64url(n))
            }
            Material::P256(point) => {
                let (x, y) = point.get(1..).unwrap_or_default().split_at(32);
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, to_base64url(x), to_base64url(y))
            }
            Material::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, to_base64url(x)),
        };
        to_base64url(&Sha256::digest(text))
    }

    /// Whether the signature is this key's over the message.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let result = match &self.material {
            Material::Rsa { n, e } => {
                RsaPublicKeyComponents { n, e }.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature)
            }
            Material::P256(point) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(message, signature),
            Material::Ed25519(public) => UnparsedPublicKey::new(&ED25519, public).verify(message, signature),
        };
        result.is_ok()
    }

    /// What the key says about itself has to allow what we use it for.
    fn check_purpose(&self, jwk: &Map<String, Value>) -> Result<(), SkipReason> {
        if text(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
            return Err(SkipReason::Use);
        }
        if let Some(operations) = jwk.get("key_ops") {
            let operations = operations.as_array().ok_or(SkipReason::Malformed)?;
            if !operations.iter().any(|operation| operation == "verify") {
                return Err(SkipReason::Use);
            }
        }
        let other = text(jwk, "alg")?.is_some_and(|name| name != self.algorithm().as_str());
        if other { Err(SkipReason::Algorithm) } else { Ok(()) }
    }
}

fn rsa(jwk: &Map<String, Value>) -> Result<Material, SkipReason> {
    let (n, e) = (bytes(jwk, "n")?, bytes(jwk, "e")?);
    let first = n.first().copied().unwrap_or_default();
    let bits = (n.len() * 8).saturating_sub(first.leading_zeros() as usize);
    if !(RSA_BITS_MIN..=RSA_BITS_MAX).contains(&bits) {
        return Err(SkipReason::RsaSize);
    }
    let odd = |number: &[u8]| number.last().is_some_and(|last| last & 1 == 1);
    let minimal = first != 0 && e.first().is_some_and(|first| *first != 0);
    let exponent = e.len() <= RSA_EXPONENT_BYTES_MAX && odd(&e) && e != [1];
    if minimal && exponent && odd(&n) { Ok(Material::Rsa { n, e }) } else { Err(SkipReason::Malformed) }
}

fn p256(jwk: &Map<String, Value>) -> Result<Material, SkipReason> {
    if text(jwk, "crv")? != Some("P-256") {
        return Err(SkipReason::Curve);
    }
    let (x, y) = (bytes(jwk, "x")?, bytes(jwk, "y")?);
    if x.len() != 32 || y.len() != 32 {
        return Err(SkipReason::Malformed);
    }
    let point = [&[4], x.as_slice(), &y].concat();
    point.try_into().map(Material::P256).map_err(|_| SkipReason::Malformed)
}

fn ed25519(jwk: &Map<String, Value>) -> Result<Material, SkipReason> {
    if text(jwk, "crv")? != Some("Ed25519") {
        return Err(SkipReason::Curve);
    }
    bytes(jwk, "x")?.try_into().map(Material::Ed25519).map_err(|_| SkipReason::Malformed)
}

/// A member that is a text, if it is there.
fn text<'j>(jwk: &'j Map<String, Value>, name: &str) -> Result<Option<&'j str>, SkipReason> {
    jwk.get(name).map(|value| value.as_str().ok_or(SkipReason::Malformed)).transpose()
}

/// A member that has to be there and spells bytes.
fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, SkipReason> {
    let text = text(jwk, name)?.ok_or(SkipReason::Malformed)?;
    from_base64url(text).map_err(|_| SkipReason::Malformed)
}
