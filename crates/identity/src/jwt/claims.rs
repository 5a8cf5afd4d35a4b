//! The claims of a token: the standard ones with their types, and all of them as JSON.
//! Must not know: keys and signatures.

use std::fmt;

use aegis_model::Timestamp;
use serde_json::{Map, Value};

use super::expected::{Expected, Presence};
use super::token::TokenError;

/// Letters of an issuer, a subject, an audience or an id.
const TEXT_LENGTH_MAX: usize = 1_024;
const AUDIENCES_MAX: usize = 32;
/// The last second of the year 9999.
const LATEST_S: u64 = 253_402_300_799;

/// What a verified token says.
#[derive(Clone, PartialEq)]
pub struct Claims {
    /// `iss`.
    pub issuer: String,
    /// `sub`.
    pub subject: Option<String>,
    /// `aud`, a single one or a list.
    pub audiences: Vec<String>,
    /// `exp`.
    pub expires_at: Timestamp,
    /// `nbf`.
    pub not_before: Option<Timestamp>,
    /// `iat`.
    pub issued_at: Option<Timestamp>,
    /// `jti`.
    pub id: Option<String>,
    /// Every claim, the standard ones too.
    pub all: Map<String, Value>,
}

impl Claims {
    /// Reads the standard claims. Whether they are right is another question.
    pub(super) fn read(all: Map<String, Value>) -> Result<Self, TokenError> {
        let issuer = text(&all, "iss")?.ok_or(TokenError::Missing("iss"))?;
        Ok(Self {
            issuer,
            subject: text(&all, "sub")?,
            audiences: audiences(&all)?,
            expires_at: time(&all, "exp")?.ok_or(TokenError::Missing("exp"))?,
            not_before: time(&all, "nbf")?,
            issued_at: time(&all, "iat")?,
            id: text(&all, "jti")?,
            all,
        })
    }

    /// Compares with what is expected.
    pub(super) fn check(&self, expected: &Expected, now: Timestamp) -> Result<(), TokenError> {
        if self.issuer != expected.issuer {
            return Err(TokenError::Issuer);
        }
        if !self.audiences.iter().any(|given| expected.audiences.contains(given)) {
            return Err(TokenError::Audience);
        }
        let leeway_ms = expected.leeway.as_secs() * 1_000;
        if now >= self.expires_at.plus_ms(leeway_ms) {
            return Err(TokenError::Expired);
        }
        let ahead = |time: Option<Timestamp>| time.is_some_and(|time| time > now.plus_ms(leeway_ms));
        if ahead(self.not_before) {
            return Err(TokenError::NotYet);
        }
        if ahead(self.issued_at) {
            return Err(TokenError::IssuedLater);
        }
        let needed = |presence, time: Option<Timestamp>| presence == Presence::Optional || time.is_some();
        if !needed(expected.issued_at, self.issued_at) {
            return Err(TokenError::Missing("iat"));
        }
        if needed(expected.not_before, self.not_before) { Ok(()) } else { Err(TokenError::Missing("nbf")) }
    }
}

impl fmt::Debug for Claims {
    /// Only names: the values are somebody's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.all.keys().collect();
        write!(f, "Claims(of {}, {names:?})", self.issuer)
    }
}

/// A claim that is a text. Control characters have no business there and break log lines.
fn text(all: &Map<String, Value>, name: &'static str) -> Result<Option<String>, TokenError> {
    all.get(name).map(|value| plain(value).ok_or(TokenError::Claim(name))).transpose()
}

fn plain(value: &Value) -> Option<String> {
    let text = value.as_str()?;
    let length = (1..=TEXT_LENGTH_MAX).contains(&text.len());
    (length && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

fn audiences(all: &Map<String, Value>) -> Result<Vec<String>, TokenError> {
    let wrong = TokenError::Claim("aud");
    match all.get("aud") {
        None => Err(TokenError::Missing("aud")),
        Some(Value::Array(items)) if items.len() <= AUDIENCES_MAX => {
            items.iter().map(plain).collect::<Option<_>>().ok_or(wrong)
        }
        Some(value) => plain(value).map(|text| vec![text]).ok_or(wrong),
    }
}

/// A claim that is a time: whole seconds from 1970 to 9999. A fraction is refused as well,
/// because readers round it differently.
fn time(all: &Map<String, Value>, name: &'static str) -> Result<Option<Timestamp>, TokenError> {
    let Some(value) = all.get(name) else { return Ok(None) };
    let seconds = value.as_u64().filter(|seconds| *seconds <= LATEST_S).ok_or(TokenError::Time(name))?;
    Ok(Some(Timestamp::from_millis(seconds * 1_000)))
}
