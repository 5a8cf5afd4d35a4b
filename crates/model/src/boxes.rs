//! What is said of boxes: what one is to be, what runs in it, how it ends, what it uses.
//! Must not know: what a box is made of.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Fault};
use crate::manifest::{Isolation, amounts};

/// What a box is to be.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxPlan {
    /// What it sees as `/`.
    pub root: RootPlan,
    /// The agent's code, seen as `/app`.
    pub code: Option<PathBuf>,
    /// What it may use.
    pub resources: BoxResources,
    /// The agent, started with the box and waiting for input; without one, the box waits for
    /// what is started in it.
    pub agent: Option<Program>,
}

/// What a box sees as `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RootPlan {
    /// The host's `/usr`, read-only.
    Host,
    /// A directory that holds a root of its own.
    Directory(PathBuf),
}

/// What a box may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BoxResources {
    /// Thousandths of a processor.
    pub cpu_millis: u32,
    /// Memory.
    pub memory_bytes: u64,
    /// Processes and threads.
    pub pids: u32,
    /// Files in `/workspace`.
    pub disk_bytes: u64,
    /// How long it may live; 0 for as long as it is wanted.
    pub lifetime_ms: u64,
}

impl Default for BoxResources {
    fn default() -> Self {
        Self {
            cpu_millis: amounts::CPU.default.as_millis(),
            memory_bytes: amounts::MEMORY.default.as_bytes(),
            pids: amounts::PIDS.default,
            disk_bytes: amounts::DISK.default.as_bytes(),
            lifetime_ms: 0,
        }
    }
}

/// A program to be started in a box.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The program and its arguments; found as a shell would.
    pub arguments: Vec<String>,
    /// Variables beside those that every program in a box has.
    pub environment: Vec<(String, String)>,
    /// Its working directory; the box's own when absent.
    pub directory: Option<String>,
    /// The terminal it is to have.
    pub terminal: Option<TerminalSize>,
    /// After how long it is killed; 0 for never.
    pub timeout_ms: u64,
}

impl Program {
    /// Nothing but a program and its arguments.
    pub fn of<A: Into<String>>(arguments: impl IntoIterator<Item = A>) -> Self {
        Self { arguments: arguments.into_iter().map(Into::into).collect(), ..Self::default() }
    }
}

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TerminalSize {
    /// Rows.
    pub rows: u16,
    /// Columns.
    pub columns: u16,
}

/// What can be sent to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoxSignal {
    /// Its terminal is gone.
    HangUp,
    /// Somebody interrupts it.
    Interrupt,
    /// Leave what you do, and a core if you may.
    Quit,
    /// Please end.
    Terminate,
    /// End.
    Kill,
    /// Its own, first.
    User1,
    /// Its own, second.
    User2,
}

/// How a program in a box ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With a code.
    Code(u8),
    /// By a signal.
    Signal(u8),
    /// It, or the box with it, had no memory left.
    OutOfMemory,
    /// Its time was over.
    TimedOut,
    /// Its box ended.
    BoxEnded(BoxEnd),
}

/// How a program ended, and what it used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// How.
    pub exit: Exit,
    /// Processor time of it and of what it waited for.
    pub cpu_us: u64,
    /// Its largest resident memory.
    pub memory_peak_bytes: u64,
}

/// Why a box is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BoxEnd {
    /// It was asked to end, and did.
    Stopped,
    /// It was killed.
    Killed,
    /// It lived as long as it may.
    Lifetime,
    /// It had no memory left.
    OutOfMemory,
    /// It said at its door what cannot be said there.
    DoorViolation,
    /// Its first process is gone, and nobody asked for that.
    Crashed,
}

impl BoxEnd {
    /// All reasons.
    pub const ALL: [Self; 6] =
        [Self::Stopped, Self::Killed, Self::Lifetime, Self::OutOfMemory, Self::DoorViolation, Self::Crashed];

    /// The reason in words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Lifetime => "lifetime",
            Self::OutOfMemory => "out_of_memory",
            Self::DoorViolation => "door_violation",
            Self::Crashed => "crashed",
        }
    }
}

/// What a box uses and has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BoxStats {
    /// Processor time so far.
    pub cpu_us: u64,
    /// Memory now.
    pub memory_bytes: u64,
    /// The most memory so far.
    pub memory_peak_bytes: u64,
    /// Processes and threads now.
    pub pids: u64,
    /// Room taken in `/workspace`.
    pub disk_bytes: u64,
    /// Bytes that went in through the door.
    pub door_in_bytes: u64,
    /// Bytes that came out through the door.
    pub door_out_bytes: u64,
    /// How often a process was killed for want of memory.
    pub out_of_memory: u64,
}

/// What became of the boxes of a runtime since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BoxCounts {
    /// Live now.
    pub alive: usize,
    /// Were made.
    pub made: u64,
    /// Could not be made.
    pub failed: u64,
    /// Ended, by reason, in the order of `BoxEnd::ALL`.
    pub ended: [u64; BoxEnd::ALL.len()],
    /// Time that making them took, together.
    pub making_us: u64,
}

/// Why a box, or something in it, did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoxError {
    /// This machine has no such boxes.
    #[error("no `{}` boxes on this machine: {reason}", isolation.as_str())]
    Absent {
        /// The kind.
        isolation: Isolation,
        /// Why not.
        reason: String,
    },
    /// The plan cannot be carried out anywhere.
    #[error("the plan of the box is not acceptable: {0}")]
    Unacceptable(String),
    /// The machine has no room for it now.
    #[error("the machine has no room for the box: {0}")]
    NoRoom(String),
    /// The box could not be set up.
    #[error("the box failed while {step}: {reason}")]
    SetupFailed {
        /// At which step.
        step: String,
        /// What the kernel said.
        reason: String,
    },
    /// A program could not be started.
    #[error("`{program}` {reason}")]
    StartFailed {
        /// Which.
        program: String,
        /// Why, after its name.
        reason: &'static str,
    },
    /// A file could not be read or written.
    #[error("file `{path}` {reason}")]
    File {
        /// Which.
        path: String,
        /// Why, after its name.
        reason: &'static str,
        /// What kind of problem it is.
        problem: FileProblem,
    },
    /// The box is in a state that does not allow it.
    #[error("the box is {0}")]
    State(&'static str),
    /// The box is gone.
    #[error("the box has ended: {}", .0.as_str())]
    Ended(BoxEnd),
    /// No server in the box takes connections there.
    #[error("nothing in the box listens on port {0}")]
    NotListening(u16),
    /// A connection into the box broke.
    #[error("a connection into the box broke")]
    ConnectionLost,
    /// An output was longer than whoever asked wants to take.
    #[error("the output is longer than {0} bytes")]
    OutputTooLong(usize),
}

/// What kind of problem there is with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileProblem {
    /// It is not there.
    Missing,
    /// It cannot be had like this.
    Refused,
    /// It, or the box's disk, is too small for the other.
    NoRoom,
    /// It broke on the way.
    Broken,
}

impl From<BoxError> for Fault {
    fn from(error: BoxError) -> Self {
        let code = match &error {
            BoxError::Absent { .. } => Code::IsolationAbsent,
            BoxError::Unacceptable(_) => Code::Validation,
            BoxError::NoRoom(_) => Code::Overloaded,
            BoxError::SetupFailed { .. } => Code::BoxFailed,
            BoxError::StartFailed { .. }
            | BoxError::NotListening(_)
            | BoxError::ConnectionLost
            | BoxError::OutputTooLong(_) => Code::AgentFailed,
            BoxError::File { problem, .. } => match problem {
                FileProblem::Missing => Code::NotFound,
                FileProblem::Refused => Code::Validation,
                FileProblem::NoRoom => Code::TooLarge,
                FileProblem::Broken => Code::BoxFailed,
            },
            BoxError::State(_) | BoxError::Ended(_) => Code::StateInvalid,
        };
        let message = error.to_string();
        Self::new(code, message).caused_by(error)
    }
}
