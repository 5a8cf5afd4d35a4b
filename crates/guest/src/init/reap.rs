//! Children that have ended: the programs, and every orphan of theirs.
#![expect(unsafe_code, reason = "what a child used is told by a call without a safe wrapper")]

use std::os::fd::{FromRawFd, OwnedFd};

use crate::raw::answer;
use aegis_door::Ended;
use rustix::io::Errno;
use rustix::process::Signal;

/// A child that has ended.
pub struct Gone {
    /// Its process id.
    pub pid: i32,
    /// How.
    pub ended: Ended,
    /// Processor time of it and of what it waited for.
    pub cpu_us: u64,
    /// Its largest resident memory.
    pub memory_peak_bytes: u64,
}

/// A descriptor that can be read when a child has ended.
pub fn announcements() -> Result<OwnedFd, Errno> {
    // SAFETY: the set is initialised by `sigemptyset` before it is read, and outlives each call.
    let descriptor = unsafe {
        let mut signals = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut signals);
        libc::sigaddset(&raw mut signals, libc::SIGCHLD);
        libc::sigprocmask(libc::SIG_BLOCK, &raw const signals, std::ptr::null_mut());
        libc::signalfd(-1, &raw const signals, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    if descriptor < 0 {
        return Err(Errno::MFILE);
    }
    // SAFETY: the kernel has just made this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Takes the announcements in; the children themselves are asked for with `next`.
pub fn acknowledge(announcements: &OwnedFd) {
    let mut told = [0; size_of::<libc::signalfd_siginfo>()];
    while rustix::io::read(announcements, &mut told).is_ok() {}
}

/// The next child that has ended, if any.
pub fn next() -> Option<Gone> {
    let mut status = 0;
    // SAFETY: all zero is a valid value of this plain structure.
    let mut used = unsafe { std::mem::zeroed::<libc::rusage>() };
    // SAFETY: both places are valid for writing and outlive the call.
    let pid = unsafe { libc::wait4(-1, &raw mut status, libc::WNOHANG, &raw mut used) };
    (pid > 0).then(|| Gone {
        pid,
        ended: ended(status),
        cpu_us: microseconds(used.ru_utime).saturating_add(microseconds(used.ru_stime)),
        // The kernel counts in KiB.
        memory_peak_bytes: u64::try_from(used.ru_maxrss).unwrap_or_default().saturating_mul(1_024),
    })
}

/// Whether any process but this one is left in the box.
pub fn anybody_left() -> bool {
    // SAFETY: signal 0 is sent to nobody.
    unsafe { libc::kill(-1, 0) == 0 }
}

/// Signals every process of the box but this one.
pub fn signal_everything(signal: Signal) -> Result<(), Errno> {
    // SAFETY: takes numbers only; in this namespace, -1 is everything in the box.
    answer(unsafe { libc::kill(-1, signal.as_raw()) }.into())
}

fn ended(status: i32) -> Ended {
    if libc::WIFSIGNALED(status) {
        Ended::Signal(u8::try_from(libc::WTERMSIG(status)).unwrap_or(u8::MAX))
    } else {
        Ended::Code(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
    }
}

fn microseconds(time: libc::timeval) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    seconds.saturating_mul(1_000_000).saturating_add(u64::try_from(time.tv_usec).unwrap_or_default())
}
