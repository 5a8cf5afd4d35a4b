//! What a box needs of the host before anything of it is there: a user of its own, a place
//! where it is counted, a file system. Some are kept ready, as making them takes longer than
//! everything else. Must not know: what runs in a box.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aegis_model::boxes::BoxResources;

use super::cgroup::{Cgroup, Cgroups, Entry};
use super::disk::Disks;

/// How many different sizes are kept ready.
const SIZES_MAX: usize = 4;

/// How often a place that is still in use is tried again, and how long.
const REMOVE_AGAIN: Duration = Duration::from_millis(2);
const REMOVE_TRIES: usize = 2_500;

/// What a box needs of the host.
#[derive(Debug)]
pub struct Slot {
    /// The box's user and group on the host.
    pub host_id: u32,
    /// Where it is counted.
    pub cgroup: Cgroup,
    /// What the guest needs to be counted there.
    pub entry: Entry,
    /// Its file system; without one, it gets memory.
    pub disk: Option<OwnedFd>,
}

/// Where slots come from.
#[derive(Debug)]
pub struct Slots {
    cgroups: Cgroups,
    disks: Option<Disks>,
    ids: Ids,
    made: AtomicU64,
    ready_per_size: usize,
    ready: Mutex<BTreeMap<BoxResources, Vec<Slot>>>,
    wanted: tokio::sync::Notify,
    /// Held while one is made before anybody asks.
    making: tokio::sync::Mutex<()>,
    closed: AtomicBool,
}

/// Users that boxes have.
#[derive(Debug)]
pub enum Ids {
    /// Each box its own, from this number on.
    Range {
        /// The first.
        first: u32,
        /// How many.
        count: u32,
        /// Which of them are in use, from 0.
        taken: Mutex<BTreeSet<u32>>,
    },
    /// All the server's own.
    Own(u32),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking holder left is still whole: each change is a single step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Ids {
    fn take(&self) -> io::Result<u32> {
        match self {
            Self::Own(id) => Ok(*id),
            Self::Range { first, count, taken } => {
                let mut taken = lock(taken);
                let free = (0..*count).find(|id| !taken.contains(id));
                let id = free.ok_or_else(|| io::Error::other(format!("all {count} users for boxes are in use")))?;
                taken.insert(id);
                Ok(first + id)
            }
        }
    }

    fn give_back(&self, id: u32) {
        if let Self::Range { first, taken, .. } = self {
            lock(taken).remove(&id.saturating_sub(*first));
        }
    }
}

impl Slots {
    /// Makes slots from these.
    pub fn new(cgroups: Cgroups, disks: Option<Disks>, ids: Ids, ready_per_size: usize) -> Arc<Self> {
        Arc::new(Self {
            cgroups,
            disks,
            ids,
            made: AtomicU64::new(0),
            ready_per_size,
            ready: Mutex::new(BTreeMap::new()),
            wanted: tokio::sync::Notify::new(),
            making: tokio::sync::Mutex::default(),
            closed: AtomicBool::new(false),
        })
    }

    /// A slot of that size: one that is ready, or a new one.
    pub async fn take(self: &Arc<Self>, resources: BoxResources) -> io::Result<Slot> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(io::Error::other("the server is stopping"));
        }
        let size = BoxResources { lifetime_ms: 0, ..resources };
        let ready = lock(&self.ready).entry(size).or_default().pop();
        match ready {
            Some(slot) => Ok(slot),
            None => self.make(size).await,
        }
    }

    /// Now is a good moment to make slots: nobody waits for a box that is being made.
    pub fn refill(&self) {
        self.wanted.notify_one();
    }

    /// Keeps slots ready until everybody else has let go of them.
    pub async fn keep_ready(self: Arc<Self>) {
        loop {
            self.wanted.notified().await;
            if self.closed.load(Ordering::Relaxed) {
                return;
            }
            while let Some(size) = self.missing() {
                let _turn = self.making.lock().await;
                if self.closed.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(slot) = self.make(size).await else { break };
                lock(&self.ready).entry(size).or_default().push(slot);
                if self.closed.load(Ordering::Relaxed) {
                    return self.close();
                }
            }
        }
    }

    /// Takes back what a box needed, and waits until it is gone. The box itself is gone.
    pub async fn give_back(&self, host_id: u32, cgroup: &Cgroup) {
        remove(cgroup).await;
        self.ids.give_back(host_id);
    }

    /// Makes no more slots.
    pub fn make_no_more(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.wanted.notify_one();
    }

    /// Waits until the slot that is being made, if one is, is among those that are ready.
    pub async fn settled(&self) {
        drop(self.making.lock().await);
    }

    /// Makes no more slots, and gives back those that are ready.
    pub fn close(&self) {
        self.make_no_more();
        // Nobody ever was in them, so they are empty.
        for slot in std::mem::take(&mut *lock(&self.ready)).into_values().flatten() {
            slot.cgroup.remove();
        }
        self.cgroups.remove();
    }

    /// A size of which too few are ready. Sizes that nobody asked for lately are forgotten.
    fn missing(&self) -> Option<BoxResources> {
        let mut ready = lock(&self.ready);
        while ready.len() > SIZES_MAX {
            let empty = ready.iter().find(|(_, slots)| slots.is_empty()).map(|(size, _)| *size);
            match empty {
                Some(size) => ready.remove(&size),
                None => break,
            };
        }
        ready.iter().find(|(_, slots)| slots.len() < self.ready_per_size).map(|(size, _)| *size)
    }

    async fn make(self: &Arc<Self>, size: BoxResources) -> io::Result<Slot> {
        let slots = Arc::clone(self);
        tokio::task::spawn_blocking(move || slots.make_now(&size)).await.map_err(io::Error::other)?
    }

    fn make_now(&self, size: &BoxResources) -> io::Result<Slot> {
        let host_id = self.ids.take()?;
        let made = self.make_for(host_id, size);
        if made.is_err() {
            self.ids.give_back(host_id);
        }
        made
    }

    fn make_for(&self, host_id: u32, size: &BoxResources) -> io::Result<Slot> {
        let disk = self.disks.as_ref().map(|disks| disks.make(size.disk_bytes, host_id)).transpose()?;
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let cgroup = self.cgroups.make(&format!("box-{number}"), size)?;
        match cgroup.entry() {
            Ok(entry) => Ok(Slot { host_id, cgroup, entry, disk }),
            Err(error) => {
                cgroup.remove();
                Err(error)
            }
        }
    }
}

/// Removes a place as soon as the kernel has let go of those who were counted there.
#[expect(clippy::disallowed_methods, reason = "version 1 tells nobody when a place is empty")]
pub async fn remove(cgroup: &Cgroup) -> bool {
    for _ in 0..REMOVE_TRIES {
        if cgroup.remove() {
            return true;
        }
        tokio::time::sleep(REMOVE_AGAIN).await;
    }
    false
}
