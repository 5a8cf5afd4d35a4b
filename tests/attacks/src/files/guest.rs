//! Attacks on what `/proc` tells about the guest, pid 1.

use super::opening::{opens, place};
use crate::attack::Area::Files;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;

pub const ATTACKS: &[Attack] = &[
    Attack::new(Files, "guest-root", "reaches the root of pid 1", || listed("/proc/1/root")),
    Attack::new(Files, "guest-cwd", "reaches the working directory of pid 1", || listed("/proc/1/cwd")),
    Attack::new(Files, "guest-environ", "reads the environment of pid 1", || opens("/proc/1/environ", false)),
    Attack::new(Files, "guest-maps", "reads the memory map of pid 1", || opens("/proc/1/maps", false)),
    Attack::new(Files, "guest-mem", "reads the memory of pid 1 as a file", || opens("/proc/1/mem", false)),
    Attack::new(Files, "guest-mem-write", "writes the memory of pid 1 as a file", || opens("/proc/1/mem", true)),
    Attack::new(Files, "guest-fd", "reaches the descriptors of pid 1", guest_descriptors),
    Attack::new(Files, "guest-exe", "reads the program of pid 1", || linked("/proc/1/exe")),
    Attack::new(Files, "guest-stack", "reads what pid 1 is doing", guest_stack),
    Attack::new(Files, "magic-links", "reaches another root through a process", magic_links),
];

fn listed(path: &str) -> Outcome {
    Outcome::failed(path, std::fs::read_dir(path).map_err(Errno::from))
}

fn linked(path: &str) -> Outcome {
    Outcome::failed(path, std::fs::read_link(path).map_err(Errno::from))
}

/// One by one too: a directory that cannot be listed may still be entered.
pub fn guest_descriptors() -> Outcome {
    let each = (0..64).map(|number| linked(&format!("/proc/1/fd/{number}"))).map(|outcome| Outcome {
        why: outcome.why.split_once(": ").map_or_else(String::new, |(_, why)| format!("/proc/1/fd/N: {why}")),
        ..outcome
    });
    Outcome::all([listed("/proc/1/fd"), listed("/proc/1/map_files")].into_iter().chain(each))
}

fn guest_stack() -> Outcome {
    Outcome::all(["stack", "syscall", "auxv", "pagemap", "io"].map(|name| opens(&format!("/proc/1/{name}"), false)))
}

/// The root of every process that can be seen must be our own.
fn magic_links() -> Outcome {
    let Ok(own) = place("/") else { return Outcome::broken("the root cannot be seen") };
    let links = ["/proc/self/root", "/proc/self/root/..", "/proc/self/cwd/../../../../../..", "/proc/thread-self/root"];
    let processes = crate::process::visible();
    let roots = processes.keys().map(|id| format!("/proc/{id}/root")).chain(links.map(String::from));
    Outcome::all(roots.map(|path| match place(&path) {
        Ok(found) if found != own => Outcome::broken(format!("{path} is another root")),
        Ok(_) => Outcome::held("the same root everywhere"),
        Err(errno) => Outcome::held(format!("root of another: {errno}")),
    }))
}
