//! The name server of the outside world: what it listens on, and what it was asked. Must not
//! know: how a message is written, or how an answer is chosen.

mod message;
mod zone;

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::service::Service;
use message::Query;
use zone::{Reply, Zone};

pub use message::kind;

/// Enough for every query that a resolver sends.
const DATAGRAM_LENGTH: usize = 4096;

/// What the name server answers for a name.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The records of the kind that is asked for; none of that kind is an empty answer.
    Records(Records),
    /// There is no such name.
    Nxdomain,
    /// The server failed.
    Failure,
    /// No answer ever.
    Silent,
    /// Over UDP nothing but the flag that there is more; over TCP the records.
    Truncated(Records),
    /// The records in an answer that nobody may believe.
    Wrong(Wrong, Records),
}

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It carries the id of another query.
    OtherId,
    /// It repeats another question, and its records are for that name.
    OtherQuestion,
    /// It comes from another port. Over TCP there is no such thing, and no answer.
    OtherPort,
}

/// The records of one name.
#[derive(Clone, Debug, Default)]
pub struct Records {
    pub(crate) v4: Vec<Ipv4Addr>,
    pub(crate) v6: Vec<Ipv6Addr>,
    pub(crate) alias: Option<String>,
    pub(crate) ttl: u32,
}

/// The name server. Names that were never set do not exist.
#[derive(Debug)]
pub struct Names {
    shared: Arc<Shared>,
    tcp: Service,
    udp: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    zone: Mutex<Zone>,
    socket: UdpSocket,
    /// Sends what must come from another port.
    stray: UdpSocket,
    closed: AtomicBool,
}

impl Records {
    /// No records and a time to live of 60 seconds.
    pub fn new() -> Self {
        Self { ttl: 60, ..Self::default() }
    }

    /// Addresses of either kind, in this order.
    ///
    /// # Panics
    /// When a text is no address.
    pub fn of(addresses: &[&str]) -> Self {
        addresses.iter().fold(Self::new(), |records, address| records.and(address))
    }

    /// One more address.
    ///
    /// # Panics
    /// When the text is no address.
    pub fn and(mut self, address: &str) -> Self {
        match address.parse().unwrap_or_else(|_| panic!("`{address}` is no address")) {
            std::net::IpAddr::V4(address) => self.v4.push(address),
            std::net::IpAddr::V6(address) => self.v6.push(address),
        }
        self
    }

    /// The name is only another name for `target`, whose records follow if it is set itself.
    pub fn alias(target: &str) -> Self {
        Self { alias: Some(target.to_owned()), ..Self::new() }
    }

    /// How many seconds a resolver may keep the records.
    pub fn ttl(self, ttl: u32) -> Self {
        Self { ttl, ..self }
    }
}

impl Names {
    /// Serves on sockets that were made where it is to be found.
    pub(crate) fn start(socket: UdpSocket, stray: UdpSocket, listener: TcpListener) -> io::Result<Self> {
        let shared = Arc::new(Shared { zone: Mutex::default(), socket, stray, closed: AtomicBool::new(false) });
        let over_tcp = Arc::clone(&shared);
        let tcp = Service::start(listener, move |stream| {
            // A resolver that hangs up has its answer or does not want it.
            let _ = over_tcp.serve_stream(stream);
        })?;
        let over_udp = Arc::clone(&shared);
        let udp = thread::Builder::new().name("names".to_owned()).spawn(move || over_udp.serve_datagrams())?;
        Ok(Self { shared, tcp, udp: Mutex::new(Some(udp)) })
    }

    /// From now on `name` is answered so.
    pub fn set(&self, name: &str, answer: Answer) {
        self.set_sequence(name, vec![answer]);
    }

    /// From now on `name` has these addresses.
    ///
    /// # Panics
    /// When a text is no address.
    pub fn set_addresses(&self, name: &str, addresses: &[&str]) {
        self.set(name, Answer::Records(Records::of(addresses)));
    }

    /// The first query gets the first answer, and so on; the last one is for all further
    /// queries. Queries for addresses of either kind are counted apart, because a resolver asks
    /// for both.
    pub fn set_sequence(&self, name: &str, answers: Vec<Answer>) {
        self.shared.zone().set(name, answers);
    }

    /// Every query so far with its kind (see [`kind`]), with names in small letters and without
    /// the last dot.
    pub fn queries(&self) -> Vec<(String, u16)> {
        self.shared.zone().queries().to_vec()
    }

    /// How often `name` was asked for, whatever the kind.
    pub fn asked(&self, name: &str) -> usize {
        self.shared.zone().queries().iter().filter(|(asked, _)| asked.eq_ignore_ascii_case(name)).count()
    }

    /// Stops answering, over UDP and TCP.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        // The kernel calls the socket unconnected, but wakes whoever reads from it all the same.
        let _ = rustix::net::shutdown(&self.shared.socket, rustix::net::Shutdown::Both);
        if let Some(udp) = self.udp.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // A server that panicked has said so already.
            let _ = udp.join();
        }
        self.tcp.close();
    }
}

impl Shared {
    fn zone(&self) -> MutexGuard<'_, Zone> {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve_datagrams(&self) {
        let mut buffer = [0; DATAGRAM_LENGTH];
        while !self.closed.load(Ordering::SeqCst) {
            // A failed read is a datagram of before that found no receiver.
            let Ok((length, peer)) = self.socket.recv_from(&mut buffer) else { continue };
            let Some(query) = Query::read(&buffer[..length]) else { continue };
            // An answer that cannot be sent is lost, as datagrams are.
            let _ = match self.zone().reply(&query, false) {
                Reply::Send(bytes) => self.socket.send_to(&bytes, peer),
                Reply::FromOtherPort(bytes) => self.stray.send_to(&bytes, peer),
                Reply::Nothing => continue,
            };
        }
    }

    fn serve_stream(&self, stream: &TcpStream) -> io::Result<()> {
        let mut stream = stream;
        loop {
            let mut length = [0; 2];
            stream.read_exact(&mut length)?;
            let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut bytes)?;
            let query = Query::read(&bytes).ok_or(io::ErrorKind::InvalidData)?;
            let reply = self.zone().reply(&query, true);
            if let Reply::Send(bytes) = reply {
                let length = u16::try_from(bytes.len()).map_err(io::Error::other)?;
                stream.write_all(&[&length.to_be_bytes()[..], &bytes].concat())?;
            }
        }
    }
}
