//! Where programs inside find the API: a port of the box's own loopback. Whoever connects is
//! handed over to the host, which serves the connection itself. Must not know: what is said.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, accept_with, bind, ipproto, listen as start_listening, socket_with, sockopt,
};

/// Connections that wait to be taken.
const BACKLOG: i32 = 64;
/// Connections that are taken before everything else gets its turn again.
const AT_ONCE: usize = 16;

/// Listens there. Nothing of the agent runs yet, so the port is free.
pub fn listen(port: u16) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let listener = socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&listener, true)?;
    bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))?;
    start_listening(&listener, BACKLOG)?;
    Ok(listener)
}

/// Some of those who have connected.
pub fn taken(listener: &OwnedFd) -> impl Iterator<Item = OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // Nobody there, or no descriptor left: either way there is nothing to take now.
    (0..AT_ONCE).map_while(move |_| accept_with(listener, flags).ok())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn whoever_connects_is_taken_and_nobody_else() {
        let listener = listen(0).unwrap();
        let address = std::net::TcpListener::from(listener.try_clone().unwrap()).local_addr().unwrap();
        assert_eq!(taken(&listener).count(), 0);
        let mut clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        let streams: Vec<TcpStream> = taken(&listener).map(TcpStream::from).collect();
        assert_eq!(streams.len(), 3);
        for (mut stream, client) in streams.into_iter().zip(&mut clients) {
            stream.write_all(b"!").unwrap();
            client.read_exact(&mut [0]).unwrap();
        }
        assert!(address.ip().is_loopback());
    }
}
