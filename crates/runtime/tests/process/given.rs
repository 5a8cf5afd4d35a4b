//! Cgroups that a test gives away, as an administrator would do it by hand.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

/// A user and its group, neither of which anybody else is.
pub const USER: u32 = 61_017;
pub const GROUP: u32 = 61_023;

const TREES: &str = "/sys/fs/cgroup";
/// What version 1 counts a box by: a tree for each.
const RESOURCES: [&str; 5] = ["cpu", "cpuacct", "freezer", "memory", "pids"];
/// The files of version 2 that are given along with a directory.
const FILES: [&str; 3] = ["cgroup.procs", "cgroup.subtree_control", "cgroup.threads"];
/// Where servers of version 2 stand, beside their boxes.
const SERVERS: &str = "aegis-server";

/// Cgroups that were given away; removed with this.
pub struct Given {
    /// One in each tree.
    pub directories: Vec<PathBuf>,
}

/// Whether this machine has version 2 only.
pub fn is_unified() -> bool {
    fs::read_to_string(Path::new(TREES).join("cgroup.controllers")).is_ok()
}

/// Gives a file or a directory to the user.
pub fn own(path: &Path) {
    chown(path, Some(USER), Some(GROUP)).expect("given");
}

impl Given {
    /// To whoever is root.
    pub fn to_root(name: &str) -> Self {
        let trees = Path::new(TREES);
        let tops = if is_unified() { vec![trees.to_owned()] } else { RESOURCES.map(|tree| trees.join(tree)).to_vec() };
        if is_unified() {
            fs::write(trees.join("cgroup.subtree_control"), "+cpu +memory +pids").expect("passed on");
        }
        let name = format!("aegis-test-{}-{name}", std::process::id());
        let directories: Vec<PathBuf> = tops.iter().map(|top| top.join(&name)).collect();
        directories.iter().for_each(|directory| fs::create_dir(directory).expect("a cgroup"));
        Self { directories }
    }

    /// To the user.
    pub fn to_the_user(name: &str) -> Self {
        let given = Self::to_root(name);
        for directory in &given.directories {
            own(directory);
            FILES.iter().filter(|_| is_unified()).for_each(|file| own(&directory.join(file)));
        }
        given
    }

    /// What is left in them, but for the place where servers stand.
    pub fn left(&self) -> Vec<PathBuf> {
        let standing: Vec<PathBuf> = self.directories.iter().map(|directory| directory.join(SERVERS)).collect();
        let all = self.directories.iter().flat_map(|directory| below(directory));
        all.filter(|path| !standing.contains(path)).collect()
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        for directory in &self.directories {
            let deepest_first = below(directory).into_iter().chain([directory.clone()]);
            deepest_first.for_each(|path| drop(fs::remove_dir(path)));
        }
    }
}

/// Everything below, the deepest first.
fn below(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let directories = entries.map(|entry| entry.path()).filter(|path| path.is_dir());
    directories.flat_map(|path| below(&path).into_iter().chain([path])).collect()
}
