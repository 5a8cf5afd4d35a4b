//! What is expected of a token. Must not know: what a token says.

use super::algorithm::Algorithm;

/// How far clocks may be apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leeway(u64);

impl Leeway {
    /// One minute.
    pub const DEFAULT: Self = Self(60);

    /// Up to 300 seconds; `None` for more.
    pub fn from_secs(seconds: u32) -> Option<Self> {
        (seconds <= 300).then(|| Self(seconds.into()))
    }

    /// The seconds.
    pub fn as_secs(self) -> u64 {
        self.0
    }
}

/// Whether a claim has to be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It has to.
    Required,
    /// It may be missing; if it is there it has to be right.
    Optional,
}

/// What a token says it is, in `typ`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// `JWT`, or nothing.
    Jwt,
    /// `at+jwt`, an access token (RFC 9068).
    AccessToken,
}

impl TokenType {
    /// The type of that name, in any mixture of cases, with or without `application/`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        match lower.strip_prefix("application/").unwrap_or(&lower) {
            "jwt" => Some(Self::Jwt),
            "at+jwt" => Some(Self::AccessToken),
            _ => None,
        }
    }
}

/// What is expected of every token of one issuer.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Has to be `iss`, letter for letter.
    pub issuer: String,
    /// One of these has to be in `aud`.
    pub audiences: Vec<String>,
    /// The algorithms that are taken.
    pub algorithms: Vec<Algorithm>,
    /// The types that are taken.
    pub types: Vec<TokenType>,
    /// How far clocks may be apart.
    pub leeway: Leeway,
    /// Whether `iat` has to be there.
    pub issued_at: Presence,
    /// Whether `nbf` has to be there.
    pub not_before: Presence,
}

impl Expected {
    /// The usual: every algorithm, both types, `iat` there, `nbf` perhaps.
    pub fn new(issuer: &str, audience: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            audiences: vec![audience.to_owned()],
            algorithms: Algorithm::ALL.to_vec(),
            types: vec![TokenType::Jwt, TokenType::AccessToken],
            leeway: Leeway::DEFAULT,
            issued_at: Presence::Required,
            not_before: Presence::Optional,
        }
    }
}
