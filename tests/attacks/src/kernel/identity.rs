//! Attacks that gain privileges, and checks that there are none to begin with.

use crate::attack::Area::Kernel;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::process;
use crate::sys::{self, call};

pub const ATTACKS: &[Attack] = &[
    Attack::new(Kernel, "setuid-root", "becomes root", setuid_root),
    Attack::new(Kernel, "setgid-root", "joins the group of root", setgid_root),
    Attack::new(Kernel, "setgroups", "adds the group of root to its groups", setgroups),
    Attack::new(Kernel, "capset", "raises a capability", capset),
    Attack::new(Kernel, "ambient-raise", "raises an ambient capability", ambient_raise),
    Attack::new(Kernel, "securebits", "changes how root is treated", securebits),
    Attack::new(Kernel, "raise-limit", "raises one of its hard limits", raise_limit),
    Attack::new(Kernel, "raise-priority", "raises its own priority", raise_priority),
    Attack::new(Kernel, "real-time", "asks for real-time scheduling", real_time),
    Attack::new(Kernel, "not-root", "runs as root", not_root),
    Attack::new(Kernel, "capabilities-empty", "finds a capability in any of its sets", capabilities_empty),
    Attack::new(Kernel, "no-new-privileges", "finds that it can gain privileges on execution", no_new_privileges),
    Attack::new(Kernel, "seccomp-on", "finds itself without a system call filter", seccomp_on),
];

/// A user namespace that knows no root says EINVAL.
const UNKNOWN_ID: &[i32] = &[libc::EINVAL];

fn setuid_root() -> Outcome {
    Outcome::all([
        Outcome::refused_or("setuid", call!(SYS_setuid, 0), UNKNOWN_ID),
        Outcome::refused_or("setreuid", call!(SYS_setreuid, 0, 0), UNKNOWN_ID),
        Outcome::refused_or("setresuid", call!(SYS_setresuid, 0, 0, 0), UNKNOWN_ID),
    ])
}

fn setgid_root() -> Outcome {
    Outcome::all([
        Outcome::refused_or("setgid", call!(SYS_setgid, 0), UNKNOWN_ID),
        Outcome::refused_or("setregid", call!(SYS_setregid, 0, 0), UNKNOWN_ID),
        Outcome::refused_or("setresgid", call!(SYS_setresgid, 0, 0, 0), UNKNOWN_ID),
    ])
}

fn setgroups() -> Outcome {
    Outcome::refused_or("setgroups", call!(SYS_setgroups, 1, &[0_u8; 4]), UNKNOWN_ID)
}

/// Version 3 of the structure, for this process.
const CAPABILITY_HEADER: i64 = 0x2008_0522;
/// `CAP_SYS_ADMIN`.
const ADMINISTRATOR: u8 = 21;

/// Adds one capability to the given sets: 0 effective, 1 permitted, 2 inheritable.
fn add_capability(sets: &[usize]) -> Result<i64, Errno> {
    let mut header = sys::bytes_of([CAPABILITY_HEADER]);
    let mut data = [0_u8; 24];
    call!(SYS_capget, header.as_mut_slice(), &mut data)?;
    for set in sets {
        data[set * 4 + usize::from(ADMINISTRATOR / 8)] |= 1 << (ADMINISTRATOR % 8);
    }
    call!(SYS_capset, header.as_mut_slice(), &data)
}

fn capset() -> Outcome {
    Outcome::refused("capset", add_capability(&[0, 1]))
}

/// Only what is inheritable can become ambient.
fn ambient_raise() -> Outcome {
    _ = add_capability(&[2]);
    let raised = call!(SYS_prctl, libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE, i32::from(ADMINISTRATOR), 0, 0);
    Outcome::refused("prctl", raised)
}

fn securebits() -> Outcome {
    Outcome::refused("prctl", call!(SYS_prctl, libc::PR_SET_SECUREBITS, 1, 0, 0, 0))
}

/// The limit of niceness, which is 0 wherever nobody raised it.
fn raise_limit() -> Outcome {
    let limit = sys::bytes_of([40, 40]);
    Outcome::refused("prlimit64", call!(SYS_prlimit64, 0, libc::RLIMIT_NICE, limit.as_slice(), 0))
}

fn raise_priority() -> Outcome {
    Outcome::refused("setpriority", call!(SYS_setpriority, libc::PRIO_PROCESS, 0, -20))
}

fn real_time() -> Outcome {
    let parameters = 1_i32.to_ne_bytes();
    Outcome::refused("sched_setscheduler", call!(SYS_sched_setscheduler, 0, libc::SCHED_FIFO, &parameters))
}

fn not_root() -> Outcome {
    let (user, group) = (process::effective("Uid"), process::effective("Gid"));
    let why = format!("uid {user}, gid {group}");
    let is_root = [&user, &group].into_iter().any(|id| id.is_empty() || id == "0");
    if is_root { Outcome::broken(why) } else { Outcome::held(why) }
}

fn capabilities_empty() -> Outcome {
    match process::capabilities() {
        found if found.is_empty() => Outcome::held("all sets are empty"),
        found => Outcome::broken(found.join(", ")),
    }
}

fn no_new_privileges() -> Outcome {
    expect("NoNewPrivs", "1")
}

fn seccomp_on() -> Outcome {
    expect("Seccomp", "2")
}

fn expect(name: &str, value: &str) -> Outcome {
    let found = process::own(name);
    let why = format!("{name} is {found}");
    if found == value { Outcome::held(why) } else { Outcome::broken(why) }
}
