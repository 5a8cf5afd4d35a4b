//! Background work: secrets that a program rotates are looked at now and then, and whenever
//! somebody wants one rotated.

use std::sync::Arc;
use std::time::Duration;

use aegis_dispatch::Rotator;
use tokio::sync::watch;

/// How often.
const PAUSE: Duration = Duration::from_secs(20);

/// Looks until `stop` changes.
#[expect(clippy::disallowed_methods, reason = "a chore that waits for its time")]
pub async fn run(rotator: Arc<Rotator>, mut stop: watch::Receiver<bool>) {
    loop {
        if let Err(error) = rotator.look().await {
            tracing::warn!(%error, "a rotation of a secret could not be worked on");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = rotator.wanted() => {}
            _ = stop.changed() => return,
        }
    }
}
