//! Randomness that an adversary cannot guess.

/// The operating system gave no randomness.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no randomness: {0}")]
pub struct EntropyError(pub String);

/// A source of unguessable bytes.
pub trait Entropy: Send + Sync {
    /// Fills `buffer` whole, or fails; there is no weaker fallback.
    ///
    /// # Errors
    /// When the operating system gives none.
    fn fill(&self, buffer: &mut [u8]) -> Result<(), EntropyError>;
}
