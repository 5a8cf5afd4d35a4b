//! What `/proc` says about processes: their confinement and their family. Owns the reading of those files.
#![expect(unsafe_code, reason = "the auxiliary vector has no safe reader")]

use std::collections::{BTreeMap, BTreeSet};

/// The sets of capabilities in `/proc/self/status`.
const CAPABILITY_SETS: [&str; 5] = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];

/// The bit that marks a thread of the kernel in the flags of `/proc/PID/stat`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// One field of a text like `/proc/self/status`.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// One field of our own status; empty if it is not there.
pub fn own(name: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    field(&status, name).unwrap_or_default().to_owned()
}

/// The capability sets that are not empty, or cannot be read.
pub fn capabilities() -> Vec<String> {
    CAPABILITY_SETS
        .into_iter()
        .map(|set| (set, own(set)))
        .filter(|(_, value)| u64::from_str_radix(value, 16) != Ok(0))
        .map(|(set, value)| format!("{set}={value}"))
        .collect()
}

/// No capabilities, a system call filter and no new privileges: what an agent has.
pub fn is_confined() -> bool {
    capabilities().is_empty() && own("Seccomp") == "2" && own("NoNewPrivs") == "1"
}

/// Whether this program runs as `user` and `group`, by the kernel's word, and was not made secure on execution.
pub fn has_identity(user: &str, group: &str) -> bool {
    // SAFETY: `getauxval` only looks up a value.
    let secure = unsafe { libc::getauxval(libc::AT_SECURE) } != 0;
    !secure && effective("Uid") == user && effective("Gid") == group
}

/// Our effective id of one kind, `Uid` or `Gid`.
pub fn effective(kind: &str) -> String {
    own(kind).split_whitespace().nth(1).unwrap_or_default().to_owned()
}

/// The process may do what root may do, so that an attack on what is not ours must not be a real one.
pub fn is_privileged() -> bool {
    effective("Uid") == "0" || u64::from_str_radix(&own("CapEff"), 16) != Ok(0)
}

/// It looks like the inside of a box. What would hurt a host is done only where this is true.
pub fn is_in_box() -> bool {
    let places = ["/workspace", "/app"].iter().all(|place| std::path::Path::new(place).is_dir());
    places && !is_privileged() && own("NoNewPrivs") == "1"
}

/// What `/proc/PID/stat` tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// One letter, like `R` or `Z`.
    pub state: char,
    parent: i32,
    flags: u64,
}

/// The stat of a process, if it can be seen.
pub fn stat(process: i32) -> Option<Stat> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
}

/// The name of the program may contain anything, so fields count from the last bracket.
fn parse_stat(text: &str) -> Option<Stat> {
    let mut fields = text.get(text.rfind(')')? + 1..)?.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let flags = fields.nth(4)?.parse().ok()?;
    Some(Stat { state, parent, flags })
}

/// Every process that can be seen, by id.
pub fn visible() -> BTreeMap<i32, Stat> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|id| Some((id, stat(id)?))).collect()
}

/// Processes that belong to neither the guest nor the agent: not pid 1, no ancestor of `me` and no descendant of
/// one below pid 1. A thread of the kernel is nobody's; in a virtual machine it is seen from within.
pub fn foreign(processes: &BTreeMap<i32, Stat>, me: i32) -> Vec<i32> {
    let family: BTreeSet<i32> = ancestors(processes, me).into_iter().filter(|id| *id > 1).collect();
    processes
        .iter()
        .filter(|(id, stat)| **id != 1 && stat.flags & KERNEL_THREAD == 0)
        .map(|(id, _)| *id)
        .filter(|id| !ancestors(processes, *id).iter().any(|ancestor| family.contains(ancestor)))
        .collect()
}

/// A process and those it descends from.
fn ancestors(processes: &BTreeMap<i32, Stat>, process: i32) -> Vec<i32> {
    let mut chain = vec![process];
    while let Some(parent) = chain.last().and_then(|last| processes.get(last)).map(|stat| stat.parent) {
        if parent == 0 || chain.contains(&parent) {
            break;
        }
        chain.push(parent);
    }
    chain
}

#[cfg(test)]
mod tests {
    use super::{KERNEL_THREAD, Stat, field, foreign, parse_stat};
    use std::collections::BTreeMap;

    #[test]
    fn a_field_is_found_by_its_whole_name() {
        let status = "Seccomp_filters:\t3\nSeccomp:\t2\n";
        assert_eq!(field(status, "Seccomp"), Some("2"));
        assert_eq!(field(status, "Sec"), None);
    }

    #[test]
    fn a_name_with_brackets_does_not_confuse_the_fields() {
        let stat = parse_stat("7 (a) b) S 3 7 7 0 -1 4194560 1 2");
        assert_eq!(stat, Some(Stat { state: 'S', parent: 3, flags: 4_194_560 }));
    }

    #[test]
    fn only_processes_outside_the_family_are_foreign() {
        let stat = |parent, flags| Stat { state: 'S', parent, flags };
        let processes = BTreeMap::from([
            (1, stat(0, 0)),
            (2, stat(0, KERNEL_THREAD)),
            (5, stat(1, 0)),
            (6, stat(5, 0)),
            (7, stat(5, 0)),
            (9, stat(1, 0)),
            (12, stat(0, 0)),
        ]);
        assert_eq!(foreign(&processes, 6), [9, 12]);
    }
}
