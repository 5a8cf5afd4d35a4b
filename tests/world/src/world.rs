//! One outside world: its two namespaces, its addresses and what is served there. Must not
//! know: what any service says.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::{fmt::Display, io};

use crate::certificates::{Authority, Trust};
use crate::names::Names;
use crate::place::Place;
use crate::program::{self, Program};
use crate::secure_web::SecureWeb;
use crate::service::Service;
use crate::sink::Sink;
use crate::web::Web;
use crate::{banner, echo, relay, source};

const OWN_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const OWN_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 1);
const OUTSIDE_V4: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
const OUTSIDE_V6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 2);
const NAMES_PORT: u16 = 53;

/// Set in both places; the ports and their early use again are for measurements that open
/// very many connections from one address to another.
const SETTINGS: [(&str, &str); 6] = [
    ("ipv6/conf/all/disable_ipv6", "0"),
    ("ipv6/conf/default/disable_ipv6", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv4/ip_local_port_range", "1024 65535"),
    ("ipv4/tcp_tw_reuse", "1"),
];

/// Why there is no world.
#[derive(Debug, thiserror::Error)]
pub enum EnterError {
    /// This process may not make network namespaces.
    #[error("no outside world without privileges: `{0}`")]
    Unprivileged(#[source] io::Error),
    /// It may, and something else failed.
    #[error("no outside world: `{0}`")]
    Failed(#[source] io::Error),
}

/// An outside world. Whoever enters it is in a network namespace that has nothing but a
/// loopback interface and one interface towards the outside; so is everything that the thread
/// starts from then on, programs and threads alike. Threads that ran before, such as those of
/// an asynchronous runtime that was built before, are not.
///
/// Dropping it ends every service and program outside, removes the interface and, on the thread
/// that entered, returns to the namespace of before. Threads and programs that the test started
/// here stay here, without any interface but the loopback; they are the test's to end.
#[derive(Debug)]
pub struct World {
    outside: Place,
    here: Place,
    home: Place,
    entered_by: ThreadId,
    addresses: Mutex<HashSet<IpAddr>>,
    authority: Authority,
    names: Names,
    services: Mutex<Vec<Service>>,
}

impl World {
    /// Makes a world and moves the calling thread into it.
    ///
    /// # Errors
    /// [`EnterError::Unprivileged`] when this process may not do that, which a test should say
    /// aloud and then skip; [`EnterError::Failed`] when anything else is wrong, which is a
    /// failure of the test.
    pub fn enter() -> Result<Self, EnterError> {
        let here = Place::new().map_err(EnterError::of)?;
        let outside = Place::new().map_err(EnterError::of)?;
        join(&here, &outside).map_err(EnterError::of)?;
        let names = outside.run(start_names).map_err(EnterError::of)?;
        let authority = Authority::new();
        let home = Place::of_this_thread().map_err(EnterError::of)?;
        here.enter().map_err(EnterError::of)?;
        let addresses = HashSet::from([OUTSIDE_V4.into(), OUTSIDE_V6.into()]);
        Ok(Self {
            outside,
            here,
            home,
            entered_by: thread::current().id(),
            addresses: Mutex::new(addresses),
            authority,
            names,
            services: Mutex::default(),
        })
    }

    /// The address of this side, which no box should reach by way of the outside.
    pub fn own_address(&self) -> IpAddr {
        OWN_V4.into()
    }

    /// The address of this side in version 6.
    pub fn own_address_v6(&self) -> IpAddr {
        OWN_V6.into()
    }

    /// Gives the outside an address, of whatever kind; twice is the same as once. Services do
    /// that by themselves. A packet for an address that nobody has is lost without an answer.
    ///
    /// # Panics
    /// When the text is no address, or one that no machine can have.
    pub fn add_address(&self, address: &str) -> IpAddr {
        let address: IpAddr = address.parse().unwrap_or_else(|_| panic!("`{address}` is no address"));
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if addresses.insert(address) {
            let line = match address {
                IpAddr::V4(_) => format!("address add {address}/32 dev lo\n"),
                IpAddr::V6(_) => format!("address add {address}/128 dev lo nodad\n"),
            };
            self.outside.configure(&line).unwrap_or_else(|error| panic!("{error}"));
        }
        address
    }

    /// The name server.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Where the name server listens, over UDP and TCP.
    pub fn names_address(&self) -> SocketAddr {
        (OUTSIDE_V4, NAMES_PORT).into()
    }

    /// The certificate of the authority that signs for the servers of this world.
    pub fn ca_pem(&self) -> &str {
        self.authority.pem()
    }

    /// A web server; see [`Web`] for what it answers. As everywhere, port 0 is a free port.
    ///
    /// # Panics
    /// Like all services: when the text is no address, or the port is taken.
    pub fn web(&self, address: &str, port: u16) -> Web {
        let web = started(Web::start(self.listen(address, port)), address, port);
        self.keep(web.service());
        web
    }

    /// A web server behind TLS, with a good certificate for `names`, which may be addresses.
    ///
    /// # Panics
    /// As [`World::web`], and when a name cannot stand in a certificate.
    pub fn secure_web(&self, address: &str, port: u16, names: &[&str]) -> SecureWeb {
        self.secure_web_with(address, port, names, Trust::Good)
    }

    /// A web server behind TLS that is to be trusted or not.
    ///
    /// # Panics
    /// As [`World::secure_web`].
    pub fn secure_web_with(&self, address: &str, port: u16, names: &[&str], trust: Trust) -> SecureWeb {
        let (certificate, key) = self.authority.certify(names, trust);
        let web = started(SecureWeb::start(self.listen(address, port), certificate, key), address, port);
        self.keep(web.service());
        web
    }

    /// A service that sends back every byte.
    ///
    /// # Panics
    /// As [`World::web`].
    pub fn echo(&self, address: &str, port: u16) -> Service {
        self.keep(&started(echo::start(self.listen(address, port)), address, port))
    }

    /// A service that reads everything and says nothing.
    ///
    /// # Panics
    /// As [`World::web`].
    pub fn sink(&self, address: &str, port: u16) -> Sink {
        let sink = started(Sink::start(self.listen(address, port)), address, port);
        self.keep(sink.service());
        sink
    }

    /// A service that sends the bytes of [`crate::pattern`] until its peer closes.
    ///
    /// # Panics
    /// As [`World::web`].
    pub fn source(&self, address: &str, port: u16) -> Service {
        self.keep(&started(source::start(self.listen(address, port)), address, port))
    }

    /// A service that says `text` first and then only listens.
    ///
    /// # Panics
    /// As [`World::web`].
    pub fn banner(&self, address: &str, port: u16, text: impl Into<Vec<u8>>) -> Service {
        self.keep(&started(banner::start(self.listen(address, port), text.into()), address, port))
    }

    /// A service that is the program at a Unix socket of this machine.
    ///
    /// # Panics
    /// As [`World::web`].
    pub fn relay(&self, address: &str, port: u16, socket: impl AsRef<Path>) -> Service {
        let socket = socket.as_ref().to_owned();
        self.keep(&started(relay::start(self.listen(address, port), socket), address, port))
    }

    /// Starts a program outside, such as a real server. Give it its address with
    /// [`World::add_address`] before. It shares everything with this machine but the network.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn run_outside(&self, command: &mut Command) -> io::Result<Program> {
        Program::start(&self.outside, command)
    }

    /// Does `work` on a thread that is outside, and waits for it: a socket that is made there
    /// belongs to the outside, and may be used anywhere.
    pub fn outside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.outside.run(work)
    }

    /// Does `work` on a thread that is here, whichever thread calls.
    pub fn here<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.here.run(work)
    }

    fn listen(&self, address: &str, port: u16) -> TcpListener {
        let place = (self.add_address(address), port);
        started(self.outside.run(|| TcpListener::bind(place)), address, port)
    }

    fn keep(&self, service: &Service) -> Service {
        self.services().push(service.clone());
        service.clone()
    }

    fn services(&self) -> MutexGuard<'_, Vec<Service>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        program::end_all(&self.outside);
        for service in self.services().drain(..) {
            service.close();
        }
        self.names.close();
        // Without this it would go a little later, with the last descriptor of its namespace.
        let _ = self.here.configure("link delete h0\n");
        if thread::current().id() == self.entered_by {
            // A thread that cannot return stays where it reaches nothing.
            let _ = self.home.enter();
        }
    }
}

impl EnterError {
    fn of(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::PermissionDenied { Self::Unprivileged(error) } else { Self::Failed(error) }
    }
}

/// Joins the two places by a pair of interfaces, each the other's way to everywhere.
fn join(here: &Place, outside: &Place) -> io::Result<()> {
    for place in [here, outside] {
        for (setting, value) in SETTINGS {
            place.set(setting, value)?;
        }
    }
    here.configure(&format!(
        "link set lo up\n\
         link add h0 type veth peer name w0 netns {}\n\
         link set h0 up\n\
         address add {OWN_V4}/24 dev h0\n\
         address add {OWN_V6}/64 dev h0 nodad\n",
        outside.path()
    ))?;
    outside.configure(&format!(
        "link set lo up\n\
         link set w0 up\n\
         address add {OUTSIDE_V4}/24 dev w0\n\
         address add {OUTSIDE_V6}/64 dev w0 nodad\n\
         route add default via {OWN_V4}\n\
         route add ::/0 via {OWN_V6}\n"
    ))?;
    here.configure(&format!("route add default via {OUTSIDE_V4}\nroute add ::/0 via {OUTSIDE_V6}\n"))
}

fn start_names() -> io::Result<Names> {
    let place = (OUTSIDE_V4, NAMES_PORT);
    Names::start(UdpSocket::bind(place)?, UdpSocket::bind((OUTSIDE_V4, 0))?, TcpListener::bind(place)?)
}

fn started<T>(result: Result<T, impl Display>, address: &str, port: u16) -> T {
    result.unwrap_or_else(|error| panic!("no service at `{address}` port `{port}`: {error}"))
}
