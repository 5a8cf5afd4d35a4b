//! The first message of a TLS connection, read far enough to know which host it is for and
//! whether it hides another. Must not know: sockets, keys, and which host may be reached.

use std::collections::BTreeSet;

/// The longest hello, with its own header. Those of browsers have two kilobytes.
pub const HELLO_BYTES_MAX: usize = 32 * 1024;
/// The most records that a hello may be cut into, so that reading on after each byte is cheap.
pub const RECORDS_MAX: usize = 64;
/// The most protocols that a hello may offer.
pub const PROTOCOLS_MAX: usize = 64;
/// The most bytes to collect while a hello is not whole. More are never needed.
pub const INPUT_BYTES_MAX: usize = HELLO_BYTES_MAX + RECORDS_MAX * RECORD_HEADER_BYTES;

const RECORD_HEADER_BYTES: usize = 5;
const RECORD_BYTES_MAX: usize = 16_384;
const HANDSHAKE_RECORD: u8 = 22;
const HANDSHAKE_HEADER_BYTES: usize = 4;
const CLIENT_HELLO: u8 = 1;
const SERVER_NAME_BYTES_MAX: usize = 253;

const SERVER_NAME: u16 = 0;
const PROTOCOLS: u16 = 16;
const SESSION_TICKET: u16 = 35;
const PRE_SHARED_KEY: u16 = 41;
const EARLY_DATA: u16 = 42;

/// What a client says first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The host that it wants, in lower case; not yet judged to be the name of one.
    pub server_name: Option<String>,
    /// Whether it carries another hello that cannot be read, with another host perhaps. Some
    /// clients send an empty imitation of it, which looks the same.
    pub encrypted_client_hello: bool,
    /// The protocols that it offers, the best first.
    pub alpn: Vec<Vec<u8>>,
    /// Whether it sends bytes before it is answered.
    pub early_data: bool,
    /// Whether it continues an earlier connection.
    pub resumes: bool,
}

/// Why bytes are not the first message of a TLS connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsProblem {
    /// Another protocol, or a form of this one that is older than records.
    #[error("the bytes do not begin a TLS connection")]
    NotTls,
    /// A record that cannot carry a hello.
    #[error("a record of TLS is malformed")]
    Record,
    /// Longer, or in more pieces, than a hello may be.
    #[error("a hello is longer than {HELLO_BYTES_MAX} bytes or than {RECORDS_MAX} records")]
    TooLong,
    /// Another message comes first.
    #[error("the first message of TLS is not a client's hello")]
    NotAClientHello,
    /// Its lengths do not fit each other, or a field is not what it must be.
    #[error("a hello is malformed at its {0}")]
    Malformed(Part),
    /// It says the same thing twice.
    #[error("a hello has the extension `{0}` twice")]
    DuplicateExtension(u16),
    /// The host that it wants cannot be one.
    #[error("a hello names a server that is no host")]
    ServerName,
    /// It offers more than anybody speaks.
    #[error("a hello offers more than {PROTOCOLS_MAX} protocols")]
    TooManyProtocols,
}

/// A part of a hello.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The version that it claims.
    Version,
    /// Its random bytes.
    Random,
    /// The session that it names.
    Session,
    /// The ciphers that it offers.
    Ciphers,
    /// The compressions that it offers.
    Compressions,
    /// The list of its extensions.
    Extensions,
    /// The host that it wants.
    ServerName,
    /// The protocols that it offers.
    Protocols,
    /// That bytes come before the answer.
    EarlyData,
}

impl std::fmt::Display for Part {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Version => "version",
            Self::Random => "random bytes",
            Self::Session => "session",
            Self::Ciphers => "ciphers",
            Self::Compressions => "compressions",
            Self::Extensions => "extensions",
            Self::ServerName => "server name",
            Self::Protocols => "protocols",
            Self::EarlyData => "early data",
        })
    }
}

/// Whether these bytes begin a TLS connection; nothing while too few of them have come.
pub fn looks_like_tls(first: &[u8]) -> Option<bool> {
    match first {
        [] | [HANDSHAKE_RECORD] | [HANDSHAKE_RECORD, 3] => None,
        [HANDSHAKE_RECORD, 3, 0..=4, ..] => Some(true),
        _ => Some(false),
    }
}

/// Reads the hello from the first bytes of a connection, all of them each time; nothing while
/// some are missing. What follows the hello is not looked at.
///
/// # Errors
/// As soon as it is known that no hello can come of these bytes that may be let through.
pub fn read(input: &[u8]) -> Result<Option<ClientHello>, TlsProblem> {
    if input.first().is_some_and(|first| *first != HANDSHAKE_RECORD) {
        return Err(TlsProblem::NotTls);
    }
    let Some(needed) = hello_length(input)? else { return Ok(None) };
    // Nothing is copied before all of it is there, so that each call before that is cheap.
    if !has_whole(input, needed)? {
        return Ok(None);
    }
    let mut hello = Vec::with_capacity(needed);
    for fragment in fragments(input) {
        let missing = needed.saturating_sub(hello.len());
        hello.extend(fragment?.iter().take(missing));
        // A record behind the hello may be of any kind: it is not a part of it.
        if hello.len() >= needed {
            break;
        }
    }
    let body = hello.get(HANDSHAKE_HEADER_BYTES..).unwrap_or_default();
    read_body(body).map(Some)
}

/// How many bytes the hello has with its header, once that is there.
fn hello_length(input: &[u8]) -> Result<Option<usize>, TlsProblem> {
    let mut header = [0_u8; HANDSHAKE_HEADER_BYTES];
    let mut got = 0_usize;
    for fragment in fragments(input) {
        for (place, byte) in header.iter_mut().skip(got).zip(fragment?) {
            *place = *byte;
            got = got.saturating_add(1);
        }
        // Before the next record is looked at: what is wrong first is what is told.
        if got > 0 && header.first() != Some(&CLIENT_HELLO) {
            return Err(TlsProblem::NotAClientHello);
        }
        if got == HANDSHAKE_HEADER_BYTES {
            break;
        }
    }
    let [_, high, middle, low] = header;
    if got < HANDSHAKE_HEADER_BYTES {
        return Ok(None);
    }
    let body = usize::try_from(u32::from_be_bytes([0, high, middle, low])).map_err(|_| TlsProblem::TooLong)?;
    let whole = body.saturating_add(HANDSHAKE_HEADER_BYTES);
    if whole > HELLO_BYTES_MAX { Err(TlsProblem::TooLong) } else { Ok(Some(whole)) }
}

fn has_whole(input: &[u8], needed: usize) -> Result<bool, TlsProblem> {
    let mut there = 0_usize;
    for fragment in fragments(input) {
        there = there.saturating_add(fragment?.len());
        if there >= needed {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the records carry, as far as they have come.
fn fragments(input: &[u8]) -> Fragments<'_> {
    Fragments { rest: Reader { rest: input }, records: 0 }
}

struct Fragments<'i> {
    rest: Reader<'i>,
    records: usize,
}

impl<'i> Iterator for Fragments<'i> {
    type Item = Result<&'i [u8], TlsProblem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        self.records = self.records.saturating_add(1);
        if self.records > RECORDS_MAX {
            return Some(Err(TlsProblem::TooLong));
        }
        self.record().transpose()
    }
}

impl<'i> Fragments<'i> {
    fn record(&mut self) -> Result<Option<&'i [u8]>, TlsProblem> {
        match self.rest.rest {
            [] | [HANDSHAKE_RECORD] | [HANDSHAKE_RECORD, 3] | [HANDSHAKE_RECORD, 3, 0..=4] => Ok(None),
            [HANDSHAKE_RECORD, 3, 0..=4, _] => Ok(None),
            [HANDSHAKE_RECORD, 3, 0..=4, high, low, after @ ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                if length == 0 || length > RECORD_BYTES_MAX {
                    return Err(TlsProblem::Record);
                }
                let (fragment, rest) = after.split_at_checked(length).unwrap_or((after, &[]));
                self.rest = Reader { rest };
                Ok(Some(fragment))
            }
            _ => Err(TlsProblem::Record),
        }
    }
}

fn read_body(body: &[u8]) -> Result<ClientHello, TlsProblem> {
    let mut reader = Reader { rest: body };
    let version = reader.number().ok_or(TlsProblem::Malformed(Part::Version))?;
    if !(0x0300..=0x0304).contains(&version) {
        return Err(TlsProblem::Malformed(Part::Version));
    }
    reader.take(32).ok_or(TlsProblem::Malformed(Part::Random))?;
    let session = reader.short_vector().ok_or(TlsProblem::Malformed(Part::Session))?;
    if session.len() > 32 {
        return Err(TlsProblem::Malformed(Part::Session));
    }
    let ciphers = reader.vector().ok_or(TlsProblem::Malformed(Part::Ciphers))?;
    if ciphers.is_empty() || !ciphers.len().is_multiple_of(2) {
        return Err(TlsProblem::Malformed(Part::Ciphers));
    }
    let compressions = reader.short_vector().ok_or(TlsProblem::Malformed(Part::Compressions))?;
    if compressions.is_empty() {
        return Err(TlsProblem::Malformed(Part::Compressions));
    }
    // The oldest clients have no extensions, not even an empty list of them.
    if reader.is_empty() {
        return Ok(ClientHello::default());
    }
    let extensions = reader.vector().ok_or(TlsProblem::Malformed(Part::Extensions))?;
    if !reader.is_empty() {
        return Err(TlsProblem::Malformed(Part::Extensions));
    }
    read_extensions(extensions)
}

fn read_extensions(list: &[u8]) -> Result<ClientHello, TlsProblem> {
    let mut hello = ClientHello::default();
    let mut seen = BTreeSet::new();
    let mut reader = Reader { rest: list };
    while !reader.is_empty() {
        let kind = reader.number().ok_or(TlsProblem::Malformed(Part::Extensions))?;
        let content = reader.vector().ok_or(TlsProblem::Malformed(Part::Extensions))?;
        if !seen.insert(kind) {
            return Err(TlsProblem::DuplicateExtension(kind));
        }
        read_extension(&mut hello, kind, content)?;
    }
    Ok(hello)
}

fn read_extension(hello: &mut ClientHello, kind: u16, content: &[u8]) -> Result<(), TlsProblem> {
    match kind {
        SERVER_NAME => hello.server_name = Some(server_name(content)?),
        PROTOCOLS => hello.alpn = protocols(content)?,
        SESSION_TICKET => hello.resumes |= !content.is_empty(),
        PRE_SHARED_KEY => hello.resumes = true,
        EARLY_DATA if content.is_empty() => hello.early_data = true,
        EARLY_DATA => return Err(TlsProblem::Malformed(Part::EarlyData)),
        _ if hides_a_hello(kind) => hello.encrypted_client_hello = true,
        _ => {}
    }
    Ok(())
}

/// The number of today and those of the drafts before it, which a server may still know.
fn hides_a_hello(kind: u16) -> bool {
    matches!(kind, 0xfe08..=0xfe0d | 0xff02 | 0xff03 | 0xffce)
}

/// Exactly one name, and it is that of a host: of two, each side could take another.
fn server_name(content: &[u8]) -> Result<String, TlsProblem> {
    let name = only_name(content).ok_or(TlsProblem::Malformed(Part::ServerName))?;
    let can_be_a_host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let fits = !name.is_empty() && name.len() <= SERVER_NAME_BYTES_MAX && !name.ends_with(b".");
    if !fits || !name.iter().all(can_be_a_host) {
        return Err(TlsProblem::ServerName);
    }
    Ok(name.iter().map(|byte| char::from(byte.to_ascii_lowercase())).collect())
}

fn only_name(content: &[u8]) -> Option<&[u8]> {
    let mut outer = Reader { rest: content };
    let mut list = Reader { rest: outer.vector()? };
    let kind = list.byte()?;
    let name = list.vector()?;
    (kind == 0 && list.is_empty() && outer.is_empty()).then_some(name)
}

fn protocols(content: &[u8]) -> Result<Vec<Vec<u8>>, TlsProblem> {
    let malformed = TlsProblem::Malformed(Part::Protocols);
    let mut outer = Reader { rest: content };
    let mut list = Reader { rest: outer.vector().ok_or(malformed)? };
    if list.is_empty() || !outer.is_empty() {
        return Err(malformed);
    }
    let mut protocols = Vec::new();
    while !list.is_empty() {
        let protocol = list.short_vector().filter(|protocol| !protocol.is_empty()).ok_or(malformed)?;
        if protocols.len() >= PROTOCOLS_MAX {
            return Err(TlsProblem::TooManyProtocols);
        }
        protocols.push(protocol.to_vec());
    }
    Ok(protocols)
}

/// What is left to read.
struct Reader<'i> {
    rest: &'i [u8],
}

impl<'i> Reader<'i> {
    fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    fn take(&mut self, count: usize) -> Option<&'i [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<u16> {
        let bytes = self.take(2)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    }

    /// Bytes with their length in one byte in front.
    fn short_vector(&mut self) -> Option<&'i [u8]> {
        let length = self.byte()?;
        self.take(usize::from(length))
    }

    /// Bytes with their length in two bytes in front.
    fn vector(&mut self) -> Option<&'i [u8]> {
        let length = self.number()?;
        self.take(usize::from(length))
    }
}

#[cfg(test)]
#[path = "client_hello_tests.rs"]
mod tests;
