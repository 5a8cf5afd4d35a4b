//! What an act counts for.

use crate::port::StoreError;
use crate::record::Change;

/// What an allowed act counts for: reserved when it was allowed, committed with it, and given
/// back when it is dropped before that.
///
/// Whoever commits the act, one commit after the other, puts [`changes`](Self::changes) into the
/// batch, and says what became of it: [`settle`](Self::settle) or [`failed`](Self::failed).
/// When neither is said any more, it counts as if it were committed: the store may have it.
pub trait Counted: Send + Sync + std::fmt::Debug {
    /// What is to be committed together with the act, now; nothing once it is settled, so that
    /// an act that is committed twice counts once.
    fn changes(&self) -> Vec<Change>;

    /// The commit holds: what was reserved is counted.
    fn settle(&self);

    /// The commit was refused, or nobody knows what became of it. It is reserved again.
    fn failed(&self, error: &StoreError);
}
