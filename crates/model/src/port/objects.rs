//! Large immutable bytes, named by their digest.

use async_trait::async_trait;
use bytes::Bytes;

/// Why an object could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// The disk is full.
    #[error("no space left for objects")]
    Full(#[source] std::io::Error),
    /// The bytes are not the bytes that were kept.
    #[error("object `{digest}` is damaged")]
    Damaged {
        /// Which.
        digest: String,
    },
    /// Anything else.
    #[error("objects cannot be reached")]
    Unavailable(#[source] std::io::Error),
}

/// Objects by digest. Putting the same bytes twice is one object.
#[async_trait]
pub trait Objects: Send + Sync {
    /// Keeps the bytes durably and returns their SHA-256 in hexadecimal. Nothing half-written
    /// is ever visible under a digest.
    ///
    /// # Errors
    /// When the bytes could not be made durable.
    async fn put(&self, bytes: Bytes) -> Result<String, ObjectError>;

    /// The bytes, checked against their digest; `None` if there are none.
    ///
    /// # Errors
    /// When they are damaged or cannot be read.
    async fn get(&self, digest: &str) -> Result<Option<Bytes>, ObjectError>;
}
