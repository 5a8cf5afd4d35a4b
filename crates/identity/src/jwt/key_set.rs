//! The keys of an issuer (JWKS), read once and kept by the caller.
//! Must not know: where a set comes from, or how long it is good.

use serde_json::Value;

use super::algorithm::Algorithm;
use super::jwk::{SkipReason, VerifyingKey};
use super::strict_json::{self, JsonError};

/// Bytes of a published set.
const SET_BYTES_MAX: usize = 262_144;
const KEYS_MAX: usize = 64;

/// The usable keys of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
    skipped: Vec<Skipped>,
}

/// A key that was not taken, so that somebody can be told why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its place in the set, from 0.
    pub place: usize,
    /// Why.
    pub reason: SkipReason,
}

/// Why a text is not a set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// It is longer than any set.
    #[error("the key set is longer than 256 KiB")]
    TooLong,
    /// It cannot be read.
    #[error("the key set cannot be read")]
    Json(#[source] JsonError),
    /// There is no list of keys in it.
    #[error("the key set has no array `keys`")]
    Form,
    /// It has more keys than any set.
    #[error("the key set has more than 64 keys")]
    TooMany,
}

/// Why no key of a set is the one of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoKey {
    Unknown,
    Ambiguous,
    OtherAlgorithm,
}

impl KeySet {
    /// Reads a set. A key that we cannot or must not use is skipped, so that an issuer can add
    /// keys of other types; see [`KeySet::skipped`].
    ///
    /// # Errors
    /// When the text is no set at all, or is larger than any.
    pub fn parse(text: &[u8]) -> Result<Self, KeySetError> {
        if text.len() > SET_BYTES_MAX {
            return Err(KeySetError::TooLong);
        }
        let members = strict_json::parse(text).map_err(KeySetError::Json)?;
        let items = members.get("keys").and_then(Value::as_array).ok_or(KeySetError::Form)?;
        if items.len() > KEYS_MAX {
            return Err(KeySetError::TooMany);
        }
        let mut set = Self::default();
        for (place, item) in items.iter().enumerate() {
            if let Err(reason) = set.add(item) {
                set.skipped.push(Skipped { place, reason });
            }
        }
        Ok(set)
    }

    fn add(&mut self, item: &Value) -> Result<(), SkipReason> {
        let key = VerifyingKey::read(item.as_object().ok_or(SkipReason::NotObject)?)?;
        let same = |other: &VerifyingKey| other.id() == key.id() && other.algorithm() == key.algorithm();
        if key.id().is_some() && self.keys.iter().any(same) {
            return Err(SkipReason::Repeated);
        }
        self.keys.push(key);
        Ok(())
    }

    /// The usable keys.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// The keys that were not taken, and why.
    pub fn skipped(&self) -> &[Skipped] {
        &self.skipped
    }

    /// The key that a token names. A token without an id is verified only when a single key
    /// comes into question: trying several would make every forgery cost several times as much.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&VerifyingKey, NoKey> {
        let named = |key: &&VerifyingKey| id.is_none() || key.id() == id;
        let mut fitting = self.keys.iter().filter(named).filter(|key| key.algorithm() == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(NoKey::Ambiguous),
            (None, _) if self.keys.iter().any(|key| named(&key)) => Err(NoKey::OtherAlgorithm),
            (None, _) => Err(NoKey::Unknown),
        }
    }
}
