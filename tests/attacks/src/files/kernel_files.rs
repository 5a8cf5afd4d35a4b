//! Attacks on files that the kernel makes up: `/proc`, and what `/sys` holds of the machine.

use super::opening::{opens, readable};
use crate::attack::Area::Files;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;

pub const ATTACKS: &[Attack] = &[
    Attack::new(Files, "proc-kcore", "reads the memory of the kernel", || readable("/proc/kcore")),
    Attack::new(Files, "proc-kmsg", "reads the log of the kernel", || opens("/proc/kmsg", false)),
    Attack::new(Files, "proc-sysrq", "presses the magic keys", || opens("/proc/sysrq-trigger", true)),
    Attack::new(Files, "core-pattern", "has the kernel start a program", core_pattern),
    Attack::new(Files, "proc-keys", "reads the keys of the kernel", || readable("/proc/keys")),
    Attack::new(Files, "proc-key-users", "reads who has keys", || readable("/proc/key-users")),
    Attack::new(Files, "proc-bus", "reads the devices on the buses", || readable("/proc/bus")),
    Attack::new(Files, "proc-timers", "reads the timers of all processes", proc_timers),
    Attack::new(Files, "proc-scheduler", "reads the scheduler's view of all processes", proc_scheduler),
    Attack::new(Files, "proc-acpi", "reads the power hardware", || readable("/proc/acpi")),
    Attack::new(Files, "proc-scsi", "reads the disk hardware", || readable("/proc/scsi")),
    Attack::new(Files, "proc-interrupts", "changes who serves an interrupt", proc_interrupts),
    Attack::new(Files, "oom-score", "makes itself the last to be killed for memory", oom_score),
    Attack::new(Files, "uid-map", "maps itself to root", uid_map),
    Attack::new(Files, "login-uid", "changes its audit identity", || writes("/proc/self/loginuid", "0")),
    Attack::new(Files, "sys-firmware", "reads the firmware", || readable("/sys/firmware")),
    Attack::new(Files, "sys-security", "reads the security modules", || readable("/sys/kernel/security")),
    Attack::new(Files, "sys-debug", "reads the debugging files of the kernel", sys_debug),
    Attack::new(Files, "sys-hardware", "reads the hardware of the host", sys_hardware),
];

fn core_pattern() -> Outcome {
    let paths = ["core_pattern", "modprobe", "hotplug", "poweroff_cmd", "usermodehelper/inheritable"];
    let settings = paths.map(|name| opens(&format!("/proc/sys/kernel/{name}"), true));
    Outcome::all(settings.into_iter().chain([opens("/proc/sys/fs/binfmt_misc/register", true)]))
}

fn proc_timers() -> Outcome {
    Outcome::all(["/proc/timer_list", "/proc/timer_stats", "/proc/latency_stats"].map(readable))
}

fn proc_scheduler() -> Outcome {
    Outcome::all(["/proc/sched_debug", "/sys/kernel/debug/sched/debug"].map(readable))
}

fn proc_interrupts() -> Outcome {
    Outcome::all(["/proc/irq/default_smp_affinity", "/proc/irq/0/smp_affinity"].map(|path| opens(path, true)))
}

fn oom_score() -> Outcome {
    writes("/proc/self/oom_score_adj", "-1000")
}

fn uid_map() -> Outcome {
    Outcome::all([
        writes("/proc/self/uid_map", "0 0 1\n"),
        writes("/proc/self/gid_map", "0 0 1\n"),
        writes("/proc/self/projid_map", "0 0 1\n"),
    ])
}

/// Only about this process, which ends with the attack.
fn writes(path: &str, text: &str) -> Outcome {
    Outcome::failed(path, std::fs::write(path, text).map_err(Errno::from))
}

fn sys_debug() -> Outcome {
    Outcome::all(["/sys/kernel/debug", "/sys/kernel/tracing"].map(readable))
}

fn sys_hardware() -> Outcome {
    Outcome::all(["/sys/class/dmi/id", "/sys/block", "/sys/bus/pci/devices"].map(readable))
}
