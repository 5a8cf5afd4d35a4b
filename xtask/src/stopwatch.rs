//! Seconds of a suite.

use std::time::Instant;

/// Runs from the moment it is made.
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts.
    #[expect(clippy::disallowed_methods, reason = "the table of seconds is what this file is for")]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Seconds since it was started.
    #[expect(clippy::disallowed_methods, reason = "the table of seconds is what this file is for")]
    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}
