//! Sends requests and reads answers, with the repeats that `retry` allows. Nobody else but
//! `issuer/exchange.rs` knows the HTTP library. Must not know: operations' bodies.

use std::error::Error as StdError;
use std::time::Duration;

use aegis_model::error::ErrorEnvelope;
use aegis_model::operation::Method;
use bytes::{Bytes, BytesMut};
use reqwest::header::{
    AUTHORIZATION, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, UPGRADE,
};
use reqwest::{Response, StatusCode, Url};

use crate::address;
use crate::client::ClientOptions;
use crate::error::ClientError;
use crate::random;
use crate::request::Request;
use crate::retry::{self, Failure, Stage};

const API_KEY: &str = "x-api-key";
const CORRELATION_ID: &str = "x-correlation-id";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const EXECUTABLE: &str = "x-aegis-executable";
const LAST_EVENT_ID: &str = "last-event-id";
/// How long an answer may take that comes when a run has ended: as long as a run may, and a bit.
const PATIENCE: Duration = Duration::from_secs(25 * 60 * 60);
/// Largest answer that is read: a full page of ledger entries stays well below.
const ANSWER_SIZE_MAX_BYTES: usize = 128 * 1024 * 1024;

/// A connection pool to one server.
pub(crate) struct Transport {
    http: reqwest::Client,
    url: Url,
    api_key: Option<HeaderValue>,
    timeout_ms: u64,
}

impl Transport {
    pub(crate) fn new(url: Url, api_key: Option<HeaderValue>, options: ClientOptions) -> Result<Self, ClientError> {
        let builder = builder(&url)
            .timeout(Duration::from_millis(options.timeout_ms))
            .connect_timeout(Duration::from_millis(options.connect_timeout_ms));
        let http = builder.build().map_err(|error| ClientError::Tls { cause: innermost(&error) })?;
        Ok(Self { http, url, api_key, timeout_ms: options.timeout_ms })
    }

    /// The server's address, without the slash that a parsed address ends with.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// Whether nobody else can read what is sent.
    pub(crate) fn is_private(&self) -> bool {
        address::is_private_way(&self.url)
    }

    /// Sends a request until it succeeds or must not be repeated.
    pub(crate) async fn send(
        &self,
        request: &Request,
        correlation_id: Option<&HeaderValue>,
        idempotency_key: Option<&HeaderValue>,
    ) -> Result<Bytes, ClientError> {
        let idempotency_key = chosen(idempotency_key, "idem_")?;
        let headers = self.headers(request, &chosen(correlation_id, "cor_")?, &idempotency_key);
        let seed = idempotency_key.to_str().unwrap_or_default();
        let mut attempt = 1;
        loop {
            let failure = match self.attempt(request, headers.clone()).await {
                Ok(bytes) => return Ok(bytes),
                Err(failure) => failure,
            };
            match retry::pause(&failure, attempt, request.is_repeatable(), seed) {
                #[expect(clippy::disallowed_methods, reason = "the pause between two tries is the task itself")]
                Some(pause) => tokio::time::sleep(pause).await,
                None => return Err(failure.error),
            }
            attempt += 1;
        }
    }

    /// The headers of every attempt: a repeat carries the same ids.
    fn headers(&self, request: &Request, correlation_id: &HeaderValue, idempotency_key: &HeaderValue) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CORRELATION_ID, correlation_id.clone());
        if request.takes_idempotency_key() {
            headers.insert(IDEMPOTENCY_KEY, idempotency_key.clone());
        }
        match &self.api_key {
            // A token of an issuer; no API key has a point in it.
            Some(token) if token.as_bytes().contains(&b'.') => {
                let mut value = HeaderValue::from_bytes(&[b"Bearer ", token.as_bytes()].concat()).ok();
                value.iter_mut().for_each(|value| value.set_sensitive(true));
                headers.extend(value.map(|value| (AUTHORIZATION, value)));
            }
            Some(key) => drop(headers.insert(API_KEY, key.clone())),
            None => {}
        }
        headers
    }

    /// Sends a request once, and gives the answer as it comes.
    pub(crate) async fn open(
        &self,
        request: &Request,
        correlation_id: Option<&HeaderValue>,
        idempotency_key: Option<&HeaderValue>,
    ) -> Result<Response, ClientError> {
        let idempotency_key = chosen(idempotency_key, "idem_")?;
        let headers = self.headers(request, &chosen(correlation_id, "cor_")?, &idempotency_key);
        let mut answer = self.call(request, headers).await.map_err(|failure| failure.error)?;
        let as_asked = match request.switching {
            Some(_) => answer.status() == StatusCode::SWITCHING_PROTOCOLS,
            None => answer.status().is_success(),
        };
        if as_asked {
            return Ok(answer);
        }
        let bytes = self.body(&mut answer).await.map_err(|failure| failure.error)?;
        Err(self.refusal(&answer, &bytes))
    }

    async fn call(&self, request: &Request, headers: HeaderMap) -> Result<Response, Failure> {
        let mut call = self.http.request(method(request.operation.method()), self.target(request)).headers(headers);
        if request.operation.waits() {
            call = call.timeout(PATIENCE);
        }
        if let Some(event) = request.last_event {
            call = call.header(LAST_EVENT_ID, event);
        }
        if let Some(protocol) = request.switching {
            call = call.header(CONNECTION, "upgrade").header(UPGRADE, protocol);
        }
        if request.executable {
            call = call.header(EXECUTABLE, "true");
        }
        if let Some((content_type, bytes)) = &request.body {
            call = call.header(CONTENT_TYPE, content_type).body(bytes.clone());
        }
        call.send().await.map_err(|error| self.broken(&error))
    }

    /// The next piece of an answer that comes in pieces.
    pub(crate) async fn piece(&self, answer: &mut Response) -> Result<Option<Bytes>, ClientError> {
        answer.chunk().await.map_err(|error| self.broken(&error).error)
    }

    /// Sends a request once.
    async fn attempt(&self, request: &Request, headers: HeaderMap) -> Result<Bytes, Failure> {
        let mut answer = self.call(request, headers).await?;
        let bytes = self.body(&mut answer).await?;
        if answer.status().is_success() {
            return Ok(bytes);
        }
        let error = self.refusal(&answer, &bytes);
        Err(Failure { error, stage: Stage::Answered, retry_after_ms: retry_after_ms(&answer) })
    }

    /// The whole address of a request.
    fn target(&self, request: &Request) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{}", self.url.path().trim_end_matches('/'), request.path));
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        url
    }

    /// The body of an answer, up to the limit.
    async fn body(&self, answer: &mut Response) -> Result<Bytes, Failure> {
        let mut body = BytesMut::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| self.broken(&error))? {
            if body.len() + chunk.len() > ANSWER_SIZE_MAX_BYTES {
                let error = self.misunderstood(Some(answer.status().as_u16()), "the answer is too large");
                return Err(Failure { error, stage: Stage::Answered, retry_after_ms: None });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// What the server said no with.
    fn refusal(&self, answer: &Response, bytes: &[u8]) -> ClientError {
        let status = answer.status();
        match serde_json::from_slice::<ErrorEnvelope>(bytes) {
            Ok(envelope) => ClientError::Api { status: status.as_u16(), body: Box::new(envelope.error) },
            Err(_) => self.misunderstood(Some(status.as_u16()), &unknown_answer(status, answer.headers(), bytes)),
        }
    }

    /// An answer that is not one of the API.
    pub(crate) fn misunderstood(&self, status: Option<u16>, problem: &str) -> ClientError {
        ClientError::Protocol { url: self.url().to_owned(), status, problem: problem.to_owned() }
    }

    /// A request that got no whole answer.
    fn broken(&self, error: &reqwest::Error) -> Failure {
        let url = self.url().to_owned();
        let (error, stage) = match error {
            _ if error.is_connect() => (ClientError::Unreachable { url, cause: innermost(error) }, Stage::NotSent),
            _ if error.is_timeout() => (ClientError::TimedOut { url, timeout_ms: self.timeout_ms }, Stage::Unknown),
            _ => (ClientError::Unreachable { url, cause: innermost(error) }, Stage::Unknown),
        };
        Failure { error, stage, retry_after_ms: None }
    }
}

/// How everybody is spoken to who is sent a secret at that address: no redirect is followed,
/// and no proxy reads along.
pub(crate) fn builder(url: &Url) -> reqwest::ClientBuilder {
    // Another part of the process may have chosen a provider already; that one is kept.
    let _ = rustls::crypto::ring::default_provider().install_default();
    // A redirect would carry the key to wherever an answer says.
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("aegis-sdk/", env!("CARGO_PKG_VERSION")));
    let builder = match url.scheme() {
        "https" => builder.https_only(true),
        // A proxy would read the key; and no certificate is ever looked at, so none is loaded.
        _ => builder.no_proxy().tls_certs_only([]),
    };
    if address::is_loopback(url) { builder.no_proxy() } else { builder }
}

/// The caller's value, or a fresh one.
fn chosen(given: Option<&HeaderValue>, prefix: &str) -> Result<HeaderValue, ClientError> {
    if let Some(value) = given {
        return Ok(value.clone());
    }
    HeaderValue::from_str(&random::token(prefix)?).map_err(|_| ClientError::HeaderInvalid { what: "generated id" })
}

fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Post => reqwest::Method::POST,
        Method::Put => reqwest::Method::PUT,
        Method::Delete => reqwest::Method::DELETE,
    }
}

/// What the last cause of a failure says: the operating system's word, not the library's.
pub(crate) fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn StdError = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

/// Says what came instead of an answer of the API, without repeating what may be hostile.
fn unknown_answer(status: StatusCode, headers: &HeaderMap, bytes: &[u8]) -> String {
    let number = status.as_u16();
    if let Some(to) = headers.get(LOCATION).and_then(|value| value.to_str().ok()).filter(|_| status.is_redirection()) {
        let to: String = to.chars().take(200).flat_map(char::escape_debug).collect();
        return format!("status {number}, it redirects to `{to}`");
    }
    let code = serde_json::from_slice::<serde_json::Value>(bytes).ok();
    let code = code.as_ref().and_then(|value| value.pointer("/error/code")).and_then(serde_json::Value::as_str);
    match code {
        Some(code) => {
            let code: String = code.chars().take(64).flat_map(char::escape_debug).collect();
            format!("status {number}, an error code that this client does not know: `{code}`")
        }
        None => format!("status {number} without the body of an error"),
    }
}

/// `Retry-After` in seconds. The form with a date needs a clock and is not used by the server.
fn retry_after_ms(answer: &Response) -> Option<u64> {
    let seconds: u64 = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(seconds.saturating_mul(1_000))
}
