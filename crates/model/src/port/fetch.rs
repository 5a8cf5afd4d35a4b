//! Reading what others publish on the web, at addresses that the operator of this server chose.

use async_trait::async_trait;
use bytes::Bytes;

/// Why nothing was read. For the operator; it may tell of the network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The address cannot be read from: not HTTPS, or not HTTP on loopback.
    #[error("`{0}` is no `https://` address")]
    Address(String),
    /// Nobody answered, or not in time, or not as somebody who may be believed.
    #[error("no answer: {0}")]
    Unreachable(String),
    /// The answer is not that all is well. Redirects are not followed.
    #[error("answered with status {0}")]
    Status(u16),
    /// The answer is longer than anybody would publish.
    #[error("answered with more than {0} bytes")]
    TooLong(usize),
}

/// Reads from the web.
///
/// Guarantees every adapter keeps:
/// - only HTTPS with a certificate that is trusted, or HTTP on loopback;
/// - redirects are not followed;
/// - an answer is bounded in size and time, whatever the other side does.
#[async_trait]
pub trait Fetch: Send + Sync {
    /// What is published there.
    ///
    /// # Errors
    /// When it cannot be read.
    async fn get(&self, address: &str) -> Result<Bytes, FetchError>;
}
