//! The server's side of SOCKS 5: what a program says before its bytes flow, and what it is
//! answered. Every reader says how many bytes it used; what comes after them is the caller's.
//! Must not know: sockets, and which destination may be reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The version that is spoken.
const VERSION: u8 = 5;
/// The version of the exchange of a user's name and password.
const LOGIN_VERSION: u8 = 1;

/// Why bytes are not what a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SocksProblem {
    /// The version before, which cannot name a host safely.
    #[error("the client speaks SOCKS 4, only SOCKS 5 is spoken here")]
    Version4,
    /// Another version, or another protocol.
    #[error("the client speaks version `{0}`, only SOCKS 5 is spoken here")]
    Version(u8),
    /// No way to authenticate is offered.
    #[error("the client offers no method")]
    NoMethods,
    /// Another version of the login.
    #[error("the client logs in by version `{0}`, only version 1 is spoken here")]
    LoginVersion(u8),
    /// What is reserved is not zero.
    #[error("a reserved byte is `{0}` and not zero")]
    Reserved(u8),
    /// A destination of no known kind.
    #[error("a destination of type `{0}` is not known")]
    AddressType(u8),
    /// The destination has no name.
    #[error("the name of the destination is empty")]
    EmptyName,
    /// The destination has a name that no host has.
    #[error("the name of the destination holds a byte that cannot be printed")]
    Name,
}

impl SocksProblem {
    /// What a request with this problem is answered before the connection is closed; nothing
    /// when the client would not understand it.
    pub fn reply(self) -> Option<Reply> {
        match self {
            Self::AddressType(_) => Some(Reply::AddressType),
            Self::Reserved(_) | Self::EmptyName | Self::Name => Some(Reply::General),
            Self::Version4 | Self::Version(_) | Self::NoMethods | Self::LoginVersion(_) => None,
        }
    }
}

/// How a client shows who it is. Nobody is told apart by it: the box is known by its door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Not at all.
    Open,
    /// By a user's name and a password, which are read over.
    Password,
}

/// The first thing that a client says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Greeting {
    /// The method to go on with; nothing if it offers none that is spoken here.
    pub method: Option<Method>,
}

impl Greeting {
    /// Reads a greeting, and says how many bytes it took; nothing while some are missing.
    ///
    /// # Errors
    /// When the bytes begin something else.
    pub fn read(input: &[u8]) -> Result<Option<(Self, usize)>, SocksProblem> {
        let mut reader = Reader { input, used: 0 };
        let Some(version) = reader.byte() else { return Ok(None) };
        check_version(version)?;
        let Some(count) = reader.byte() else { return Ok(None) };
        if count == 0 {
            return Err(SocksProblem::NoMethods);
        }
        let Some(methods) = reader.take(usize::from(count)) else { return Ok(None) };
        let method =
            if methods.contains(&0) { Some(Method::Open) } else { methods.contains(&2).then_some(Method::Password) };
        Ok(Some((Self { method }, reader.used)))
    }
}

/// A user's name and password. Neither is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login;

impl Login {
    /// Reads over a login, and says how many bytes it took; nothing while some are missing.
    ///
    /// # Errors
    /// When the bytes begin something else.
    pub fn read(input: &[u8]) -> Result<Option<(Self, usize)>, SocksProblem> {
        let mut reader = Reader { input, used: 0 };
        match reader.byte() {
            None => return Ok(None),
            Some(LOGIN_VERSION) => {}
            Some(other) => return Err(SocksProblem::LoginVersion(other)),
        }
        // Either may be empty: what is accepted unseen may as well be nothing.
        let complete = reader.text().is_some() && reader.text().is_some();
        Ok(complete.then_some((Self, reader.used)))
    }
}

/// What a client wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// A connection to the destination.
    Connect,
    /// A connection from the destination.
    Bind,
    /// Datagrams.
    UdpAssociate,
    /// Something that was never defined.
    Other,
}

/// Where a client wants to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A host by its name, as the client spells it: it is not judged yet, and may spell an address.
    Name(String),
    /// A host by its address.
    Address(IpAddr),
}

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it wants done.
    pub command: Command,
    /// Where.
    pub destination: Destination,
    /// At which port.
    pub port: u16,
}

impl Request {
    /// Reads a request, and says how many bytes it took; nothing while some are missing.
    ///
    /// # Errors
    /// When the bytes begin something else, or the destination cannot be one.
    pub fn read(input: &[u8]) -> Result<Option<(Self, usize)>, SocksProblem> {
        let mut reader = Reader { input, used: 0 };
        let Some(version) = reader.byte() else { return Ok(None) };
        check_version(version)?;
        let Some(command) = reader.byte().map(command) else { return Ok(None) };
        match reader.byte() {
            None => return Ok(None),
            Some(0) => {}
            Some(other) => return Err(SocksProblem::Reserved(other)),
        }
        let Some(kind) = reader.byte() else { return Ok(None) };
        let Some(destination) = destination(kind, &mut reader)? else { return Ok(None) };
        let Some(port) = reader.array().map(u16::from_be_bytes) else { return Ok(None) };
        Ok(Some((Self { command, destination, port }, reader.used)))
    }
}

/// How a request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Connected: what follows is the destination's.
    Succeeded,
    /// It failed for a reason that has no number.
    General,
    /// It may not be reached.
    NotAllowed,
    /// There is no way to its network.
    NetworkUnreachable,
    /// There is no way to it, or no such host.
    HostUnreachable,
    /// It does not take the connection.
    Refused,
    /// Nothing but connections is offered.
    CommandNotSupported,
    /// A destination of no known kind.
    AddressType,
}

impl Reply {
    /// Its number.
    pub fn code(self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::General => 1,
            Self::NotAllowed => 2,
            Self::NetworkUnreachable => 3,
            Self::HostUnreachable => 4,
            Self::Refused => 5,
            Self::CommandNotSupported => 7,
            Self::AddressType => 8,
        }
    }

    /// The reply, with `0.0.0.0:0` for our side: the host's addresses are not the box's business.
    pub fn write(self) -> [u8; 10] {
        [VERSION, self.code(), 0, 1, 0, 0, 0, 0, 0, 0]
    }
}

/// The answer to a greeting: the method to go on with, or that there is none.
pub fn write_method(method: Option<Method>) -> [u8; 2] {
    let code = match method {
        Some(Method::Open) => 0,
        Some(Method::Password) => 2,
        None => 0xff,
    };
    [VERSION, code]
}

/// The answer to a login, whoever it was.
pub fn write_login_ok() -> [u8; 2] {
    [LOGIN_VERSION, 0]
}

fn check_version(version: u8) -> Result<(), SocksProblem> {
    match version {
        VERSION => Ok(()),
        4 => Err(SocksProblem::Version4),
        other => Err(SocksProblem::Version(other)),
    }
}

fn command(code: u8) -> Command {
    match code {
        1 => Command::Connect,
        2 => Command::Bind,
        3 => Command::UdpAssociate,
        _ => Command::Other,
    }
}

fn destination(kind: u8, reader: &mut Reader<'_>) -> Result<Option<Destination>, SocksProblem> {
    match kind {
        1 => Ok(reader.array::<4>().map(|octets| Destination::Address(IpAddr::V4(Ipv4Addr::from(octets))))),
        3 => name(reader),
        4 => Ok(reader.array::<16>().map(|octets| Destination::Address(IpAddr::V6(Ipv6Addr::from(octets))))),
        other => Err(SocksProblem::AddressType(other)),
    }
}

fn name(reader: &mut Reader<'_>) -> Result<Option<Destination>, SocksProblem> {
    if reader.peek() == Some(0) {
        return Err(SocksProblem::EmptyName);
    }
    let Some(bytes) = reader.text() else { return Ok(None) };
    if !bytes.iter().all(u8::is_ascii_graphic) {
        return Err(SocksProblem::Name);
    }
    Ok(Some(Destination::Name(bytes.iter().copied().map(char::from).collect())))
}

/// The bytes that have come so far. Nothing is read twice.
struct Reader<'i> {
    input: &'i [u8],
    used: usize,
}

impl<'i> Reader<'i> {
    fn peek(&self) -> Option<u8> {
        self.input.get(self.used).copied()
    }

    fn take(&mut self, count: usize) -> Option<&'i [u8]> {
        let end = self.used.checked_add(count)?;
        let bytes = self.input.get(self.used..end)?;
        self.used = end;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    /// Bytes with their length in front.
    fn text(&mut self) -> Option<&'i [u8]> {
        let length = self.byte()?;
        self.take(usize::from(length))
    }
}

#[cfg(test)]
#[path = "socks_tests.rs"]
mod tests;
