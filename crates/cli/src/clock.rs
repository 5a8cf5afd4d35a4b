//! What time it is. The only place of this crate that reads the clock.

use std::time::UNIX_EPOCH;

use aegis_model::Timestamp;

/// Now, by the clock of this machine.
#[expect(clippy::disallowed_methods, reason = "the one place of the command line that reads the clock")]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
