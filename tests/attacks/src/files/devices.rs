//! Attacks by device nodes: making one, or finding one that should not be there.

use super::opening::{mount_flags, open};
use crate::attack::Area::Files;
use crate::attack::{Attack, Outcome};
use crate::scratch::Scratch;
use crate::sys::{self, call};
use crate::walk::{Walk, summary};
use std::ops::ControlFlow;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

pub const ATTACKS: &[Attack] = &[
    Attack::new(Files, "make-disk", "makes a node of the first disk", || make(libc::S_IFBLK, 8, 0)),
    Attack::new(Files, "make-memory", "makes a node of the physical memory", || make(libc::S_IFCHR, 1, 1)),
    Attack::new(Files, "make-fuse", "makes a node of fuse", || make(libc::S_IFCHR, 10, 229)),
    Attack::new(Files, "open-devices", "opens devices beyond the harmless ones", open_devices),
    Attack::new(Files, "nodev-mounts", "writes where device nodes would work", nodev_mounts),
];

fn make(kind: u32, major: u32, minor: u32) -> Outcome {
    Scratch::with(|scratch| {
        let node = sys::text(scratch.join("device"));
        let made = call!(SYS_mknodat, libc::AT_FDCWD, &node, kind | 0o600, libc::makedev(major, minor));
        Outcome::refused("mknod", made)
    })
}

/// null, zero, full, random, urandom, tty, ptmx and pseudo terminals.
fn is_harmless(major: u32, minor: u32) -> bool {
    matches!((major, minor), (1, 3 | 5 | 7 | 8 | 9) | (5, 0 | 2) | (136..=143, _))
}

/// To open some devices is to use them, so a process that may open all of them only looks which ones are there.
fn open_devices() -> Outcome {
    let only_looks = crate::process::is_privileged();
    let mut found = Vec::new();
    Walk { depth: 4, entries_max: 10_000, skip: &[] }.visit("/dev", |path, kind| {
        let is_device = kind.is_char_device() || kind.is_block_device();
        if is_device && !is_known(path) && (only_looks || open(path, false).is_ok() || open(path, true).is_ok()) {
            found.push(path.display().to_string());
        }
        ControlFlow::Continue(())
    });
    match found.is_empty() {
        true => Outcome::held("no other device can be opened"),
        false => Outcome::broken(format!("devices: {}", summary(&found))),
    }
}

fn is_known(path: &Path) -> bool {
    std::fs::symlink_metadata(path)
        .is_ok_and(|metadata| is_harmless(libc::major(metadata.rdev()), libc::minor(metadata.rdev())))
}

/// `ST_NODEV`.
const NODEV: i64 = 4;

fn nodev_mounts() -> Outcome {
    Outcome::all(["/workspace", "/tmp", "/dev/shm"].map(|path| match mount_flags(path) {
        Ok(flags) if flags & NODEV == 0 => Outcome::broken(format!("{path} is not mounted nodev")),
        Ok(_) => Outcome::held(format!("{path} is nodev")),
        Err(errno) => Outcome::held(format!("{path}: {errno}")),
    }))
}

#[cfg(test)]
mod tests {
    use super::is_harmless;

    #[test]
    fn the_null_device_is_harmless_and_memory_and_disks_are_not() {
        assert!(is_harmless(1, 3) && is_harmless(136, 7));
        assert!(!is_harmless(1, 1) && !is_harmless(8, 0) && !is_harmless(5, 1));
    }
}
