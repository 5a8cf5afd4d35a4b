//! Attacks by what the kernel shares between processes of one machine: abstract sockets, shared memory, queues.

use crate::attack::Area::Channels;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::process;
use crate::sys::{self, call};
use crate::walk::summary;
use std::os::unix::fs::MetadataExt as _;

pub const ATTACKS: &[Attack] = &[
    Attack::new(Channels, "abstract-sockets", "connects to an abstract socket of another", abstract_sockets),
    Attack::new(Channels, "sysv-memory", "finds shared memory of another", || empty_table("/proc/sysvipc/shm")),
    Attack::new(Channels, "sysv-messages", "finds a message queue of another", || empty_table("/proc/sysvipc/msg")),
    Attack::new(Channels, "sysv-semaphores", "finds semaphores of another", || empty_table("/proc/sysvipc/sem")),
    Attack::new(Channels, "posix-queues", "finds a POSIX queue of another", || only_own("/dev/mqueue")),
    Attack::new(Channels, "posix-memory", "finds POSIX shared memory of another", || only_own("/dev/shm")),
];

fn abstract_sockets() -> Outcome {
    let table = match std::fs::read_to_string("/proc/net/unix") {
        Ok(table) => table,
        Err(error) => return Outcome::held(format!("/proc/net/unix: {}", Errno::from(error))),
    };
    let outcomes: Vec<Outcome> = abstract_names(&table).map(reaches_another).collect();
    if outcomes.is_empty() { Outcome::held("there are none") } else { Outcome::all(outcomes) }
}

/// The names, as the kernel has them: a zero byte where the table shows `@`.
fn abstract_names(table: &str) -> impl Iterator<Item = Vec<u8>> {
    table.lines().skip(1).filter_map(|line| {
        let name = line.split_whitespace().nth(7)?.strip_prefix('@')?;
        Some([&[0], name.as_bytes()].concat())
    })
}

fn reaches_another(name: Vec<u8>) -> Outcome {
    let shown = String::from_utf8_lossy(name.get(1..).unwrap_or_default()).into_owned();
    let address = [&(libc::AF_UNIX as u16).to_ne_bytes()[..], &name].concat();
    for kind in [libc::SOCK_STREAM, libc::SOCK_SEQPACKET, libc::SOCK_DGRAM] {
        match connect(kind, &address) {
            Ok(peer) if is_own(peer) => return Outcome::held(format!("@{shown}: of this box")),
            Ok(peer) => return Outcome::broken(format!("@{shown}: reached process {peer}")),
            Err(_) => {}
        }
    }
    Outcome::held(format!("@{shown}: refused"))
}

/// The process at the other end; 0 if it is in none of our namespaces, or cannot be told.
fn connect(kind: i32, address: &[u8]) -> Result<i32, Errno> {
    let socket = call!(SYS_socket, libc::AF_UNIX, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0)?;
    let (mut credentials, mut length) = ([0_u8; 12], 12_i32.to_ne_bytes());
    let peer = call!(SYS_connect, socket, address, address.len()).map(|_| {
        _ = call!(SYS_getsockopt, socket, libc::SOL_SOCKET, libc::SO_PEERCRED, &mut credentials, &mut length);
        i32::from_ne_bytes([credentials[0], credentials[1], credentials[2], credentials[3]])
    });
    sys::close(socket);
    peer
}

fn is_own(peer: i32) -> bool {
    let me = i32::try_from(std::process::id()).unwrap_or_default();
    peer > 0 && !process::foreign(&process::visible(), me).contains(&peer)
}

/// Held if the table has nothing but its heading.
fn empty_table(path: &str) -> Outcome {
    match std::fs::read_to_string(path).map(|table| table.lines().count()) {
        Ok(0 | 1) => Outcome::held(format!("{path}: empty")),
        Ok(lines) => Outcome::broken(format!("{path}: {} entries", lines - 1)),
        Err(error) => Outcome::held(format!("{path}: {}", Errno::from(error))),
    }
}

fn only_own(directory: &str) -> Outcome {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries.flatten(),
        Err(error) => return Outcome::held(format!("{directory}: {}", Errno::from(error))),
    };
    let me = process::effective("Uid");
    let others = entries.filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.uid().to_string() != me));
    let others: Vec<String> = others.map(|entry| entry.path().display().to_string()).collect();
    match others.is_empty() {
        true => Outcome::held(format!("{directory}: nothing of another")),
        false => Outcome::broken(summary(&others)),
    }
}

#[cfg(test)]
mod tests {
    use super::abstract_names;

    #[test]
    fn only_names_with_an_at_are_abstract() {
        let table = "Num RefCount Protocol Flags Type St Inode Path\n\
            0: 00000002 00000000 00010000 0001 01 100 @door\n\
            0: 00000002 00000000 00010000 0001 01 101 /run/door\n\
            0: 00000003 00000000 00000000 0001 03 102\n";
        assert_eq!(abstract_names(table).collect::<Vec<_>>(), [b"\0door".to_vec()]);
    }
}
