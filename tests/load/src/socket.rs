//! Sockets that never block, and the wait for many of them at once.
//!
//! Owns every system call on sockets and epoll and the reasons they fail for; must not know any
//! protocol spoken over them.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

const EVENTS_AT_ONCE: usize = 512;

/// Why one connection came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// A system call failed.
    System(&'static str, Errno),
    /// The proxy answered something other than success.
    Refused(String),
    /// The other side closed at this point.
    Closed(&'static str),
    /// The head of the answer does not end.
    LongHead,
    /// What came back is not what was sent.
    Altered,
    /// It took longer than the limit.
    Late,
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(call, errno) => write!(formatter, "{call}: {}", std::io::Error::from(*errno)),
            Self::Refused(line) => write!(formatter, "refused: {line}"),
            Self::Closed(point) => write!(formatter, "closed {point}"),
            Self::LongHead => formatter.write_str("the head of the answer does not end"),
            Self::Altered => formatter.write_str("the echo differs from what was sent"),
            Self::Late => formatter.write_str("no answer in time"),
        }
    }
}

impl std::error::Error for Failure {}

/// What a socket is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interest {
    /// Bytes or an end to read.
    Read,
    /// Room to write, or the end of connecting.
    Write,
    /// Either of the two.
    Both,
}

/// A stream socket and what it is registered for.
pub struct Link {
    socket: OwnedFd,
    interest: Option<Interest>,
}

impl Link {
    /// Begins to connect; whether it worked shows in the first use.
    ///
    /// # Errors
    /// When there is no socket or no port left, or the refusal comes at once.
    pub fn connect(address: SocketAddr, reset: bool) -> Result<Self, Failure> {
        let socket = stream_socket(address)?;
        sockopt::set_tcp_nodelay(&socket, true).map_err(|errno| Failure::System("nodelay", errno))?;
        let link = Self { socket, interest: None };
        if reset {
            link.reset_on_close()?;
        }
        match net::connect(&link.socket, &address) {
            Ok(()) | Err(Errno::INPROGRESS) => Ok(link),
            Err(errno) => Err(Failure::System("connect", errno)),
        }
    }

    /// Makes closing abort the connection, so that neither side keeps the port occupied.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn reset_on_close(&self) -> Result<(), Failure> {
        sockopt::set_socket_linger(&self.socket, Some(Duration::ZERO)).map_err(|errno| Failure::System("linger", errno))
    }

    /// Whether the connection stands.
    ///
    /// # Errors
    /// When it was refused.
    pub fn is_connected(&self) -> Result<bool, Failure> {
        match net::getpeername(&self.socket) {
            Ok(_) => Ok(true),
            Err(Errno::NOTCONN) => match sockopt::socket_error(&self.socket) {
                Ok(Ok(())) => Ok(false),
                Ok(Err(errno)) | Err(errno) => Err(Failure::System("connect", errno)),
            },
            Err(errno) => Err(Failure::System("getpeername", errno)),
        }
    }

    /// Sends what there is room for; `None` when there is none yet.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn send(&self, bytes: &[u8]) -> Result<Option<usize>, Failure> {
        match net::send(&self.socket, bytes, SendFlags::NOSIGNAL) {
            Ok(count) => Ok(Some(count)),
            Err(Errno::AGAIN | Errno::INTR | Errno::NOTCONN) => Ok(None),
            Err(errno) => Err(Failure::System("send", errno)),
        }
    }

    /// Receives what has come; `None` when nothing has, `Some(0)` at the end.
    ///
    /// # Errors
    /// When the connection is broken.
    pub fn receive(&self, buffer: &mut [u8]) -> Result<Option<usize>, Failure> {
        match net::recv(&self.socket, buffer, RecvFlags::empty()) {
            Ok((count, _)) => Ok(Some(count)),
            Err(Errno::AGAIN | Errno::INTR | Errno::NOTCONN) => Ok(None),
            Err(errno) => Err(Failure::System("receive", errno)),
        }
    }
}

/// A socket that others connect to.
pub struct Listener {
    socket: OwnedFd,
}

impl Listener {
    /// Listens at an address that several threads may share.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn listen(address: SocketAddr) -> Result<Self, Failure> {
        let socket = stream_socket(address)?;
        sockopt::set_socket_reuseaddr(&socket, true)
            .and_then(|()| sockopt::set_socket_reuseport(&socket, true))
            .and_then(|()| net::bind(&socket, &address))
            .and_then(|()| net::listen(&socket, 65_535))
            .map_err(|errno| Failure::System("listen", errno))?;
        Ok(Self { socket })
    }

    /// The address listened at, with the port that the system chose.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> Result<SocketAddr, Failure> {
        net::getsockname(&self.socket)
            .and_then(SocketAddr::try_from)
            .map_err(|errno| Failure::System("getsockname", errno))
    }

    /// The next connection, if one waits.
    ///
    /// # Errors
    /// When there is no room for it.
    pub fn accept(&self) -> Result<Option<Link>, Failure> {
        match net::accept_with(&self.socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok(socket) => {
                sockopt::set_tcp_nodelay(&socket, true).map_err(|errno| Failure::System("nodelay", errno))?;
                Ok(Some(Link { socket, interest: None }))
            }
            Err(Errno::AGAIN | Errno::INTR | Errno::CONNABORTED) => Ok(None),
            Err(errno) => Err(Failure::System("accept", errno)),
        }
    }
}

/// A socket that is ready, by the key it was registered with.
#[derive(Debug, Clone, Copy)]
pub struct Ready {
    /// The key.
    pub key: usize,
    /// Whether reading would tell something.
    pub readable: bool,
    /// Whether writing would tell something.
    pub writable: bool,
}

/// The wait for many sockets.
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Poller {
    /// A poller without sockets.
    ///
    /// # Errors
    /// When the system has none to give.
    pub fn new() -> Result<Self, Failure> {
        let epoll =
            epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|errno| Failure::System("epoll_create", errno))?;
        Ok(Self { epoll, events: Vec::with_capacity(EVENTS_AT_ONCE) })
    }

    /// Sees to it that the socket is waited for in this way; closing it ends the wait.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn watch(&self, link: &mut Link, key: usize, interest: Interest) -> Result<(), Failure> {
        let data = epoll::EventData::new_u64(key as u64);
        let done = match link.interest {
            Some(known) if known == interest => Ok(()),
            Some(_) => epoll::modify(&self.epoll, &link.socket, data, flags(interest)),
            None => epoll::add(&self.epoll, &link.socket, data, flags(interest)),
        };
        link.interest = Some(interest);
        done.map_err(|errno| Failure::System("epoll_ctl", errno))
    }

    /// Ends the wait for a socket, so that another poller can have it.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn forget(&self, link: &mut Link) -> Result<(), Failure> {
        match link.interest.take() {
            None => Ok(()),
            Some(_) => epoll::delete(&self.epoll, &link.socket).map_err(|errno| Failure::System("epoll_ctl", errno)),
        }
    }

    /// Waits for connections to a listener.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn watch_listener(&self, listener: &Listener, key: usize) -> Result<(), Failure> {
        epoll::add(&self.epoll, &listener.socket, epoll::EventData::new_u64(key as u64), epoll::EventFlags::IN)
            .map_err(|errno| Failure::System("epoll_ctl", errno))
    }

    /// Waits until something is ready or the time is over, and puts what is ready into `ready`.
    ///
    /// # Errors
    /// When the wait itself fails.
    pub fn wait(&mut self, limit: Duration, ready: &mut Vec<Ready>) -> Result<(), Failure> {
        let limit = Timespec { tv_sec: limit.as_secs() as i64, tv_nsec: i64::from(limit.subsec_nanos()) };
        self.events.clear();
        ready.clear();
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&limit)) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(()),
            Err(errno) => return Err(Failure::System("epoll_wait", errno)),
        }
        ready.extend(self.events.iter().map(|event| {
            let (seen, data) = (event.flags, event.data);
            let broken = seen.intersects(epoll::EventFlags::ERR | epoll::EventFlags::HUP);
            Ready {
                key: data.u64() as usize,
                readable: broken || seen.contains(epoll::EventFlags::IN),
                writable: broken || seen.contains(epoll::EventFlags::OUT),
            }
        }));
        Ok(())
    }
}

fn stream_socket(address: SocketAddr) -> Result<OwnedFd, Failure> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    net::socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)
        .map_err(|errno| Failure::System("socket", errno))
}

fn flags(interest: Interest) -> epoll::EventFlags {
    match interest {
        Interest::Read => epoll::EventFlags::IN,
        Interest::Write => epoll::EventFlags::OUT,
        Interest::Both => epoll::EventFlags::IN | epoll::EventFlags::OUT,
    }
}
