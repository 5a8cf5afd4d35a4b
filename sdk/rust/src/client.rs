//! The client: an address, a key and how long to wait. Must not know: what operations there are.

use std::fmt;
use std::sync::Arc;

use aegis_model::CorrelationId;
use reqwest::header::HeaderValue;
use serde::de::DeserializeOwned;

use crate::address;
use crate::error::ClientError;
use crate::request::Request;
use crate::transport::Transport;

/// How a client behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientOptions {
    /// How long one attempt may take in all.
    pub timeout_ms: u64,
    /// How long setting up a connection may take.
    pub connect_timeout_ms: u64,
    /// Whether a key may be sent over plain http to another machine.
    pub allow_plain_http: bool,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self { timeout_ms: 60_000, connect_timeout_ms: 5_000, allow_plain_http: false }
    }
}

/// A client of one server. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    transport: Arc<Transport>,
    correlation_id: Option<HeaderValue>,
    idempotency_key: Option<HeaderValue>,
}

impl Client {
    /// A client with the usual behaviour. An empty key sends none.
    ///
    /// # Errors
    /// When the address or the key cannot be used, or the key would travel in the clear.
    pub fn new(url: &str, api_key: &str) -> Result<Self, ClientError> {
        Self::with_options(url, api_key, ClientOptions::default())
    }

    /// A client that behaves as told.
    ///
    /// # Errors
    /// When the address or the key cannot be used, or the key would travel in the clear.
    pub fn with_options(url: &str, api_key: &str, options: ClientOptions) -> Result<Self, ClientError> {
        let url = address::parse(url)?;
        let key = header_of("API key", api_key.trim())?.filter(|key| !key.is_empty());
        if key.is_some() && !address::is_private_way(&url) && !options.allow_plain_http {
            return Err(ClientError::KeyInTheClear { url: url.to_string() });
        }
        let transport = Transport::new(url, key, options)?;
        Ok(Self { transport: Arc::new(transport), correlation_id: None, idempotency_key: None })
    }

    /// The same client, its calls tied together under this id. Without it every call has an
    /// id of its own.
    #[must_use]
    pub fn with_correlation_id(&self, id: &CorrelationId) -> Self {
        Self { correlation_id: HeaderValue::from_str(id.as_str()).ok(), ..self.clone() }
    }

    /// The same client for one call under this idempotency key, so that the call can be
    /// repeated by another process. Without it every call has a key of its own.
    ///
    /// # Errors
    /// When the key cannot be sent in a header.
    pub fn with_idempotency_key(&self, key: &str) -> Result<Self, ClientError> {
        Ok(Self { idempotency_key: header_of("idempotency key", key)?, ..self.clone() })
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        self.transport.url()
    }

    /// Whether nobody but this machine and the server can read what is sent: https, or loopback.
    pub fn is_private(&self) -> bool {
        self.transport.is_private()
    }

    /// Calls an operation that answers with a body.
    pub(crate) async fn read<T: DeserializeOwned>(&self, request: Request) -> Result<T, ClientError> {
        let bytes = self.send(&request).await?;
        serde_json::from_slice(&bytes).map_err(|error| self.transport.misunderstood(None, &error.to_string()))
    }

    /// Calls an operation that answers without a body.
    pub(crate) async fn act(&self, request: Request) -> Result<(), ClientError> {
        self.send(&request).await.map(drop)
    }

    /// Calls an operation that answers with bytes as they are.
    pub(crate) async fn bytes(&self, request: Request) -> Result<bytes::Bytes, ClientError> {
        self.send(&request).await
    }

    /// Calls an operation that answers with events.
    pub(crate) async fn follow(&self, request: Request) -> Result<reqwest::Response, ClientError> {
        self.transport.open(&request, self.correlation_id.as_ref(), self.idempotency_key.as_ref()).await
    }

    /// The way to the server.
    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    async fn send(&self, request: &Request) -> Result<bytes::Bytes, ClientError> {
        self.transport.send(request, self.correlation_id.as_ref(), self.idempotency_key.as_ref()).await
    }
}

/// A value that is never printed.
fn header_of(what: &'static str, text: &str) -> Result<Option<HeaderValue>, ClientError> {
    let mut value = HeaderValue::from_str(text).map_err(|_| ClientError::HeaderInvalid { what })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.url())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "aegis_key_very_secret";

    #[test]
    fn a_key_never_travels_in_the_clear_unless_told() {
        for url in ["http://aegis.example", "http://10.0.0.1:7700", "http://0.0.0.0:7700"] {
            assert!(matches!(Client::new(url, KEY), Err(ClientError::KeyInTheClear { .. })), "{url}");
            let options = ClientOptions { allow_plain_http: true, ..ClientOptions::default() };
            assert!(Client::with_options(url, KEY, options).is_ok(), "{url}");
            assert!(Client::new(url, "").is_ok(), "{url} without a key");
        }
        assert!(Client::new("http://127.0.0.1:7700", KEY).is_ok());
    }

    #[test]
    fn a_key_is_never_printed() {
        let client = Client::new("http://127.0.0.1:7700", KEY).expect("client");
        let damaged = format!("{KEY}\nX-Other: 1");
        let error = Client::new("http://127.0.0.1:7700", &damaged).expect_err("a line break");
        for text in [format!("{client:?}"), format!("{error:?} {error}")] {
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn https_is_set_up_with_the_machine_s_roots_or_says_why_not() {
        match Client::new("https://127.0.0.1:1", KEY) {
            Ok(_) | Err(ClientError::Tls { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}
