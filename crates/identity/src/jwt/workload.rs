//! Tokens of our own: a workload proves to somebody else who it is, for a short time.
//! Must not know: which workloads there are, or where keys are kept.

use std::fmt;

use aegis_model::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

use super::algorithm::Algorithm;
use super::jwk::VerifyingKey;
use super::spiffe::SpiffeId;
use crate::base64_text::to_base64url;

/// One hour: what leaks is soon worthless, because nothing revokes a token.
const LIFETIME_S_MAX: u32 = 3_600;

/// The key that signs for workloads. Never printed by `Debug`. The library that signs does not
/// wipe it; the seed is the caller's to wipe.
pub struct WorkloadKey {
    pair: Ed25519KeyPair,
    public: [u8; 32],
    id: String,
}

/// What a token is to say.
#[derive(Clone, Copy, Debug)]
pub struct Workload<'a> {
    /// Who vouches, `iss`.
    pub issuer: &'a str,
    /// Who it is, `sub`.
    pub subject: &'a SpiffeId,
    /// The only one who may take the token, `aud`.
    pub audience: &'a str,
    /// Tells this token from every other, `jti`.
    pub token_id: &'a str,
    /// From when, `iat` and `nbf`.
    pub issued_at: Timestamp,
    /// For how long, 1 to 3,600.
    pub lifetime_s: u32,
}

/// Why no token was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    /// The library refuses the seed.
    #[error("the seed makes no key")]
    Seed,
    /// Less than a second or more than an hour.
    #[error("a token is good for 1 to 3600 seconds")]
    Lifetime,
    /// A token for everybody, from nobody, or without an id.
    #[error("a token needs an issuer, an audience and an id")]
    Empty,
}

impl WorkloadKey {
    /// The key of a seed, which must be unguessable; derive it from the root of the key ring.
    ///
    /// # Errors
    /// None that is known of: every 32 bytes are a seed.
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, WorkloadError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| WorkloadError::Seed)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| WorkloadError::Seed)?;
        let id = VerifyingKey::ed25519(public).thumbprint();
        Ok(Self { pair, public, id })
    }

    /// The key's id in tokens and in the set: its thumbprint.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half, for publishing.
    pub fn public_jwk(&self) -> Value {
        let algorithm = Algorithm::EdDsa.as_str();
        json!({
            "kty": "OKP", "crv": "Ed25519", "x": to_base64url(&self.public),
            "kid": self.id, "use": "sig", "alg": algorithm,
        })
    }

    /// The set to publish: the key that signs now and those whose tokens are still good.
    pub fn public_set(keys: &[&Self]) -> Value {
        let keys: Vec<_> = keys.iter().map(|key| key.public_jwk()).collect();
        json!({ "keys": keys })
    }

    /// A token for a workload.
    ///
    /// # Errors
    /// When it would be good for too long, or lacks an issuer, an audience or an id.
    pub fn sign(&self, workload: &Workload<'_>) -> Result<String, WorkloadError> {
        let Workload { issuer, subject, audience, token_id, issued_at, lifetime_s } = *workload;
        if !(1..=LIFETIME_S_MAX).contains(&lifetime_s) {
            return Err(WorkloadError::Lifetime);
        }
        if [issuer, audience, token_id].iter().any(|text| text.is_empty()) {
            return Err(WorkloadError::Empty);
        }
        let start = issued_at.as_millis() / 1_000;
        let header = json!({ "alg": Algorithm::EdDsa.as_str(), "kid": self.id, "typ": "JWT" });
        let claims = json!({
            "iss": issuer, "sub": subject.as_str(), "aud": audience, "jti": token_id,
            "iat": start, "nbf": start, "exp": start + u64::from(lifetime_s),
        });
        Ok(self.sign_parts(&header.to_string(), claims.to_string().as_bytes()))
    }

    /// The compact form of a header and a payload.
    pub(super) fn sign_parts(&self, header: &str, payload: &[u8]) -> String {
        let signed = format!("{}.{}", to_base64url(header.as_bytes()), to_base64url(payload));
        let signature = self.pair.sign(signed.as_bytes());
        format!("{signed}.{}", to_base64url(signature.as_ref()))
    }
}

impl fmt::Debug for WorkloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkloadKey({}, …)", self.id)
    }
}
