//! From the plan of a box to what its guest is told, and from what a guest says to what
//! people read. Pure.

use aegis_door::{Descriptors, Failure, FileFailure, Limit, Mount, ProcessId, Setup, Source, ToGuest};
use aegis_model::boxes::{BoxError, BoxPlan, BoxSignal, FileProblem, Program};

use super::root::{BOX_ID, Root};

/// The working directory of a box, and the one that files are moved below.
pub const WORKSPACE: &str = "/workspace";

/// Memory is given to `/tmp` and shared memory up to this part of the whole.
const MEMORY_FILES_PART: u64 = 2;
const SHARED_MEMORY_MAX: u64 = 64 * 1024 * 1024;
const MEMORY_FILES_MAX: u64 = 65_536;

/// Less memory than this does not even hold the guest and a small program.
const MEMORY_MIN: u64 = 4 * 1024 * 1024;

/// Files below `/proc` that tell of the host or are of no use in a box.
const MASKED_FILES: [&str; 18] = [
    "/proc/cmdline",
    "/proc/config.gz",
    "/proc/diskstats",
    "/proc/interrupts",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/key-users",
    "/proc/keys",
    "/proc/kmsg",
    "/proc/latency_stats",
    "/proc/modules",
    "/proc/partitions",
    "/proc/sched_debug",
    "/proc/schedstat",
    "/proc/softirqs",
    "/proc/sysrq-trigger",
    "/proc/timer_list",
    "/proc/zoneinfo",
];

/// Directories of the same kind.
const MASKED_DIRECTORIES: [&str; 8] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/bus",
    "/proc/driver",
    "/proc/fs",
    "/proc/irq",
    "/proc/scsi",
    "/proc/sys/fs/binfmt_misc",
];

/// What every program in a box finds in its environment.
const ENVIRONMENT: [(&str, &str); 14] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", WORKSPACE),
    ("USER", "agent"),
    ("LOGNAME", "agent"),
    ("LANG", "C.UTF-8"),
    ("TMPDIR", "/tmp"),
    ("DOCKER_CONTAINER", "1"),
    ("AEGIS_URL", API_URL),
    ("HTTP_PROXY", PROXY_URL),
    ("HTTPS_PROXY", PROXY_URL),
    ("NO_PROXY", NOT_PROXIED),
    // Some clients read only these.
    ("http_proxy", PROXY_URL),
    ("https_proxy", PROXY_URL),
    ("no_proxy", NOT_PROXIED),
];

/// Where the API is found inside.
const API_URL: &str = "http://127.0.0.1:7700";
/// Where the way out is found inside.
const PROXY_URL: &str = "http://127.0.0.1:7702";
/// What is inside already.
const NOT_PROXIED: &str = "127.0.0.1,localhost";

/// Who the box is on the host.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// Whether the server may do everything.
    pub privileged: bool,
    /// The box's user and group.
    pub id: u32,
    /// What comes beside the description.
    pub descriptors: Descriptors,
}

/// Refuses a plan that cannot be carried out anywhere.
pub fn check(plan: &BoxPlan) -> Result<(), BoxError> {
    let resources = &plan.resources;
    let problem = if resources.memory_bytes < MEMORY_MIN {
        format!("{} bytes of memory are too few, {MEMORY_MIN} are needed", resources.memory_bytes)
    } else if resources.pids == 0 {
        "it may have no process at all".to_owned()
    } else if resources.cpu_millis == 0 {
        "it has no share of a processor".to_owned()
    } else {
        return Ok(());
    };
    Err(BoxError::Unacceptable(problem))
}

/// What the guest is told of the box it is to set up.
pub fn setup(plan: &BoxPlan, root: &Root, host: Host) -> Setup {
    let resources = &plan.resources;
    Setup {
        descriptors: host.descriptors,
        privileged: host.privileged,
        host_id: host.id,
        box_id: BOX_ID,
        hostname: "box".to_owned(),
        root: root.directory.to_string_lossy().into_owned(),
        mounts: mounts(plan, root, host.descriptors.file_system),
        masked_files: MASKED_FILES.map(str::to_owned).to_vec(),
        masked_directories: MASKED_DIRECTORIES.map(str::to_owned).to_vec(),
        limits: vec![
            Limit::Core(0),
            Limit::OpenFiles(16_384),
            Limit::LockedMemory(resources.memory_bytes / MEMORY_FILES_PART),
            Limit::QueuedSignals(4_096),
            Limit::MessageQueues(819_200),
        ],
        writable: [WORKSPACE, "/tmp", "/dev/shm"].map(str::to_owned).to_vec(),
        directory: WORKSPACE.to_owned(),
        lifetime_ms: resources.lifetime_ms,
    }
}

fn mounts(plan: &BoxPlan, root: &Root, disk: bool) -> Vec<Mount> {
    let at = |target: &str, source: Source| Mount { target: target.to_owned(), source };
    let memory_max = plan.resources.memory_bytes / MEMORY_FILES_PART;
    let memory = |bytes: u64, mode: u32| Source::Memory { bytes, files: MEMORY_FILES_MAX, mode };
    // Without a disk, files end before the memory does: what is in memory is not killed, and would
    // leave no room for the next program.
    let workspace = if disk { Source::FileSystem } else { memory(plan.resources.disk_bytes.min(memory_max), 0o700) };
    let mut mounts = root.mounts.clone();
    mounts.extend([
        at("/dev/pts", Source::Terminals),
        at("/dev/shm", memory(memory_max.min(SHARED_MEMORY_MAX), 0o1777)),
        at("/proc", Source::Processes),
        at("/tmp", memory(memory_max, 0o1777)),
        at(WORKSPACE, workspace),
    ]);
    if let Some(code) = &plan.code {
        mounts.push(at("/app", Source::Directory(code.to_string_lossy().into_owned())));
    }
    mounts
}

/// The request to start a program.
pub fn start(process: ProcessId, program: &Program) -> ToGuest {
    let given = |name: &str| program.environment.iter().any(|(given, _)| given == name);
    let always = ENVIRONMENT.iter().filter(|(name, _)| !given(name));
    let mut environment: Vec<(String, String)> =
        always.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    if program.terminal.is_some() && !given("TERM") {
        environment.push(("TERM".to_owned(), "xterm-256color".to_owned()));
    }
    environment.extend(program.environment.iter().cloned());
    ToGuest::Start {
        process,
        arguments: program.arguments.clone(),
        environment,
        directory: program.directory.clone().unwrap_or_else(|| WORKSPACE.to_owned()),
        terminal: program.terminal.map(|size| (size.rows, size.columns)),
        timeout_ms: program.timeout_ms,
    }
}

/// The signal's number.
pub fn signal_number(signal: BoxSignal) -> i32 {
    match signal {
        BoxSignal::HangUp => libc::SIGHUP,
        BoxSignal::Interrupt => libc::SIGINT,
        BoxSignal::Quit => libc::SIGQUIT,
        BoxSignal::Terminate => libc::SIGTERM,
        BoxSignal::Kill => libc::SIGKILL,
        BoxSignal::User1 => libc::SIGUSR1,
        BoxSignal::User2 => libc::SIGUSR2,
    }
}

/// Why a program did not start, in words.
pub fn start_failed(program: &Program, failure: Failure) -> BoxError {
    let reason = match failure {
        Failure::NotFound => "does not exist in the box",
        Failure::LoaderMissing => "needs an interpreter or loader that does not exist in the box",
        Failure::NotExecutable => "may not be executed",
        Failure::WrongFormat => "is not a program for this machine",
        Failure::DirectoryMissing => "cannot start: its working directory does not exist in the box",
        Failure::ProcessesExhausted => "cannot start: the box may have no more processes",
        Failure::MemoryExhausted => "cannot start: the box has no memory left",
        Failure::Unacceptable => "cannot be started like this: it needs a name",
        Failure::Other(_) => "cannot be started",
    };
    let name = program.arguments.first().cloned().unwrap_or_default();
    BoxError::StartFailed { program: name, reason }
}

/// Why a file was not moved, in words.
pub fn file_failed(path: &str, failure: FileFailure) -> BoxError {
    let (reason, problem) = match failure {
        FileFailure::NotFound => ("does not exist", FileProblem::Missing),
        FileFailure::LeadsOut => ("leads out of the workspace", FileProblem::Refused),
        FileFailure::NotAFile => ("is not an ordinary file", FileProblem::Refused),
        FileFailure::TooLarge => ("is larger than allowed", FileProblem::NoRoom),
        FileFailure::Full => ("does not fit on the disk of the box", FileProblem::NoRoom),
        FileFailure::Refused => ("may not be touched", FileProblem::Refused),
        FileFailure::CutShort => ("was cut short on its way", FileProblem::Broken),
        FileFailure::Other(_) => ("could not be moved", FileProblem::Broken),
    };
    BoxError::File { path: path.escape_debug().to_string(), reason, problem }
}
