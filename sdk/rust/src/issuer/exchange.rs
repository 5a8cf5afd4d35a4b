//! Questions to an issuer and its answers over HTTP: bounded in time and size, and nobody is
//! followed, because what is sent are tokens. Must not know: what is asked.

use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, LOCATION};
use reqwest::{RequestBuilder, Response, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use super::error::IssuerError;
use super::token::{Token, Tokens};
use crate::address::shown;
use crate::transport::{self, innermost};

/// How long one question may take in all, and setting up a connection.
const TIMEOUT_MS: u64 = 15_000;
const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// No issuer says more.
const ANSWER_SIZE_MAX_BYTES: usize = 256 * 1024;

/// Connections to one issuer.
pub(super) struct Exchange {
    http: reqwest::Client,
}

/// What was answered.
pub(super) struct Heard {
    url: String,
    status: u16,
    location: Option<String>,
    body: Zeroizing<Vec<u8>>,
}

/// A no, in the form of OAuth.
pub(super) struct Refusal {
    /// The word for it.
    pub(super) error: String,
    description: String,
    url: String,
    /// Whether another answer may come later: a proxy, or an issuer that is about to be back.
    passes: bool,
}

impl Exchange {
    /// Connections to the issuer at that address.
    pub(super) fn new(place: &Url) -> Result<Self, IssuerError> {
        let builder = transport::builder(place)
            .timeout(Duration::from_millis(TIMEOUT_MS))
            .connect_timeout(Duration::from_millis(CONNECT_TIMEOUT_MS));
        let http = builder.build().map_err(|error| IssuerError::Tls { cause: innermost(&error) })?;
        Ok(Self { http })
    }

    /// Reads a document.
    pub(super) async fn get(&self, url: &Url) -> Result<Heard, IssuerError> {
        hear(url, self.http.get(url.clone())).await
    }

    /// Sends a form.
    pub(super) async fn post(&self, url: &Url, fields: &[(&str, &str)]) -> Result<Heard, IssuerError> {
        // The encoding of a query is that of a form.
        let mut form = url.clone();
        form.query_pairs_mut().clear().extend_pairs(fields);
        let body = form.query().unwrap_or_default().to_owned();
        let call = self.http.post(url.clone()).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body);
        hear(url, call).await
    }
}

async fn hear(url: &Url, call: RequestBuilder) -> Result<Heard, IssuerError> {
    let broken = |error: &reqwest::Error| match error.is_timeout() && !error.is_connect() {
        true => IssuerError::TimedOut { url: place(url), timeout_ms: TIMEOUT_MS },
        false => IssuerError::Unreachable { url: place(url), cause: innermost(error) },
    };
    let mut answer = call.header(ACCEPT, "application/json").send().await.map_err(|error| broken(&error))?;
    let mut body = Zeroizing::new(Vec::new());
    while let Some(piece) = answer.chunk().await.map_err(|error| broken(&error))? {
        if body.len() + piece.len() > ANSWER_SIZE_MAX_BYTES {
            let problem = format!("its answer is longer than {ANSWER_SIZE_MAX_BYTES} bytes");
            return Err(IssuerError::Protocol { url: place(url), problem });
        }
        body.extend_from_slice(&piece);
    }
    Ok(Heard { url: place(url), status: answer.status().as_u16(), location: location(&answer), body })
}

/// An address without its query.
fn place(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

fn location(answer: &Response) -> Option<String> {
    let to = answer.headers().get(LOCATION).filter(|_| answer.status().is_redirection())?;
    Some(to.to_str().map_or_else(|_| "an address that cannot be read".to_owned(), shown))
}

impl Heard {
    /// Whether it was a yes.
    pub(super) fn success(&self) -> Result<(), IssuerError> {
        match (self.status, &self.location) {
            (200..=299, _) => Ok(()),
            (status, Some(to)) => Err(self.wrong(format!("status {status}, it redirects to `{to}`"))),
            (status, None) if passes(status) => {
                Err(IssuerError::Unreachable { url: self.url.clone(), cause: format!("status {status}") })
            }
            (status, None) => Err(self.wrong(format!("status {status}"))),
        }
    }

    /// The answer as what was expected.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, IssuerError> {
        self.success()?;
        // The library's message may repeat a value, and a value may be a token.
        serde_json::from_slice(&self.body).map_err(|error| {
            let (line, column) = (error.line(), error.column());
            self.wrong(format!("what it says is not what was asked for, at line {line}, column {column}"))
        })
    }

    /// The answer as tokens.
    pub(super) fn tokens(&self) -> Result<Tokens, IssuerError> {
        Tokens::of(&self.json::<Value>()?).map_err(|problem| self.wrong(problem.to_owned()))
    }

    /// The no, if it is one. Some issuers say it with status 200. What repeats a secret is
    /// not passed on.
    pub(super) fn refusal(&self, secrets: &[&Token]) -> Option<Refusal> {
        let answer: Value = serde_json::from_slice(&self.body).ok()?;
        let field = |name: &str| answer.get(name).and_then(Value::as_str);
        let telling = |text: &&str| !secrets.iter().any(|secret| text.contains(secret.expose()));
        Some(Refusal {
            error: harmless(field("error").filter(telling)?),
            description: field("error_description").filter(telling).map(harmless).unwrap_or_default(),
            url: self.url.clone(),
            passes: passes(self.status),
        })
    }

    /// An answer that is not one of an issuer.
    pub(super) fn wrong(&self, problem: String) -> IssuerError {
        IssuerError::Protocol { url: self.url.clone(), problem }
    }
}

/// Whether a status says nothing about what was asked, but about now.
const fn passes(status: u16) -> bool {
    matches!(status, 429 | 500..=599)
}

/// Text of an issuer as it may stand in a message.
fn harmless(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_debug).collect()
}

impl Refusal {
    /// A no that means nothing special.
    pub(super) fn into_error(self) -> IssuerError {
        let passes = self.passes || matches!(self.error.as_str(), "temporarily_unavailable" | "server_error");
        let of_client = matches!(self.error.as_str(), "invalid_client" | "unauthorized_client");
        let said = match self.description.is_empty() {
            true => self.error,
            false => format!("{}: {}", self.error, self.description),
        };
        if passes {
            IssuerError::Unreachable { url: self.url, cause: said }
        } else {
            IssuerError::Refused { said, of_client }
        }
    }
}

#[cfg(test)]
impl Heard {
    /// A good answer.
    pub(super) fn saying(body: &str) -> Self {
        let url = "https://a.example/device".to_owned();
        Self { url, status: 200, location: None, body: Zeroizing::new(body.as_bytes().to_vec()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(status: u16, body: &str) -> Heard {
        Heard { status, ..Heard::saying(body) }
    }

    #[test]
    fn a_no_is_a_no_whatever_its_status() {
        let said = |status, body| heard(status, body).refusal(&[]).map(|refusal| refusal.into_error().to_string());
        for status in [200, 400, 401] {
            let told = said(status, r#"{"error": "invalid_scope", "error_description": "no \u001b[31m such"}"#);
            let told = told.expect("a no");
            assert!(told.contains("invalid_scope") && !told.contains('\u{1b}'), "{told}");
        }
        for other in ["", "x", "[]", r#"{"error": {"code": 1}}"#, r#"{"access_token": "a"}"#] {
            assert_eq!(said(400, other), None, "{other}");
        }
    }

    #[test]
    fn a_no_that_repeats_a_secret_is_not_passed_on() {
        let secret = Token::new("hunter2".to_owned()).expect("a token");
        let body = r#"{"error": "invalid_grant", "error_description": "no such token: hunter2"}"#;
        let told = heard(400, body).refusal(&[&secret]).expect("a no").into_error().to_string();
        assert!(told.contains("invalid_grant") && !told.contains("hunter2"), "{told}");
        let broken = heard(200, r#"{"access_token": "hunter2", "#).json::<Value>().expect_err("broken");
        assert!(!format!("{broken} {broken:?}").contains("hunter2"), "{broken}");
    }

    #[test]
    fn an_issuer_that_is_busy_is_trouble_and_no_answer() {
        for status in [429, 500, 503] {
            assert!(heard(status, "<html>").success().expect_err("busy").is_trouble(), "{status}");
        }
        let busy = heard(400, r#"{"error": "temporarily_unavailable"}"#).refusal(&[]).expect("a no");
        assert!(busy.into_error().is_trouble());
        assert!(!heard(404, "").success().expect_err("wrong").is_trouble());
    }
}
