//! Entering namespaces of one's own. The process that enters is a child of the *server*, not
//! of the process that makes it: so the server waits for it and it dies with the server,
//! and nothing stands between the two.
#![expect(unsafe_code, reason = "making a process in new namespaces has no safe wrapper")]

use std::fs;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use crate::raw::answer;
use aegis_door::ToHost;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use crate::control::Control;

/// Every namespace but two: the one for time, which old kernels do not know, and the one for
/// cgroups, which is entered when the process is in its cgroup.
const NAMESPACES: i32 = libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS;

/// The flag for being born in another cgroup, which only `clone3` takes.
const INTO_CGROUP: u64 = 1 << 33;

/// The flag for a time namespace, which only `clone3` takes.
const NEW_TIME: u64 = 0x80;

/// Who the box is, outside and inside.
pub struct Identity {
    /// Whether the server may give itself any user id.
    pub privileged: bool,
    /// User on the host; of a privileged server also the group.
    pub host_id: u32,
    /// User and group in the box.
    pub box_id: u32,
}

/// Goes on as the first process of new namespaces; the caller's own process ends here.
///
/// Being born in a cgroup instead of moving there spares the machine a moment in which
/// nobody makes a process.
pub fn enter(identity: &Identity, control: &Control, cgroup: Option<OwnedFd>) -> Result<(), Errno> {
    let (told, tell) = pipe_with(PipeFlags::CLOEXEC)?;
    let flags = if cgroup.is_some() { INTO_CGROUP } else { 0 };
    let cgroup_descriptor = cgroup.as_ref().map_or(0, |cgroup| u64::from(cgroup.as_raw_fd().unsigned_abs()));
    let made = match make(flags | NEW_TIME, cgroup_descriptor) {
        Err(Errno::INVAL) => make(flags, cgroup_descriptor)?,
        other => other?,
    };
    let Some(pid) = made else {
        drop(tell);
        return await_identity(&told);
    };
    drop(told);
    let given = give(identity, pid);
    if given.is_ok() {
        control.tell(&ToHost::Entered { pid });
        let _ = rustix::io::write(&tell, b"!");
    }
    given?;
    // SAFETY: ends this process without running anything of it; the box is the other one.
    unsafe { libc::_exit(0) }
}

/// Sees the present cgroups as all there are.
pub fn own_cgroups() -> Result<(), Errno> {
    // SAFETY: takes numbers only.
    answer(unsafe { libc::unshare(libc::CLONE_NEWCGROUP) }.into())
}

/// Makes the process: `None` in it, its id in the process that made it.
fn make(flags: u64, cgroup: u64) -> Result<Option<u32>, Errno> {
    // The bits are the kernel's; they are not a number.
    let namespaces = u64::from((NAMESPACES | libc::CLONE_PARENT).cast_unsigned());
    let arguments = libc::clone_args {
        flags: namespaces | flags,
        pidfd: 0,
        child_tid: 0,
        parent_tid: 0,
        exit_signal: 0,
        stack: 0,
        stack_size: 0,
        tls: 0,
        set_tid: 0,
        set_tid_size: 0,
        cgroup,
    };
    // SAFETY: like `fork`: no memory is shared, this process has one thread, and the
    // structure is valid for its size.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size_of::<libc::clone_args>()) };
    answer(pid)?;
    Ok(u32::try_from(pid).ok().filter(|pid| *pid != 0))
}

/// Waits until this process is somebody in its user namespace.
fn await_identity(told: &OwnedFd) -> Result<(), Errno> {
    let mut byte = [0; 1];
    match rustix::io::retry_on_intr(|| rustix::io::read(told.as_fd(), &mut byte))? {
        1 => Ok(()),
        // The process that was to tell has failed, and told the host why.
        _ => {
            // SAFETY: ends this process without running anything of it.
            unsafe { libc::_exit(0) }
        }
    }
}

/// Says who `pid` is in its user namespace.
fn give(identity: &Identity, pid: u32) -> Result<(), Errno> {
    let line = |host_id: u32| format!("{} {host_id} 1\n", identity.box_id);
    let mut group = identity.host_id;
    if !identity.privileged {
        // An ordinary user can give its own group only, which may have another number.
        group = rustix::process::getegid().as_raw();
        write(pid, "setgroups", "deny")?;
    }
    write(pid, "gid_map", &line(group))?;
    write(pid, "uid_map", &line(identity.host_id))
}

fn write(pid: u32, file: &str, text: &str) -> Result<(), Errno> {
    fs::write(format!("/proc/{pid}/{file}"), text).map_err(|error| match (error.raw_os_error(), error.kind()) {
        (Some(code), _) => Errno::from_raw_os_error(code),
        (None, ErrorKind::WriteZero) => Errno::NOSPC,
        (None, _) => Errno::IO,
    })
}
