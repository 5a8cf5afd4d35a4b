//! The ways out of the box that programs find on its own loopback: the API, the proxy, and one
//! for each port of a name that was resolved. Whoever connects is handed over to the host, which
//! serves the connection itself. Must not know: what is said; whether it is allowed.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};

use aegis_door::{STREAMS_AT_ONCE, StreamKind};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketFlags, SocketType, accept_with, bind, ipproto, listen as start_listening, socket_with, sockopt,
};

use super::events::{Events, Woken};

/// Connections that wait to be taken.
const BACKLOG: i32 = 1_024;

/// One way out.
struct Way {
    listener: OwnedFd,
    kind: StreamKind,
}

/// Every way out there is, by its number.
pub struct Ways {
    ways: BTreeMap<u32, Way>,
    made: u32,
}

impl Ways {
    /// Those that are always there. Nothing of the agent runs yet, so their ports are free.
    pub fn new(events: &Events) -> Result<Self, Errno> {
        let mut ways = Self { ways: BTreeMap::new(), made: 0 };
        let at = |port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        ways.open(events, at(aegis_door::API_PORT), StreamKind::Api)?;
        ways.open(events, at(aegis_door::PROXY_PORT), StreamKind::Proxy)?;
        Ok(ways)
    }

    /// None at all.
    #[cfg(test)]
    pub fn none() -> Self {
        Self { ways: BTreeMap::new(), made: 0 }
    }

    /// One more; its number.
    pub fn open(&mut self, events: &Events, address: SocketAddrV4, kind: StreamKind) -> Result<u32, Errno> {
        let listener = listen(address)?;
        self.made = self.made.wrapping_add(1);
        events.watch(listener.as_fd(), Woken::Way(self.made))?;
        self.ways.insert(self.made, Way { listener, kind });
        Ok(self.made)
    }

    /// Nobody goes that way any more.
    pub fn close(&mut self, number: u32) {
        // A descriptor that is closed is waited for no longer.
        self.ways.remove(&number);
    }

    /// Some of those who have connected there.
    pub fn taken(&self, number: u32) -> (Vec<StreamKind>, Vec<OwnedFd>) {
        let Some(way) = self.ways.get(&number) else { return (Vec::new(), Vec::new()) };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // Nobody there, or no descriptor left: either way there is nothing to take now.
        (0..STREAMS_AT_ONCE)
            .map_while(|_| accept_with(&way.listener, flags).ok())
            .map(|stream| (way.kind.clone(), stream))
            .unzip()
    }
}

fn listen(address: SocketAddrV4) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let listener = socket_with(AddressFamily::INET, SocketType::STREAM, flags, Some(ipproto::TCP))?;
    sockopt::set_socket_reuseaddr(&listener, true)?;
    bind(&listener, &address)?;
    start_listening(&listener, BACKLOG)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn whoever_connects_is_taken_and_nobody_else() {
        let events = Events::new().unwrap();
        let mut ways = Ways::none();
        let number = ways.open(&events, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0), StreamKind::Proxy).unwrap();
        let listener = ways.ways.get(&number).unwrap().listener.try_clone().unwrap();
        let address = std::net::TcpListener::from(listener).local_addr().unwrap();
        assert!(ways.taken(number).1.is_empty());
        let mut clients: Vec<_> = (0..3).map(|_| TcpStream::connect(address).unwrap()).collect();
        let (kinds, streams) = ways.taken(number);
        assert_eq!(kinds, vec![StreamKind::Proxy; 3]);
        for (mut stream, client) in streams.into_iter().map(TcpStream::from).zip(&mut clients) {
            stream.write_all(b"!").unwrap();
            client.read_exact(&mut [0]).unwrap();
        }
        assert!(address.ip().is_loopback());
        ways.close(number);
        assert!(ways.taken(number).1.is_empty());
    }
}
