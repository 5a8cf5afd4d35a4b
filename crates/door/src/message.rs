//! The messages of the control stream. Must not know: how they travel.

use serde::{Deserialize, Serialize};

use crate::limits::DESCRIPTORS_MAX;
use crate::setup::Setup;

/// Where programs in a box find the API, on the box's own loopback.
pub const API_PORT: u16 = 7700;
/// Where programs in a box find the way out, as an HTTP proxy and as a SOCKS proxy.
pub const PROXY_PORT: u16 = 7702;
/// Where programs in a box have names resolved.
pub const NAMES_PORT: u16 = 53;
/// The most streams that are handed over beside one message.
pub const STREAMS_AT_ONCE: usize = DESCRIPTORS_MAX;
/// The longest message of a guest; a host's may be as long as a frame.
pub const TO_HOST_BYTES_MAX: usize = 8 * 1024;

/// A program in a box, numbered by the host.
pub type ProcessId = u32;
/// A piece of work that the guest does itself, numbered by the host.
pub type JobId = u32;
/// A question of something inside, numbered by the guest.
pub type QuestionId = u32;

/// What the host says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToGuest {
    /// What the box is to be. First and once; the descriptors it names come beside it.
    Setup(Box<Setup>),
    /// Start a program. Beside it: its standard input, output and error, or one terminal.
    Start {
        /// Its number from now on.
        process: ProcessId,
        /// The program and its arguments.
        arguments: Vec<String>,
        /// Its whole environment.
        environment: Vec<(String, String)>,
        /// Its working directory; the box's own when empty.
        directory: String,
        /// Rows and columns, if it is to have a terminal.
        terminal: Option<(u16, u16)>,
        /// After how long it is killed; 0 for never.
        timeout_ms: u64,
    },
    /// Send a signal to a program and what it started.
    Signal {
        /// Which program.
        process: ProcessId,
        /// Which signal, by its number.
        signal: i32,
    },
    /// The terminal has another size now.
    Resize {
        /// Which program's.
        process: ProcessId,
        /// Rows.
        rows: u16,
        /// Columns.
        columns: u16,
    },
    /// Send a file's bytes on the stream beside it.
    Read {
        /// The number of this piece of work.
        job: JobId,
        /// The file, below the box's own directory.
        path: String,
        /// The most it may be.
        bytes_max: u64,
    },
    /// Take a file's bytes from the stream beside it; it appears whole or not at all.
    Write {
        /// The number of this piece of work.
        job: JobId,
        /// The file, below the box's own directory.
        path: String,
        /// How many bytes come.
        bytes: u64,
        /// Whether it can be executed.
        executable: bool,
    },
    /// Ask every program to end, and end with the last one, or after the grace time.
    Shutdown {
        /// How long they may take.
        grace_ms: u64,
    },
    /// Connect to a server inside, and hand the connection over.
    Connect {
        /// The number of this piece of work.
        job: JobId,
        /// Where it listens on the box's own loopback.
        port: u16,
    },
    /// On which ports a name that was asked for may be reached; on none if it has no grant.
    Named {
        /// The number the guest gave to its question.
        question: QuestionId,
        /// The ports.
        ports: Vec<u16>,
    },
}

/// What the guest says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToHost {
    /// The box has its own namespaces; this is its first process, as the host counts.
    Entered {
        /// The process id.
        pid: u32,
    },
    /// The box is set up.
    Ready,
    /// The box could not be set up.
    SetupFailed {
        /// At which step.
        step: String,
        /// What the kernel said.
        errno: i32,
    },
    /// A program runs.
    Started {
        /// Which.
        process: ProcessId,
    },
    /// A program could not be started.
    StartFailed {
        /// Which.
        process: ProcessId,
        /// Why.
        failure: Failure,
    },
    /// A program has ended.
    Exited {
        /// Which.
        process: ProcessId,
        /// How.
        ended: Ended,
        /// Whether its time limit ended it.
        timed_out: bool,
        /// Processor time of it and of what it waited for.
        cpu_us: u64,
        /// Its largest resident memory.
        memory_peak_bytes: u64,
    },
    /// A piece of work is done, or failed.
    Done {
        /// Which.
        job: JobId,
        /// Why it failed, if it did.
        failure: Option<FileFailure>,
    },
    /// Something inside wants out; its streams come beside it, in this order.
    Open {
        /// Where to, each of them.
        kinds: Vec<StreamKind>,
    },
    /// Something inside asks for a name.
    Resolve {
        /// The number of this question.
        question: QuestionId,
        /// The name, as it was asked for.
        name: String,
    },
    /// Connected to the server inside; the connection comes beside it.
    Connected {
        /// Which piece of work.
        job: JobId,
    },
    /// Nothing inside takes the connection.
    ConnectFailed {
        /// Which piece of work.
        job: JobId,
        /// What the kernel said.
        errno: i32,
    },
}

/// Where a stream that is opened inside leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StreamKind {
    /// The API, as this session.
    Api,
    /// Wherever it says itself, as to a proxy.
    Proxy,
    /// To a name that was resolved inside.
    Host {
        /// The name.
        name: String,
        /// The port it was connected to on.
        port: u16,
    },
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// With a code.
    Code(u8),
    /// By a signal.
    Signal(u8),
}

/// Why a program could not be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Failure {
    /// There is no such program.
    NotFound,
    /// It is there, and what it needs to be run (its interpreter or loader) is not.
    LoaderMissing,
    /// It may not be executed.
    NotExecutable,
    /// It is no program for this machine.
    WrongFormat,
    /// Its working directory is not there.
    DirectoryMissing,
    /// The box may have no more processes.
    ProcessesExhausted,
    /// The box has no memory left for it.
    MemoryExhausted,
    /// The request contradicts itself, or repeats a number.
    Unacceptable,
    /// The kernel said something else.
    Other(i32),
}

/// Why a file could not be read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FileFailure {
    /// There is no such file.
    NotFound,
    /// The path leads out of the box's own directory.
    LeadsOut,
    /// It is no ordinary file.
    NotAFile,
    /// It is larger than allowed.
    TooLarge,
    /// The box's disk is full.
    Full,
    /// The box may not.
    Refused,
    /// The stream ended too early.
    CutShort,
    /// The kernel said something else.
    Other(i32),
}

impl ToGuest {
    /// Starting a program with nothing but its arguments.
    pub fn start(process: ProcessId, arguments: Vec<String>) -> Self {
        Self::Start {
            process,
            arguments,
            environment: Vec::new(),
            directory: String::new(),
            terminal: None,
            timeout_ms: 0,
        }
    }

    /// How many descriptors come beside it.
    pub fn descriptors(&self) -> usize {
        match self {
            Self::Setup(setup) => setup.descriptors.count(),
            Self::Start { terminal: Some(_), .. } | Self::Read { .. } | Self::Write { .. } => 1,
            Self::Start { terminal: None, .. } => 3,
            Self::Signal { .. }
            | Self::Resize { .. }
            | Self::Connect { .. }
            | Self::Named { .. }
            | Self::Shutdown { .. } => 0,
        }
    }
}

impl ToHost {
    /// How many descriptors come beside it.
    pub fn descriptors(&self) -> usize {
        match self {
            Self::Open { kinds } => kinds.len(),
            Self::Connected { .. } => 1,
            _ => 0,
        }
    }
}
