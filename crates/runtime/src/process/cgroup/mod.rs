//! Counting and limiting what a box uses. Two kinds of machines: one tree for everything
//! (version 2), or one per resource (version 1). Must not know: what a box is.

mod counters;
mod standing;
mod v1;
mod v2;

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use aegis_model::boxes::BoxResources;
use rustix::fs::Access;

/// What the guest and the work it does for the host may take beside the agent's processes.
const PIDS_OF_THE_GUEST: u32 = 2;

/// What was used, as the kernel counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Used {
    /// Processor time.
    pub cpu_us: u64,
    /// Memory now.
    pub memory_bytes: u64,
    /// The most memory so far.
    pub memory_peak_bytes: u64,
    /// Processes and threads now.
    pub pids: u64,
    /// How often a process was killed for want of memory.
    pub out_of_memory: u64,
}

/// Where the boxes of one server are counted.
#[derive(Clone, Debug)]
pub enum Cgroups {
    /// One tree per resource.
    V1(v1::Trees),
    /// One tree.
    V2(v2::Tree),
}

/// Where this user may make places.
enum Room {
    V1(v1::Room),
    V2(v2::Room),
}

impl Room {
    fn find() -> Result<Self, String> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").map_err(|error| error.to_string())?;
        let own = fs::read_to_string("/proc/self/cgroup").map_err(|error| error.to_string())?;
        let root = rustix::process::geteuid().is_root();
        match v2::Room::find(&mounts, &own, root)? {
            Some(room) => Ok(Self::V2(room)),
            None => v1::Room::find(&mounts, &own, root).map(Self::V1),
        }
    }
}

/// Whether this user may do what `access` says with that file, on a tree that can be written.
fn may(path: &Path, access: Access) -> Result<(), String> {
    rustix::fs::access(path, access).map_err(|error| {
        format!("the cgroup `{}` is not given to this user: {}", path.display(), io::Error::from(error))
    })
}

/// Where one box is counted.
#[derive(Debug)]
pub struct Cgroup {
    name: String,
    cgroups: Cgroups,
}

/// What the guest needs to be counted in a place.
#[derive(Debug, Default)]
pub struct Entry {
    /// Files to write itself to.
    pub files: Vec<OwnedFd>,
    /// The directory to be born in.
    pub directory: Option<OwnedFd>,
}

impl Cgroups {
    /// Finds where boxes can be counted, and makes a place there for the server that `instance`
    /// names.
    ///
    /// # Errors
    /// In words, when this machine or this user cannot count boxes.
    pub fn find(instance: &str) -> Result<Self, String> {
        let name = format!("aegis-{instance}");
        match Room::find()? {
            Room::V1(room) => room.open(&name).map(Self::V1),
            Room::V2(room) => room.open(&name).map(Self::V2),
        }
    }

    /// Which kind of machine it is, in words, if boxes can be counted on it. Changes nothing.
    ///
    /// # Errors
    /// In words, when this machine or this user cannot count boxes.
    pub fn look() -> Result<&'static str, String> {
        Ok(match Room::find()? {
            Room::V1(_) => "cgroups v1",
            Room::V2(_) => "cgroups v2",
        })
    }

    /// Makes a place to count a box, with its limits.
    pub fn make(&self, name: &str, resources: &BoxResources) -> io::Result<Cgroup> {
        let made = match self {
            Self::V1(trees) => trees.make(name, resources),
            Self::V2(tree) => tree.make(name, resources),
        };
        let cgroup = Cgroup { name: name.to_owned(), cgroups: self.clone() };
        made.inspect_err(|_| {
            cgroup.remove();
        })?;
        Ok(cgroup)
    }

    /// Places that a server before this one has left behind.
    pub fn leftovers(&self) -> Vec<Cgroup> {
        let directories = match self {
            Self::V1(trees) => trees.directories(),
            Self::V2(tree) => vec![tree.directory()],
        };
        let mut names: Vec<String> = directories.iter().flat_map(|directory| subdirectories(directory)).collect();
        names.sort();
        names.dedup();
        names.into_iter().map(|name| Cgroup { name, cgroups: self.clone() }).collect()
    }

    /// Removes the server's own place, when no box is in it.
    pub fn remove(&self) {
        let directories = match self {
            Self::V1(trees) => trees.directories(),
            Self::V2(tree) => vec![tree.directory()],
        };
        for directory in directories {
            let _ = fs::remove_dir(directory);
        }
    }
}

impl Cgroup {
    /// What the guest needs to be counted here from its first moment on.
    pub fn entry(&self) -> io::Result<Entry> {
        let directories = self.directories();
        if let (Cgroups::V2(_), [directory]) = (&self.cgroups, directories.as_slice()) {
            return Ok(Entry { files: Vec::new(), directory: Some(fs::File::open(directory)?.into()) });
        }
        let open =
            |directory: &PathBuf| fs::OpenOptions::new().write(true).open(directory.join("tasks")).map(OwnedFd::from);
        Ok(Entry { files: directories.iter().map(open).collect::<io::Result<_>>()?, directory: None })
    }

    /// What was used so far.
    pub fn used(&self) -> Used {
        match &self.cgroups {
            Cgroups::V1(trees) => trees.used(&self.name),
            Cgroups::V2(tree) => tree.used(&self.name),
        }
    }

    /// How often a process was killed for want of memory.
    pub fn out_of_memory(&self) -> u64 {
        match &self.cgroups {
            Cgroups::V1(trees) => trees.out_of_memory(&self.name),
            Cgroups::V2(tree) => tree.out_of_memory(&self.name),
        }
    }

    /// Lets nothing in it run, or everything again. It may take a moment.
    pub fn freeze(&self, frozen: bool) -> io::Result<()> {
        match &self.cgroups {
            Cgroups::V1(trees) => trees.freeze(&self.name, frozen),
            Cgroups::V2(tree) => tree.freeze(&self.name, frozen),
        }
    }

    /// Whether nothing in it runs.
    pub fn is_frozen(&self) -> bool {
        match &self.cgroups {
            Cgroups::V1(trees) => trees.is_frozen(&self.name),
            Cgroups::V2(tree) => tree.is_frozen(&self.name),
        }
    }

    /// Whoever is counted here.
    pub fn members(&self) -> Vec<i32> {
        let read = |directory: &PathBuf| fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
        let texts: Vec<String> = self.directories().iter().map(read).collect();
        texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.parse().ok()).collect()
    }

    /// Removes the place; answers whether it is gone.
    pub fn remove(&self) -> bool {
        let gone = |directory: &PathBuf| match fs::remove_dir(directory) {
            Ok(()) => true,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        // Each of them, not only up to the first that is still in use.
        self.directories().iter().filter(|directory| !gone(directory)).count() == 0
    }

    fn directories(&self) -> Vec<PathBuf> {
        match &self.cgroups {
            Cgroups::V1(trees) => trees.directories().iter().map(|directory| directory.join(&self.name)).collect(),
            Cgroups::V2(tree) => vec![tree.directory().join(&self.name)],
        }
    }
}

/// Directories in a directory, by name.
fn subdirectories(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    let directories = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    directories.filter_map(|entry| entry.file_name().into_string().ok()).collect()
}
