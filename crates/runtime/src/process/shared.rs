//! What is known of one box, shared by its handle and the task that attends to it.

use std::collections::HashMap;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use aegis_door::{Dialogue, Ended, Failure, FileFailure, JobId, ProcessId, ToHost, Violation};
use aegis_model::boxes::{BoxEnd, BoxError, Ending, Exit};
use aegis_model::life::box_cycle::{Event, State};
use rustix::process::Signal;
use tokio::io::unix::AsyncFd;
use tokio::sync::{oneshot, watch};

use super::cgroup::Cgroup;
use super::channel::Channel;
use super::connection::Places;
use super::openings::Opened;
use super::streams::Counts;
use super::tally::Counted;

/// How a program is getting on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The guest was asked to start it.
    Asked,
    /// It runs.
    Started,
    /// It could not be started.
    Failed(Failure),
    /// It has ended.
    Ended(Ending),
}

/// What the guest was asked, and who waits for its answers.
#[derive(Debug, Default)]
struct Talk {
    dialogue: Dialogue,
    programs: HashMap<ProcessId, watch::Sender<Progress>>,
    jobs: HashMap<JobId, oneshot::Sender<Option<FileFailure>>>,
    connects: HashMap<JobId, oneshot::Sender<Handed>>,
}

/// A connection that the guest handed over, or what the kernel said when it made it.
pub type Handed = Result<OwnedFd, i32>;

/// What a box holds of the host while it lives.
#[derive(Debug)]
pub struct Held {
    /// Its file system.
    pub disk: Option<OwnedFd>,
    /// Its place among those that live, until this is dropped.
    pub _counted: Counted,
}

/// What is known of one box.
#[derive(Debug)]
pub struct Shared {
    /// The control stream.
    pub channel: Channel,
    /// Where it is counted.
    pub cgroup: Cgroup,
    /// Its user on the host.
    pub host_id: u32,
    /// Bytes that passed its door.
    pub counts: Arc<Counts>,
    /// Connections into it.
    pub connections: Places,
    /// Streams that something in it opened.
    pub opened: Opened,
    /// Why it is gone, once it is.
    pub end: watch::Sender<Option<BoxEnd>>,
    process: OnceLock<AsyncFd<OwnedFd>>,
    held: Mutex<Option<Held>>,
    state: Mutex<State>,
    intent: Mutex<Option<BoxEnd>>,
    talk: Mutex<Talk>,
    numbers: AtomicU32,
    out_of_memory: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panicking holder left is still whole: each change is a single step.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// A box that is about to be set up.
    pub fn new(channel: Channel, cgroup: Cgroup, host_id: u32, held: Held) -> Self {
        Self {
            channel,
            cgroup,
            host_id,
            counts: Arc::default(),
            connections: Places::default(),
            opened: Opened::default(),
            end: watch::Sender::new(None),
            process: OnceLock::new(),
            held: Mutex::new(Some(held)),
            state: Mutex::new(State::Cold),
            intent: Mutex::new(None),
            talk: Mutex::default(),
            numbers: AtomicU32::new(0),
            out_of_memory: AtomicU64::new(0),
        }
    }

    /// Where it is in its life.
    pub fn state(&self) -> State {
        *lock(&self.state)
    }

    /// Something happens to it.
    pub fn step(&self, event: Event) -> Result<State, BoxError> {
        let mut state = lock(&self.state);
        match state.step(event) {
            Ok((next, _)) => {
                *state = next;
                Ok(next)
            }
            Err(_) => Err(BoxError::State(state.as_str())),
        }
    }

    /// A new number for a program or a piece of work.
    pub fn number(&self) -> u32 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Expects a program to be started.
    pub fn expect_program(&self, process: ProcessId) -> watch::Receiver<Progress> {
        let (told, progress) = watch::channel(Progress::Asked);
        let mut talk = lock(&self.talk);
        talk.dialogue.ask_program(process);
        talk.programs.insert(process, told);
        progress
    }

    /// How many programs run or are being started.
    pub fn programs(&self) -> usize {
        lock(&self.talk).dialogue.programs()
    }

    /// Expects a piece of work to be done.
    pub fn expect_job(&self, job: JobId) -> oneshot::Receiver<Option<FileFailure>> {
        let (told, done) = oneshot::channel();
        let mut talk = lock(&self.talk);
        talk.dialogue.ask_job(job);
        talk.jobs.insert(job, told);
        done
    }

    /// Expects a connection to be handed over.
    pub fn expect_connection(&self, job: JobId) -> oneshot::Receiver<Handed> {
        let (told, handed) = oneshot::channel();
        let mut talk = lock(&self.talk);
        talk.dialogue.ask_connect(job);
        talk.connects.insert(job, told);
        handed
    }

    /// The guest could not be asked that.
    pub fn take_back(&self, number: u32) {
        let mut talk = lock(&self.talk);
        talk.dialogue.take_back(number);
        talk.programs.remove(&number);
        talk.jobs.remove(&number);
        talk.connects.remove(&number);
    }

    /// Takes in what the box says, and tells whoever waits for it. What came beside it and
    /// nobody waits for is closed by letting go of it.
    ///
    /// # Errors
    /// When it cannot say that now.
    pub fn hear(&self, message: &ToHost, beside: Vec<OwnedFd>) -> Result<(), Violation> {
        lock(&self.talk).dialogue.hear(message)?;
        match message {
            ToHost::Started { process } => self.tell(*process, Progress::Started),
            ToHost::StartFailed { process, failure } => self.tell(*process, Progress::Failed(*failure)),
            ToHost::Exited { process, ended, timed_out, cpu_us, memory_peak_bytes } => {
                let exit = self.exit(*ended, *timed_out);
                let ending = Ending { exit, cpu_us: *cpu_us, memory_peak_bytes: *memory_peak_bytes };
                self.tell(*process, Progress::Ended(ending));
            }
            ToHost::Done { job, failure } => {
                let waiting = lock(&self.talk).jobs.remove(job);
                // Whoever asked may have gone.
                let _ = waiting.map(|waiting| waiting.send(*failure));
            }
            ToHost::Connected { job } => {
                let handed = beside.into_iter().next().ok_or(libc::EMFILE);
                self.hand_on(*job, handed);
            }
            ToHost::ConnectFailed { job, errno } => self.hand_on(*job, Err(*errno)),
            ToHost::Open { kinds } => {
                kinds.iter().zip(beside).for_each(|(kind, stream)| self.opened.offer(kind.clone(), stream));
            }
            ToHost::Resolve { question, name } => self.opened.ask(*question, name.clone()),
            ToHost::Entered { .. } | ToHost::Ready | ToHost::SetupFailed { .. } => {}
        }
        Ok(())
    }

    fn hand_on(&self, job: JobId, handed: Handed) {
        let waiting = lock(&self.talk).connects.remove(&job);
        // Whoever asked may have gone; the connection is closed then.
        let _ = waiting.map(|waiting| waiting.send(handed));
    }

    fn tell(&self, process: ProcessId, progress: Progress) {
        let mut talk = lock(&self.talk);
        if let Some(program) = talk.programs.get(&process) {
            program.send_replace(progress);
        }
        if progress != Progress::Started {
            talk.programs.remove(&process);
        }
    }

    /// How a program ended. A kill that nobody ordered, when memory ran out since the last one,
    /// was the kernel's.
    fn exit(&self, ended: Ended, timed_out: bool) -> Exit {
        match ended {
            _ if timed_out => Exit::TimedOut,
            Ended::Signal(signal) if i32::from(signal) == libc::SIGKILL => {
                let now = self.cgroup.out_of_memory();
                let before = self.out_of_memory.swap(now, Ordering::Relaxed);
                if now > before { Exit::OutOfMemory } else { Exit::Signal(signal) }
            }
            Ended::Signal(signal) => Exit::Signal(signal),
            Ended::Code(code) => Exit::Code(code),
        }
    }

    /// From now on, it ends for this reason, unless there was one before.
    pub fn intend(&self, end: BoxEnd) {
        lock(&self.intent).get_or_insert(end);
    }

    /// Why it was to end, if anybody wanted that.
    pub fn intent(&self) -> Option<BoxEnd> {
        *lock(&self.intent)
    }

    /// Its first process is this one.
    pub fn enter(&self, process: AsyncFd<OwnedFd>) {
        let _ = self.process.set(process);
    }

    /// Its first process, once it has one.
    pub fn process(&self) -> Option<&AsyncFd<OwnedFd>> {
        self.process.get()
    }

    /// Ends its first process, and with it everything in it.
    pub fn kill_now(&self) {
        if let Some(process) = self.process() {
            let _ = rustix::process::pidfd_send_signal(process.get_ref(), Signal::KILL);
            // Whoever is frozen cannot die on machines that count in version 1.
            let _ = self.cgroup.freeze(false);
        }
    }

    /// Its disk, while it has one.
    pub fn disk(&self) -> Option<OwnedFd> {
        lock(&self.held).as_ref().and_then(|held| held.disk.as_ref()).and_then(|disk| disk.try_clone().ok())
    }

    /// Bytes taken on its disk.
    pub fn disk_bytes(&self) -> u64 {
        let Some(disk) = self.disk() else { return 0 };
        let Ok(about) = rustix::fs::fstatvfs(disk.as_fd()) else { return 0 };
        about.f_blocks.saturating_sub(about.f_bfree).saturating_mul(about.f_frsize)
    }

    /// Lets go of what it held of the host.
    pub fn release(&self) {
        lock(&self.held).take();
    }

    /// It is gone: whoever waits learns of it.
    pub fn close(&self, end: BoxEnd) {
        let ending = Ending { exit: Exit::BoxEnded(end), cpu_us: 0, memory_peak_bytes: 0 };
        let mut talk = lock(&self.talk);
        for (_, program) in talk.programs.drain() {
            program.send_replace(Progress::Ended(ending));
        }
        talk.jobs.clear();
        talk.connects.clear();
        self.opened.close();
    }
}
