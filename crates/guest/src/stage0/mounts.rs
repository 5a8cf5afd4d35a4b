//! Trees: taking them out of the host, making them, showing them. Everything is restricted
//! while it is still in hand, so that nothing is visible unrestricted even for a moment.
#![expect(unsafe_code, reason = "the system call that restricts a tree has no safe wrapper")]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::raw::answer;
use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags,
};

/// Of what is taken over from the host, nothing can be written, and neither a device nor
/// another user's rights can be had from it.
const FOREIGN: u64 = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NODEV;
/// A device can be used, and nothing else.
const DEVICE: u64 = libc::MOUNT_ATTR_NOSUID | libc::MOUNT_ATTR_NOEXEC;

/// Terminals a box may have at a time.
const TERMINALS_MAX: &str = "64";

/// A file system in memory.
pub struct Memory {
    /// The most it may hold.
    pub bytes: u64,
    /// The most files it may hold.
    pub files: u64,
    /// Its access mode.
    pub mode: u32,
    /// Whose it is, as the box counts.
    pub owner: u32,
}

/// Lets no mount of the host's follow into this namespace, and none of it go back.
pub fn detach() -> Result<(), Errno> {
    rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
}

/// A directory of the host, with everything mounted below it.
pub fn take_directory(path: &str) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
    let tree = rustix::mount::open_tree(CWD, path, flags)?;
    restrict(tree.as_fd(), FOREIGN)?;
    Ok(tree)
}

/// A file of the host.
pub fn take_file(path: &str) -> Result<OwnedFd, Errno> {
    take_single(path, FOREIGN)
}

/// A device of the host.
pub fn take_device(path: &str) -> Result<OwnedFd, Errno> {
    take_single(path, DEVICE)
}

fn take_single(path: &str, attributes: u64) -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(CWD, path, flags)?;
    restrict(tree.as_fd(), attributes)?;
    Ok(tree)
}

fn restrict(tree: BorrowedFd<'_>, attributes: u64) -> Result<(), Errno> {
    let wanted = libc::mount_attr { attr_set: attributes, attr_clr: 0, propagation: 0, userns_fd: 0 };
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    // SAFETY: the path is a C string, the structure is valid for its size, and the kernel
    // keeps neither.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            tree.as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const wanted,
            size_of::<libc::mount_attr>(),
        )
    };
    answer(done)
}

/// A file system in memory.
pub fn make_memory(memory: Memory) -> Result<OwnedFd, Errno> {
    let owner = memory.owner.to_string();
    let options = [
        ("size", memory.bytes.to_string()),
        ("nr_inodes", memory.files.to_string()),
        ("mode", format!("{:o}", memory.mode)),
        ("uid", owner.clone()),
        ("gid", owner),
    ];
    let attributes = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NODEV;
    make("tmpfs", &options, attributes)
}

/// The processes of the box. Read-only: nobody's settings are changed through files.
pub fn make_processes() -> Result<OwnedFd, Errno> {
    let attributes = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    make("proc", &[], attributes)
}

/// The terminals of the box.
pub fn make_terminals() -> Result<OwnedFd, Errno> {
    let options = [("mode", "0620".to_owned()), ("ptmxmode", "0666".to_owned()), ("max", TERMINALS_MAX.to_owned())];
    make("devpts", &options, MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC)
}

fn make(kind: &str, options: &[(&str, String)], attributes: MountAttrFlags) -> Result<OwnedFd, Errno> {
    let context = rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    for (name, value) in options {
        rustix::mount::fsconfig_set_string(&context, *name, value.as_str())?;
    }
    rustix::mount::fsconfig_create(&context)?;
    rustix::mount::fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, attributes)
}

/// Makes `tree` the root and lets go of the old one, and with it of every file of the host.
pub fn enter_root(tree: &OwnedFd) -> Result<(), Errno> {
    // Any directory does to hold it for the moment; this one is on every Linux.
    attach(tree.as_fd(), "/proc")?;
    rustix::process::fchdir(tree)?;
    rustix::process::pivot_root(".", ".")?;
    // Both roots are at the same place now, the old one on top.
    rustix::mount::unmount(".", UnmountFlags::DETACH)?;
    rustix::process::chdir("/")
}

/// Shows `tree` at `target`.
pub fn attach(tree: BorrowedFd<'_>, target: &str) -> Result<(), Errno> {
    rustix::mount::move_mount(tree, "", CWD, target, MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH)
}

/// Shows nothing where a file is. What this kernel does not have needs no mask.
pub fn mask_file(path: &str) -> Result<(), Errno> {
    mask("/dev/null", path)
}

/// Shows nothing where a directory is.
pub fn mask_directory(path: &str) -> Result<(), Errno> {
    mask("/var/empty", path)
}

fn mask(nothing: &str, path: &str) -> Result<(), Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let tree = rustix::mount::open_tree(CWD, nothing, flags)?;
    match attach(tree.as_fd(), path) {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}
