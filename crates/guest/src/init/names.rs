//! The resolver that programs in the box find on its loopback. It knows no name: the host says
//! on which ports a name may be reached, and what is answered is an address of the box itself,
//! on which whoever connects is taken and handed over. So no question leaves the box.
//!
//! Must not know: which names there are, and what they resolve to.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::{AsFd, OwnedFd};

use aegis_door::dns::{DnsProblem, Kind, Query, reply};
use aegis_door::{API_PORT, NAMES_PORT, PROXY_PORT, QuestionId, StreamKind};
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, sendto, socket_with};

use super::events::{Events, Woken};
use super::ways::Ways;

/// Questions that are taken in before everything else gets its turn again.
const AT_ONCE: usize = 32;
/// The longest question.
const QUESTION_BYTES: usize = 1_024;
/// Questions that wait for the host.
const WAITING_MAX: usize = 128;
/// Names that have an address at a time.
const KNOWN_MAX: usize = 256;
/// Ports of all names together.
const WAYS_MAX: usize = 2_048;
/// For how long an answer of the host is believed.
const BELIEVED_NS: u64 = 5_000_000_000;
/// For how long programs believe ours.
const TTL_S: u32 = 5;
/// Where agents that are servers listen, and where the box itself does: never taken.
const NEVER_TAKEN: [u16; 5] = [8080, 8000, 9000, API_PORT, PROXY_PORT];
/// What somebody is told who may not reach a name.
const DENIED: &str = "ERR_EGRESS_DENIED: no grant names this host";

/// A name that has an address.
struct Known {
    address: Ipv4Addr,
    ways: BTreeMap<u16, u32>,
    believed_ns: u64,
}

/// A question that waits for the host.
struct Waiting {
    query: Query,
    name: String,
    from: SocketAddr,
}

/// The resolver.
pub struct Names {
    socket: OwnedFd,
    known: BTreeMap<String, Known>,
    /// In the order in which they got their addresses.
    order: VecDeque<String>,
    waiting: BTreeMap<QuestionId, Waiting>,
    questions: QuestionId,
    addresses: u32,
}

impl Names {
    /// Takes questions from now on. Nothing of the agent runs yet, so the port is free.
    pub fn new(events: &Events) -> Result<Self, Errno> {
        let names = Self::at(SocketAddrV4::new(Ipv4Addr::LOCALHOST, NAMES_PORT))?;
        events.watch(names.socket.as_fd(), Woken::Names)?;
        Ok(names)
    }

    fn at(address: SocketAddrV4) -> Result<Self, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
        bind(&socket, &address)?;
        Ok(Self {
            socket,
            known: BTreeMap::new(),
            order: VecDeque::new(),
            waiting: BTreeMap::new(),
            questions: 0,
            addresses: 0,
        })
    }

    /// Answers what can be answered here, and gives back what the host has to be asked.
    pub fn take(&mut self, now_ns: u64) -> Vec<(QuestionId, String)> {
        let mut asked = Vec::new();
        for _ in 0..AT_ONCE {
            let mut datagram = [0; QUESTION_BYTES];
            let Ok((taken, _, Some(from))) = recvfrom(&self.socket, &mut datagram, RecvFlags::DONTWAIT) else { break };
            let Ok(from) = SocketAddr::try_from(from) else { continue };
            match Query::read(datagram.get(..taken).unwrap_or_default()) {
                Ok(query) => asked.extend(self.judge(query, from, now_ns)),
                Err(problem) => self.complain(problem, from),
            }
        }
        asked
    }

    fn judge(&mut self, query: Query, from: SocketAddr, now_ns: u64) -> Option<(QuestionId, String)> {
        let Some(name) = query.name.clone() else {
            self.answer(&reply::no_such_name(&query, None), from);
            return None;
        };
        match query.kind {
            Kind::A => {}
            Kind::Ptr => {
                self.answer(&reply::no_such_name(&query, None), from);
                return None;
            }
            // There is one way to each name, and nothing else to know of it.
            Kind::Aaaa | Kind::Https | Kind::Svcb | Kind::Other(_) => {
                self.answer(&reply::no_data(&query), from);
                return None;
            }
        }
        if let Some(known) = self.known.get(&name).filter(|known| now_ns < known.believed_ns) {
            let address = known.address;
            self.answer(&reply::address(&query, address, TTL_S), from);
            return None;
        }
        if self.waiting.len() >= WAITING_MAX {
            // Whoever asks too much is not answered, and asks again.
            self.waiting.pop_first();
        }
        self.questions = self.questions.wrapping_add(1);
        self.waiting.insert(self.questions, Waiting { query, name: name.clone(), from });
        Some((self.questions, name))
    }

    fn complain(&self, problem: DnsProblem, from: SocketAddr) {
        if let Some(told) = problem.reply() {
            self.answer(&told, from);
        }
    }

    fn answer(&self, told: &[u8], to: SocketAddr) {
        // Whoever does not take it in asks again.
        let _ = sendto(&self.socket, told, SendFlags::DONTWAIT, &to);
    }

    /// The host says on which ports the name of a question may be reached.
    pub fn tell(&mut self, (question, ports): (QuestionId, &[u16]), (events, ways): (&Events, &mut Ways), now_ns: u64) {
        let Some(Waiting { query, name, from }) = self.waiting.remove(&question) else { return };
        if ports.is_empty() {
            self.forget(&name, ways);
            self.answer(&reply::no_such_name(&query, Some(DENIED)), from);
            return;
        }
        let address = self.known(&name, ways, now_ns);
        let open: Vec<u16> = ports.iter().copied().filter(|port| !NEVER_TAKEN.contains(port)).collect();
        self.open(&name, &open, (events, ways));
        self.answer(&reply::address(&query, address, TTL_S), from);
    }

    /// The address of a name; a new one if it has none.
    fn known(&mut self, name: &str, ways: &mut Ways, now_ns: u64) -> Ipv4Addr {
        let believed_ns = now_ns.saturating_add(BELIEVED_NS);
        if let Some(known) = self.known.get_mut(name) {
            known.believed_ns = believed_ns;
            return known.address;
        }
        while self.known.len() >= KNOWN_MAX || self.open_ways() >= WAYS_MAX {
            let Some(oldest) = self.order.front().cloned() else { break };
            self.forget(&oldest, ways);
        }
        self.addresses = self.addresses.wrapping_add(1) % ADDRESSES;
        let address = Ipv4Addr::from(FIRST_ADDRESS.saturating_add(self.addresses));
        self.known.insert(name.to_owned(), Known { address, ways: BTreeMap::new(), believed_ns });
        self.order.push_back(name.to_owned());
        address
    }

    fn open_ways(&self) -> usize {
        self.known.values().map(|known| known.ways.len()).sum()
    }

    /// Takes whoever connects to the name on these ports, and on no others. A port that the
    /// agent listens on itself, on all addresses, is its own.
    fn open(&mut self, name: &str, ports: &[u16], (events, ways): (&Events, &mut Ways)) {
        let Some(known) = self.known.get_mut(name) else { return };
        known.ways.retain(|port, way| {
            let stays = ports.contains(port);
            if !stays {
                ways.close(*way);
            }
            stays
        });
        for port in ports {
            if !known.ways.contains_key(port) {
                let kind = StreamKind::Host { name: name.to_owned(), port: *port };
                if let Ok(way) = ways.open(events, SocketAddrV4::new(known.address, *port), kind) {
                    known.ways.insert(*port, way);
                }
            }
        }
    }

    fn forget(&mut self, name: &str, ways: &mut Ways) {
        let known = self.known.remove(name);
        for way in known.iter().flat_map(|known| known.ways.values()) {
            ways.close(*way);
        }
        self.order.retain(|other| other != name);
    }
}

/// Addresses of the box's own that names are given: 127.64.0.0/10, one after the other.
const FIRST_ADDRESS: u32 = 0x7F40_0000;
const ADDRESSES: u32 = 1 << 22;

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpStream, UdpSocket};
    use std::time::Duration;

    use aegis_door::dns::{Answers, Rcode, write_query};

    use super::*;

    struct Place {
        events: Events,
        ways: Ways,
        names: Names,
        program: UdpSocket,
    }

    fn place() -> Place {
        let events = Events::new().unwrap();
        let names = Names::at(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = UdpSocket::from(names.socket.try_clone().unwrap()).local_addr().unwrap();
        let program = UdpSocket::bind("127.0.0.1:0").unwrap();
        program.connect(address).unwrap();
        program.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Place { ways: Ways::none(), events, names, program }
    }

    impl Place {
        fn ask(&mut self, name: &str, kind: Kind, now_ns: u64) -> Vec<(QuestionId, String)> {
            self.program.send(&write_query(7, name, kind).unwrap()).unwrap();
            self.names.take(now_ns)
        }

        fn tell(&mut self, question: QuestionId, ports: &[u16], now_ns: u64) {
            self.names.tell((question, ports), (&self.events, &mut self.ways), now_ns);
        }

        fn told(&self, name: &str, kind: Kind) -> Answers {
            let mut datagram = [0; 512];
            let length = self.program.recv(&mut datagram).unwrap();
            Answers::read(&datagram[..length], 7, name, kind).unwrap()
        }
    }

    fn free_port() -> u16 {
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
    }

    #[test]
    fn a_granted_name_gets_an_address_of_the_box_where_whoever_connects_is_taken() {
        let (mut place, port) = (place(), free_port());
        let asked = place.ask("api.example.com", Kind::A, 0);
        assert_eq!(asked, [(1, "api.example.com".to_owned())]);
        place.tell(1, &[port, 8080], 0);
        let address = place.told("api.example.com", Kind::A).addresses[0];
        assert_eq!(address.to_string(), "127.64.0.1");
        let mut client = TcpStream::connect((address, port)).unwrap();
        let way = *place.names.known["api.example.com"].ways.values().next().unwrap();
        let (kinds, streams) = place.ways.taken(way);
        assert_eq!(kinds, [StreamKind::Host { name: "api.example.com".to_owned(), port }]);
        drop(streams);
        assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
        // What the agent itself may listen on is never taken.
        assert!(TcpStream::connect((address, 8080)).is_err());
    }

    #[test]
    fn a_name_without_a_grant_does_not_exist_and_keeps_no_way() {
        let (mut place, port) = (place(), free_port());
        place.ask("evil.example.com", Kind::A, 0);
        place.tell(1, &[], 0);
        assert_eq!(place.told("evil.example.com", Kind::A).rcode, Rcode::NoSuchName);
        // One that was granted before is gone with its grant.
        place.ask("api.example.com", Kind::A, 0);
        place.tell(2, &[port], 0);
        let address = place.told("api.example.com", Kind::A).addresses[0];
        assert!(TcpStream::connect((address, port)).is_ok());
        assert!(place.ask("api.example.com", Kind::A, BELIEVED_NS - 1).is_empty(), "it is believed for a while");
        place.told("api.example.com", Kind::A);
        assert_eq!(place.ask("api.example.com", Kind::A, BELIEVED_NS + 1).len(), 1);
        place.tell(3, &[], BELIEVED_NS + 1);
        assert_eq!(place.told("api.example.com", Kind::A).rcode, Rcode::NoSuchName);
        assert!(TcpStream::connect((address, port)).is_err());
    }

    #[test]
    fn nothing_but_the_address_is_told_of_a_name_and_the_host_is_not_asked_for_it() {
        let mut place = place();
        for kind in [Kind::Aaaa, Kind::Https, Kind::Svcb, Kind::Other(16), Kind::Other(255), Kind::Other(10)] {
            assert!(place.ask("data.in.labels.example.com", kind, 0).is_empty(), "{kind:?}");
            assert_eq!(place.told("data.in.labels.example.com", kind).addresses, Vec::<std::net::IpAddr>::new());
        }
    }

    #[test]
    fn a_program_that_asks_without_end_takes_no_more_than_its_part() {
        let (mut place, port) = (place(), free_port());
        for number in 0..2 * KNOWN_MAX {
            let name = format!("n{number}.example.com");
            let asked = place.ask(&name, Kind::A, 0);
            place.tell(asked[0].0, &[port], 0);
            place.told(&name, Kind::A);
        }
        assert_eq!((place.names.known.len(), place.names.order.len()), (KNOWN_MAX, KNOWN_MAX));
        for number in 0..2 * WAITING_MAX {
            place.ask(&format!("w{number}.example.com"), Kind::A, 0);
        }
        assert_eq!(place.names.waiting.len(), WAITING_MAX);
    }
}
