//! Boxes of a server that died. Usually there are none: a box ends when its server does. What
//! is left is found by where it is counted, and ended.

use rustix::process::{Pid, Signal, kill_process};

use super::cgroup::{Cgroup, Cgroups};
use super::slot::remove;

/// How often whoever is left is killed again: one may have made others in between.
const ROUNDS: usize = 100;

/// Ends whatever is left, and removes where it was counted.
///
/// # Errors
/// In words, when something cannot be ended.
pub async fn clear(cgroups: &Cgroups) -> Result<(), String> {
    for left in cgroups.leftovers() {
        end(&left).await?;
    }
    Ok(())
}

async fn end(left: &Cgroup) -> Result<(), String> {
    for _ in 0..ROUNDS {
        // Nobody makes others while everybody is frozen; thawed, each one dies.
        let _ = left.freeze(true);
        for pid in left.members().into_iter().filter_map(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = left.freeze(false);
        if left.members().is_empty() {
            break;
        }
        tokio::task::yield_now().await;
    }
    if remove(left).await { Ok(()) } else { Err("a box of an earlier server cannot be removed".to_owned()) }
}
