//! Connections to servers inside, for the host: it has no way into the box's network but what
//! is made here. Must not know: what is said on them.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, getsockname, ipproto, socket_with, sockopt};

/// A connection to that port of the box's own loopback. It may not stand yet: a server that
/// takes its time must not hold up this process. One that nobody listens for is refused here.
pub fn begin(port: u16) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let stream = socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    let server = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    match connect(&stream, &server) {
        // On a loopback, a refusal is there as soon as the call returns.
        Ok(()) | Err(Errno::INPROGRESS) => sockopt::socket_error(&stream)??,
        Err(errno) => return Err(errno),
    }
    // Where nobody listens, a connection can come to be with itself.
    if getsockname(&stream)? == server.into() { Err(Errno::CONNREFUSED) } else { Ok(stream) }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn who_listens_is_reached_and_who_does_not_refuses() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = begin(port).unwrap();
        let (_taken, from) = listener.accept().unwrap();
        assert_eq!(rustix::net::getsockname(&stream).unwrap(), from.into());
        drop(listener);
        assert_eq!(begin(port).err(), Some(Errno::CONNREFUSED));
    }

    #[test]
    fn a_server_that_takes_no_more_connections_does_not_hold_anybody_up() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let port = listener.local_addr().unwrap().port();
        let streams: Vec<_> = (0..4).map(|_| begin(port)).collect();
        assert!(streams.iter().all(Result::is_ok), "{streams:?}");
    }
}
