//! One tree per resource. A box has a directory in each of them.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aegis_model::boxes::BoxResources;

use rustix::fs::Access;

use super::counters::{limit, make_directory, named_number, number};
use super::standing::in_tree_of;
use super::{Used, may};

/// What has to be there.
const NEEDED: [&str; 5] = ["cpu", "cpuacct", "freezer", "memory", "pids"];

/// Over which span a share of the processors is counted.
const CPU_PERIOD_US: u64 = 100_000;
/// Nobody gets less than this.
const CPU_QUOTA_MIN_US: u64 = 1_000;

/// Where this user may make places: a directory in each tree.
pub struct Room {
    by_resource: BTreeMap<&'static str, PathBuf>,
}

/// The server's directory in each tree.
#[derive(Clone, Debug)]
pub struct Trees {
    by_resource: BTreeMap<&'static str, PathBuf>,
}

impl Room {
    /// Finds it: where the server itself is, and for root at the top if that is not seen.
    pub fn find(mounts: &str, own: &str, root: bool) -> Result<Self, String> {
        let mut by_resource = BTreeMap::new();
        for resource in NEEDED {
            let standing =
                in_tree_of(resource, mounts, own).ok_or_else(|| format!("no cgroup hierarchy carries `{resource}`"))?;
            let place = if root { Some(standing.own.unwrap_or(standing.top)) } else { standing.own };
            let place = place.ok_or_else(|| format!("the own cgroup for `{resource}` is not seen here"))?;
            may(&place, Access::WRITE_OK | Access::EXEC_OK)?;
            by_resource.insert(resource, place);
        }
        Ok(Self { by_resource })
    }

    /// Makes the server's directory in each tree, or in none.
    pub fn open(self, name: &str) -> Result<Trees, String> {
        let by_resource = self.by_resource.into_iter().map(|(resource, place)| (resource, place.join(name))).collect();
        let trees = Trees { by_resource };
        for directory in trees.directories() {
            if let Err(error) = make_directory(&directory) {
                trees.directories().iter().for_each(|made| drop(fs::remove_dir(made)));
                return Err(format!("`{}` cannot be made: {error}", directory.display()));
            }
        }
        Ok(trees)
    }
}

impl Trees {
    /// The server's directories, each once: a tree may carry two resources.
    pub fn directories(&self) -> Vec<PathBuf> {
        let mut directories: Vec<PathBuf> = self.by_resource.values().cloned().collect();
        directories.sort();
        directories.dedup();
        directories
    }

    /// Makes a box's directories with its limits.
    pub fn make(&self, name: &str, resources: &BoxResources) -> io::Result<()> {
        for directory in self.directories() {
            fs::create_dir(directory.join(name))?;
        }
        let memory = self.of("memory", name);
        let bytes = resources.memory_bytes.to_string();
        limit(&memory, "memory.limit_in_bytes", &bytes)?;
        // Only there where swap is counted, and then it must not be a way around.
        if memory.join("memory.memsw.limit_in_bytes").exists() {
            limit(&memory, "memory.memsw.limit_in_bytes", &bytes)?;
        } else {
            limit(&memory, "memory.swappiness", "0")?;
        }
        let cpu = self.of("cpu", name);
        let quota = (u64::from(resources.cpu_millis) * CPU_PERIOD_US / 1_000).max(CPU_QUOTA_MIN_US);
        limit(&cpu, "cpu.cfs_period_us", &CPU_PERIOD_US.to_string())?;
        limit(&cpu, "cpu.cfs_quota_us", &quota.to_string())?;
        let pids = resources.pids.saturating_add(super::PIDS_OF_THE_GUEST);
        limit(&self.of("pids", name), "pids.max", &pids.to_string())
    }

    /// What was used.
    pub fn used(&self, name: &str) -> Used {
        let memory = self.of("memory", name);
        Used {
            cpu_us: number(&self.of("cpuacct", name).join("cpuacct.usage")) / 1_000,
            memory_bytes: number(&memory.join("memory.usage_in_bytes")),
            memory_peak_bytes: number(&memory.join("memory.max_usage_in_bytes")),
            pids: number(&self.of("pids", name).join("pids.current")),
            out_of_memory: self.out_of_memory(name),
        }
    }

    /// How often a process was killed for want of memory.
    pub fn out_of_memory(&self, name: &str) -> u64 {
        named_number(&self.of("memory", name).join("memory.oom_control"), "oom_kill")
    }

    /// Freezes or thaws.
    pub fn freeze(&self, name: &str, frozen: bool) -> io::Result<()> {
        limit(&self.of("freezer", name), "freezer.state", if frozen { "FROZEN" } else { "THAWED" })
    }

    /// Whether everything is frozen.
    pub fn is_frozen(&self, name: &str) -> bool {
        let state = fs::read_to_string(self.of("freezer", name).join("freezer.state"));
        state.is_ok_and(|state| state.trim() == "FROZEN")
    }

    fn of(&self, resource: &str, name: &str) -> PathBuf {
        self.by_resource.get(resource).map_or_else(|| Path::new("/nonexistent").join(name), |path| path.join(name))
    }
}
