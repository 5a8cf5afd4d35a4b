//! What this machine has of what process boxes need. Must not change anything on it.
#![expect(unsafe_code, reason = "the version of Landlock is told by a call without a safe wrapper")]

use std::fs;
use std::path::Path;

use super::cgroup::Cgroups;

/// The oldest version of Landlock that a box is sealed with.
const LANDLOCK_MIN: i64 = 2;

/// One thing that process boxes need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub name: &'static str,
    /// What was found, or what is missing.
    pub found: Result<String, String>,
    /// How to mend it.
    pub fix: &'static str,
    /// Whether there are no boxes without it.
    pub required: bool,
}

/// Everything that process boxes need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// One by one.
    pub findings: Vec<Finding>,
}

impl Survey {
    /// Why there are no such boxes here, if there are none.
    pub fn absent(&self) -> Option<String> {
        let missing = self.findings.iter().filter(|finding| finding.required);
        let reasons: Vec<&str> =
            missing.filter_map(|finding| finding.found.as_ref().err()).map(String::as_str).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

/// Looks at the machine, as the user that asks.
pub fn survey() -> Survey {
    let mut findings = kernel();
    findings.push(Finding {
        name: "box cgroups",
        found: Cgroups::look().map(str::to_owned),
        fix: "run as root, or let systemd delegate cpu, memory and pids: `Delegate=yes` in the unit, \
              or `systemd-run --user --scope -p Delegate=yes aegis up`; with cgroups v1, let root make a \
              directory for this user in the trees of cpu, cpuacct, freezer, memory and pids, and start it there",
        required: true,
    });
    findings.push(Finding {
        name: "box disks",
        found: disks(),
        fix: "run as root with `mkfs.ext4` and loop devices; without them the files of a box live in its memory",
        required: false,
    });
    Survey { findings }
}

/// What boxes cannot do without, but for cgroups.
pub fn required() -> Result<(), String> {
    Survey { findings: kernel() }.absent().map_or(Ok(()), Err)
}

fn kernel() -> Vec<Finding> {
    vec![
        Finding {
            name: "user namespaces",
            found: user_namespaces(),
            fix: "set `user.max_user_namespaces` above 0 and, where it is there, \
                  `kernel.apparmor_restrict_unprivileged_userns` to 0",
            required: true,
        },
        Finding {
            name: "Landlock",
            found: landlock(),
            fix: "use a kernel from 5.19 on with `landlock` in its list of security modules (`lsm=`)",
            required: true,
        },
        Finding { name: "seccomp", found: seccomp(), fix: "use a kernel with CONFIG_SECCOMP_FILTER", required: true },
    ]
}

fn user_namespaces() -> Result<String, String> {
    let number = |path: &str| fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u64>().ok());
    if !Path::new("/proc/self/ns/user").exists() {
        return Err("the kernel has no user namespaces".to_owned());
    }
    if number("/proc/sys/user/max_user_namespaces") == Some(0) {
        return Err("`user.max_user_namespaces` is 0".to_owned());
    }
    let root = rustix::process::geteuid().is_root();
    if !root && number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0) {
        return Err("`kernel.unprivileged_userns_clone` is 0".to_owned());
    }
    if !root && number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == Some(1) {
        return Err("AppArmor keeps ordinary users from user namespaces".to_owned());
    }
    Ok(if root { "as root, a user of its own for each box" } else { "as an ordinary user" }.to_owned())
}

fn landlock() -> Result<String, String> {
    const VERSION: u32 = 1;
    // SAFETY: asking for the version reads no memory.
    let version =
        unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<libc::c_void>(), 0, VERSION) };
    match version {
        ..0 => Err("the kernel has no Landlock, or it is not switched on".to_owned()),
        version if version < LANDLOCK_MIN => Err(format!("Landlock version {version}; {LANDLOCK_MIN} is needed")),
        version => Ok(format!("version {version}")),
    }
}

fn seccomp() -> Result<String, String> {
    let actions = fs::read_to_string("/proc/sys/kernel/seccomp/actions_avail").unwrap_or_default();
    let has = |action: &str| actions.split_whitespace().any(|found| found == action);
    if has("errno") && has("kill_process") { Ok("filters".to_owned()) } else { Err("no seccomp filters".to_owned()) }
}

fn disks() -> Result<String, String> {
    if !rustix::process::geteuid().is_root() {
        return Err("only root attaches file systems; files of a box live in its memory".to_owned());
    }
    if !Path::new("/dev/loop-control").exists() {
        return Err("no `/dev/loop-control`; files of a box live in its memory".to_owned());
    }
    let places = ["/usr/sbin/mkfs.ext4", "/sbin/mkfs.ext4", "/usr/bin/mkfs.ext4"];
    match places.iter().find(|place| Path::new(place).exists()) {
        Some(place) => Ok(format!("ext4 of a fixed size, `{place}`")),
        None => Err("no `mkfs.ext4`; files of a box live in its memory".to_owned()),
    }
}
