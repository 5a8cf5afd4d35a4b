//! The box's first process: it starts what the host asks for, carries bytes between programs
//! and the door, ends what runs too long, takes in orphans, and ends with the door. One
//! thread, one loop, nothing that blocks.
//!
//! Must not know: what a program is for; whether it should be started.

mod connect;
mod events;
mod files;
mod names;
mod process;
mod program;
mod pump;
mod reap;
mod ways;

use std::collections::BTreeMap;
use std::os::fd::{AsFd, OwnedFd};

use aegis_door::{FileFailure, JobId, ProcessId, ToGuest, ToHost};
use rustix::io::Errno;
use rustix::process::Signal;
use rustix::time::{ClockId, clock_gettime};

use crate::control::{Control, Received};
use crate::stage0::Standing;
use events::{Events, Woken};
use names::Names;
use process::Process;
use pump::{Flow, Pump};
use ways::Ways;

/// The door closed, or the host asked for the end.
const EXIT_ENDED: u8 = 0;
/// The box lived as long as it may.
const EXIT_LIFETIME: u8 = 3;
/// The machine does not let the loop go on.
const EXIT_BROKEN: u8 = 4;

/// Messages that are taken in before the pumps get their turn again.
const MESSAGES_AT_ONCE: usize = 16;

/// Everything that goes on in the box.
pub struct Init {
    control: Control,
    directory: String,
    events: Events,
    children: OwnedFd,
    ways: Ways,
    names: Names,
    processes: BTreeMap<ProcessId, Process>,
    jobs: BTreeMap<i32, JobId>,
    pumps: BTreeMap<u64, Pump>,
    pumps_made: u64,
    lifetime_ends_ns: Option<u64>,
    grace_ends_ns: Option<u64>,
    ended: Option<u8>,
}

/// Nanoseconds since some moment.
fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000_000).saturating_add(u64::try_from(now.tv_nsec).unwrap_or_default())
}

fn after_ms(now: u64, span_ms: u64) -> u64 {
    now.saturating_add(span_ms.saturating_mul(1_000_000))
}

impl Init {
    /// Ready to take the host's messages.
    pub fn new(control: Control, standing: Standing) -> Result<Self, Errno> {
        let events = Events::new()?;
        let children = reap::announcements()?;
        let ways = Ways::new(&events)?;
        let names = Names::new(&events)?;
        events.watch(control.descriptor(), Woken::Control)?;
        events.watch(children.as_fd(), Woken::Children)?;
        let lifetime_ends_ns = (standing.lifetime_ms > 0).then(|| after_ms(now_ns(), standing.lifetime_ms));
        Ok(Self {
            control,
            directory: standing.directory,
            events,
            children,
            ways,
            names,
            processes: BTreeMap::new(),
            jobs: BTreeMap::new(),
            pumps: BTreeMap::new(),
            pumps_made: 0,
            lifetime_ends_ns,
            grace_ends_ns: None,
            ended: None,
        })
    }

    /// Runs until the box ends; everything else in it ends with this process.
    pub fn run(&mut self) -> u8 {
        // Messages may have come before anybody listened.
        self.take_messages();
        while self.ended.is_none() {
            let Ok(woken) = self.events.wait(self.wake_at_ns(), now_ns()) else { return EXIT_BROKEN };
            for event in woken {
                match event {
                    Woken::Control => self.take_messages(),
                    Woken::Children => self.take_children(),
                    Woken::Names => self.resolve(),
                    Woken::Way(way) => self.open(way),
                    Woken::Pump(pump) => self.turn(pump),
                }
            }
            self.keep_time(now_ns());
        }
        self.ended.unwrap_or(EXIT_ENDED)
    }

    fn take_messages(&mut self) {
        for _ in 0..MESSAGES_AT_ONCE {
            match self.control.next() {
                Received::Message(message, descriptors) => self.obey(message, descriptors),
                Received::Nothing => return,
                Received::Closed => {
                    self.ended = Some(EXIT_ENDED);
                    return;
                }
            }
        }
    }

    fn obey(&mut self, message: ToGuest, descriptors: Vec<OwnedFd>) {
        match message {
            // The box stands already; whoever says this is not the host we know.
            ToGuest::Setup(_) => self.ended = Some(EXIT_ENDED),
            ToGuest::Start { process, arguments, environment, directory, terminal, timeout_ms } => {
                let program = program::Program { arguments, environment, directory, terminal };
                self.start(process, &program, timeout_ms, descriptors);
            }
            ToGuest::Signal { process, signal } => {
                if let Some(process) = self.processes.get(&process) {
                    process.signal(signal);
                }
            }
            ToGuest::Resize { process, rows, columns } => {
                if let Some(process) = self.processes.get(&process) {
                    process.resize(rows, columns);
                }
            }
            ToGuest::Read { job, path, bytes_max } => {
                self.work(job, files::Work::Read { path, bytes_max }, descriptors)
            }
            ToGuest::Write { job, path, bytes, executable } => {
                self.work(job, files::Work::Write { path, bytes, executable }, descriptors);
            }
            ToGuest::Connect { job, port } => self.connect(job, port),
            ToGuest::Named { question, ports } => {
                self.names.tell((question, &ports), (&self.events, &mut self.ways), now_ns());
            }
            ToGuest::Shutdown { grace_ms } => {
                self.grace_ends_ns = Some(after_ms(now_ns(), grace_ms));
                let _ = reap::signal_everything(Signal::TERM);
                self.take_children();
            }
        }
    }

    fn start(&mut self, id: ProcessId, program: &program::Program, timeout_ms: u64, descriptors: Vec<OwnedFd>) {
        if self.processes.contains_key(&id) {
            let failure = aegis_door::Failure::Unacceptable;
            self.control.tell(&ToHost::StartFailed { process: id, failure });
            return;
        }
        match program.start(descriptors) {
            Ok(started) => {
                self.control.tell(&ToHost::Started { process: id });
                let deadline_ns = (timeout_ms > 0).then(|| after_ms(now_ns(), timeout_ms));
                self.processes.insert(id, Process::new(started.pid, started.terminal, deadline_ns));
                for flow in started.flows {
                    self.pump(id, flow);
                }
            }
            Err(failure) => self.control.tell(&ToHost::StartFailed { process: id, failure }),
        }
    }

    fn pump(&mut self, process: ProcessId, flow: Flow) {
        self.pumps_made += 1;
        let number = self.pumps_made;
        if let Ok(pump) = Pump::new(process, flow, &self.events, number) {
            self.pumps.insert(number, pump);
        }
    }

    fn turn(&mut self, number: u64) {
        let Some(pump) = self.pumps.get_mut(&number) else { return };
        let ended = !self.processes.contains_key(&pump.process());
        let process = pump.process();
        if !pump.turn(ended, &self.events, number) {
            return;
        }
        self.pumps.remove(&number);
        // A terminal that nobody looks at hangs up.
        if !self.pumps.values().any(|pump| pump.process() == process)
            && let Some(process) = self.processes.get_mut(&process)
        {
            process.hang_up();
        }
    }

    fn work(&mut self, job: JobId, work: files::Work, descriptors: Vec<OwnedFd>) {
        match files::begin(&work, &self.directory, descriptors) {
            Ok(pid) => {
                self.jobs.insert(pid, job);
            }
            Err(errno) => {
                let failure = Some(FileFailure::Other(errno.raw_os_error()));
                self.control.tell(&ToHost::Done { job, failure });
            }
        }
    }

    fn connect(&self, job: JobId, port: u16) {
        let connected = connect::begin(port);
        let told = connected.and_then(|stream| self.control.hand_over(&ToHost::Connected { job }, &[stream.as_fd()]));
        if let Err(errno) = told {
            self.control.tell(&ToHost::ConnectFailed { job, errno: errno.raw_os_error() });
        }
    }

    /// Hands over who goes that way out. If that cannot be done, he finds it closed.
    fn open(&self, way: u32) {
        let (kinds, streams) = self.ways.taken(way);
        if !kinds.is_empty() {
            let streams: Vec<_> = streams.iter().map(AsFd::as_fd).collect();
            let _ = self.control.hand_over(&ToHost::Open { kinds }, &streams);
        }
    }

    /// Answers who asks for names, or asks the host whether they may be reached.
    fn resolve(&mut self) {
        for (question, name) in self.names.take(now_ns()) {
            self.control.tell(&ToHost::Resolve { question, name });
        }
    }

    fn take_children(&mut self) {
        reap::acknowledge(&self.children);
        while let Some(gone) = reap::next() {
            if let Some(job) = self.jobs.remove(&gone.pid) {
                self.control.tell(&ToHost::Done { job, failure: files::failure(gone.ended) });
                continue;
            }
            let found = self.processes.iter().find(|(_, process)| process.pid() == gone.pid);
            let Some((id, timed_out)) = found.map(|(id, process)| (*id, process.timed_out())) else { continue };
            self.processes.remove(&id);
            self.drain(id);
            self.control.tell(&ToHost::Exited {
                process: id,
                ended: gone.ended,
                timed_out,
                cpu_us: gone.cpu_us,
                memory_peak_bytes: gone.memory_peak_bytes,
            });
        }
        if self.grace_ends_ns.is_some() && !reap::anybody_left() {
            self.ended = Some(EXIT_ENDED);
        }
    }

    /// What an ended program wrote still goes out; what its children write later does not.
    fn drain(&mut self, process: ProcessId) {
        let its = |(number, pump): (&u64, &Pump)| (pump.process() == process).then_some(*number);
        let pumps: Vec<u64> = self.pumps.iter().filter_map(its).collect();
        for number in pumps {
            self.turn(number);
        }
    }

    /// When the loop has to look up even if nothing happens.
    fn wake_at_ns(&self) -> Option<u64> {
        let deadlines = self.processes.values().filter_map(Process::deadline_ns);
        deadlines.chain(self.lifetime_ends_ns).chain(self.grace_ends_ns).min()
    }

    fn keep_time(&mut self, now: u64) {
        let over = |end: Option<u64>| end.is_some_and(|end| end <= now);
        for process in self.processes.values_mut() {
            process.keep_time(now);
        }
        if over(self.grace_ends_ns) {
            self.ended = Some(EXIT_ENDED);
        }
        if over(self.lifetime_ends_ns) {
            self.ended = Some(EXIT_LIFETIME);
        }
    }
}
