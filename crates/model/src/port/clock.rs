//! The time of day, and the time that passes.

use crate::time::Timestamp;

/// A clock that never goes backwards while the process lives: an adapter holds still when
/// the machine's clock is set back.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;

    /// Nanoseconds since some fixed moment; for measuring how long something takes.
    fn elapsed_ns(&self) -> u64;
}
