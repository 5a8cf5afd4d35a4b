//! What is looked after while connections are open: that their rules still hold, that they move
//! something, that they do not stay for ever. Must not know what they carry.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use aegis_model::port::Gate;

use crate::live::{Live, Stop};
use crate::{Egress, locked};

/// How often is looked.
const LOOK: Duration = Duration::from_secs(1);

/// Looks after what that way out has open, for as long as it is there.
pub(crate) fn start(egress: &Arc<Egress>) {
    tokio::spawn(look(Arc::downgrade(egress)));
    tokio::spawn(tell(Arc::downgrade(egress)));
    tokio::spawn(follow(Arc::downgrade(egress), Arc::clone(&egress.gate)));
}

async fn look(egress: Weak<Egress>) {
    while let Some(egress) = at_next_look(&egress).await {
        egress.end_idle();
    }
}

/// On its own: while records cannot be kept, telling waits, and looking must not.
async fn tell(egress: Weak<Egress>) {
    while let Some(egress) = at_next_look(&egress).await {
        egress.tell_repeated().await;
    }
}

/// The way out, when it is time to look again; nothing once it is gone.
#[expect(clippy::disallowed_methods, reason = "a chore that waits for its time")]
async fn at_next_look(egress: &Weak<Egress>) -> Option<Arc<Egress>> {
    tokio::time::sleep(LOOK).await;
    egress.upgrade()
}

/// With each change of the policy, what is open is judged again.
async fn follow(egress: Weak<Egress>, gate: Arc<dyn Gate>) {
    let mut seen = 0;
    loop {
        seen = gate.changed(seen).await;
        let Some(egress) = egress.upgrade() else { return };
        egress.generation.store(seen, Ordering::Release);
        for live in egress.all_live() {
            egress.judge_again(&live).await;
        }
    }
}

impl Egress {
    fn all_live(&self) -> Vec<Arc<Live>> {
        locked(&self.live).values().cloned().collect()
    }

    /// Judges it again if the policy is of a later generation than the one it was judged by: what
    /// is open may have been looked through before this was watched.
    pub(crate) async fn catch_up(&self, live: &Live, generation: u64) {
        if self.generation.load(Ordering::Acquire) > generation {
            self.judge_again(live).await;
        }
    }

    /// Ends it if it is not let out any more; or if nobody can say.
    pub(crate) async fn judge_again(&self, live: &Live) {
        let all = locked(&live.wanted).clone();
        for wanted in all {
            if !self.gate.judge(&live.occupant, &wanted).await.is_ok_and(|ruling| ruling.passes) {
                live.meter.end(Stop::Revoked);
                return;
            }
        }
    }

    /// Ends what moves nothing, what is too old, and what belongs to a box that is gone.
    fn end_idle(&self) {
        let idle_ns = u64::try_from(self.settings.idle.as_nanos()).unwrap_or(u64::MAX);
        let lifetime_ns = u64::try_from(self.settings.lifetime.as_nanos()).unwrap_or(u64::MAX);
        let now_ns = self.clock.elapsed_ns();
        for live in self.all_live() {
            if live.occupant.is_gone() {
                live.meter.end(Stop::Revoked);
            } else if live.meter.rests_ns() > idle_ns || now_ns.saturating_sub(live.begun_ns) > lifetime_ns {
                live.meter.end(Stop::Exceeded);
            }
        }
    }

    /// Records how often refusals were repeated, and forgets boxes that are gone.
    async fn tell_repeated(&self) {
        let now_ns = self.clock.elapsed_ns();
        let rooms: Vec<_> = locked(&self.rooms).values().cloned().collect();
        for room in rooms {
            for record in room.owed(now_ns) {
                let _ = self.gate.record(&room.occupant, record).await;
            }
        }
        locked(&self.rooms).retain(|_, room| !(room.occupant.is_gone() && room.is_empty()));
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
