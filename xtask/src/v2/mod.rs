//! A throw-away machine whose kernel has cgroup v2 only, for tests on hosts that have v1:
//! starts it, runs one program in it as root, and ends as the program ended.
//!
//! The machine sees the whole file system of the host, read-only, so that programs which were
//! built and installed here run there. `/tmp` is an empty disk of its own; `/run`, `/root` and
//! `/dev/shm` are empty; its network has only `lo`. Everything is emulated: nothing of it
//! needs a privilege or a device here, and all of it is slow. Worst is looking at many files,
//! at up to 1 ms each; virtiofs takes a third of that, but holds a file open for each.

mod parts;

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::Failure;
use crate::house::House;
use crate::machine::{self, MKFS, QEMU, XZ};
use crate::process::{Call, say};
use crate::stopwatch::Stopwatch;
use parts::Parts;

/// How long a program may take, the start of the machine included, unless told otherwise.
pub const SECONDS: u32 = 300;

const MEMORY: &str = "1536M";
/// Sparse: a file that grows with what is written.
const DISK_SIZE_BYTES: u64 = 1 << 30;

/// `cgroup_no_v1=all` is the point of it all. A panic ends the machine. `tsc=reliable` gives
/// clocks finer than 4 ms: two processors of this make are not trusted to count alike.
const KERNEL_ARGUMENTS: &str = "console=ttyS0 quiet panic=-1 tsc=reliable cgroup_no_v1=all";

/// Where the machine's own things hide those of the host.
const HIDDEN: [&str; 6] = ["/tmp", "/run", "/root", "/dev", "/proc", "/sys"];

/// What the program finds in its environment before what it is given.
const ENVIRONMENT: &str =
    "export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8";

/// What is run when nothing is named: shows what the machine is.
const SHOW: &str = "uname -r; cat /sys/fs/cgroup/cgroup.controllers /sys/kernel/security/lsm; echo; cat /proc/mounts";

/// What begins the line that tells the exit code; `inside.sh` writes it.
const EXIT_MARK: &str = "AEGIS-V2-EXIT ";

const INIT: &str = include_str!("init.sh");
const INSIDE: &str = include_str!("inside.sh");

/// What is to be done in the machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Errand {
    /// The program and its arguments; what shows the machine when empty.
    pub program: Vec<String>,
    /// Variables for its environment.
    pub variables: Vec<(String, String)>,
    /// How long it may take.
    pub seconds: u32,
}

/// Runs the errand where we are; fails with the program's exit code unless that is 0.
pub fn run(house: &House, errand: &Errand) -> Result<(), Failure> {
    let here = std::env::current_dir().map_err(Failure::file(&house.root))?;
    let program = program(&here, errand)?;
    Machine::provide(house)?.start(house, &program, errand.seconds)
}

/// A machine that can be started. No other one is while this is held.
pub struct Machine {
    parts: Parts,
    _turn: File,
}

impl Machine {
    /// Fetches and installs what it needs.
    pub fn provide(house: &House) -> Result<Self, Failure> {
        machine::provide(house, &[QEMU, MKFS, XZ])?;
        let turn = turn(house)?;
        Ok(Self { parts: Parts::provide(house)?, _turn: turn })
    }

    /// Runs the errand in the house; fails with the program's exit code unless that is 0.
    pub fn run(&self, house: &House, errand: &Errand) -> Result<(), Failure> {
        self.start(house, &program(&house.root, errand)?, errand.seconds)
    }

    fn start(&self, house: &House, program: &str, seconds: u32) -> Result<(), Failure> {
        let folder = house.scratch("v2/run")?;
        pack(&self.parts, &folder, program)?;
        make_disk(&folder)?;
        let watch = Stopwatch::start();
        call(&self.parts, &folder).run_within(Duration::from_secs(seconds.into()))?;
        say(&format!("the machine ran for {:.1} s", watch.seconds()));
        judge(&folder.join("console.log"))
    }
}

/// Waits until no other machine runs: two would share processors that are slow for one.
/// The turn lasts as long as the file is open.
fn turn(house: &House) -> Result<File, Failure> {
    let folder = house.target.join("xtask").join("v2");
    std::fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    let path = folder.join("lock");
    let file = File::create(&path).map_err(Failure::file(&path))?;
    if file.try_lock().is_err() {
        say("waiting for another machine to end");
        file.lock().map_err(Failure::file(&path))?;
    }
    Ok(file)
}

/// The script that becomes the program.
fn program(here: &Path, errand: &Errand) -> Result<String, Failure> {
    let words = match errand.program.first() {
        Some(path) if path.contains('/') => seen(&here.join(path)).map(|()| errand.program.clone())?,
        Some(_) => errand.program.clone(),
        None => ["sh", "-c", SHOW].map(str::to_owned).to_vec(),
    };
    seen(here)?;
    let mut lines = vec![ENVIRONMENT.to_owned()];
    lines.extend(errand.variables.iter().map(|(name, value)| format!("export {name}={}", quoted(value))));
    lines.push(format!("cd {} || exit", quoted(&here.to_string_lossy())));
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    lines.push(format!("exec {}\n", words.join(" ")));
    Ok(lines.join("\n"))
}

/// Refuses what the machine does not see.
pub fn seen(path: &Path) -> Result<(), Failure> {
    match HIDDEN.iter().find(|hidden| path.starts_with(hidden)) {
        None => Ok(()),
        Some(hidden) => Err(Failure::Machine(format!(
            "does not see `{}`: its `{hidden}` is its own; a target directory elsewhere helps",
            path.display()
        ))),
    }
}

/// A word as the shell takes it literally.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Packs the initramfs, from which the machine starts.
fn pack(parts: &Parts, folder: &Path, program: &str) -> Result<(), Failure> {
    let stage = folder.join("initramfs");
    for name in ["bin", "modules"] {
        let path = stage.join(name);
        std::fs::create_dir_all(&path).map_err(Failure::file(&path))?;
    }
    let mut files: Vec<(PathBuf, String)> = vec![(parts.busybox(), "bin/busybox".to_owned())];
    files.extend(parts.modules().map(|(name, file)| (file, format!("modules/{name}.ko"))));
    for (from, name) in &files {
        std::fs::copy(from, stage.join(name)).map_err(Failure::file(from))?;
    }
    let order: String = parts.modules().map(|(name, _)| format!("{name}\n")).collect();
    let texts = [("modules/order", order.as_str()), ("init", INIT), ("inside.sh", INSIDE), ("program.sh", program)];
    for (name, text) in texts {
        let path = stage.join(name);
        std::fs::write(&path, text).map_err(Failure::file(&path))?;
    }
    let (init, executable) = (stage.join("init"), Permissions::from_mode(0o755));
    std::fs::set_permissions(&init, executable).map_err(Failure::file(&init))?;
    let archive = r#""$0" find . | "$0" cpio --quiet -o -H newc > ../initrd"#;
    let call = Call::new(parts.busybox(), &stage).with(["sh", "-c", archive]);
    call.with([parts.busybox()]).read().map(drop)
}

/// Makes the empty disk for `/tmp`.
fn make_disk(folder: &Path) -> Result<(), Failure> {
    let path = folder.join("disk");
    let disk = File::create(&path).map_err(Failure::file(&path))?;
    disk.set_len(DISK_SIZE_BYTES).map_err(Failure::file(&path))?;
    Call::new("mkfs.ext4", folder).with(["-q", "-E", "lazy_itable_init=1,nodiscard", "disk"]).read().map(drop)
}

/// QEMU, which ends when the machine turns itself off. The kernel kills it if we die first.
///
/// The machine is `q35`, not `microvm`, which starts half a second sooner: there the kernel
/// waits forever for a clock tick in one of ten starts, when it fails to time the processor.
fn call(parts: &Parts, folder: &Path) -> Call {
    let call = Call::new("setpriv", folder).with(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
    let call = call.with(["-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", MEMORY]);
    let call = call.with(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
    let call = call.with(["-kernel".as_ref(), parts.kernel().as_os_str()]);
    let call = call.with(["-initrd", "initrd", "-append", KERNEL_ARGUMENTS, "-serial", "file:console.log"]);
    let call = call.with(["-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"]);
    let call = call.with(["-device", "virtio-9p-pci,fsdev=host,mount_tag=host"]);
    let call = call.with(["-drive", "if=none,id=disk,format=raw,file=disk,cache=unsafe"]);
    let call = call.with(["-device", "virtio-blk-pci,drive=disk", "-device", "virtio-serial-pci"]);
    call.with(["-chardev", "stdio,id=output,signal=off", "-device", "virtserialport,chardev=output"])
}

/// Ends as the program ended, by what stands on the console.
fn judge(console: &Path) -> Result<(), Failure> {
    let bytes = std::fs::read(console).map_err(Failure::file(console))?;
    match exit_code(&String::from_utf8_lossy(&bytes)) {
        Some(0) => Ok(()),
        Some(code) => Err(Failure::Inside { code }),
        None => Err(Failure::Machine(format!("ended before the program did; see `{}`", console.display()))),
    }
}

/// The exit code on the last marked line.
fn exit_code(console: &str) -> Option<u8> {
    console.lines().rev().find_map(|line| line.strip_prefix(EXIT_MARK))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errand(program: &[&str]) -> Errand {
        let program = program.iter().map(|word| (*word).to_owned()).collect();
        Errand { program, variables: vec![("A".to_owned(), "it's".to_owned())], seconds: SECONDS }
    }

    #[test]
    fn words_reach_the_program_as_they_are() {
        let script = program(Path::new("/src"), &errand(&["./a", "$b 'c'"])).expect("seen");
        assert!(script.ends_with("export A='it'\\''s'\ncd '/src' || exit\nexec './a' '$b '\\''c'\\'''\n"), "{script}");
    }

    #[test]
    fn what_the_machine_does_not_see_is_refused() {
        let refused = |here: &str, word: &str| program(Path::new(here), &errand(&[word])).is_err();
        assert!(refused("/src", "/tmp/a"));
        assert!(refused("/tmp/src", "true"));
        assert!(!refused("/src", "/tmpfile"));
        assert!(!refused("/src", "true"));
    }

    #[test]
    fn the_exit_code_is_on_the_last_marked_line() {
        assert_eq!(exit_code("boot\r\nAEGIS-V2-EXIT 3\r\n[ 1.2] off\r\n"), Some(3));
        assert_eq!(exit_code("AEGIS-V2-EXIT 0\nAEGIS-V2-EXIT 101\n"), Some(101));
        assert_eq!(exit_code("Kernel panic\n"), None);
        assert_eq!(exit_code(""), None);
    }

    #[test]
    fn the_script_inside_writes_the_mark() {
        assert!(INSIDE.contains(&format!("echo \"{EXIT_MARK}$code\"")));
    }
}
