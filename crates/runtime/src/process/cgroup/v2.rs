//! One tree for everything. A box has one directory in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aegis_model::boxes::BoxResources;

use rustix::fs::Access;

use super::counters::{limit, make_directory, named_number, number};
use super::standing::{has_tree_of, in_unified_tree};
use super::{Used, may};

/// What has to be there.
const NEEDED: [&str; 3] = ["cpu", "memory", "pids"];
/// What is counted where it is there.
const OFFERED: [&str; 1] = ["io"];

const CPU_PERIOD_US: u64 = 100_000;
const CPU_QUOTA_MIN_US: u64 = 1_000;

/// Where the server itself goes, when it has to leave its own directory to its boxes.
const SERVER: &str = "aegis-server";

/// How often whoever is in the way is moved: one may have made others in between.
const ROUNDS: usize = 100;

/// Where this user may make places.
pub struct Room {
    parent: PathBuf,
}

/// The server's directory in the tree.
#[derive(Clone, Debug)]
pub struct Tree {
    directory: PathBuf,
}

impl Room {
    /// Finds it: for root at the top, for anybody else where the server itself is. `None` if
    /// this machine counts with version 1.
    pub fn find(mounts: &str, own: &str, root: bool) -> Result<Option<Self>, String> {
        let Some(standing) = in_unified_tree(mounts, own) else { return Ok(None) };
        let given = |directory: &Path| carries(&directory.join("cgroup.controllers"), &NEEDED);
        if !given(&standing.top) && NEEDED.iter().any(|resource| has_tree_of(resource, mounts)) {
            return Ok(None);
        }
        let parent = if root { Some(standing.top) } else { standing.own.map(before_stepping_aside) };
        let parent = parent.ok_or("the own cgroup is not seen here")?;
        if !given(&parent) {
            return Err(format!("the cgroup `{}` was not given cpu, memory and pids", parent.display()));
        }
        may(&parent, Access::WRITE_OK | Access::EXEC_OK)?;
        for file in ["cgroup.procs", "cgroup.subtree_control"] {
            may(&parent.join(file), Access::WRITE_OK)?;
        }
        Ok(Some(Self { parent }))
    }

    /// Makes the server's directory.
    pub fn open(self, name: &str) -> Result<Tree, String> {
        let Self { parent } = self;
        let said = |error: io::Error| format!("the cgroup `{}` cannot be divided: {error}", parent.display());
        // A directory that passes resources on can hold no process itself, but for the top of
        // the whole machine, which alone has no type.
        if parent.join("cgroup.type").exists() {
            step_aside(&parent).map_err(said)?;
        }
        pass_on(&parent).map_err(said)?;
        let directory = parent.join(name);
        make_directory(&directory).map_err(|error| format!("`{}` cannot be made: {error}", directory.display()))?;
        pass_on(&directory)
            .map_err(|error| format!("the cgroup `{}` cannot be divided: {error}", directory.display()))?;
        Ok(Tree { directory })
    }
}

impl Tree {
    /// The server's directory.
    pub fn directory(&self) -> PathBuf {
        self.directory.clone()
    }

    /// Makes a box's directory with its limits.
    pub fn make(&self, name: &str, resources: &BoxResources) -> io::Result<()> {
        let directory = self.directory.join(name);
        fs::create_dir(&directory)?;
        limit(&directory, "memory.max", &resources.memory_bytes.to_string())?;
        if directory.join("memory.swap.max").exists() {
            limit(&directory, "memory.swap.max", "0")?;
        }
        let quota = (u64::from(resources.cpu_millis) * CPU_PERIOD_US / 1_000).max(CPU_QUOTA_MIN_US);
        limit(&directory, "cpu.max", &format!("{quota} {CPU_PERIOD_US}"))?;
        let pids = resources.pids.saturating_add(super::PIDS_OF_THE_GUEST);
        limit(&directory, "pids.max", &pids.to_string())
    }

    /// What was used.
    pub fn used(&self, name: &str) -> Used {
        let directory = self.directory.join(name);
        let now = number(&directory.join("memory.current"));
        Used {
            cpu_us: named_number(&directory.join("cpu.stat"), "usage_usec"),
            memory_bytes: now,
            // Kernels before 5.19 do not remember the most.
            memory_peak_bytes: number(&directory.join("memory.peak")).max(now),
            pids: number(&directory.join("pids.current")),
            out_of_memory: self.out_of_memory(name),
        }
    }

    /// How often a process was killed for want of memory.
    pub fn out_of_memory(&self, name: &str) -> u64 {
        named_number(&self.directory.join(name).join("memory.events"), "oom_kill")
    }

    /// Freezes or thaws.
    pub fn freeze(&self, name: &str, frozen: bool) -> io::Result<()> {
        limit(&self.directory.join(name), "cgroup.freeze", if frozen { "1" } else { "0" })
    }

    /// Whether everything is frozen.
    pub fn is_frozen(&self, name: &str) -> bool {
        named_number(&self.directory.join(name).join("cgroup.events"), "frozen") == 1
    }
}

fn carries(file: &Path, needed: &[&str]) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    needed.iter().all(|needed| text.split_whitespace().any(|found| found == *needed))
}

/// Passes the resources on to what is below: all or none, as some would go where processes are.
fn pass_on(directory: &Path) -> io::Result<()> {
    let file = directory.join("cgroup.subtree_control");
    if !carries(&file, &NEEDED) {
        fs::write(&file, NEEDED.map(|resource| format!("+{resource}")).join(" "))?;
    }
    for resource in OFFERED {
        // Good to have, and nothing is missing without it.
        let _ = fs::write(&file, format!("+{resource}"));
    }
    Ok(())
}

/// Moves every process of the directory into one below it.
fn step_aside(own: &Path) -> io::Result<()> {
    let procs = own.join("cgroup.procs");
    let aside = own.join(SERVER);
    for _ in 0..ROUNDS {
        let members = fs::read_to_string(&procs)?;
        // Of those outside of our namespace no number is told; writing it would mean ourselves.
        let mut members = members.lines().filter(|pid| *pid != "0").peekable();
        if members.peek().is_none() {
            return Ok(());
        }
        make_directory(&aside)?;
        for pid in members {
            match fs::write(aside.join("cgroup.procs"), pid) {
                // It has ended.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                other => other?,
            }
        }
    }
    Err(io::Error::other("more and more processes are made in it"))
}

/// The directory that the server was given, if it stands beside its boxes already: because
/// one before it has moved there, and everything started since then with it.
fn before_stepping_aside(own: PathBuf) -> PathBuf {
    match own.parent() {
        Some(given) if own.file_name().is_some_and(|name| name == SERVER) => given.to_owned(),
        _ => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_stands_aside_knows_what_it_was_given() {
        let check = |own: &str, given: &str| assert_eq!(before_stepping_aside(own.into()), PathBuf::from(given));
        check("/sys/fs/cgroup/given/aegis-server", "/sys/fs/cgroup/given");
        check("/sys/fs/cgroup/given", "/sys/fs/cgroup/given");
        check("/sys/fs/cgroup/aegis-servers", "/sys/fs/cgroup/aegis-servers");
    }
}
