//! Attacks that find a network interface, or change one. Those name an interface that does not exist, so that a
//! willing kernel has nothing to change.

use crate::attack::Area::Channels;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::sys::call;
use crate::walk::summary;
use std::collections::BTreeSet;

pub const ATTACKS: &[Attack] = &[
    Attack::new(Channels, "interfaces", "finds a network interface beyond the loopback", interfaces),
    Attack::new(Channels, "set-address", "gives an interface an address", || change("SIOCSIFADDR", libc::SIOCSIFADDR)),
    Attack::new(Channels, "set-flags", "brings an interface up", || change("SIOCSIFFLAGS", libc::SIOCSIFFLAGS)),
    Attack::new(Channels, "add-route", "adds a route", || change("SIOCADDRT", libc::SIOCADDRT)),
    Attack::new(Channels, "make-tunnel", "makes a network interface of its own", make_tunnel),
    Attack::new(Channels, "raw-header", "writes the headers of its packets itself", raw_header),
];

/// What a kernel adds to every network by itself, and leaves down.
const FALLBACKS: [&str; 9] =
    ["tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "sit0", "ip6tnl0", "ip6gre0"];

/// A structure `ifreq` with the name of an interface that there is not.
fn request() -> [u8; 128] {
    let mut request = [0; 128];
    request[..8].copy_from_slice(b"attack99");
    request
}

fn socket() -> Result<i64, Errno> {
    call!(SYS_socket, libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0)
}

/// By number, which needs no file, and by what `/proc` says.
fn interfaces() -> Outcome {
    let Ok(socket) = socket() else { return Outcome::held("no sockets at all") };
    let listed = std::fs::read_to_string("/proc/net/dev").unwrap_or_default();
    let mut names: BTreeSet<String> = listed.lines().skip(2).filter_map(name_in_line).collect();
    names.extend((1..64).filter_map(|index| name_of(socket, index)));
    let others = names.into_iter().filter(|name| name != "lo");
    let others: Vec<String> =
        others.filter(|name| !FALLBACKS.contains(&name.as_str()) || is_up(socket, name)).collect();
    match others.is_empty() {
        true => Outcome::held("only the loopback"),
        false => Outcome::broken(format!("interfaces: {}", summary(&others))),
    }
}

fn name_in_line(line: &str) -> Option<String> {
    line.split_once(':').map(|(name, _)| name.trim().to_owned())
}

fn name_of(socket: i64, index: i32) -> Option<String> {
    let mut request = [0_u8; 40];
    request[16..20].copy_from_slice(&index.to_ne_bytes());
    call!(SYS_ioctl, socket, libc::SIOCGIFNAME, &mut request).ok()?;
    let name = request[..16].split(|byte| *byte == 0).next()?;
    Some(String::from_utf8_lossy(name).into_owned())
}

fn is_up(socket: i64, name: &str) -> bool {
    let mut request = [0_u8; 40];
    for (place, byte) in request.iter_mut().take(15).zip(name.bytes()) {
        *place = byte;
    }
    let known = call!(SYS_ioctl, socket, libc::SIOCGIFFLAGS, &mut request).is_ok();
    known && request[16] & 1 != 0
}

fn change(what: &str, code: u64) -> Outcome {
    match socket() {
        Ok(socket) => Outcome::refused(what, call!(SYS_ioctl, socket, code, &mut request())),
        refused => Outcome::refused("socket", refused),
    }
}

/// Opening the device makes nothing yet.
fn make_tunnel() -> Outcome {
    let opened = call!(SYS_openat, libc::AT_FDCWD, c"/dev/net/tun", libc::O_RDWR | libc::O_CLOEXEC, 0);
    Outcome::failed("/dev/net/tun", opened)
}

/// A raw socket that writes its own headers; making it sends nothing.
fn raw_header() -> Outcome {
    let made = call!(SYS_socket, libc::AF_INET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::IPPROTO_RAW);
    Outcome::refused_or("socket", made, super::NO_WAY_OUT)
}
