//! Boxes that are ready before anybody asks: whole, isolated, their agent started and waiting
//! for input. Each serves one session and is gone with it.
//!
//! Must not know: who will get them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use aegis_model::life::box_cycle::State;
use aegis_model::port::{Door, LiveBox, Occupant};
use aegis_model::{AgentName, TenantId};

use super::admission::{Admission, Place};
use super::door;
use super::live::with_agent;
use super::plan::SessionPlan;
use super::warmth::Warmer;
use crate::Tiers;

/// A box that waits longer is replaced by a fresh one.
const AGE_MAX_NS: u64 = 10 * 60 * 1_000_000_000;
/// A box that was taken is replaced after so long.
const REFILL_AFTER: Duration = Duration::from_millis(20);
/// How often is looked after the boxes that wait.
const LOOK_EVERY: Duration = Duration::from_secs(15);

/// Whose agent it is.
type Whose = (TenantId, AgentName);

/// A box that waits.
struct Ready {
    live: Arc<dyn LiveBox>,
    place: Place,
    occupant: Arc<Occupant>,
    made_ns: u64,
}

/// The boxes of one version of an agent.
struct Shelf {
    version: u64,
    plan: Arc<SessionPlan>,
    ready: Vec<Ready>,
    filling: bool,
}

/// The boxes that are ready.
pub(crate) struct Pools {
    tiers: Tiers,
    admission: Arc<Admission>,
    warmer: Warmer,
    door: Arc<dyn Door>,
    shelves: Mutex<HashMap<Whose, Shelf>>,
}

impl Pools {
    /// No box is ready yet.
    pub fn new(tiers: Tiers, admission: Arc<Admission>, warmer: Warmer, door: Arc<dyn Door>) -> Arc<Self> {
        let pools = Arc::new(Self { tiers, admission, warmer, door, shelves: Mutex::default() });
        tokio::spawn(tend(Arc::downgrade(&pools)));
        pools
    }

    fn shelves(&self) -> MutexGuard<'_, HashMap<Whose, Shelf>> {
        // What a panicking holder left is still whole: each change is a single step.
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps boxes of that version ready from now on, and of no other version of the agent.
    pub fn keep(self: &Arc<Self>, whose: Whose, version: u64, plan: &Arc<SessionPlan>) {
        let outdated = {
            let mut shelves = self.shelves();
            match shelves.get(&whose) {
                Some(shelf) if shelf.version == version => Vec::new(),
                Some(_) | None if plan.warm == 0 => shelves.remove(&whose).into_iter().collect(),
                _ => {
                    let shelf = Shelf { version, plan: Arc::clone(plan), ready: Vec::new(), filling: false };
                    shelves.insert(whose.clone(), shelf).into_iter().collect()
                }
            }
        };
        discard(outdated.into_iter().flat_map(|shelf| shelf.ready));
        self.refill(&whose);
    }

    /// A box of that version that is well, if one is ready, and who lives in it.
    pub fn take(self: &Arc<Self>, whose: &Whose, version: u64) -> Option<(Arc<dyn LiveBox>, Place, Arc<Occupant>)> {
        let (found, unfit) = {
            let mut shelves = self.shelves();
            let shelf = shelves.get_mut(whose).filter(|shelf| shelf.version == version)?;
            let now = self.warmer.clock.elapsed_ns();
            let mut unfit = Vec::new();
            let mut found = None;
            // The one that waits longest is the warmest, and the next to be too old.
            while found.is_none() && !shelf.ready.is_empty() {
                let first = shelf.ready.remove(0);
                if is_fit(&first, now) { found = Some(first) } else { unfit.push(first) }
            }
            (found, unfit)
        };
        discard(unfit);
        self.refill_soon(whose);
        found.map(|ready| (ready.live, ready.place, ready.occupant))
    }

    /// Gives up a box that is ready, so that somebody who waits has room.
    pub fn give_way(&self) -> bool {
        let given = {
            let mut shelves = self.shelves();
            let fullest = shelves.values_mut().max_by_key(|shelf| shelf.ready.len());
            fullest.and_then(|shelf| shelf.ready.pop())
        };
        let any = given.is_some();
        discard(given);
        any
    }

    /// Keeps no boxes of these agents ready any more.
    pub fn drop_all(&self, which: impl Fn(&TenantId, &AgentName) -> bool) {
        let dropped: Vec<Shelf> = {
            let mut shelves = self.shelves();
            let chosen: Vec<Whose> = shelves.keys().filter(|(tenant, agent)| which(tenant, agent)).cloned().collect();
            chosen.iter().filter_map(|whose| shelves.remove(whose)).collect()
        };
        discard(dropped.into_iter().flat_map(|shelf| shelf.ready));
    }

    /// Makes what is missing when whoever just took a box has had its processors for a while.
    #[expect(clippy::disallowed_methods, reason = "the pause is the point")]
    fn refill_soon(self: &Arc<Self>, whose: &Whose) {
        let (pools, whose) = (Arc::downgrade(self), whose.clone());
        tokio::spawn(async move {
            tokio::time::sleep(REFILL_AFTER).await;
            if let Some(pools) = pools.upgrade() {
                pools.refill(&whose);
            }
        });
    }

    /// Makes what is missing, in the background and one after the other.
    fn refill(self: &Arc<Self>, whose: &Whose) {
        {
            let mut shelves = self.shelves();
            match shelves.get_mut(whose) {
                Some(shelf) if !shelf.filling && shelf.ready.len() < shelf.plan.warm => shelf.filling = true,
                _ => return,
            }
        }
        let (pools, whose) = (Arc::clone(self), whose.clone());
        tokio::spawn(async move {
            while pools.fill_one(&whose).await {}
            if let Some(shelf) = pools.shelves().get_mut(&whose) {
                shelf.filling = false;
            }
        });
    }

    /// Makes one box if one is missing and there is room; says whether to go on.
    async fn fill_one(&self, whose: &Whose) -> bool {
        let (version, plan) = match self.shelves().get(whose) {
            Some(shelf) if shelf.ready.len() < shelf.plan.warm => (shelf.version, Arc::clone(&shelf.plan)),
            _ => return false,
        };
        let Ok(runtime) = self.tiers.of(plan.isolation) else { return false };
        let Some(place) = self.admission.spare(&plan.plan.resources) else { return false };
        let Ok(live) = runtime.create(with_agent(&plan)).await else { return false };
        let (tenant, agent) = whose.clone();
        let occupant = Arc::new(Occupant::new(tenant, (agent, version), runtime.isolation().as_str()));
        door::serve(&self.door, &*live, &occupant);
        let warmed = self.warmer.warm_up(&live, &plan).await.is_ok();
        let ready = Ready { live, place, occupant, made_ns: self.warmer.clock.elapsed_ns() };
        if !warmed {
            // Whoever comes gets a fresh box, and hears from it what is wrong.
            discard([ready]);
            return false;
        }
        let mut shelves = self.shelves();
        match shelves.get_mut(whose) {
            Some(shelf) if shelf.version == version => {
                shelf.ready.push(ready);
                true
            }
            // It is not wanted any more.
            _ => {
                discard([ready]);
                false
            }
        }
    }

    /// Replaces what has ended or is too old.
    fn look(self: &Arc<Self>) {
        let now = self.warmer.clock.elapsed_ns();
        let mut unfit = Vec::new();
        let all: Vec<Whose> = {
            let mut shelves = self.shelves();
            for shelf in shelves.values_mut() {
                let (fit, gone) = std::mem::take(&mut shelf.ready).into_iter().partition(|ready| is_fit(ready, now));
                shelf.ready = fit;
                let gone: Vec<Ready> = gone;
                unfit.extend(gone);
            }
            shelves.keys().cloned().collect()
        };
        discard(unfit);
        for whose in all {
            self.refill(&whose);
        }
    }
}

fn is_fit(ready: &Ready, now: u64) -> bool {
    ready.live.state() == State::Warm && now.saturating_sub(ready.made_ns) < AGE_MAX_NS
}

/// Ends boxes that nobody gets, and gives their room back when they are gone.
fn discard(boxes: impl IntoIterator<Item = Ready>) {
    for ready in boxes {
        tokio::spawn(async move {
            ready.live.kill().await;
            drop(ready.place);
        });
    }
}

/// Looks after the boxes for as long as somebody else knows them.
#[expect(clippy::disallowed_methods, reason = "a chore that waits for its time")]
async fn tend(pools: Weak<Pools>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(pools) = pools.upgrade() else { return };
        pools.look();
    }
}
