//! Making boxes. Must not know: how a step of it is done.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use aegis_door::{Descriptors, Setup, ToGuest};
use aegis_model::boxes::{BoxCounts, BoxEnd, BoxError, BoxPlan, Program, RootPlan};
use aegis_model::life::box_cycle::Event;
use aegis_model::manifest::Isolation;
use aegis_model::port::{LiveBox, Runtime};
use async_trait::async_trait;

use super::cgroup::{Cgroups, Entry};
use super::channel::Channel;
use super::disk::Disks;
use super::hearing::{failed, hear_out, wait_for};
use super::live::{ProcessBox, ask};
use super::root::{self, Root};
use super::shared::{Held, Shared};
use super::slot::{Ids, Slot, Slots};
use super::spawn::Spawner;
use super::tally::Tally;
use super::{Settings, attend, leftovers, plan};

/// How long a box may take to be set up.
const SETUP_TIME: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 20 });

/// How often is looked whether the last box is gone.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// Users of boxes begin here: above what systems give to people, containers and services.
const HOST_IDS_FROM: u32 = 0x7000_0000;
/// Up to this many boxes that are gone are remembered.
const FORGET_FROM: usize = 64;

/// Users per server; servers of other directories have other ones.
const HOST_IDS: u32 = 4_096;

/// Boxes that are sealed processes.
pub struct ProcessRuntime {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    privileged: bool,
    slots: Arc<Slots>,
    spawner: Spawner,
    roots: Mutex<BTreeMap<RootPlan, Root>>,
    tally: Arc<Tally>,
    boxes: Mutex<Vec<Weak<Shared>>>,
}

fn absent(reason: String) -> BoxError {
    BoxError::Absent { isolation: Isolation::Process, reason }
}

fn no_room(error: &io::Error) -> BoxError {
    BoxError::NoRoom(error.to_string())
}

impl ProcessRuntime {
    /// Opens the place where boxes are made, and clears away what a server before this one
    /// left there.
    ///
    /// # Errors
    /// When this machine or this user cannot have such boxes; the reason is named.
    pub async fn open(settings: Settings) -> Result<Self, BoxError> {
        let instance = instance(&settings.directory).map_err(|error| absent(error.to_string()))?;
        let cgroups = Cgroups::find(&instance.name).map_err(absent)?;
        super::survey::required().map_err(absent)?;
        leftovers::clear(&cgroups).await.map_err(absent)?;
        let privileged = rustix::process::geteuid().is_root();
        let directory = settings.directory.join("disks");
        let disks = tokio::task::spawn_blocking(move || Disks::open(&directory).ok()).await.unwrap_or_default();
        let ids = if privileged {
            Ids::Range { first: instance.first_id, count: HOST_IDS, taken: Mutex::default() }
        } else {
            Ids::Own(rustix::process::geteuid().as_raw())
        };
        let slots = Slots::new(cgroups, disks, ids, settings.ready_per_size);
        tokio::spawn(Arc::clone(&slots).keep_ready());
        let spawner = Spawner::start().map_err(|error| absent(error.to_string()))?;
        let _ = fs::remove_dir_all(settings.directory.join("roots"));
        let (roots, boxes) = (Mutex::default(), Mutex::default());
        let tally = Arc::default();
        Ok(Self { inner: Arc::new(Inner { settings, privileged, slots, spawner, roots, tally, boxes }) })
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.slots.close();
    }
}

/// What is a server's own on its machine.
struct Instance {
    name: String,
    first_id: u32,
}

/// Two servers never share a directory, so its path tells them apart.
fn instance(directory: &Path) -> io::Result<Instance> {
    use sha2::{Digest, Sha256};

    fs::create_dir_all(directory)?;
    let path = directory.canonicalize()?;
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    let number = digest.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    let block = u32::try_from(number % 0xF000).unwrap_or_default();
    Ok(Instance { name: format!("{number:016x}"), first_id: HOST_IDS_FROM + block * HOST_IDS })
}

#[async_trait]
impl Runtime for ProcessRuntime {
    fn isolation(&self) -> Isolation {
        Isolation::Process
    }

    async fn create(&self, plan: BoxPlan) -> Result<Arc<dyn LiveBox>, BoxError> {
        plan::check(&plan)?;
        // On a task of its own: whoever asks may stop waiting, the box is finished or undone.
        let clock = &self.inner.settings.clock;
        let begun = clock.elapsed_ns();
        let making = tokio::spawn(Arc::clone(&self.inner).create(plan));
        let made = making.await.unwrap_or(Err(BoxError::Ended(BoxEnd::Crashed)));
        self.inner.tally.tried(made.is_ok(), clock.elapsed_ns().saturating_sub(begun));
        Ok(Arc::new(made?))
    }

    fn counts(&self) -> BoxCounts {
        self.inner.tally.counts()
    }

    async fn kill_all(&self) {
        let boxes: Vec<Arc<Shared>> = {
            let mut boxes = self.inner.boxes.lock().unwrap_or_else(PoisonError::into_inner);
            boxes.drain(..).filter_map(|shared| shared.upgrade()).collect()
        };
        for shared in &boxes {
            shared.intend(BoxEnd::Killed);
            shared.kill_now();
        }
        for shared in &boxes {
            let mut end = shared.end.subscribe();
            let _ = end.wait_for(Option::is_some).await;
        }
    }

    #[expect(clippy::disallowed_methods, reason = "nobody tells when the last box is gone")]
    async fn close(&self) {
        self.inner.slots.make_no_more();
        self.kill_all().await;
        // Those that were being made are not among the boxes yet.
        let _late = tokio::time::timeout(SETUP_TIME, async {
            while self.alive() > 0 {
                tokio::time::sleep(LOOK_AGAIN).await;
                self.kill_all().await;
            }
        })
        .await;
        self.inner.slots.settled().await;
        self.inner.slots.close();
    }
}

/// What a box begins with.
struct Opening {
    setup: Setup,
    entry: Entry,
    guest: OwnedFd,
}

impl Inner {
    async fn create(self: Arc<Self>, plan: BoxPlan) -> Result<ProcessBox, BoxError> {
        let most = self.settings.boxes_max;
        let full = || BoxError::NoRoom(format!("{most} boxes live already"));
        let counted = self.tally.one_more(most).ok_or_else(full)?;
        let root = self.root(&plan.root)?;
        let slot = self.slots.take(plan.resources).await.map_err(|error| no_room(&error))?;
        let Slot { host_id, cgroup, entry, disk } = slot;
        let (channel, guest) = match Channel::pair() {
            Ok(pair) => pair,
            Err(error) => {
                drop(disk);
                self.slots.give_back(host_id, &cgroup).await;
                return Err(no_room(&error));
            }
        };
        let descriptors = Descriptors {
            cgroups: u8::try_from(entry.files.len()).unwrap_or(u8::MAX),
            birth_cgroup: entry.directory.is_some(),
            file_system: disk.is_some(),
        };
        let host = plan::Host { privileged: self.privileged, id: host_id, descriptors };
        let setup = plan::setup(&plan, &root, host);
        let shared = Arc::new(Shared::new(channel, cgroup, host_id, Held { disk, _counted: counted }));
        let made = self.begin(&shared, Opening { setup, entry, guest }, plan.agent).await;
        self.slots.refill();
        if made.is_err() {
            shared.intend(BoxEnd::Crashed);
            attend::clear(&shared, &self.slots).await;
            return made;
        }
        self.remember(&shared);
        let clock = Arc::clone(&self.settings.clock);
        let (slots, tally, lifetime_ms) =
            (Arc::clone(&self.slots), Arc::clone(&self.tally), plan.resources.lifetime_ms);
        tokio::spawn(async move { tally.ended(attend::attend(shared, slots, clock, lifetime_ms).await) });
        made
    }

    /// Says everything that is to be said, starts the guest, and hears it out.
    async fn begin(
        &self,
        shared: &Arc<Shared>,
        opening: Opening,
        agent: Option<Program>,
    ) -> Result<ProcessBox, BoxError> {
        let Opening { setup, entry, guest } = opening;
        {
            let disk = shared.disk();
            let beside: Vec<BorrowedFd<'_>> =
                entry.files.iter().chain(&entry.directory).chain(disk.as_ref()).map(AsFd::as_fd).collect();
            say(shared, &ToGuest::Setup(Box::new(setup)), &beside).await?;
        }
        drop(entry);
        // The guest finds it when the box stands; nobody has to wait for that twice.
        let mut asked = agent.map(|agent| ask(shared, agent)).transpose()?;
        if let Some(asked) = &mut asked {
            let beside = std::mem::take(&mut asked.beside);
            say(shared, &asked.message, &beside.iter().map(AsFd::as_fd).collect::<Vec<_>>()).await?;
        }
        let mut stage0 = self.spawner.spawn(guest).await.map_err(|error| no_room(&error))?;
        let heard = tokio::time::timeout(SETUP_TIME, hear_out(shared, &*self.settings.clock, asked.as_ref())).await;
        wait_for(&mut stage0, heard.as_ref().is_ok_and(Result::is_ok)).await;
        let too_slow = |_| failed("setting up", "it takes too long");
        heard.map_err(too_slow)??;
        let agent = match asked {
            Some(asked) => Some(asked.started().await?),
            None => None,
        };
        shared.step(Event::Prepared)?;
        Ok(ProcessBox::new(Arc::clone(shared), agent))
    }

    fn root(&self, plan: &RootPlan) -> Result<Root, BoxError> {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(root) = roots.get(plan) {
            return Ok(root.clone());
        }
        if let RootPlan::Directory(given) = plan
            && !given.is_dir()
        {
            return Err(BoxError::Unacceptable(format!("its root `{}` is not a directory", given.display())));
        }
        let directory = self.settings.directory.join("roots").join(roots.len().to_string());
        let root = root::make(&directory, plan).map_err(|error| no_room(&error))?;
        roots.insert(plan.clone(), root.clone());
        Ok(root)
    }

    fn remember(&self, shared: &Arc<Shared>) {
        let mut boxes = self.boxes.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that are gone are forgotten now and then, not each at its end.
        if boxes.len() > 2 * self.tally.alive() + FORGET_FROM {
            boxes.retain(|shared| shared.strong_count() > 0);
        }
        boxes.push(Arc::downgrade(shared));
    }
}

async fn say(shared: &Shared, message: &ToGuest, beside: &[BorrowedFd<'_>]) -> Result<(), BoxError> {
    shared.channel.say(message, beside).await.map_err(|error| no_room(&error))
}

#[cfg(test)]
#[path = "hostile_tests.rs"]
mod hostile_tests;
