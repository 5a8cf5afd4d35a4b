//! Attacks that make a namespace of their own or enter another's.

use crate::attack::Area::Kernel;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::scratch::Scratch;
use crate::sys::{self, call};
use std::fs::File;
use std::os::fd::AsRawFd as _;

pub const ATTACKS: &[Attack] = &[
    Attack::new(Kernel, "unshare-user", "makes a user namespace", unshare::<{ libc::CLONE_NEWUSER }>),
    Attack::new(Kernel, "unshare-mount", "makes a mount namespace", unshare::<{ libc::CLONE_NEWNS }>),
    Attack::new(Kernel, "unshare-pid", "makes a pid namespace", unshare::<{ libc::CLONE_NEWPID }>),
    Attack::new(Kernel, "unshare-net", "makes a network namespace", unshare::<{ libc::CLONE_NEWNET }>),
    Attack::new(Kernel, "unshare-ipc", "makes an ipc namespace", unshare::<{ libc::CLONE_NEWIPC }>),
    Attack::new(Kernel, "unshare-uts", "makes a uts namespace", unshare::<{ libc::CLONE_NEWUTS }>),
    Attack::new(Kernel, "unshare-cgroup", "makes a cgroup namespace", unshare::<{ libc::CLONE_NEWCGROUP }>),
    Attack::new(Kernel, "unshare-time", "makes a time namespace", unshare::<{ libc::CLONE_NEWTIME }>),
    Attack::new(Kernel, "clone-user", "starts a child in a user namespace", clone::<{ libc::CLONE_NEWUSER }>),
    Attack::new(Kernel, "clone-mount", "starts a child in a mount namespace", clone::<{ libc::CLONE_NEWNS }>),
    Attack::new(Kernel, "clone-pid", "starts a child in a pid namespace", clone::<{ libc::CLONE_NEWPID }>),
    Attack::new(Kernel, "clone-net", "starts a child in a network namespace", clone::<{ libc::CLONE_NEWNET }>),
    Attack::new(Kernel, "clone-ipc", "starts a child in an ipc namespace", clone::<{ libc::CLONE_NEWIPC }>),
    Attack::new(Kernel, "clone-uts", "starts a child in a uts namespace", clone::<{ libc::CLONE_NEWUTS }>),
    Attack::new(Kernel, "clone-cgroup", "starts a child in a cgroup namespace", clone::<{ libc::CLONE_NEWCGROUP }>),
    Attack::new(Kernel, "clone3-user", "starts a child in a user namespace by clone3", clone3_user),
    Attack::new(Kernel, "nested-user-mount", "mounts inside a nested user namespace", nested_user_mount),
    Attack::new(Kernel, "setns-guest", "enters the namespaces of pid 1", setns_guest),
    Attack::new(Kernel, "setns-pidfd", "enters the namespaces of pid 1 by a pidfd", setns_pidfd),
];

fn unshare<const FLAG: i32>() -> Outcome {
    Outcome::refused("unshare", call!(SYS_unshare, FLAG))
}

/// Without a stack of its own the child goes on like a forked one, and ends at once.
fn clone<const FLAG: i32>() -> Outcome {
    let result = call!(SYS_clone, FLAG | libc::SIGCHLD, 0, 0, 0, 0);
    if result == Ok(0) {
        sys::exit_now(0);
    }
    Outcome::refused("clone", result)
}

fn clone3_user() -> Outcome {
    let arguments = sys::bytes_of([libc::CLONE_NEWUSER.into(), 0, 0, 0, libc::SIGCHLD.into(), 0, 0, 0]);
    let result = call!(SYS_clone3, arguments.as_slice(), arguments.len());
    if result == Ok(0) {
        sys::exit_now(0);
    }
    Outcome::refused("clone3", result)
}

fn nested_user_mount() -> Outcome {
    Scratch::with(|scratch| {
        let made = call!(SYS_unshare, libc::CLONE_NEWUSER | libc::CLONE_NEWNS);
        if made.is_err() {
            return Outcome::refused("unshare", made);
        }
        let place = scratch.text();
        Outcome::refused("mount", call!(SYS_mount, c"tmpfs", &place, c"tmpfs", 0, 0))
    })
}

fn setns_guest() -> Outcome {
    let names = ["user", "mnt", "pid", "net", "ipc", "uts", "cgroup", "time"];
    Outcome::all(names.map(|name| match File::open(format!("/proc/1/ns/{name}")) {
        Ok(namespace) => Outcome::refused("setns", call!(SYS_setns, namespace.as_raw_fd(), 0)),
        Err(error) => Outcome::held(format!("/proc/1/ns: {}", Errno::from(error))),
    }))
}

fn setns_pidfd() -> Outcome {
    match call!(SYS_pidfd_open, 1, 0) {
        Ok(guest) => Outcome::refused("setns", call!(SYS_setns, guest, libc::CLONE_NEWNET | libc::CLONE_NEWNS)),
        refused => Outcome::refused("pidfd_open", refused),
    }
}
