//! Names become addresses here, on the host and only after the decision: asked of the machine's
//! name servers, with nothing appended and nothing guessed. Must not know who asks, or what for.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aegis_door::dns::{Answers, DnsProblem, Kind, Rcode, framed, unframed, write_query};
use aegis_model::port::{Clock, Entropy};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UdpSocket};

use crate::address::unspecified_like;
use crate::locked;

/// How long one server is waited for.
const SERVER_TIMEOUT: Duration = Duration::from_secs(2);
/// How often all servers are tried.
const ROUNDS: usize = 2;
/// The longest datagram that is asked for.
const DATAGRAM_BYTES: usize = 4_096;
/// The port of name servers.
const PORT: u16 = 53;
/// How long the machine's settings are believed.
const SETTINGS_NS: u64 = 5_000_000_000;
/// How long an answer is believed at most. Connections are pinned to the address that was
/// checked, so this only spares questions.
const ANSWER_S_MAX: u32 = 30;
/// Answers that are remembered.
const KNOWN_MAX: usize = 4_096;

/// Why a name has no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameProblem {
    /// There is no such name.
    #[error("the name does not exist")]
    NoSuchName,
    /// It has no address.
    #[error("the name has no address")]
    NoAddress,
    /// No server answered in time, or what it said was no answer.
    #[error("no name server answered")]
    Unanswered,
}

/// Finds the addresses of names.
pub struct Names {
    given: Vec<SocketAddr>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    machine: Mutex<Option<Machine>>,
    known: Mutex<HashMap<String, Known>>,
}

/// What the machine says of names.
#[derive(Clone)]
struct Machine {
    read_ns: u64,
    servers: Vec<SocketAddr>,
    hosts: Arc<HashMap<String, Vec<IpAddr>>>,
}

/// An answer, and until when it is believed.
struct Known {
    addresses: Vec<IpAddr>,
    until_ns: u64,
}

impl Names {
    /// Asks the servers that are given; those of the machine when none are.
    pub fn new(given: Vec<SocketAddr>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { given, clock, entropy, machine: Mutex::default(), known: Mutex::default() }
    }

    /// The addresses of a name in normal form, as they were told, none of them checked.
    ///
    /// # Errors
    /// When it has none.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NameProblem> {
        let now_ns = self.clock.elapsed_ns();
        if let Some(addresses) = self.known(name, now_ns) {
            return Ok(addresses);
        }
        let machine = self.machine(now_ns).await;
        if let Some(addresses) = machine.hosts.get(name) {
            return Ok(addresses.clone());
        }
        let (addresses, ttl_s) = match self.ask(&machine, name, Kind::A).await? {
            answers if answers.addresses.is_empty() => {
                let answers = self.ask(&machine, name, Kind::Aaaa).await?;
                (answers.addresses, answers.ttl_s)
            }
            answers => (answers.addresses, answers.ttl_s),
        };
        if addresses.is_empty() {
            return Err(NameProblem::NoAddress);
        }
        self.learn(name, &addresses, now_ns.saturating_add(u64::from(ttl_s.min(ANSWER_S_MAX)) * 1_000_000_000));
        Ok(addresses)
    }

    fn known(&self, name: &str, now_ns: u64) -> Option<Vec<IpAddr>> {
        let known = locked(&self.known);
        known.get(name).filter(|known| now_ns < known.until_ns).map(|known| known.addresses.clone())
    }

    fn learn(&self, name: &str, addresses: &[IpAddr], until_ns: u64) {
        let mut known = locked(&self.known);
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(name.to_owned(), Known { addresses: addresses.to_vec(), until_ns });
    }

    async fn machine(&self, now_ns: u64) -> Machine {
        let read = locked(&self.machine).clone();
        if let Some(machine) = read.filter(|machine| now_ns.saturating_sub(machine.read_ns) < SETTINGS_NS) {
            return machine;
        }
        let servers = match self.given.as_slice() {
            [] => servers(&text_of("/etc/resolv.conf").await),
            given => given.to_vec(),
        };
        let machine = Machine { read_ns: now_ns, servers, hosts: Arc::new(hosts(&text_of("/etc/hosts").await)) };
        *locked(&self.machine) = Some(machine.clone());
        machine
    }

    async fn ask(&self, machine: &Machine, name: &str, kind: Kind) -> Result<Answers, NameProblem> {
        let rounds = std::iter::repeat_n(&machine.servers, ROUNDS).flatten();
        for server in rounds {
            let mut id = [0; 2];
            self.entropy.fill(&mut id).map_err(|_| NameProblem::Unanswered)?;
            let question = Question { name, kind, id: u16::from_be_bytes(id) };
            let Ok(Ok(answers)) = tokio::time::timeout(SERVER_TIMEOUT, question.put(*server)).await else { continue };
            match answers.rcode {
                Rcode::Ok => return Ok(answers),
                Rcode::NoSuchName => return Err(NameProblem::NoSuchName),
                // This one cannot tell; another one may.
                Rcode::Other(_) => {}
            }
        }
        Err(NameProblem::Unanswered)
    }
}

/// A question as it is put to one server.
struct Question<'n> {
    name: &'n str,
    kind: Kind,
    id: u16,
}

/// Why one server gave no answer.
enum Unanswered {
    Network,
    Message,
}

impl From<std::io::Error> for Unanswered {
    fn from(_: std::io::Error) -> Self {
        Self::Network
    }
}

impl From<DnsProblem> for Unanswered {
    fn from(_: DnsProblem) -> Self {
        Self::Message
    }
}

impl Question<'_> {
    async fn put(&self, server: SocketAddr) -> Result<Answers, Unanswered> {
        let answers = self.put_by_datagram(server).await?;
        if answers.truncated { self.put_by_stream(server).await } else { Ok(answers) }
    }

    async fn put_by_datagram(&self, server: SocketAddr) -> Result<Answers, Unanswered> {
        // The kernel chooses the port, at random, and takes in datagrams of this server only.
        let socket = UdpSocket::bind((unspecified_like(server.ip()), 0)).await?;
        socket.connect(server).await?;
        socket.send(&write_query(self.id, self.name, self.kind)?).await?;
        let mut datagram = vec![0; DATAGRAM_BYTES];
        loop {
            let length = socket.recv(&mut datagram).await?;
            // Whoever answers something else is not the one that was asked.
            if let Ok(answers) = self.read(datagram.get(..length).unwrap_or_default()) {
                return Ok(answers);
            }
        }
    }

    async fn put_by_stream(&self, server: SocketAddr) -> Result<Answers, Unanswered> {
        let mut stream = TcpStream::connect(server).await?;
        stream.write_all(&framed(&write_query(self.id, self.name, self.kind)?)?).await?;
        let mut taken = Vec::new();
        loop {
            if let Some((message, _)) = unframed(&taken)? {
                return Ok(self.read(message)?);
            }
            if stream.read_buf(&mut taken).await? == 0 {
                return Err(Unanswered::Network);
            }
        }
    }

    fn read(&self, message: &[u8]) -> Result<Answers, DnsProblem> {
        Answers::read(message, self.id, self.name, self.kind)
    }
}

async fn text_of(path: &str) -> String {
    let path = Path::new(path);
    tokio::fs::read_to_string(path).await.unwrap_or_default()
}

/// The name servers that the machine's resolver asks.
fn servers(text: &str) -> Vec<SocketAddr> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let found: Vec<SocketAddr> =
        lines.filter_map(|rest| rest.trim().parse::<IpAddr>().ok()).map(|address| (address, PORT).into()).collect();
    // What every resolver does that is told nothing.
    if found.is_empty() { vec![(Ipv4Addr::LOCALHOST, PORT).into()] } else { found }
}

/// The names that the machine itself gives to addresses.
fn hosts(text: &str) -> HashMap<String, Vec<IpAddr>> {
    let mut found: HashMap<String, Vec<IpAddr>> = HashMap::new();
    for line in text.lines() {
        let mut words = line.split('#').next().unwrap_or_default().split_whitespace();
        let Some(address) = words.next().and_then(|word| word.parse().ok()) else { continue };
        for name in words {
            found.entry(name.to_ascii_lowercase()).or_default().push(address);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_s_name_servers_are_asked() {
        let text = "# made by somebody\nsearch example.com\nnameserver 10.0.0.2\n nameserver fd00::1 \nnameserver x\n";
        assert_eq!(servers(text), ["10.0.0.2:53".parse().unwrap(), "[fd00::1]:53".parse().unwrap()]);
        assert_eq!(servers(""), ["127.0.0.1:53".parse().unwrap()]);
    }

    #[test]
    fn the_machine_s_own_names_are_known() {
        let found = hosts("10.20.0.5 DB.internal db # the database\nfd00::5 db\n# 1.2.3.4 nothing\nbad line\n");
        assert_eq!(found.get("db.internal"), Some(&vec!["10.20.0.5".parse().unwrap()]));
        assert_eq!(found.get("db").map(Vec::len), Some(2));
        assert!(!found.contains_key("nothing"));
    }
}
