//! Attacks on other processes of the same agent, as a stand-in for whatever runs beside it.

use crate::attack::Area::Kernel;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::sys::{self, call};

pub const ATTACKS: &[Attack] = &[
    Attack::new(Kernel, "ptrace-traceme", "lets its parent trace it", ptrace_traceme),
    Attack::new(Kernel, "ptrace-sibling", "traces another process", ptrace_sibling),
    Attack::new(Kernel, "vm-read-sibling", "reads the memory of another process", vm_read_sibling),
    Attack::new(Kernel, "vm-write-sibling", "writes the memory of another process", vm_write_sibling),
    Attack::new(Kernel, "pidfd-getfd-sibling", "takes a descriptor out of another process", pidfd_getfd_sibling),
];

/// A process that waits, and is killed when it goes out of scope.
struct Sibling(i32);

impl Sibling {
    /// Tries something on a waiting process. Without one nothing was tried, so nothing held.
    fn with(attempt: impl FnOnce(i32) -> Outcome) -> Outcome {
        match sys::fork(|| sys::sleep_forever()).map(Self) {
            Ok(sibling) => attempt(sibling.0),
            Err(errno) => Outcome::broken(format!("no process to try it on: {errno}")),
        }
    }
}

impl Drop for Sibling {
    fn drop(&mut self) {
        _ = call!(SYS_kill, self.0, libc::SIGKILL);
        _ = sys::wait(self.0);
    }
}

fn ptrace_traceme() -> Outcome {
    Outcome::refused("ptrace", call!(SYS_ptrace, libc::PTRACE_TRACEME, 0, 0, 0))
}

fn ptrace_sibling() -> Outcome {
    Sibling::with(|sibling| Outcome::refused("ptrace", call!(SYS_ptrace, libc::PTRACE_SEIZE, sibling, 0, 0)))
}

/// Fork has copied the buffer, so it is at the same address over there.
fn vm_read_sibling() -> Outcome {
    transfer("process_vm_readv", |sibling, local, remote| call!(SYS_process_vm_readv, sibling, local, 1, remote, 1, 0))
}

fn vm_write_sibling() -> Outcome {
    transfer("process_vm_writev", |sibling, local, remote| {
        call!(SYS_process_vm_writev, sibling, local, 1, remote, 1, 0)
    })
}

fn transfer(what: &str, attempt: impl FnOnce(i32, &[u8], &[u8]) -> Result<i64, Errno>) -> Outcome {
    let mut buffer = vec![0_u8; 8];
    let vector = sys::bytes_of([buffer.as_mut_ptr() as i64, 8]);
    Sibling::with(|sibling| Outcome::refused(what, attempt(sibling, &vector, &vector)))
}

fn pidfd_getfd_sibling() -> Outcome {
    Sibling::with(|sibling| match call!(SYS_pidfd_open, sibling, 0) {
        Ok(pidfd) => Outcome::refused("pidfd_getfd", call!(SYS_pidfd_getfd, pidfd, 0, 0)),
        refused => Outcome::refused("pidfd_open", refused),
    })
}
