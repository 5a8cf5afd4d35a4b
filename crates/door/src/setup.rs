//! What a box is to be: everything the guest needs to know to set it up. Made by the host,
//! so the guest may trust it. Must not know: how it is done.

use serde::{Deserialize, Serialize};

/// What a box is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// Which descriptors come beside this.
    pub descriptors: Descriptors,
    /// Whether the host may do everything, or is an ordinary user.
    pub privileged: bool,
    /// The user and group the box has on the host.
    pub host_id: u32,
    /// The user and group the box sees.
    pub box_id: u32,
    /// The box's host name.
    pub hostname: String,
    /// The directory that becomes `/`, read-only.
    pub root: String,
    /// What else is seen in it, in this order.
    pub mounts: Vec<Mount>,
    /// Files below `/proc` and elsewhere that read as empty.
    pub masked_files: Vec<String>,
    /// Directories that read as empty.
    pub masked_directories: Vec<String>,
    /// Limits per process.
    pub limits: Vec<Limit>,
    /// Where the box may write.
    pub writable: Vec<String>,
    /// The working directory.
    pub directory: String,
    /// After how long the box ends whatever it does; 0 for never.
    pub lifetime_ms: u64,
}

/// Which descriptors come beside a `Setup`, in this order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Descriptors {
    /// Files to write oneself to, to be in the box's cgroups.
    pub cgroups: u8,
    /// The directory of the box's only cgroup, to be born in.
    pub birth_cgroup: bool,
    /// The box's own file system, ready to be attached.
    pub file_system: bool,
}

impl Descriptors {
    /// How many there are.
    pub fn count(self) -> usize {
        usize::from(self.cgroups) + usize::from(self.birth_cgroup) + usize::from(self.file_system)
    }
}

/// Something that is seen in the box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where it is seen.
    pub target: String,
    /// What is seen there.
    pub source: Source,
}

/// What is seen at a place in the box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// A directory of the host with all below it, read-only.
    Directory(String),
    /// A file of the host, read-only.
    File(String),
    /// A device of the host.
    Device(String),
    /// The file system that came beside.
    FileSystem,
    /// Memory, charged to the box.
    Memory {
        /// The most it may hold.
        bytes: u64,
        /// The most files it may hold.
        files: u64,
        /// Its access mode.
        mode: u32,
    },
    /// The box's processes.
    Processes,
    /// The box's terminals.
    Terminals,
}

/// A limit per process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Limit {
    /// Size of a core dump.
    Core(u64),
    /// Open files.
    OpenFiles(u64),
    /// Processes of the box's user.
    Processes(u64),
    /// Memory kept from being swapped out.
    LockedMemory(u64),
    /// Queued signals.
    QueuedSignals(u64),
    /// Bytes in message queues.
    MessageQueues(u64),
}
