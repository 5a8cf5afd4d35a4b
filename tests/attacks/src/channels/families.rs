//! Attacks by families of sockets that an agent has no use for. To get a socket at all is to succeed.

use super::NO_WAY_OUT;
use crate::attack::Area::Channels;
use crate::attack::{Attack, Outcome};
use crate::sys::{self, call};

pub const ATTACKS: &[Attack] = &[
    Attack::new(Channels, "raw-icmp", "makes a raw ICMP socket", || open(libc::AF_INET, libc::SOCK_RAW, 1)),
    Attack::new(Channels, "raw-icmp6", "makes a raw ICMP socket of IPv6", || open(libc::AF_INET6, libc::SOCK_RAW, 58)),
    Attack::new(Channels, "ping", "makes a ping socket", || open(libc::AF_INET, libc::SOCK_DGRAM, 1)),
    Attack::new(Channels, "ping6", "makes a ping socket of IPv6", || open(libc::AF_INET6, libc::SOCK_DGRAM, 58)),
    Attack::new(Channels, "packet", "makes a packet socket", packet),
    Attack::new(Channels, "netlink-route", "talks to the network of the kernel", || netlink(0)),
    Attack::new(Channels, "netlink-diagnosis", "asks the kernel for all sockets", || netlink(4)),
    Attack::new(Channels, "netlink-audit", "talks to the audit system", || netlink(9)),
    Attack::new(Channels, "netlink-filter", "talks to the packet filter", || netlink(12)),
    Attack::new(Channels, "netlink-events", "listens to events of devices", || netlink(15)),
    Attack::new(Channels, "netlink-generic", "talks to any part of the kernel", || netlink(16)),
    Attack::new(Channels, "vsock", "connects to the host of a virtual machine", vsock),
    Attack::new(Channels, "alg", "uses the ciphers of the kernel", || open(38, libc::SOCK_SEQPACKET, 0)),
    Attack::new(Channels, "bluetooth", "makes a Bluetooth socket", || every_kind(31)),
    Attack::new(Channels, "can", "makes a CAN socket", || every_kind(29)),
    Attack::new(Channels, "xdp", "makes an XDP socket", || every_kind(44)),
    Attack::new(Channels, "tipc", "makes a TIPC socket", || every_kind(30)),
    Attack::new(Channels, "key", "makes a socket for IPsec keys", || open(15, libc::SOCK_RAW, 2)),
    Attack::new(Channels, "rds", "makes an RDS socket", || every_kind(21)),
    Attack::new(Channels, "rxrpc", "makes an RxRPC socket", || open(33, libc::SOCK_DGRAM, 2)),
    Attack::new(Channels, "nfc", "makes an NFC socket", || every_kind(39)),
    Attack::new(Channels, "smc", "makes an SMC socket", || every_kind(43)),
    Attack::new(Channels, "sctp", "makes an SCTP socket", || open(libc::AF_INET, libc::SOCK_STREAM, 132)),
    Attack::new(Channels, "dccp", "makes a DCCP socket", || open(libc::AF_INET, 6, 33)),
    Attack::new(Channels, "mptcp", "makes a multipath TCP socket", || open(libc::AF_INET, libc::SOCK_STREAM, 262)),
    Attack::new(Channels, "other-families", "makes a socket of any other family", other_families),
];

/// Unix and the two internets, which a box needs for itself.
const NEEDED: [i32; 3] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6];
/// One more than the last family that any kernel knows.
const FAMILIES_END: i32 = 47;

/// What a kernel says that was built without it.
const UNKNOWN: &[i32] = &[libc::EINVAL, libc::EPROTOTYPE, libc::ENOPROTOOPT];

fn open(family: i32, kind: i32, protocol: i32) -> Outcome {
    let made = call!(SYS_socket, family, kind | libc::SOCK_CLOEXEC, protocol);
    if let Ok(socket) = made {
        sys::close(socket);
    }
    let denied = [NO_WAY_OUT, UNKNOWN].concat();
    match Outcome::refused_or(&format!("socket of family {family}"), made, &denied) {
        held if held.held => Outcome::held(made.map_or_else(|errno| format!("socket: {errno}"), |_| String::new())),
        broken => broken,
    }
}

fn every_kind(family: i32) -> Outcome {
    let kinds = [libc::SOCK_STREAM, libc::SOCK_DGRAM, libc::SOCK_RAW, libc::SOCK_SEQPACKET];
    Outcome::all(kinds.map(|kind| open(family, kind, 0)))
}

fn other_families() -> Outcome {
    Outcome::all((0..FAMILIES_END).filter(|family| !NEEDED.contains(family)).map(every_kind))
}

/// `ETH_P_ALL`, as the network orders bytes.
const EVERY_PROTOCOL: i32 = 0x0300;

fn packet() -> Outcome {
    let family = libc::AF_PACKET;
    Outcome::all([libc::SOCK_RAW, libc::SOCK_DGRAM].map(|kind| open(family, kind, EVERY_PROTOCOL)))
}

fn netlink(protocol: i32) -> Outcome {
    open(libc::AF_NETLINK, libc::SOCK_RAW, protocol)
}

/// To the host and to the loopback; what the socket may reach is told beside that there is one.
fn vsock() -> Outcome {
    let made = call!(SYS_socket, libc::AF_VSOCK, libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0);
    let Ok(socket) = made else { return every_kind(libc::AF_VSOCK) };
    Outcome::all([1_i64, 2].map(|context| {
        // A `sockaddr_vm`: family, nothing, port, context.
        let address = sys::bytes_of([i64::from(libc::AF_VSOCK) | 1024 << 32, context]);
        let answer = match call!(SYS_connect, socket, address.as_slice(), address.len()) {
            Ok(_) => "connected".to_owned(),
            Err(errno) => errno.to_string(),
        };
        Outcome::broken(format!("socket: succeeded, context {context}: {answer}"))
    }))
}
