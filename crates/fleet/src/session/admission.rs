//! Room on this machine: a box is made only when the memory and the processes it may use are
//! free, and whoever waits for room waits in turn, tenant by tenant.
//!
//! Must not know: what the room is for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aegis_model::boxes::BoxResources;
use aegis_model::{Code, Fault, TenantId};
use tokio::sync::oneshot;

/// What all boxes together may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// Boxes.
    pub boxes: u64,
    /// Memory.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}

impl Room {
    const NONE: Self = Self { boxes: 0, memory_bytes: 0, pids: 0 };

    fn of(resources: &BoxResources) -> Self {
        Self { boxes: 1, memory_bytes: resources.memory_bytes, pids: u64::from(resources.pids) }
    }

    const fn plus(self, other: Self) -> Self {
        Self {
            boxes: self.boxes.saturating_add(other.boxes),
            memory_bytes: self.memory_bytes.saturating_add(other.memory_bytes),
            pids: self.pids.saturating_add(other.pids),
        }
    }

    const fn minus(self, other: Self) -> Self {
        Self {
            boxes: self.boxes.saturating_sub(other.boxes),
            memory_bytes: self.memory_bytes.saturating_sub(other.memory_bytes),
            pids: self.pids.saturating_sub(other.pids),
        }
    }

    const fn fits(self, whole: Self) -> bool {
        self.boxes <= whole.boxes && self.memory_bytes <= whole.memory_bytes && self.pids <= whole.pids
    }
}

/// Somebody who waits.
struct Waiter {
    need: Room,
    told: oneshot::Sender<Place>,
}

#[derive(Default)]
struct Book {
    used: Option<Room>,
    waiting: BTreeMap<TenantId, VecDeque<Waiter>>,
    /// Whose turn was last.
    last: Option<TenantId>,
}

/// Gives out room.
pub struct Admission {
    whole: Room,
    waiting_max: usize,
    book: Mutex<Book>,
}

/// Room that is taken, until this is dropped.
pub struct Place {
    admission: Arc<Admission>,
    need: Room,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut told = self.admission.release(self.need);
        // Whoever was told and does not listen any more gives its place back in turn.
        while let Some((waiter, place)) = told.pop() {
            let _ = waiter.send(place);
        }
    }
}

impl Admission {
    /// Gives out `whole`; at most `waiting_max` wait at a time.
    pub fn new(whole: Room, waiting_max: usize) -> Arc<Self> {
        Arc::new(Self { whole, waiting_max, book: Mutex::default() })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // What a panicking holder left is still whole: each change is a single step.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for room for one box. Dropping the future gives up the place in the queue.
    ///
    /// # Errors
    /// `Overloaded` when too many wait already, `Validation` when such a box can never fit.
    pub async fn admit(self: &Arc<Self>, tenant: &TenantId, resources: &BoxResources) -> Result<Place, Fault> {
        let need = Room::of(resources);
        if !need.fits(self.whole) {
            let rule = "the agent asks for more memory or processes than this server gives to all boxes together";
            return Err(Fault::new(Code::Validation, rule).at("/spec/resources"));
        }
        let listening = {
            let mut book = self.book();
            let used = book.used.unwrap_or(Room::NONE);
            // Nobody overtakes.
            if book.waiting.is_empty() && used.plus(need).fits(self.whole) {
                book.used = Some(used.plus(need));
                return Ok(self.place(need));
            }
            let waiting: usize = book.waiting.values().map(VecDeque::len).sum();
            if waiting >= self.waiting_max {
                let full = "all boxes that this server can have are in use, and as many wait as may";
                return Err(Fault::new(Code::Overloaded, full).with("retry_after_ms", 1_000));
            }
            let (told, listening) = oneshot::channel();
            book.waiting.entry(tenant.clone()).or_default().push_back(Waiter { need, told });
            listening
        };
        listening.await.map_err(Fault::internal)
    }

    fn place(self: &Arc<Self>, need: Room) -> Place {
        Place { admission: Arc::clone(self), need }
    }

    /// Room for one more box without waiting, and without taking it from anybody who waits.
    pub fn spare(self: &Arc<Self>, resources: &BoxResources) -> Option<Place> {
        let need = Room::of(resources);
        let mut book = self.book();
        let used = book.used.unwrap_or(Room::NONE);
        if !book.waiting.is_empty() || !used.plus(need).fits(self.whole) {
            return None;
        }
        book.used = Some(used.plus(need));
        Some(self.place(need))
    }

    /// Takes room back, and gives it to those whose turn it is.
    fn release(self: &Arc<Self>, need: Room) -> Vec<(oneshot::Sender<Place>, Place)> {
        let mut book = self.book();
        let mut used = book.used.unwrap_or(Room::NONE).minus(need);
        let mut told = Vec::new();
        while let Some(waiter) = book.next(|need| used.plus(need).fits(self.whole)) {
            used = used.plus(waiter.need);
            told.push((waiter.told, self.place(waiter.need)));
        }
        book.used = Some(used);
        told
    }
}

impl Book {
    /// The next to be served: the first of the tenant after the one that was served last. If
    /// its need does not fit, nobody else is served before it.
    fn next(&mut self, fits: impl Fn(Room) -> bool) -> Option<Waiter> {
        loop {
            let after = self.last.as_ref().and_then(|last| {
                let later = (std::ops::Bound::Excluded(last.clone()), std::ops::Bound::Unbounded);
                self.waiting.range(later).next().map(|(tenant, _)| tenant.clone())
            });
            let tenant = after.or_else(|| self.waiting.keys().next().cloned())?;
            let queue = self.waiting.get_mut(&tenant)?;
            // Those that gave up meanwhile.
            while queue.front().is_some_and(|waiter| waiter.told.is_closed()) {
                queue.pop_front();
            }
            let Some(first) = queue.front() else {
                self.waiting.remove(&tenant);
                continue;
            };
            if !fits(first.need) {
                return None;
            }
            let waiter = queue.pop_front();
            if queue.is_empty() {
                self.waiting.remove(&tenant);
            }
            self.last = Some(tenant);
            return waiter;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn tenant(name: &str) -> TenantId {
        name.parse().unwrap()
    }

    fn need() -> BoxResources {
        BoxResources { memory_bytes: 10, pids: 1, ..BoxResources::default() }
    }

    fn of(boxes: u64, waiting: usize) -> Arc<Admission> {
        Admission::new(Room { boxes, memory_bytes: 1_000, pids: 1_000 }, waiting)
    }

    #[tokio::test]
    async fn room_is_given_back_and_given_on() {
        let admission = of(1, 10);
        let first = admission.admit(&tenant("a"), &need()).await.unwrap();
        assert!(admission.spare(&need()).is_none());
        let waiting = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.admit(&tenant("a"), &need()).await }
        });
        tokio::task::yield_now().await;
        drop(first);
        drop(waiting.await.unwrap().unwrap());
        assert!(admission.spare(&need()).is_some());
    }

    #[tokio::test]
    async fn tenants_take_turns() {
        let admission = of(1, 100);
        let held = admission.admit(&tenant("z"), &need()).await.unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for name in ["a", "a", "a", "b", "b", "c"] {
            let (admission, order) = (Arc::clone(&admission), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let place = admission.admit(&tenant(name), &need()).await.unwrap();
                order.lock().unwrap().push(name);
                drop(place);
            }));
            tokio::task::yield_now().await;
        }
        drop(held);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), ["a", "b", "c", "a", "b", "a"]);
    }

    #[tokio::test]
    async fn who_gives_up_leaves_the_queue() {
        let admission = of(1, 10);
        let held = admission.admit(&tenant("a"), &need()).await.unwrap();
        let impatient = tokio::time::timeout(Duration::from_millis(5), admission.admit(&tenant("a"), &need())).await;
        assert!(impatient.is_err());
        drop(held);
        drop(admission.admit(&tenant("b"), &need()).await.unwrap());
    }

    #[tokio::test]
    async fn a_full_queue_says_so_and_a_box_larger_than_the_machine_is_refused() {
        let admission = of(1, 0);
        let _held = admission.admit(&tenant("a"), &need()).await.unwrap();
        let full = admission.admit(&tenant("a"), &need()).await.err().unwrap();
        assert_eq!(full.code(), Code::Overloaded);
        let large = BoxResources { memory_bytes: 1_001, ..need() };
        assert_eq!(admission.admit(&tenant("a"), &large).await.err().unwrap().code(), Code::Validation);
    }
}
