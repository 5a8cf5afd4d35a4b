//! A token in compact form: read strictly, then verified with a key of its issuer.
//! Must not know: how keys are found, or what claims allow.

use std::fmt;

use aegis_model::Timestamp;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::claims::Claims;
use super::expected::{Expected, TokenType};
use super::jwk::KEY_ID_LENGTH_MAX;
use super::key_set::{KeySet, NoKey};
use super::strict_json::{self, JsonError};
use crate::base64_text::from_base64url;

/// Bytes of a token. Headers of HTTP are seldom longer.
const TOKEN_BYTES_MAX: usize = 16_384;

/// Why a token is refused. Holds no part of the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is longer than any token.
    #[error("the token is longer than 16 KiB")]
    TooLong,
    /// It is not three pieces with points between them.
    #[error("the token does not have three parts")]
    Parts,
    /// A piece is not canonical base 64.
    #[error("a part of the token is not base 64 as tokens spell it")]
    Base64,
    /// The header cannot be read.
    #[error("the header of the token cannot be read")]
    HeaderJson(#[source] JsonError),
    /// The claims cannot be read.
    #[error("the claims of the token cannot be read")]
    ClaimsJson(#[source] JsonError),
    /// A member of the header is missing or of another type.
    #[error("`{0}` in the header of the token is missing or malformed")]
    Header(&'static str),
    /// `alg` is `none`.
    #[error("the token is not signed")]
    Unsigned,
    /// `alg` is a MAC or one that we do not know.
    #[error("the algorithm of the token is not RS256, ES256 or EdDSA")]
    Algorithm,
    /// `alg` is known and not taken here.
    #[error("the algorithm of the token is not taken here")]
    AlgorithmRefused,
    /// The header has extensions that have to be understood.
    #[error("the token has critical extensions, which nobody here understands")]
    Critical,
    /// A token inside a token.
    #[error("the token holds another token")]
    Nested,
    /// `typ` is unknown or not taken here.
    #[error("the type of the token is not taken here")]
    Type,
    /// The issuer has no such key.
    #[error("the issuer has no key with the id that the token names")]
    UnknownKey,
    /// The token names no key and there are several.
    #[error("the token names no key and the issuer has several")]
    AmbiguousKey,
    /// The key is of another type than the algorithm.
    #[error("the key that the token names is for another algorithm")]
    KeyAlgorithm,
    /// Not signed with that key, or changed since.
    #[error("the signature of the token is not the key's")]
    Signature,
    /// A claim that has to be there is not.
    #[error("the claim `{0}` is missing")]
    Missing(&'static str),
    /// A claim is of another type, empty, too long, or has control characters.
    #[error("the claim `{0}` is malformed")]
    Claim(&'static str),
    /// A time that is no whole number of seconds from 1970 to 9999.
    #[error("the claim `{0}` is not a time in whole seconds")]
    Time(&'static str),
    /// Another issuer.
    #[error("the token is of another issuer")]
    Issuer,
    /// For somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not good yet")]
    NotYet,
    /// It says that it will be issued.
    #[error("the token is issued in the future")]
    IssuedLater,
}

/// A token that was read and is not believed. `Debug` shows nothing of its claims.
pub struct Token<'t> {
    /// Header and claims as they were signed.
    signed: &'t str,
    signature: Vec<u8>,
    algorithm: Algorithm,
    token_type: TokenType,
    key_id: Option<String>,
    claims: Map<String, Value>,
}

impl<'t> Token<'t> {
    /// Reads a token. Strict, bounded, and without believing anything it says.
    ///
    /// # Errors
    /// When it is malformed, unsigned, signed in a way that we do not take, or needs something
    /// that we do not understand. Keys and addresses of keys in the header are ignored.
    pub fn parse(text: &'t str) -> Result<Self, TokenError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Parts)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenError::Parts)?;
        if claims.contains('.') {
            return Err(TokenError::Parts);
        }
        let header = strict_json::parse(&decoded(header)?).map_err(TokenError::HeaderJson)?;
        let algorithm = algorithm(&header)?;
        check_extensions(&header)?;
        Ok(Self {
            signed,
            signature: decoded(signature)?,
            algorithm,
            token_type: token_type(&header)?,
            key_id: key_id(&header)?,
            claims: strict_json::parse(&decoded(claims)?).map_err(TokenError::ClaimsJson)?,
        })
    }

    /// The issuer that the token names, for finding its keys. Anybody may name anybody.
    pub fn unverified_issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// The key that the token names. When the issuer's set lacks it, the set may be out of date.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// How the token says it is signed.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Verifies the signature with a key of the issuer, then the claims.
    ///
    /// # Errors
    /// When algorithm, type, key, signature or a claim is not as expected.
    pub fn verify(self, keys: &KeySet, expected: &Expected, now: Timestamp) -> Result<Claims, TokenError> {
        if !expected.algorithms.contains(&self.algorithm) {
            return Err(TokenError::AlgorithmRefused);
        }
        if !expected.types.contains(&self.token_type) {
            return Err(TokenError::Type);
        }
        let key = keys.find(self.key_id.as_deref(), self.algorithm).map_err(|reason| match reason {
            NoKey::Unknown => TokenError::UnknownKey,
            NoKey::Ambiguous => TokenError::AmbiguousKey,
            NoKey::OtherAlgorithm => TokenError::KeyAlgorithm,
        })?;
        if !key.verify(self.signed.as_bytes(), &self.signature) {
            return Err(TokenError::Signature);
        }
        let claims = Claims::read(self.claims)?;
        claims.check(expected, now)?;
        Ok(claims)
    }
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}, …)", self.algorithm.as_str())
    }
}

fn decoded(part: &str) -> Result<Vec<u8>, TokenError> {
    from_base64url(part).map_err(|_| TokenError::Base64)
}

fn algorithm(header: &Map<String, Value>) -> Result<Algorithm, TokenError> {
    let name = header.get("alg").and_then(Value::as_str).ok_or(TokenError::Header("alg"))?;
    if name.eq_ignore_ascii_case("none") {
        return Err(TokenError::Unsigned);
    }
    Algorithm::parse(name).ok_or(TokenError::Algorithm)
}

/// `crit` names what has to be understood, and there is nothing that we understand; `b64`
/// changes what is signed and is only allowed in `crit`.
fn check_extensions(header: &Map<String, Value>) -> Result<(), TokenError> {
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(TokenError::Critical);
    }
    if header.contains_key("cty") { Err(TokenError::Nested) } else { Ok(()) }
}

fn token_type(header: &Map<String, Value>) -> Result<TokenType, TokenError> {
    let Some(value) = header.get("typ") else { return Ok(TokenType::Jwt) };
    let name = value.as_str().ok_or(TokenError::Header("typ"))?;
    TokenType::parse(name).ok_or(TokenError::Type)
}

fn key_id(header: &Map<String, Value>) -> Result<Option<String>, TokenError> {
    let Some(value) = header.get("kid") else { return Ok(None) };
    let id = value.as_str().filter(|id| (1..=KEY_ID_LENGTH_MAX).contains(&id.len()));
    id.map(|id| Some(id.to_owned())).ok_or(TokenError::Header("kid"))
}
