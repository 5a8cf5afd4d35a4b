//! How long there is to approve what the policy asks people about.

use aegis_model::manifest::Duration;
use serde::Deserialize;

use super::ConfigError;

/// The shortest time: nobody could answer in less.
const EXPIRES_AFTER_MIN_MS: u64 = 60_000;
/// The longest time.
const EXPIRES_AFTER_MAX_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// What somebody has to approve.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApprovalsConfig {
    /// How long there is to decide, and then to do what was approved.
    pub expires_after: Duration,
}

impl Default for ApprovalsConfig {
    fn default() -> Self {
        Self { expires_after: Duration::from_millis(60 * 60 * 1_000) }
    }
}

impl ApprovalsConfig {
    /// Checks the bounds.
    ///
    /// # Errors
    /// `OutOfBounds`.
    pub fn check(&self) -> Result<(), ConfigError> {
        let (min, max) = (EXPIRES_AFTER_MIN_MS, EXPIRES_AFTER_MAX_MS);
        match (min..=max).contains(&self.expires_after.as_millis()) {
            true => Ok(()),
            false => Err(ConfigError::OutOfBounds { name: "approvals.expires_after, in milliseconds,", min, max }),
        }
    }
}
