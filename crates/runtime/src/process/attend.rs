//! The task that attends to a box: takes in what it says, and when it is gone, sees to it that
//! nothing is left.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use aegis_model::boxes::BoxEnd;
use aegis_model::life::box_cycle::Event;
use aegis_model::port::Clock;
use rustix::process::{WaitId, WaitIdOptions, WaitIdStatus, waitid};
use tokio::io::Interest;

use super::hearing::{Listener, Silence};
use super::shared::Shared;
use super::slot::Slots;

/// The exit code of a guest whose box lived as long as it may.
const EXIT_LIFETIME: i32 = 3;

/// How long after its lifetime a box is ended from outside, if its guest did not do it.
const LIFETIME_GRACE: Duration = Duration::from_secs(1);

/// Attends to a box until nothing is left of it, and says why it is gone.
pub async fn attend(shared: Arc<Shared>, slots: Arc<Slots>, clock: Arc<dyn Clock>, lifetime_ms: u64) -> BoxEnd {
    let listening = listen(&shared, &*clock);
    if lifetime_ms == 0 {
        listening.await;
    } else if tokio::time::timeout(Duration::from_millis(lifetime_ms) + LIFETIME_GRACE, listening).await.is_err() {
        shared.intend(BoxEnd::Lifetime);
    }
    clear(&shared, &slots).await
}

/// Ends what is left of a box, and gives back what it had of the host.
pub async fn clear(shared: &Shared, slots: &Slots) -> BoxEnd {
    shared.kill_now();
    let end = end(shared).await;
    shared.close(end);
    shared.release();
    slots.give_back(shared.host_id, &shared.cgroup).await;
    let _ = shared.step(if matches!(end, BoxEnd::Stopped | BoxEnd::Killed) { Event::Kill } else { Event::Failed });
    shared.end.send_replace(Some(end));
    end
}

/// Listens until the box has nothing more to say, or says what cannot be said.
async fn listen(shared: &Shared, clock: &dyn Clock) {
    let mut listener = Listener::new(shared, clock);
    loop {
        match listener.next().await {
            Ok(_) => {}
            Err(Silence::Violation(_)) => return shared.intend(BoxEnd::DoorViolation),
            Err(Silence::Closed) => return,
        }
    }
}

/// Waits until the first process is gone, which is the last to go, and says why it is.
async fn end(shared: &Shared) -> BoxEnd {
    let status = match shared.process() {
        Some(process) => process.async_io(Interest::READABLE, waited).await.ok(),
        None => None,
    };
    if let Some(intent) = shared.intent() {
        return intent;
    }
    match status {
        Some(status) if status.exit_status() == Some(EXIT_LIFETIME) => BoxEnd::Lifetime,
        Some(status) if status.killed() && shared.cgroup.out_of_memory() > 0 => BoxEnd::OutOfMemory,
        _ => BoxEnd::Crashed,
    }
}

fn waited(process: &OwnedFd) -> io::Result<WaitIdStatus> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    waitid(WaitId::PidFd(process.as_fd()), options)?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
}
