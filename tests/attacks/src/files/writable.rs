//! Attacks that look for a place to write: outside the three that a box has, and in the settings of the kernel.
//! As root on a host they stop at the first place, and nothing is written anywhere.

use super::opening::open;
use crate::attack::Area::Files;
use crate::attack::{Attack, Outcome};
use crate::walk::{Walk, summary};
use std::fs::FileType;
use std::ops::ControlFlow;
use std::path::Path;

pub const ATTACKS: &[Attack] = &[
    Attack::new(Files, "writable-places", "looks for a writable place outside its own", writable_places),
    Attack::new(Files, "writable-settings", "looks for a writable kernel setting", writable_settings),
    Attack::new(Files, "writable-devices", "looks for a writable file in /sys", writable_devices),
    Attack::new(Files, "cgroup-write", "changes its control group", cgroup_write),
    Attack::new(Files, "cgroup-create", "makes a control group", cgroup_create),
];

/// Where a box lets its agent write.
const OWN: &[&str] = &["/workspace", "/tmp", "/dev/shm"];
/// Looked at by attacks of their own, or without end.
const ELSEWHERE: &[&str] = &["/workspace", "/tmp", "/dev/shm", "/dev/pts", "/proc", "/sys"];

fn writable_places() -> Outcome {
    let walk = Walk { depth: 3, entries_max: 100_000, skip: ELSEWHERE };
    judge(walk, "/", |path, kind| match kind {
        _ if OWN.iter().any(|own| path == Path::new(own)) => false,
        kind if kind.is_dir() => creates(path),
        kind if kind.is_file() => open(path, true).is_ok(),
        _ => false,
    })
}

/// Only a file that was made tells: a security module may say no where the mode says yes.
fn creates(directory: &Path) -> bool {
    let path = directory.join(format!(".attack-{}", std::process::id()));
    let created = std::fs::File::create_new(&path).is_ok();
    if created {
        _ = std::fs::remove_file(&path);
    }
    created
}

fn writable_settings() -> Outcome {
    let walk = Walk { depth: 8, entries_max: 20_000, skip: &[] };
    judge(walk, "/proc/sys", |path, kind| kind.is_file() && open(path, true).is_ok())
}

fn writable_devices() -> Outcome {
    let walk = Walk { depth: 4, entries_max: 50_000, skip: &["/sys/kernel/debug", "/sys/kernel/tracing"] };
    judge(walk, "/sys", |path, kind| kind.is_file() && open(path, true).is_ok())
}

fn judge(walk: Walk<'_>, root: &str, is_writable: impl Fn(&Path, FileType) -> bool) -> Outcome {
    let mut found = Vec::new();
    let stops_at = if crate::process::is_privileged() { 1 } else { 20 };
    let whole = walk.visit(root, |path, kind| {
        if is_writable(path, kind) {
            found.push(path.display().to_string());
        }
        if found.len() < stops_at { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    match (found.is_empty(), whole) {
        (false, _) => Outcome::broken(format!("writable: {}", summary(&found))),
        (true, true) => Outcome::held(format!("nothing writable in {root}")),
        (true, false) => Outcome::held(format!("nothing writable in as much of {root} as was searched")),
    }
}

/// What a control group could be used for: to run a program on the host, or to leave one's limits.
const CGROUP_FILES: [&str; 8] = [
    "release_agent",
    "notify_on_release",
    "cgroup.procs",
    "cgroup.threads",
    "cgroup.subtree_control",
    "memory.max",
    "pids.max",
    "devices.allow",
];

fn cgroup_write() -> Outcome {
    let walk = Walk { depth: 4, entries_max: 20_000, skip: &[] };
    judge(walk, "/sys/fs/cgroup", |path, _| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        CGROUP_FILES.contains(&name) && open(path, true).is_ok()
    })
}

fn cgroup_create() -> Outcome {
    let path = format!("/sys/fs/cgroup/attack-{}", std::process::id());
    let created = std::fs::create_dir(&path).map_err(crate::errno::Errno::from);
    if created.is_ok() {
        _ = std::fs::remove_dir(&path);
    }
    Outcome::failed("mkdir in /sys/fs/cgroup", created)
}
