//! The time of day.

use crate::time::Timestamp;

/// A clock that never goes backwards while the process lives: an adapter holds still when
/// the machine's clock is set back.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
}
