//! Attacks on the door: reaching it past the guest, or taking the guest's place.

use crate::attack::Area::Door;
use crate::attack::{Attack, Outcome};
use crate::channels::address4;
use crate::errno::Errno;
use crate::files::{guest_descriptors, inherited_descriptors};
use crate::kernel::{pidfd_guest, ptrace_guest};
use crate::sys::{self, call};
use crate::walk::Walk;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// The attacks of this area.
pub const TABLES: &[&[Attack]] = &[&[
    Attack::new(Door, "door-socket", "opens the socket of the door, and speaks garbage", door_socket),
    Attack::new(Door, "door-descriptors", "takes the door from the descriptors of pid 1", guest_descriptors),
    Attack::new(Door, "door-inherited", "finds the door among its own descriptors", inherited_descriptors),
    Attack::new(Door, "door-pidfd", "takes the door out of pid 1", pidfd_guest),
    Attack::new(Door, "door-ptrace", "makes pid 1 use the door for it", ptrace_guest),
    Attack::new(Door, "steal-listener", "listens where the guest listens", steal_listener),
]];

/// What is said to whoever answers.
const GARBAGE: [u8; 64] = [0xff; 64];

fn door_socket() -> Outcome {
    let mut outcomes = Vec::new();
    let walk = Walk { depth: 8, entries_max: 300_000, skip: &["/proc", "/sys"] };
    walk.visit("/", |path, kind| {
        if kind.is_socket() {
            outcomes.push(speak(path));
        }
        ControlFlow::Continue(())
    });
    if outcomes.is_empty() { Outcome::held("there is no socket") } else { Outcome::all(outcomes) }
}

fn speak(path: &Path) -> Outcome {
    let shown = path.display();
    for kind in [libc::SOCK_STREAM, libc::SOCK_SEQPACKET, libc::SOCK_DGRAM] {
        if connect(path, kind).is_ok_and(|socket| call!(SYS_write, socket, &GARBAGE, GARBAGE.len()).is_ok()) {
            return Outcome::broken(format!("{shown}: connected"));
        }
    }
    Outcome::held(format!("{shown}: refused"))
}

/// A longer path than an address holds is cut off, and so names nothing.
fn connect(path: &Path, kind: i32) -> Result<i64, Errno> {
    let mut address = (libc::AF_UNIX as u16).to_ne_bytes().to_vec();
    address.extend(path.as_os_str().as_bytes().iter().take(107));
    address.push(0);
    let socket = call!(SYS_socket, libc::AF_UNIX, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0)?;
    match call!(SYS_connect, socket, address.as_slice(), address.len()) {
        Ok(_) => Ok(socket),
        Err(errno) => {
            sys::close(socket);
            Err(errno)
        }
    }
}

/// Binding beside a listener would be enough to take its callers; nothing ever listens here.
fn steal_listener() -> Outcome {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let listeners: Vec<_> = listeners(&table).collect();
    if listeners.is_empty() {
        return Outcome::held("nobody listens");
    }
    Outcome::all(listeners.into_iter().map(|(address, port)| {
        let taken = [libc::EADDRINUSE, libc::EADDRNOTAVAIL];
        Outcome::refused_or("bind", bind_beside(address, port), &taken)
    }))
}

/// State 0A is listening; the kernel writes the address as a number in its own order.
fn listeners(table: &str) -> impl Iterator<Item = ([u8; 4], u16)> {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (address, port) = fields.next()?.split_once(':')?;
        let address = u32::from_str_radix(address, 16).ok()?.to_ne_bytes();
        let port = u16::from_str_radix(port, 16).ok()?;
        (fields.nth(1)? == "0A").then_some((address, port))
    })
}

fn bind_beside(address: [u8; 4], port: u16) -> Result<i64, Errno> {
    let socket = call!(SYS_socket, libc::AF_INET, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0)?;
    for option in [libc::SO_REUSEADDR, libc::SO_REUSEPORT] {
        call!(SYS_setsockopt, socket, libc::SOL_SOCKET, option, &1_i32.to_ne_bytes(), 4)?;
    }
    let name = address4(address, port);
    call!(SYS_bind, socket, &name, name.len())
}

#[cfg(test)]
mod tests {
    use super::listeners;

    #[test]
    fn only_listening_sockets_are_listeners() {
        let table = "  sl  local_address rem_address   st\n\
            0: 0100007F:1F90 00000000:0000 0A 0\n\
            1: 0100007F:1F91 0100007F:0050 01 0\n";
        assert_eq!(listeners(table).collect::<Vec<_>>(), [([127, 0, 0, 1], 8080)]);
    }
}
