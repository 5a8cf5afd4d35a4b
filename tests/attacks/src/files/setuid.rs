//! Attacks by programs that run as somebody else.

use super::opening::mount_flags;
use crate::attack::Area::Files;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::process;
use crate::scratch::Scratch;
use crate::sys::{self, Ended};
use crate::walk::{Walk, summary};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};
use std::path::Path;

pub const ATTACKS: &[Attack] = &[
    Attack::new(Files, "setuid-copy", "executes a setuid copy of itself that belongs to another", setuid_copy),
    Attack::new(Files, "setuid-program", "finds a setuid program that would take effect", setuid_program),
    Attack::new(Files, "nosuid-mounts", "finds a mount where setuid programs take effect", nosuid_mounts),
    Attack::new(Files, "chown-root", "gives a file to root", chown_root),
    Attack::new(Files, "chown-workspace", "gives the workspace to root", chown_workspace),
];

/// A user and group that the attack is not.
fn another() -> u32 {
    if process::effective("Uid") == "0" { 65_534 } else { 0 }
}

/// The copy answers whether it runs as this process does.
fn setuid_copy() -> Outcome {
    Scratch::with(|scratch| {
        let path = scratch.join("copy");
        if let Err(error) = std::fs::copy("/proc/self/exe", &path) {
            return Outcome::broken(format!("the program cannot be copied: {}", Errno::from(error)));
        }
        let given = std::os::unix::fs::chown(&path, Some(another()), Some(another())).map_err(Errno::from);
        let marked = std::fs::set_permissions(&path, PermissionsExt::from_mode(0o6755)).map_err(Errno::from);
        // A file that only the directory hides from another user would fail to start.
        _ = std::fs::set_permissions(scratch.join(""), PermissionsExt::from_mode(0o755));
        let told = |result: Result<(), Errno>| result.map_or_else(|errno| errno.to_string(), |()| "done".into());
        let setup = format!("chown {}, chmod {}", told(given), told(marked));
        match execute(&path) {
            Ok(Ended::Exit(0)) => Outcome::held(format!("{setup}, runs as the same user")),
            Ok(ended) => Outcome::broken(format!("{setup}, runs as another user ({ended:?})")),
            Err(errno) => Outcome::held(format!("{setup}, execveat: {errno}")),
        }
    })
}

fn execute(path: &Path) -> Result<Ended, Errno> {
    let [user, group] = ["Uid", "Gid"].map(|kind| sys::text(process::effective(kind)));
    sys::run(libc::AT_FDCWD.into(), &sys::text(path), &[c"attacks", c"identity", &user, &group])
}

/// A process that can gain no privileges gains none from such a program, wherever it is mounted.
fn setuid_program() -> Outcome {
    let mut found = Vec::new();
    Walk { depth: 3, entries_max: 100_000, skip: &["/usr/share", "/usr/include", "/usr/src"] }.visit(
        "/usr",
        |path, kind| {
            if kind.is_file() && is_setuid(path) && takes_effect(path) {
                found.push(path.display().to_string());
            }
            ControlFlow::Continue(())
        },
    );
    match found.is_empty() {
        true => Outcome::held("no setuid program takes effect"),
        false => Outcome::broken(format!("setuid: {}", summary(&found))),
    }
}

fn is_setuid(path: &Path) -> bool {
    let is_marked = |mode: u32| mode & 0o4000 != 0 || mode & 0o2010 == 0o2010;
    std::fs::symlink_metadata(path).is_ok_and(|metadata| is_marked(metadata.mode()))
}

fn takes_effect(path: &Path) -> bool {
    let flags = mount_flags(&path.to_string_lossy()).unwrap_or(0);
    process::own("NoNewPrivs") != "1" && flags & NOSUID == 0
}

/// `ST_NOSUID`.
const NOSUID: i64 = 2;

fn nosuid_mounts() -> Outcome {
    Outcome::all(["/", "/usr", "/app", "/workspace", "/tmp", "/dev/shm"].map(|path| match mount_flags(path) {
        Ok(flags) if flags & NOSUID == 0 => Outcome::broken(format!("{path} is not mounted nosuid")),
        Ok(_) => Outcome::held(format!("{path} is nosuid")),
        Err(errno) => Outcome::held(format!("{path}: {errno}")),
    }))
}

/// A user namespace that knows no root says EINVAL.
const UNKNOWN_ID: &[i32] = &[libc::EINVAL];

fn chown_root() -> Outcome {
    Scratch::with(|scratch| {
        let path = scratch.join("file");
        let given = std::fs::write(&path, "").and_then(|()| std::os::unix::fs::chown(&path, Some(another()), None));
        Outcome::refused_or("chown", given.map_err(Errno::from), UNKNOWN_ID)
    })
}

/// A process that might succeed gives it to the one who has it.
fn chown_workspace() -> Outcome {
    let given = std::fs::metadata("/workspace").and_then(|metadata| {
        let owner = if process::is_privileged() { metadata.uid() } else { 0 };
        std::os::unix::fs::chown("/workspace", Some(owner), Some(owner))
    });
    Outcome::refused_or("chown", given.map_err(Errno::from), &[libc::EINVAL, libc::EROFS, libc::ENOENT])
}
