//! Landlock: a second wall behind the mounts. Required: a kernel without it has no box.
#![expect(unsafe_code, reason = "Landlock's system calls have no safe wrapper")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::raw::answer;
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

/// The oldest version that can keep files from being moved across directories.
pub const ABI_MIN: i64 = 2;

const VERSION: u32 = 1;
const RULE_PATH_BENEATH: u32 = 1;

const EXECUTE: u64 = 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIRECTORY: u64 = 1 << 3;
/// Every right there is in version 2: 14 of them.
const ALL_V2: u64 = (1 << 14) - 1;
const TRUNCATE: u64 = 1 << 14;
const DEVICE_CONTROL: u64 = 1 << 15;
/// Making device nodes.
const MAKE_DEVICES: u64 = 1 << 6 | 1 << 11;

const SCOPE_ABSTRACT_SOCKETS: u64 = 1;
const SCOPE_SIGNALS: u64 = 1 << 1;

/// Devices are written to and controlled as well as read.
const WRITE_FILE: u64 = 1 << 1;

#[repr(C)]
struct RulesetAttributes {
    handled_files: u64,
    handled_network: u64,
    scoped: u64,
}

#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// Lets this process, and everything it starts, read and execute what it sees, and write
/// below `writable` and to devices only.
pub fn restrict(writable: &[String]) -> Result<(), Errno> {
    let version = version()?;
    if version < ABI_MIN {
        return Err(Errno::OPNOTSUPP);
    }
    let handled = handled(version);
    let ruleset = ruleset(version, handled)?;
    allow(&ruleset, "/", handled & (EXECUTE | READ_FILE | READ_DIRECTORY))?;
    allow(&ruleset, "/dev", handled & (READ_FILE | READ_DIRECTORY | WRITE_FILE | TRUNCATE | DEVICE_CONTROL))?;
    for directory in writable {
        allow(&ruleset, directory, handled & !MAKE_DEVICES)?;
    }
    // SAFETY: takes numbers only.
    answer(unsafe { libc::syscall(libc::SYS_landlock_restrict_self, ruleset.as_raw_fd(), 0) })
}

fn handled(version: i64) -> u64 {
    let truncate = if version >= 3 { TRUNCATE } else { 0 };
    let device_control = if version >= 5 { DEVICE_CONTROL } else { 0 };
    ALL_V2 | truncate | device_control
}

fn version() -> Result<i64, Errno> {
    let nothing = std::ptr::null::<RulesetAttributes>();
    // SAFETY: asking for the version reads no memory.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, nothing, 0, VERSION) };
    answer(version)?;
    Ok(version)
}

fn ruleset(version: i64, handled_files: u64) -> Result<OwnedFd, Errno> {
    let scoped = if version >= 6 { SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS } else { 0 };
    let attributes = RulesetAttributes { handled_files, handled_network: 0, scoped };
    // A kernel takes only as much of the structure as it knows.
    let known = match version {
        ..4 => 8,
        4..6 => 16,
        _ => size_of::<RulesetAttributes>(),
    };
    // SAFETY: the structure is valid for at least `known` bytes and outlives the call.
    let made = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const attributes, known, 0) };
    answer(made)?;
    let descriptor = i32::try_from(made).map_err(|_| Errno::BADF)?;
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

fn allow(ruleset: &OwnedFd, path: &str, allowed: u64) -> Result<(), Errno> {
    let parent = rustix::fs::openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    add(ruleset.as_fd(), &PathBeneath { allowed, parent: parent.as_raw_fd() })
}

fn add(ruleset: BorrowedFd<'_>, rule: &PathBeneath) -> Result<(), Errno> {
    let rule = std::ptr::from_ref(rule);
    // SAFETY: the structure is the one this kind of rule takes, and it outlives the call.
    answer(unsafe { libc::syscall(libc::SYS_landlock_add_rule, ruleset.as_raw_fd(), RULE_PATH_BENEATH, rule, 0) })
}
