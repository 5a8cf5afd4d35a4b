//! Attacks by calls that an agent never needs: the doors that earlier breaks of the kernel went through.
//! Those that could change a host are made with arguments that a willing kernel refuses after asking who calls.

use crate::attack::Area::Kernel;
use crate::attack::{Attack, Outcome};
use crate::sys::{self, call};

pub const ATTACKS: &[Attack] = &[
    Attack::new(Kernel, "keyctl", "looks up the session keyring", keyctl),
    Attack::new(Kernel, "add-key", "adds a key to a keyring", add_key),
    Attack::new(Kernel, "request-key", "asks the kernel for a key", request_key),
    Attack::new(Kernel, "bpf-map", "makes a bpf map", bpf_map),
    Attack::new(Kernel, "bpf-program", "loads a bpf program", bpf_program),
    Attack::new(Kernel, "perf-event", "opens a performance counter", perf_event),
    Attack::new(Kernel, "userfaultfd", "handles its own page faults", userfaultfd),
    Attack::new(Kernel, "open-by-handle", "opens a file by its handle, past all paths", open_by_handle),
    Attack::new(Kernel, "io-uring", "makes system calls by io_uring, past the filter", io_uring),
    Attack::new(Kernel, "fanotify", "watches a whole file system", fanotify),
    Attack::new(Kernel, "kexec-load", "loads another kernel", kexec_load),
    Attack::new(Kernel, "kexec-file-load", "loads another kernel from a file", kexec_file_load),
    Attack::new(Kernel, "init-module", "loads a kernel module from memory", init_module),
    Attack::new(Kernel, "finit-module", "loads a kernel module from a file", finit_module),
    Attack::new(Kernel, "delete-module", "unloads a kernel module", delete_module),
    Attack::new(Kernel, "reboot", "restarts the machine", reboot),
    Attack::new(Kernel, "swapon", "adds swap space", swapon),
    Attack::new(Kernel, "swapoff", "takes swap space away", swapoff),
    Attack::new(Kernel, "acct", "turns process accounting on", acct),
    Attack::new(Kernel, "quotactl", "controls disk quotas", quotactl),
    Attack::new(Kernel, "syslog", "reads the kernel log", syslog),
    Attack::new(Kernel, "iopl", "reaches the ports of the hardware", iopl),
    Attack::new(Kernel, "ioperm", "reaches one port of the hardware", ioperm),
    Attack::new(Kernel, "modify-ldt", "changes its segment descriptors", modify_ldt),
    Attack::new(Kernel, "sethostname", "renames the machine", sethostname),
    Attack::new(Kernel, "setdomainname", "renames the domain of the machine", setdomainname),
    Attack::new(Kernel, "vhangup", "hangs up the terminal", vhangup),
];

/// Key serial numbers of special meaning.
const SESSION_KEYRING: i32 = -3;
const PROCESS_KEYRING: i32 = -2;

fn keyctl() -> Outcome {
    Outcome::refused("keyctl", call!(SYS_keyctl, 0, SESSION_KEYRING, 0))
}

fn add_key() -> Outcome {
    Outcome::refused("add_key", call!(SYS_add_key, c"user", c"attack", b"key", 3, PROCESS_KEYRING))
}

fn request_key() -> Outcome {
    Outcome::refused("request_key", call!(SYS_request_key, c"user", c"attack", 0, 0))
}

/// An array of one entry.
fn bpf_map() -> Outcome {
    let mut attributes = [0_u8; 128];
    for (offset, value) in [(0, 2), (4, 4), (8, 4), (12, 1)] {
        attributes[offset] = value;
    }
    Outcome::refused("bpf", call!(SYS_bpf, 0, &attributes, attributes.len()))
}

/// A socket filter that answers 0.
fn bpf_program() -> Outcome {
    let program: [u8; 16] = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
    let license = c"GPL";
    let mut attributes = sys::bytes_of([1 | 2 << 32, program.as_ptr() as i64, license.as_ptr() as i64]);
    attributes.resize(128, 0);
    Outcome::refused("bpf", call!(SYS_bpf, 5, attributes.as_slice(), attributes.len()))
}

/// The processor clock of this process, disabled, without the kernel's share.
fn perf_event() -> Outcome {
    let mut attributes = sys::bytes_of([1 | 112 << 32, 0, 0, 0, 0, 0b10_0001]);
    attributes.resize(112, 0);
    Outcome::refused("perf_event_open", call!(SYS_perf_event_open, attributes.as_slice(), 0, -1, -1, 0))
}

/// For faults in user mode only, which is what an unprivileged process may still have by default.
fn userfaultfd() -> Outcome {
    Outcome::refused("userfaultfd", call!(SYS_userfaultfd, libc::O_CLOEXEC | 1))
}

/// A file system that gives no handles is asked for a made-up one: who may not ask is told so first.
fn open_by_handle() -> Outcome {
    let mut handle = [0_u8; 136];
    handle[0] = 128;
    let mut mount = [0_u8; 4];
    if call!(SYS_name_to_handle_at, libc::AT_FDCWD, c"/", &mut handle, &mut mount, 0).is_err() {
        handle = [0_u8; 136];
        (handle[0], handle[4], handle[8]) = (8, 1, 2);
    }
    match call!(SYS_openat, libc::AT_FDCWD, c"/", libc::O_RDONLY | libc::O_DIRECTORY, 0) {
        Ok(root) => {
            let opened = call!(SYS_open_by_handle_at, root, &mut handle, libc::O_RDONLY);
            Outcome::refused("open_by_handle_at", opened)
        }
        refused => Outcome::refused("open", refused),
    }
}

fn io_uring() -> Outcome {
    let mut parameters = [0_u8; 120];
    Outcome::refused("io_uring_setup", call!(SYS_io_uring_setup, 4, &mut parameters))
}

/// `FAN_REPORT_FID`, which needs no privilege on an unconfined host.
fn fanotify() -> Outcome {
    Outcome::refused("fanotify_init", call!(SYS_fanotify_init, 0x200, 0))
}

/// Flags that no kernel knows.
fn kexec_load() -> Outcome {
    Outcome::refused("kexec_load", call!(SYS_kexec_load, 0, 0, 0, 0xffff_fff8_u32))
}

fn kexec_file_load() -> Outcome {
    Outcome::refused("kexec_file_load", call!(SYS_kexec_file_load, -1, -1, 0, 0, 0xffff_fff8_u32))
}

/// An empty module.
fn init_module() -> Outcome {
    Outcome::refused("init_module", call!(SYS_init_module, b"", 0, c""))
}

fn finit_module() -> Outcome {
    Outcome::refused("finit_module", call!(SYS_finit_module, -1, c"", 0))
}

fn delete_module() -> Outcome {
    Outcome::refused("delete_module", call!(SYS_delete_module, c"attack_no_such_module", libc::O_NONBLOCK))
}

/// Magic numbers that do nothing but let a willing kernel complain about them.
fn reboot() -> Outcome {
    Outcome::refused("reboot", call!(SYS_reboot, 0, 0, 0, 0))
}

fn swapon() -> Outcome {
    Outcome::refused("swapon", call!(SYS_swapon, c"/attack-no-such-file", 0))
}

fn swapoff() -> Outcome {
    Outcome::refused("swapoff", call!(SYS_swapoff, c"/attack-no-such-file"))
}

fn acct() -> Outcome {
    Outcome::refused("acct", call!(SYS_acct, c"/attack-no-such-file"))
}

/// Writes out what quotas are there, on no particular device.
fn quotactl() -> Outcome {
    Outcome::refused("quotactl", call!(SYS_quotactl, libc::QCMD(libc::Q_SYNC, libc::USRQUOTA), 0, 0, 0))
}

fn syslog() -> Outcome {
    let mut log = [0_u8; 256];
    Outcome::refused("syslog", call!(SYS_syslog, 3, &mut log, 256))
}

fn iopl() -> Outcome {
    Outcome::refused("iopl", call!(SYS_iopl, 3))
}

fn ioperm() -> Outcome {
    Outcome::refused("ioperm", call!(SYS_ioperm, 0x80, 1, 1))
}

/// Function 0 reads; who may read may write.
fn modify_ldt() -> Outcome {
    let mut table = [0_u8; 64];
    Outcome::refused("modify_ldt", call!(SYS_modify_ldt, 0, &mut table, 64))
}

/// A name longer than any kernel takes.
const NAME_TOO_LONG: [u8; 65] = [b'a'; 65];

fn sethostname() -> Outcome {
    Outcome::refused("sethostname", call!(SYS_sethostname, &NAME_TOO_LONG, NAME_TOO_LONG.len()))
}

fn setdomainname() -> Outcome {
    Outcome::refused("setdomainname", call!(SYS_setdomainname, &NAME_TOO_LONG, NAME_TOO_LONG.len()))
}

/// The runner has given this process a session without a terminal, so nothing is hung up.
fn vhangup() -> Outcome {
    Outcome::refused("vhangup", call!(SYS_vhangup))
}
