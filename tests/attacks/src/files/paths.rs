//! Attacks around paths: links, parents, and names that change what a path means.

use super::opening::{number, open, place, readable};
use crate::attack::Area::Files;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::process;
use crate::scratch::Scratch;
use crate::sys::call;
use std::path::Path;

pub const ATTACKS: &[Attack] = &[
    Attack::new(Files, "symlink-escape", "reads host files through a symbolic link", symlink_escape),
    Attack::new(Files, "parent-escape", "climbs above its root", parent_escape),
    Attack::new(Files, "parent-descriptor", "climbs above its root from an open directory", parent_descriptor),
    Attack::new(Files, "rename-workspace", "renames the workspace away", rename_workspace),
    Attack::new(Files, "rename-over-app", "puts a directory of its own over /app", rename_over_app),
    Attack::new(Files, "rename-app", "moves /app into the workspace", rename_app),
    Attack::new(Files, "reopen-writable", "reopens a read-only file for writing", reopen_writable),
];

fn symlink_escape() -> Outcome {
    Scratch::with(|scratch| {
        let targets =
            ["/etc/shadow", "../../../../../../etc/shadow", "/proc/self/root/etc/shadow", "/proc/1/root/etc/shadow"];
        Outcome::all(targets.into_iter().enumerate().map(|(number, target)| {
            let link = scratch.join(&number.to_string());
            match std::os::unix::fs::symlink(target, &link) {
                Ok(()) => readable(&link.to_string_lossy()),
                Err(error) => Outcome::held(format!("symlink: {}", Errno::from(error))),
            }
        }))
    })
}

fn parent_escape() -> Outcome {
    let climbs = ["/..", "/../../..", "/workspace/../../../..", "/proc/../../..", "/dev/shm/../../../.."];
    let mut outcomes: Vec<Outcome> = climbs.map(same_root).into();
    outcomes.push(readable("/workspace/../../../../../../../../etc/shadow"));
    Outcome::all(outcomes)
}

fn same_root(path: &str) -> Outcome {
    match (place("/"), place(path)) {
        (Ok(root), Ok(found)) if found != root => Outcome::broken(format!("{path} is above the root")),
        (Ok(_), Ok(_)) => Outcome::held("the root is the top"),
        (Err(errno), _) | (_, Err(errno)) => Outcome::held(format!("{path}: {errno}")),
    }
}

/// Every descriptor that is a directory, and one that was opened here.
fn parent_descriptor() -> Outcome {
    let opened = open(Path::new("/usr"), false);
    let descriptors = [0, 1, 2, 3, 4].into_iter().chain(opened.iter().map(number));
    Outcome::all(descriptors.map(|descriptor| {
        match call!(SYS_openat, descriptor, c"../../../../../../..", libc::O_PATH | libc::O_DIRECTORY, 0) {
            Ok(top) => same_root(&format!("/proc/self/fd/{top}")),
            Err(errno) => Outcome::held(format!("openat: {errno}")),
        }
    }))
}

/// Renames and, should it have worked, renames back.
fn rename(from: &str, to: &str) -> Outcome {
    if process::is_privileged() {
        return Outcome::broken("not tried: a process that may do it must not do it to a host");
    }
    let renamed = std::fs::rename(from, to).map_err(Errno::from);
    if renamed.is_ok() {
        _ = std::fs::rename(to, from);
    }
    Outcome::refused_or("rename", renamed, &[libc::EBUSY, libc::EXDEV, libc::EROFS])
}

fn rename_workspace() -> Outcome {
    rename("/workspace", "/workspace-of-the-attack")
}

fn rename_over_app() -> Outcome {
    Scratch::with(|scratch| {
        let own = scratch.join("app");
        match std::fs::create_dir(&own) {
            Ok(()) => rename(&own.to_string_lossy(), "/app"),
            Err(error) => Outcome::broken(format!("no directory to try it with: {}", Errno::from(error))),
        }
    })
}

fn rename_app() -> Outcome {
    rename("/app", "/workspace/app-of-the-attack")
}

/// A descriptor that was opened for reading must not be a way round the mode of the file.
fn reopen_writable() -> Outcome {
    let files = ["/proc/self/exe", "/etc/passwd", "/usr/bin/env"];
    Outcome::all(files.map(|path| match open(Path::new(path), false) {
        Ok(file) => {
            let again = open(Path::new(&format!("/proc/self/fd/{}", number(&file))), true);
            Outcome::refused_or("reopen", again, &[libc::EROFS])
        }
        Err(errno) => Outcome::held(format!("{path}: {errno}")),
    }))
}
