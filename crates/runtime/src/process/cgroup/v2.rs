//! One tree for everything. A box has one directory in it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aegis_model::boxes::BoxResources;

use super::{Used, below, limit, mounted, named_number, number};

/// What has to be there.
const NEEDED: [&str; 3] = ["cpu", "memory", "pids"];
/// What is counted where it is there.
const OFFERED: [&str; 1] = ["io"];

const CPU_PERIOD_US: u64 = 100_000;
const CPU_QUOTA_MIN_US: u64 = 1_000;

/// Where the server itself goes, when it has to leave its own directory to its boxes.
const SERVER: &str = "aegis-server";

/// The server's directory in the tree.
#[derive(Clone, Debug)]
pub struct Tree {
    directory: PathBuf,
}

impl Tree {
    /// Finds the tree and makes the server's directory in it. `None` if this machine has no
    /// tree that carries what is needed.
    pub fn find(mounts: &str, own: &str, name: &str) -> Result<Option<Self>, String> {
        let Some(mount) = mounted(mounts).find(|mount| mount.kind == "cgroup2") else { return Ok(None) };
        let top = Path::new(mount.point);
        if !carries(&top.join("cgroup.controllers"), &NEEDED) {
            return Ok(None);
        }
        let path = own.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or("/");
        let own = below(&mount, path);
        let parent = if rustix::process::geteuid().is_root() { top.to_owned() } else { own.clone() };
        if !carries(&parent.join("cgroup.controllers"), &NEEDED) {
            return Err(format!("the cgroup `{}` was not given cpu, memory and pids", parent.display()));
        }
        // A directory that passes resources on can hold no process itself, but for the top.
        if parent == own && parent != top {
            step_aside(&own).map_err(|error| format!("the cgroup `{}` is not delegated: {error}", own.display()))?;
        }
        pass_on(&parent).map_err(|error| format!("the cgroup `{}` is not delegated: {error}", parent.display()))?;
        let directory = parent.join(name);
        fs::create_dir_all(&directory).map_err(|error| format!("`{}` cannot be made: {error}", directory.display()))?;
        pass_on(&directory).map_err(|error| format!("`{}`: {error}", directory.display()))?;
        Ok(Some(Self { directory }))
    }

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

/// Passes the resources on to what is below.
fn pass_on(directory: &Path) -> io::Result<()> {
    let file = directory.join("cgroup.subtree_control");
    for resource in NEEDED {
        if !carries(&file, &[resource]) {
            fs::write(&file, format!("+{resource}"))?;
        }
    }
    for resource in OFFERED {
        // Good to have, and nothing is missing without it.
        let _ = fs::write(&file, format!("+{resource}"));
    }
    Ok(())
}

/// Moves every process of the directory into one below it.
fn step_aside(own: &Path) -> io::Result<()> {
    let aside = own.join(SERVER);
    fs::create_dir_all(&aside)?;
    let members = fs::read_to_string(own.join("cgroup.procs"))?;
    members.lines().try_for_each(|pid| fs::write(aside.join("cgroup.procs"), pid))
}
