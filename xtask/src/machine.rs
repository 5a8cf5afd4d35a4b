//! What this machine needs: found by trying it, installed where that is ours to do (Debian
//! or Ubuntu, as root), named exactly where it is not.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::house::House;
use crate::process::{Call, say};

/// Something a machine may lack.
pub struct Need {
    /// A command that works only if it is there.
    probe: &'static [&'static str],
    /// The Debian packages that bring it.
    packages: &'static [&'static str],
}

/// A C compiler: SQLite and the cryptography of TLS are compiled from C.
pub const C_COMPILER: Need = Need { probe: &["cc", "--version"], packages: &["gcc", "libc6-dev"] };
/// A C++ compiler: libFuzzer is compiled from C++.
pub const CXX_COMPILER: Need = Need { probe: &["c++", "--version"], packages: &["g++"] };
/// Python with virtual environments, for the tests against the API's description.
pub const PYTHON: Need =
    Need { probe: &["python3", "-c", "import ensurepip, venv"], packages: &["python3", "python3-venv"] };
/// Worlds of tests are made of network namespaces.
pub const NAMESPACES: Need = Need { probe: &["ip", "-V"], packages: &["iproute2"] };
/// Programs that people use, which have to find their way out of a box.
pub const CLIENTS: [Need; 4] = [
    Need { probe: &["curl", "--version"], packages: &["curl"] },
    Need { probe: &["git", "--version"], packages: &["git"] },
    Need { probe: &["ssh", "-V"], packages: &["openssh-client"] },
    Need { probe: &["test", "-x", "/usr/sbin/sshd"], packages: &["openssh-server"] },
];
/// `promtool`, which checks alerts and puts them to metrics.
const PROMTOOL: Need = Need { probe: &["promtool", "--version"], packages: &["prometheus"] };
/// What the way out is measured against.
pub const PROXIES: [Need; 2] = [
    Need { probe: &["squid", "-v"], packages: &["squid"] },
    Need { probe: &["tinyproxy", "-v"], packages: &["tinyproxy"] },
];
/// An emulator of whole machines.
pub const QEMU: Need = Need { probe: &["qemu-system-x86_64", "--version"], packages: &["qemu-system-x86"] };
/// What makes ext4 file systems.
pub const MKFS: Need = Need { probe: &["mkfs.ext4", "-V"], packages: &["e2fsprogs"] };
/// What decompresses Debian's kernel; the one in busybox lacks the filter for x86.
pub const XZ: Need = Need { probe: &["xz", "--version"], packages: &["xz-utils"] };

/// Makes sure that every need is met.
pub fn provide(house: &House, needs: &[Need]) -> Result<(), Failure> {
    let missing: Vec<&str> =
        needs.iter().filter(|need| !is_there(house, need)).flat_map(|need| need.packages).copied().collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !may_install() {
        return Err(Failure::Lacks(format!(
            "the packages {0}; as root: `apt-get install {0}`, or what your system calls them",
            missing.join(" ")
        )));
    }
    say(&format!("installing {}", missing.join(" ")));
    refresh_packages(house)?;
    let install = Call::new("apt-get", &house.root).variable("DEBIAN_FRONTEND", "noninteractive");
    install.with(["install", "-y", "--no-install-recommends"]).with(&missing).run()
}

/// Makes sure that `promtool` is there. Its package brings a service along that nobody asked for:
/// where it is installed for this alone, that is stopped again.
pub fn provide_promtool(house: &House) -> Result<(), Failure> {
    if is_there(house, &PROMTOOL) {
        return Ok(());
    }
    provide(house, &[PROMTOOL])?;
    if Call::new("systemctl", &house.root).with(["disable", "--now", "prometheus"]).works() {
        say("the service `prometheus` was stopped again");
    }
    Ok(())
}

/// Asks which packages there are: the lists of a fresh machine are empty or old. Somebody
/// who may not do that goes on with the lists there are.
pub fn refresh_packages(house: &House) -> Result<(), Failure> {
    if may_install() { Call::new("apt-get", &house.root).with(["update"]).run() } else { Ok(()) }
}

/// Downloads a Debian package and unpacks it, without installing it, into a scratch
/// directory of this name, which is returned.
pub fn unpack(house: &House, package: &str, scratch: &str) -> Result<PathBuf, Failure> {
    if !Call::new("apt-get", &house.root).with(["--version"]).works() {
        return Err(Failure::Lacks(format!("apt-get, with which the package {package} is downloaded")));
    }
    let folder = house.scratch(scratch)?;
    Call::new("apt-get", &folder).with(["download", package]).run()?;
    let entries = std::fs::read_dir(&folder).map_err(Failure::file(&folder))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let archives = paths.filter(|path| path.extension().is_some_and(|extension| extension == "deb"));
    for archive in archives {
        Call::new("dpkg-deb", &folder).with(["-x".as_ref(), archive.as_os_str(), ".".as_ref()]).run()?;
    }
    Ok(folder)
}

fn is_there(house: &House, need: &Need) -> bool {
    let Some((program, arguments)) = need.probe.split_first() else {
        return true;
    };
    Call::new(program, &house.root).with(arguments).works()
}

fn may_install() -> bool {
    let root = std::fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0);
    root && Path::new("/etc/debian_version").exists()
}
