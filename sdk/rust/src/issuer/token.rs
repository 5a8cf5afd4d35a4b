//! Tokens: never printed, and wiped from memory when they are dropped.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use zeroize::Zeroizing;

/// Longest token that can be sent in a header everywhere.
const LENGTH_MAX: usize = 16 * 1024;

/// A token, or a code that is as good as one.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// The token of that text, if it can be sent: some visible letters of ASCII.
    pub fn new(text: String) -> Option<Self> {
        let text = Zeroizing::new(text);
        let fit = (1..=LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fit.then_some(Self(text))
    }

    /// The text, to be sent or kept and nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What it says, if it is a JWT. Nobody has verified that.
    pub fn claims(&self) -> Option<TokenClaims> {
        let mut parts = self.0.split('.');
        let (Some(head), Some(body), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        let object = |part: &str| {
            let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(part).ok()?);
            serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
        };
        object(head)?;
        let claims = object(body)?;
        let audiences = match claims.get("aud") {
            Some(Value::String(one)) => vec![one.clone()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        };
        Some(TokenClaims {
            subject: claims.get("sub").and_then(Value::as_str).map(str::to_owned),
            audiences,
            issued_at_s: claims.get("iat").and_then(seconds),
            expires_at_s: claims.get("exp").and_then(seconds),
        })
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What a token says of itself, unverified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenClaims {
    /// Of whom.
    pub subject: Option<String>,
    /// For whom.
    pub audiences: Vec<String>,
    /// Since when, in seconds since 1970.
    pub issued_at_s: Option<u64>,
    /// Until when, in seconds since 1970.
    pub expires_at_s: Option<u64>,
}

/// What an issuer gives.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// For the server.
    pub access: Token,
    /// For how many seconds the access token is good, where the issuer says so.
    pub access_lifetime_s: Option<u64>,
    /// Who logged in.
    pub id: Option<Token>,
    /// For new ones.
    pub refresh: Option<Token>,
}

impl Tokens {
    /// Reads an answer; says what is wrong with it without repeating it.
    pub(super) fn of(answer: &Value) -> Result<Self, &'static str> {
        let field = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let token = |name: &str, wrong: &'static str| {
            field(name).map(|text| Token::new(text.to_owned()).ok_or(wrong)).transpose()
        };
        if field("token_type").is_some_and(|kind| !kind.eq_ignore_ascii_case("bearer")) {
            return Err("its tokens are not bearer tokens");
        }
        Ok(Self {
            access: token("access_token", "its access token cannot be sent")?.ok_or("it gives no access token")?,
            access_lifetime_s: answer.get("expires_in").and_then(seconds),
            id: token("id_token", "its id token cannot be sent")?,
            refresh: token("refresh_token", "its refresh token cannot be sent")?,
        })
    }
}

/// A number of seconds; some issuers write it as text, or with a point.
pub(super) fn seconds(value: &Value) -> Option<u64> {
    let whole = |number: f64| (0.0..1e15).contains(&number).then_some(number as u64);
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn jwt(head: &Value, body: &Value) -> Token {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        Token::new(format!("{}.{}.c2ln", part(head), part(body))).expect("a token")
    }

    #[test]
    fn a_jwt_says_whose_it_is_and_how_long_it_is_good() {
        let claims = jwt(&json!({"alg": "RS256"}), &json!({"sub": "ada", "aud": ["a", "b"], "iat": 10, "exp": 70.5}));
        let claims = claims.claims().expect("a jwt");
        let expected = (Some("ada"), vec!["a".to_owned(), "b".to_owned()], Some(10), Some(70));
        assert_eq!((claims.subject.as_deref(), claims.audiences, claims.issued_at_s, claims.expires_at_s), expected);
        for other in ["opaque", "a.b.c", "a.b", "a.b.c.d.e", "e30.W10.x"] {
            assert_eq!(Token::new(other.to_owned()).expect("a token").claims(), None, "{other}");
        }
    }

    #[test]
    fn what_cannot_be_sent_is_no_token() {
        for bad in [String::new(), "a b".to_owned(), "a\r\nX: y".to_owned(), "ä".to_owned(), "a".repeat(LENGTH_MAX + 1)]
        {
            assert_eq!(Token::new(bad), None);
        }
    }

    #[test]
    fn tokens_are_never_printed() {
        let tokens = Tokens::of(&json!({
            "access_token": "hunter2a", "id_token": "hunter2b", "refresh_token": "hunter2c", "expires_in": "60",
        }));
        let tokens = tokens.expect("tokens");
        assert_eq!(tokens.access_lifetime_s, Some(60));
        assert!(!format!("{tokens:?}").contains("hunter2"), "{tokens:?}");
    }

    #[test]
    fn an_answer_without_a_usable_token_is_refused_by_name() {
        for (answer, expected) in [
            (json!({}), "no access token"),
            (json!({"access_token": ""}), "no access token"),
            (json!({"access_token": "a b"}), "cannot be sent"),
            (json!({"access_token": "a", "token_type": "DPoP"}), "not bearer"),
            (json!({"access_token": "a", "refresh_token": "x\n"}), "refresh token cannot be sent"),
        ] {
            let problem = Tokens::of(&answer).expect_err("unusable");
            assert!(problem.contains(expected), "{problem}");
        }
    }
}
