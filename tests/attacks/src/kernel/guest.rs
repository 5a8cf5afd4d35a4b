//! Attacks on the guest, pid 1: reading it, stopping it, changing how it runs.
//! Whoever may do what root may do only asks whether it could: pid 1 may then be that of a host.

use crate::attack::Area::Kernel;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::process;
use crate::sys::{self, call};
use std::fs::File;

pub const ATTACKS: &[Attack] = &[
    Attack::new(Kernel, "ptrace-guest", "traces pid 1", ptrace_guest),
    Attack::new(Kernel, "vm-read-guest", "reads the memory of pid 1", vm_read_guest),
    Attack::new(Kernel, "vm-write-guest", "writes the memory of pid 1", vm_write_guest),
    Attack::new(Kernel, "pidfd-getfd-guest", "takes a descriptor out of pid 1", pidfd_guest),
    Attack::new(Kernel, "kcmp-guest", "compares its kernel objects with those of pid 1", kcmp_guest),
    Attack::new(Kernel, "kill-guest", "kills pid 1", signal_guest::<{ libc::SIGKILL }>),
    Attack::new(Kernel, "terminate-guest", "asks pid 1 to end", signal_guest::<{ libc::SIGTERM }>),
    Attack::new(Kernel, "stop-guest", "stops pid 1", signal_guest::<{ libc::SIGSTOP }>),
    Attack::new(Kernel, "signal-guest", "sends pid 1 every other signal", signal_guest_all),
    Attack::new(Kernel, "prlimit-guest", "changes the limits of pid 1", prlimit_guest),
    Attack::new(Kernel, "affinity-guest", "changes the processors of pid 1", affinity_guest),
    Attack::new(Kernel, "priority-guest", "changes the priority of pid 1", priority_guest),
    Attack::new(Kernel, "ioprio-guest", "changes the input and output priority of pid 1", ioprio_guest),
    Attack::new(Kernel, "scheduler-guest", "changes the scheduling of pid 1", scheduler_guest),
    Attack::new(Kernel, "move-pages-guest", "asks for the memory pages of pid 1", move_pages_guest),
    Attack::new(Kernel, "overwrite-guest", "writes the program of pid 1", overwrite_guest),
];

/// Seizing does not stop the traced process, and ends with us.
pub fn ptrace_guest() -> Outcome {
    Outcome::refused("ptrace", call!(SYS_ptrace, libc::PTRACE_SEIZE, 1, 0, 0))
}

/// No process has anything at address 0, so whoever may read is told EFAULT.
fn vm_read_guest() -> Outcome {
    let mut word = [0_u8; 8];
    let local = sys::bytes_of([word.as_mut_ptr() as i64, 8]);
    let remote = sys::bytes_of([0, 8]);
    let result = call!(SYS_process_vm_readv, 1, local.as_slice(), 1, remote.as_slice(), 1, 0);
    Outcome::refused("process_vm_readv", result)
}

fn vm_write_guest() -> Outcome {
    let word = [0_u8; 8];
    let local = sys::bytes_of([word.as_ptr() as i64, 8]);
    let remote = sys::bytes_of([0, 8]);
    let result = call!(SYS_process_vm_writev, 1, local.as_slice(), 1, remote.as_slice(), 1, 0);
    Outcome::refused("process_vm_writev", result)
}

/// All the ways to the memory of pid 1.
pub fn guest_memory() -> Outcome {
    let opened = ["maps", "mem", "pagemap", "auxv"].map(|name| {
        let read = File::open(format!("/proc/1/{name}")).map_err(Errno::from);
        Outcome::failed(&format!("/proc/1/{name}"), read)
    });
    Outcome::all(opened.into_iter().chain([vm_read_guest()]))
}

pub fn pidfd_guest() -> Outcome {
    match call!(SYS_pidfd_open, 1, 0) {
        Ok(guest) => Outcome::all(
            (0..16).map(|number| Outcome::refused("pidfd_getfd", call!(SYS_pidfd_getfd, guest, number, 0))),
        ),
        refused => Outcome::refused("pidfd_open", refused),
    }
}

/// Type 1 compares the memory.
fn kcmp_guest() -> Outcome {
    Outcome::refused("kcmp", call!(SYS_kcmp, std::process::id(), 1, 1, 0, 0))
}

fn signal_guest<const SIGNAL: i32>() -> Outcome {
    send_guest(&[SIGNAL])
}

fn signal_guest_all() -> Outcome {
    let sent_elsewhere = [libc::SIGKILL, libc::SIGTERM, libc::SIGSTOP];
    let others: Vec<i32> = (1..=64).filter(|signal| !sent_elsewhere.contains(signal)).collect();
    send_guest(&others)
}

/// A signal that was taken is no harm as long as pid 1 lives on: the kernel drops what its init does not handle.
fn send_guest(signals: &[i32]) -> Outcome {
    if process::is_privileged() {
        return Outcome::refused("kill with signal 0", call!(SYS_kill, 1, 0));
    }
    let mut answers: Vec<String> = Vec::new();
    for signal in signals {
        let answer = match call!(SYS_kill, 1, *signal) {
            Ok(_) => "kill: taken".to_owned(),
            Err(errno) => format!("kill: {errno}"),
        };
        if !answers.contains(&answer) {
            answers.push(answer);
        }
    }
    sys::sleep_ms(100);
    let answers = answers.join(", ");
    match guest_state() {
        Some(state) if !"TtZXx".contains(state) => Outcome::held(format!("{answers}; pid 1 lives on, state {state}")),
        Some(state) => Outcome::broken(format!("{answers}; pid 1 is in state {state}")),
        None => Outcome::broken(format!("{answers}; pid 1 is gone")),
    }
}

/// The state of pid 1; one that may not be seen but is there counts as sleeping.
fn guest_state() -> Option<char> {
    match process::stat(1) {
        Some(stat) => Some(stat.state),
        None => (call!(SYS_kill, 1, 0) != Err(Errno(libc::ESRCH))).then_some('S'),
    }
}

/// Sets the limit that is there already.
fn prlimit_guest() -> Outcome {
    let mut limit = [0_u8; 16];
    match call!(SYS_prlimit64, 1, libc::RLIMIT_NOFILE, 0, &mut limit) {
        Ok(_) => Outcome::refused("prlimit64", call!(SYS_prlimit64, 1, libc::RLIMIT_NOFILE, &limit, 0)),
        refused => Outcome::refused("prlimit64", refused),
    }
}

/// Sets the processors that are set already.
fn affinity_guest() -> Outcome {
    let mut processors = [0_u8; 1024];
    let got = call!(SYS_sched_getaffinity, 1, 1024, &mut processors);
    match got {
        Ok(length) => Outcome::refused("sched_setaffinity", call!(SYS_sched_setaffinity, 1, length, &processors)),
        refused => Outcome::refused("sched_getaffinity", refused),
    }
}

/// Sets the priority that is set already; the kernel answers 20 less it.
fn priority_guest() -> Outcome {
    match call!(SYS_getpriority, libc::PRIO_PROCESS, 1) {
        Ok(got) => Outcome::refused("setpriority", call!(SYS_setpriority, libc::PRIO_PROCESS, 1, 20 - got)),
        refused => Outcome::refused("getpriority", refused),
    }
}

/// Who 1 is one process.
fn ioprio_guest() -> Outcome {
    match call!(SYS_ioprio_get, 1, 1) {
        Ok(got) => Outcome::refused("ioprio_set", call!(SYS_ioprio_set, 1, 1, got)),
        refused => Outcome::refused("ioprio_get", refused),
    }
}

/// Sets the scheduling that is set already.
fn scheduler_guest() -> Outcome {
    let mut parameters = [0_u8; 4];
    let got = call!(SYS_sched_getscheduler, 1).and_then(|policy| {
        call!(SYS_sched_getparam, 1, &mut parameters)?;
        Ok(policy)
    });
    match got {
        Ok(policy) => Outcome::refused("sched_setscheduler", call!(SYS_sched_setscheduler, 1, policy, &parameters)),
        refused => Outcome::refused("sched_getscheduler", refused),
    }
}

/// Without a page the kernel only checks whether we may.
fn move_pages_guest() -> Outcome {
    Outcome::refused("move_pages", call!(SYS_move_pages, 1, 0, 0, 0, 0, 0))
}

/// A program that runs cannot be written, so whoever may is told ETXTBSY.
fn overwrite_guest() -> Outcome {
    let opened = std::fs::OpenOptions::new().write(true).open("/proc/1/exe").map_err(Errno::from);
    Outcome::refused_or("/proc/1/exe", opened, &[libc::EROFS, libc::ENOENT])
}
