//! Attacks that reach an address outside: over the internet, of the cloud, of the host.

use super::NO_WAY_OUT;
use crate::attack::Area::Channels;
use crate::attack::{Attack, Outcome};
use crate::errno::Errno;
use crate::sys::{self, call};

pub const ATTACKS: &[Attack] = &[
    Attack::new(Channels, "tcp-internet", "connects to the internet", || reach4(libc::SOCK_STREAM, [1, 1, 1, 1], 443)),
    Attack::new(Channels, "udp-internet", "sends a datagram to the internet, as QUIC does", || {
        reach4(libc::SOCK_DGRAM, [1, 1, 1, 1], 443)
    }),
    Attack::new(Channels, "udp-dns", "asks a public resolver", || reach4(libc::SOCK_DGRAM, [8, 8, 8, 8], 53)),
    Attack::new(Channels, "tcp6-internet", "connects to the internet by IPv6", || {
        reach6(libc::SOCK_STREAM, [0x2606, 0x4700, 0x4700, 0, 0, 0, 0, 0x1111], 0)
    }),
    Attack::new(Channels, "tcp-metadata", "asks the cloud for its credentials", tcp_metadata),
    Attack::new(Channels, "tcp-gateway", "connects to its gateway", tcp_gateway),
    Attack::new(Channels, "tcp-neighbours", "connects to where containers are next to each other", tcp_neighbours),
    Attack::new(Channels, "udp-broadcast", "sends a datagram to everybody", udp_broadcast),
    Attack::new(Channels, "udp-multicast", "sends a datagram to a group", || {
        reach4(libc::SOCK_DGRAM, [224, 0, 0, 251], 5353)
    }),
    Attack::new(Channels, "ipv6-link-local", "sends a datagram to its link by IPv6", ipv6_link_local),
    Attack::new(Channels, "mapped-address", "connects to the internet by a mapped address", || {
        reach6(libc::SOCK_STREAM, [0, 0, 0, 0, 0, 0xffff, 0x0101, 0x0101], 0)
    }),
];

/// How long a connection may take. One that is not refused at once has left the box.
const LIMIT_MS: i64 = 1_000;

/// A `sockaddr_in`.
pub fn address4(address: [u8; 4], port: u16) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
    bytes[2..4].copy_from_slice(&port.to_be_bytes());
    bytes[4..8].copy_from_slice(&address);
    bytes
}

/// A `sockaddr_in6`, on the interface with the number `scope`.
fn address6(address: [u16; 8], port: u16, scope: u32) -> [u8; 28] {
    let mut bytes = [0; 28];
    bytes[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
    bytes[2..4].copy_from_slice(&port.to_be_bytes());
    for (place, group) in bytes[8..24].chunks_exact_mut(2).zip(address) {
        place.copy_from_slice(&group.to_be_bytes());
    }
    bytes[24..].copy_from_slice(&scope.to_ne_bytes());
    bytes
}

fn reach4(kind: i32, address: [u8; 4], port: u16) -> Outcome {
    judge("connect", reach(libc::AF_INET, kind, &address4(address, port)))
}

fn reach6(kind: i32, address: [u16; 8], scope: u32) -> Outcome {
    judge("connect", reach(libc::AF_INET6, kind, &address6(address, 443, scope)))
}

fn judge(what: &str, result: Result<(), Errno>) -> Outcome {
    Outcome::refused_or(what, result, NO_WAY_OUT)
}

/// Connects, and sends one byte where that is all there is to a connection.
fn reach(family: i32, kind: i32, address: &[u8]) -> Result<(), Errno> {
    let socket = call!(SYS_socket, family, kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK, 0)?;
    let reached = connect(socket, address).and_then(|()| {
        if kind == libc::SOCK_DGRAM { call!(SYS_sendto, socket, b"x", 1, 0, 0, 0).map(drop) } else { Ok(()) }
    });
    sys::close(socket);
    reached
}

fn connect(socket: i64, address: &[u8]) -> Result<(), Errno> {
    match call!(SYS_connect, socket, address, address.len()) {
        Err(Errno(libc::EINPROGRESS)) => {}
        result => return result.map(drop),
    }
    if !sys::becomes_ready(socket, libc::POLLOUT, LIMIT_MS)? {
        return Err(Errno(libc::ETIMEDOUT));
    }
    let (mut error, mut length) = ([0_u8; 4], 4_i32.to_ne_bytes());
    call!(SYS_getsockopt, socket, libc::SOL_SOCKET, libc::SO_ERROR, &mut error, &mut length)?;
    match i32::from_ne_bytes(error) {
        0 => Ok(()),
        number => Err(Errno(number)),
    }
}

/// The services of the large clouds, for IPv4 and IPv6.
fn tcp_metadata() -> Outcome {
    let addresses = [[169, 254, 169, 254], [169, 254, 170, 2], [100, 100, 100, 200], [192, 0, 0, 192]];
    let by4 = addresses.map(|address| reach4(libc::SOCK_STREAM, address, 80));
    let by6 = reach6(libc::SOCK_STREAM, [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254], 0);
    Outcome::all(by4.into_iter().chain([by6]))
}

fn tcp_gateway() -> Outcome {
    let routes = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    match gateway(&routes) {
        Some(address) => Outcome::all([22, 80, 443].map(|port| reach4(libc::SOCK_STREAM, address, port))),
        None => Outcome::held("there is no gateway"),
    }
}

/// The gateway of the default route; the kernel writes addresses as numbers in its own order.
fn gateway(routes: &str) -> Option<[u8; 4]> {
    routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let address = u32::from_str_radix(gateway, 16).ok()?;
        (destination == "00000000" && address != 0).then(|| address.to_ne_bytes())
    })
}

/// First addresses of the usual bridges, where a host answers.
fn tcp_neighbours() -> Outcome {
    let hosts = [[172, 17, 0, 1], [172, 18, 0, 1], [192, 168, 122, 1], [10, 0, 2, 2]];
    Outcome::all(hosts.map(|address| reach4(libc::SOCK_STREAM, address, 2375)))
}

fn udp_broadcast() -> Outcome {
    let address = address4([255, 255, 255, 255], 9);
    let sent = call!(SYS_socket, libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0).and_then(|socket| {
        call!(SYS_setsockopt, socket, libc::SOL_SOCKET, libc::SO_BROADCAST, &1_i32.to_ne_bytes(), 4)?;
        call!(SYS_sendto, socket, b"x", 1, 0, &address, address.len())
    });
    judge("sendto", sent.map(drop))
}

/// On every interface but the first, which is the loopback; one that does not exist is no way out either.
fn ipv6_link_local() -> Outcome {
    let groups = [[0xff02, 0, 0, 0, 0, 0, 0, 1], [0xfe80, 0, 0, 0, 0, 0, 0, 1]];
    let tries = (2..10).flat_map(|scope| groups.map(|group| (group, scope)));
    Outcome::all(tries.map(|(group, scope)| {
        let result = reach(libc::AF_INET6, libc::SOCK_DGRAM, &address6(group, 5353, scope));
        Outcome::refused_or("connect", result, &[NO_WAY_OUT, &[libc::ENODEV, libc::EINVAL]].concat())
    }))
}

#[cfg(test)]
mod tests {
    use super::{address4, address6, gateway};

    #[test]
    fn addresses_are_laid_out_as_the_kernel_wants_them() {
        assert_eq!(address4([1, 2, 3, 4], 443)[..8], [2, 0, 1, 187, 1, 2, 3, 4]);
        let bytes = address6([0xff02, 0, 0, 0, 0, 0, 0, 1], 80, 3);
        assert_eq!((bytes[0], bytes[3], bytes[8], bytes[23], bytes[24]), (10, 80, 0xff, 1, 3));
    }

    #[test]
    fn the_gateway_is_that_of_the_default_route() {
        let head = "Iface\tDestination\tGateway\tFlags\n";
        assert_eq!(gateway(&format!("{head}eth0\t00000000\t0102A8C0\t0003\n")), Some([192, 168, 2, 1]));
        assert_eq!(gateway(&format!("{head}eth0\t0002A8C0\t00000000\t0001\n")), None);
    }
}
