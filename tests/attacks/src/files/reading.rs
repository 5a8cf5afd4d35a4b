//! Attacks that read what belongs to the host.

use super::opening::readable;
use crate::attack::Area::Files;
use crate::attack::{Attack, Outcome};

pub const ATTACKS: &[Attack] = &[
    Attack::new(Files, "read-shadow", "reads the passwords of the host", read_shadow),
    Attack::new(Files, "read-root-home", "reads the home of root", || readable("/root")),
    Attack::new(Files, "read-homes", "reads the homes of users", || readable("/home")),
    Attack::new(Files, "read-var", "reads the state of the host in /var", || readable("/var")),
    Attack::new(Files, "read-run", "reads the state of the host in /run", || readable("/run")),
    Attack::new(Files, "read-boot", "reads the kernel of the host", || readable("/boot")),
    Attack::new(Files, "read-ssh", "reads the host keys", || readable("/etc/ssh")),
    Attack::new(Files, "read-tls-keys", "reads the private keys in /etc", || readable("/etc/ssl/private")),
    Attack::new(Files, "read-data", "reads the data directories of the host", read_data),
    Attack::new(Files, "read-mounts", "reads other file systems of the host", read_mounts),
];

fn read_shadow() -> Outcome {
    Outcome::all(["/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/sudoers"].map(readable))
}

fn read_data() -> Outcome {
    Outcome::all(["/data", "/work", "/srv", "/opt"].map(readable))
}

fn read_mounts() -> Outcome {
    Outcome::all(["/mnt", "/media", "/host", "/rootfs", "/.oldroot", "/oldroot", "/lost+found"].map(readable))
}
