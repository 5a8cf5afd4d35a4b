//! The host against a hostile guest: a program that speaks raw packets at the real door, in
//! place of the guest. It is this test program itself, started with a control stream as its
//! standard input. Whatever it says ends its own box, by name, and nothing else.
#![expect(unsafe_code, clippy::disallowed_methods, reason = "an enemy knows no safe wrappers; tests wait with a limit")]

use std::future::Future;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use aegis_door::{Ended, FRAME_BYTES_MAX, Failure, StreamKind, ToGuest, ToHost, decode, encode};
use aegis_model::boxes::{BoxEnd, BoxError, BoxPlan, BoxResources, BoxSignal, Program, RootPlan};
use aegis_model::port::{Clock, LiveBox, Runtime};
use aegis_model::time::Timestamp;
use bytes::Bytes;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketType, recvmsg};

use super::super::channel::channel_tests::{DESCRIPTORS_AT_ONCE, send_raw};
use super::*;

#[path = "hostile_connections.rs"]
mod connections;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers in `a_guest_that_says_much_waits`, and the number of the first.
const ANSWERS: u32 = 12_000;
const ANSWERS_FROM: u32 = 1_000;

struct Steady(Instant);

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A runtime whose guests are hostile.
struct Place {
    runtime: ProcessRuntime,
    directory: tempfile::TempDir,
}

/// A runtime whose guests are hostile; `None`, and a line that says so, where there are no boxes.
async fn place() -> Option<Place> {
    if let Some(reason) = super::super::survey().absent() {
        eprintln!("SKIPPED: no process boxes on this machine: {reason}");
        return None;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let clock = Arc::new(Steady(Instant::now()));
    let settings = Settings { directory: directory.path().join("boxes"), ready_per_size: 0, boxes_max: 8, clock };
    let mut runtime = ProcessRuntime::open(settings).await.expect("a runtime");
    let path = std::env::current_exe().expect("this program").to_string_lossy().into_owned();
    let module = module_path!().split_once("::").expect("a crate").1;
    let arguments = ["--exact", "--nocapture", "--test-threads=1"].map(str::to_owned);
    let test = format!("{module}::a_guest_that_is_hostile");
    let spawner = Spawner::start_another(path, [vec![test], arguments.to_vec()].concat());
    Arc::get_mut(&mut runtime.inner).expect("nobody else has it").spawner = spawner.expect("a spawner");
    Some(Place { runtime, directory })
}

impl Place {
    async fn create(&self, role: &str) -> Result<Arc<dyn LiveBox>, BoxError> {
        let resources = BoxResources { disk_bytes: 1024 * 1024, ..BoxResources::default() };
        let agent = Some(Program::of([role]));
        self.runtime.create(BoxPlan { root: RootPlan::Host, code: None, resources, agent }).await
    }

    /// A box whose guest does what its role says as soon as its agent runs.
    async fn with(&self, role: &str) -> Arc<dyn LiveBox> {
        self.create(role).await.unwrap_or_else(|error| panic!("{role}: {error}"))
    }

    /// What the host knows of the box that was made last.
    fn last(&self) -> Arc<Shared> {
        let boxes = self.runtime.inner.boxes.lock().expect("no panic");
        boxes.last().and_then(Weak::upgrade).expect("a box")
    }

    async fn close(self) {
        self.runtime.close().await;
        assert_eq!(self.runtime.alive(), 0);
        let instance = instance(&self.directory.path().join("boxes")).expect("a directory");
        let cgroups = Cgroups::find(&instance.name).expect("cgroups");
        assert!(cgroups.leftovers().is_empty(), "places are left");
        cgroups.remove();
    }
}

async fn soon<T>(what: &str, waiting: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what}: no end"))
}

/// Streams that wait to be served.
const STREAMS_WAITING: usize = 64;

/// Resident memory of this process.
fn resident_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("a status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_said_ends_the_box_that_says_it() {
    let Some(place) = place().await else { return };
    let neighbour = place.with("good").await;
    let before_kib = resident_kib();
    let cases = [
        ("garbage", BoxEnd::DoorViolation),
        ("too-long", BoxEnd::DoorViolation),
        ("trailing", BoxEnd::DoorViolation),
        ("half", BoxEnd::DoorViolation),
        ("beside", BoxEnd::DoorViolation),
        ("many-beside", BoxEnd::DoorViolation),
        ("open-bare", BoxEnd::DoorViolation),
        ("open-two", BoxEnd::DoorViolation),
        ("stranger-starts", BoxEnd::DoorViolation),
        ("stranger-ends", BoxEnd::DoorViolation),
        ("starts-twice", BoxEnd::DoorViolation),
        ("fails-late", BoxEnd::DoorViolation),
        ("ends-twice", BoxEnd::DoorViolation),
        ("answers-nothing", BoxEnd::DoorViolation),
        ("connects-unasked", BoxEnd::DoorViolation),
        ("connect-fails-unasked", BoxEnd::DoorViolation),
        ("ready-again", BoxEnd::DoorViolation),
        ("enters-again", BoxEnd::DoorViolation),
        ("setup-fails-late", BoxEnd::DoorViolation),
        ("opens", BoxEnd::DoorViolation),
        ("floods", BoxEnd::DoorViolation),
        // Indistinguishable from closing the door.
        ("empty", BoxEnd::Crashed),
        ("closes", BoxEnd::Crashed),
        ("dies", BoxEnd::Crashed),
    ];
    for (role, end) in cases {
        let made = place.with(role).await;
        assert_eq!(soon(role, made.ended()).await, end, "{role}");
        soon(role, neighbour.file_put("file", Bytes::new(), false)).await.expect("the neighbour serves");
    }
    let grown_kib = resident_kib().saturating_sub(before_kib);
    assert!(grown_kib < 32 * 1024, "the host grew by {grown_kib} KiB");
    neighbour.kill().await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_lies_while_it_is_set_up_gets_no_box() {
    let Some(place) = place().await else { return };
    let cases = [
        ("garbage-first", "no message"),
        ("ready-first", "out of turn"),
        ("enters-twice", "out of turn"),
        ("enters-nobody", "none of ours"),
        ("enters-pid-1", "none of ours"),
        ("speaks-early", "before it was set up"),
        ("leaves", "without a word"),
        ("says-nothing", "too long"),
        ("fails-hostile", "\\u{1b}[2J"),
    ];
    for (role, reason) in cases {
        let error = soon(role, place.create(role)).await.err().expect("refused");
        assert!(matches!(error, BoxError::SetupFailed { .. }), "{role}: {error:?}");
        assert!(error.to_string().contains(reason), "{role}: {error}");
        assert!(error.to_string().len() < 200, "{role}: {error}");
        assert_eq!(place.runtime.alive(), 0, "{role}");
    }
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stage_0_that_does_not_leave_is_ended() {
    let Some(place) = place().await else { return };
    let made = soon("stays", place.create("stays")).await.expect("a box");
    soon("stays", made.file_put("file", Bytes::new(), false)).await.expect("it serves");
    made.kill().await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_streams_wait_to_be_served_and_no_more() {
    let Some(place) = place().await else { return };
    let made = place.with("opens-many").await;
    // It answers only when the host has closed as many of its streams as are too many.
    soon("opens-many", made.file_put("file", Bytes::new(), false)).await.expect("it serves");
    let mut streams = made.openings().expect("given out once");
    assert!(made.openings().is_none(), "given out twice");
    for _ in 0..STREAMS_WAITING {
        assert!(soon("opens-many", streams.next()).await.is_some());
    }
    made.kill().await;
    assert!(soon("opens-many", streams.next()).await.is_none());
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_opens_without_end_disturbs_nobody() {
    let Some(place) = place().await else { return };
    let neighbour = place.with("good").await;
    let made = place.with("opens-floods").await;
    let before_kib = resident_kib();
    for _ in 0..50 {
        soon("opens-floods", neighbour.file_put("file", Bytes::new(), false)).await.expect("the neighbour serves");
    }
    assert!(resident_kib().saturating_sub(before_kib) < 16 * 1024, "the host grew");
    assert_eq!(made.kill().await, BoxEnd::Killed);
    neighbour.kill().await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_says_much_waits() {
    let Some(place) = place().await else { return };
    let made = place.with("answers").await;
    let shared = place.last();
    let before_kib = resident_kib();
    let jobs: Vec<_> = (0..ANSWERS).map(|number| shared.expect_job(ANSWERS_FROM + number)).collect();
    let begun = Instant::now();
    // The cue.
    soon("answers", made.file_put("file", Bytes::new(), false)).await.expect("it serves");
    for job in jobs {
        assert_eq!(soon("answers", job).await, Ok(None));
    }
    let limits = aegis_door::Limits::default();
    let floor = Duration::from_secs(1) * (ANSWERS - limits.burst) / limits.per_second;
    assert!(begun.elapsed() >= floor * 9 / 10, "{ANSWERS} answers in {:?}", begun.elapsed());
    assert!(resident_kib().saturating_sub(before_kib) < 16 * 1024, "the host grew");
    assert_eq!(made.kill().await, BoxEnd::Killed);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_does_not_listen_is_ended_in_time() {
    let Some(place) = place().await else { return };
    for stopped in [true, false] {
        let made = place.with("deaf").await;
        made.claim().await.expect("claimed");
        let running = made.invoke(Bytes::new()).await.expect("invoked");
        let moment = Duration::from_millis(100);
        while tokio::time::timeout(moment, running.steering.signal(BoxSignal::User1)).await.is_ok() {}
        let begun = Instant::now();
        let end = soon("deaf", async { if stopped { made.stop(100).await } else { made.kill().await } }).await;
        assert_eq!(end, if stopped { BoxEnd::Stopped } else { BoxEnd::Killed });
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    }
    place.close().await;
}

/// Becomes the guest of the other tests where its standard input is a control stream.
#[test]
fn a_guest_that_is_hostile() {
    let input = std::io::stdin().as_fd().try_clone_to_owned().expect("an input");
    if rustix::net::sockopt::socket_type(&input) != Ok(SocketType::SEQPACKET) {
        return;
    }
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    Enemy::new(input).run();
    leave(0);
}

fn leave(code: i32) -> ! {
    // SAFETY: ends the process without running anything of the test's.
    unsafe { libc::_exit(code) }
}

/// The guest's side, without its manners.
struct Enemy {
    door: OwnedFd,
    agent: u32,
    role: String,
}

impl Enemy {
    /// Takes in what the host says first, and lets itself be counted.
    fn new(door: OwnedFd) -> Self {
        let Some((ToGuest::Setup(setup), beside)) = hear(&door) else { leave(2) };
        let cgroups = usize::from(setup.descriptors.cgroups);
        for cgroup in beside.iter().take(cgroups) {
            rustix::io::write(cgroup, b"0").expect("counted");
        }
        if setup.descriptors.birth_cgroup {
            let flags = rustix::fs::OFlags::WRONLY;
            let file = rustix::fs::openat(&beside[cgroups], "cgroup.procs", flags, rustix::fs::Mode::empty());
            rustix::io::write(file.expect("a file"), b"0").expect("counted");
        }
        let Some((ToGuest::Start { process, mut arguments, .. }, _)) = hear(&door) else { leave(2) };
        Self { door, agent: process, role: arguments.remove(0) }
    }

    fn run(&self) {
        match self.role.as_str() {
            "garbage-first" => self.raw(&[0xFF; 32], 0),
            "ready-first" => self.say(&ToHost::Ready),
            "enters-twice" => self.enter_twice(),
            "enters-nobody" => self.say(&ToHost::Entered { pid: 0 }),
            "enters-pid-1" => self.say(&ToHost::Entered { pid: 1 }),
            "speaks-early" => self.say(&ToHost::Started { process: self.agent }),
            "leaves" => leave(0),
            "says-nothing" => {}
            "fails-hostile" => {
                self.say(&ToHost::SetupFailed { step: "\u{1b}[2J".repeat(1_000), errno: i32::MIN });
            }
            _ => self.become_first(),
        }
        // The host is to end this, not the guest.
        self.wait();
    }

    fn enter_twice(&self) {
        let pid = std::process::id();
        self.say(&ToHost::Entered { pid });
        self.say(&ToHost::Entered { pid });
    }

    /// As the guest does: the first process is a child of the server.
    fn become_first(&self) {
        let (told, tell) = rustix::pipe::pipe().expect("a pipe");
        let flags = libc::c_long::from(libc::CLONE_PARENT | libc::SIGCHLD);
        // SAFETY: like `fork`; the copy speaks and ends.
        let pid = unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) };
        if let Ok(pid @ 1..) = u32::try_from(pid) {
            self.say(&ToHost::Entered { pid });
            self.say(&ToHost::Ready);
            self.say(&ToHost::Started { process: self.agent });
            rustix::io::write(&tell, b"!").expect("told");
            if self.role == "stays" {
                self.wait();
            }
            leave(0);
        }
        let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
        // What stage 0 says comes first.
        rustix::io::read(&told, &mut [0; 1]).expect("told");
        self.misbehave();
    }

    fn misbehave(&self) {
        let process = self.agent;
        let exited = exited(process);
        match self.role.as_str() {
            "good" | "stays" => self.serve(),
            role if role.starts_with("connect") => connections::misbehave(self, role),
            "garbage" => self.raw(&[0xFF; 32], 0),
            "too-long" => self.raw(&[0; FRAME_BYTES_MAX + 1], 0),
            "trailing" => self.raw(&[encode(&exited).expect("a frame"), vec![0]].concat(), 0),
            "half" => {
                let frame = encode(&exited).expect("a frame");
                self.raw(&frame[..frame.len() / 2], 0);
            }
            "beside" => self.raw(&encode(&exited).expect("a frame"), 1),
            "many-beside" => self.raw(&encode(&exited).expect("a frame"), DESCRIPTORS_AT_ONCE),
            "open-bare" => self.open(0),
            "open-two" => self.open(2),
            "stranger-starts" => self.say(&ToHost::Started { process: 77 }),
            "stranger-ends" => self.say(&self::exited(77)),
            "starts-twice" => self.say(&ToHost::Started { process }),
            "fails-late" => self.say(&ToHost::StartFailed { process, failure: Failure::NotFound }),
            "ends-twice" => {
                self.say(&exited);
                self.say(&exited);
            }
            "answers-nothing" => self.say(&ToHost::Done { job: 3, failure: None }),
            "ready-again" => self.say(&ToHost::Ready),
            "enters-again" => self.say(&ToHost::Entered { pid: std::process::id() }),
            "setup-fails-late" => self.say(&ToHost::SetupFailed { step: "late".to_owned(), errno: 1 }),
            "opens" => self.open(1),
            "opens-many" => connections::open_many(self),
            "opens-floods" => loop {
                connections::open(self);
            },
            "floods" => loop {
                self.say(&exited);
            },
            "answers" => self.answer(),
            "empty" => self.raw(&[], 0),
            "closes" => rustix::net::shutdown(&self.door, rustix::net::Shutdown::Both).expect("shut"),
            "dies" => leave(9),
            // Whoever is deaf only waits.
            _ => {}
        }
    }

    /// Does what it is asked, badly.
    fn serve(&self) {
        while let Some((message, _)) = hear(&self.door) {
            if let ToGuest::Write { job, .. } = message {
                self.say(&ToHost::Done { job, failure: None });
            }
        }
        leave(0);
    }

    /// Everything that is expected of it, at once.
    fn answer(&self) {
        let Some((ToGuest::Write { job, .. }, _)) = hear(&self.door) else { leave(2) };
        self.say(&ToHost::Done { job, failure: None });
        for number in 0..ANSWERS {
            self.say(&ToHost::Done { job: ANSWERS_FROM + number, failure: None });
        }
    }

    fn open(&self, descriptors: usize) {
        self.raw(&encode(&ToHost::Open { kinds: vec![StreamKind::Api] }).expect("a frame"), descriptors);
    }

    fn say(&self, message: &ToHost) {
        self.raw(&encode(message).expect("a frame"), 0);
    }

    fn raw(&self, packet: &[u8], descriptors: usize) {
        self.with(packet, &vec![self.door.as_fd(); descriptors]);
    }

    fn with(&self, packet: &[u8], beside: &[BorrowedFd<'_>]) {
        match send_raw(&self.door, packet, beside, SendFlags::empty()) {
            // Too many are on their way; the host will take them out.
            Err(Errno::TOOMANYREFS) => rustix::thread::sched_yield(),
            // The box is ended before it has said everything.
            Err(Errno::PIPE | Errno::CONNRESET) => self.wait(),
            sent => assert_eq!(sent, Ok(packet.len())),
        }
    }

    fn wait(&self) -> ! {
        loop {
            // SAFETY: takes nothing.
            unsafe { libc::pause() };
        }
    }
}

fn exited(process: u32) -> ToHost {
    ToHost::Exited { process, ended: Ended::Code(0), timed_out: false, cpu_us: 0, memory_peak_bytes: 0 }
}

fn hear(door: &OwnedFd) -> Option<(ToGuest, Vec<OwnedFd>)> {
    let mut frame = vec![0; FRAME_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_AT_ONCE))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let length =
        recvmsg(door, &mut [std::io::IoSliceMut::new(&mut frame)], &mut beside, RecvFlags::CMSG_CLOEXEC).ok()?.bytes;
    let mut descriptors = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    decode(frame.get(..length)?).ok().map(|message| (message, descriptors))
}
