//! What a resolver answers, as far as it is about the name that was asked for. Must not know:
//! how it was asked, and which of the addresses may be dialled.

use std::net::IpAddr;

use super::message::{CLASS_IN, DnsProblem, FLAG_TRUNCATED, Flaw, Header, KIND_CNAME, Kind, Pointers, Reader, Record};
use super::query::read_extensions;

/// The most addresses that are taken from an answer.
pub const ADDRESSES_MAX: usize = 64;
/// The most names that may follow one upon the other.
pub const ALIASES_MAX: usize = 16;
/// The most aliases and addresses that an answer may hold, whomever they belong to.
const RECORDS_MAX: usize = 256;

/// How a question went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rcode {
    /// It was answered, though perhaps with nothing.
    Ok,
    /// There is no such name.
    NoSuchName,
    /// Any other outcome, by its number; 255 for those that are higher.
    Other(u8),
}

/// What a resolver answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answers {
    /// How it went. Unless it went well there are no addresses.
    pub rcode: Rcode,
    /// Whether the answer did not fit. Nothing was read of it then: ask again in a stream.
    pub truncated: bool,
    /// The names that the one asked for stands for, each an alias of the next, in lower case.
    pub aliases: Vec<String>,
    /// The addresses of the last of these names.
    pub addresses: Vec<IpAddr>,
    /// For how long all of this holds; 0 if there is nothing to hold.
    pub ttl_s: u32,
}

impl Answers {
    /// Reads the answer to the question with this number, for this name and kind.
    ///
    /// # Errors
    /// When it is not an answer to exactly that, or is malformed.
    pub fn read(message: &[u8], id: u16, name: &str, kind: Kind) -> Result<Self, DnsProblem> {
        let (header, mut reader) = Reader::open(message)?;
        if header.id != id {
            return Err(DnsProblem::OtherId);
        }
        if !header.is_response() || header.opcode() != 0 {
            return Err(DnsProblem::NotAnAnswer);
        }
        let asked = name.to_ascii_lowercase();
        let malformed = |flaw| DnsProblem::Malformed { id, flaw };
        if !repeats(header, &mut reader, &asked, kind).map_err(malformed)? {
            return Err(DnsProblem::OtherQuestion);
        }
        read_behind(header, reader, &asked, kind).map_err(malformed)
    }
}

/// A record of the answer that can matter.
struct Found {
    owner: String,
    ttl_s: u32,
    content: Content,
}

#[derive(PartialEq, Eq)]
enum Content {
    /// Nothing for what is no host: it only matters if the chain leads there.
    Alias(Option<String>),
    Address(IpAddr),
}

/// Whether the question is the one that was asked, and the only one.
fn repeats(header: Header, reader: &mut Reader<'_>, asked: &str, kind: Kind) -> Result<bool, Flaw> {
    if header.questions != 1 {
        return Ok(false);
    }
    let name = reader.name(Pointers::Refused)?;
    let (code, class) = (reader.number()?, reader.number()?);
    let is_same_name = name.is_some_and(|name| name == asked);
    Ok(is_same_name && code == kind.code() && class == CLASS_IN)
}

fn read_behind(header: Header, mut reader: Reader<'_>, asked: &str, kind: Kind) -> Result<Answers, Flaw> {
    let mut answers =
        Answers { rcode: rcode(header, 0), truncated: false, aliases: Vec::new(), addresses: Vec::new(), ttl_s: 0 };
    if header.flags & FLAG_TRUNCATED != 0 {
        answers.truncated = true;
        return Ok(answers);
    }
    let mut found = Vec::new();
    for _ in 0..header.answers {
        let record = reader.record()?;
        let Some(content) = content(&record, &reader, kind)? else { continue };
        if found.len() >= RECORDS_MAX {
            return Err(Flaw::TooManyRecords);
        }
        if let Some(owner) = record.owner {
            found.push(Found { owner, ttl_s: ttl_s(record.ttl), content });
        }
    }
    for _ in 0..header.authorities {
        reader.record()?;
    }
    let extended = read_extensions(header.additionals, &mut reader)?.unwrap_or(0);
    reader.finish()?;
    answers.rcode = rcode(header, extended);
    answers.follow(asked, &found)?;
    Ok(answers)
}

impl Answers {
    /// Goes from alias to alias. Records that are not on the way belong to somebody else.
    fn follow(&mut self, asked: &str, found: &[Found]) -> Result<(), Flaw> {
        let mut held: Option<u32> = None;
        let mut current = asked.to_owned();
        while let Some((next, ttl_s)) = only_alias(&current, found)? {
            if next == asked || self.aliases.contains(&next) || self.aliases.len() >= ALIASES_MAX {
                return Err(Flaw::Aliases);
            }
            held = Some(held.map_or(ttl_s, |held| held.min(ttl_s)));
            self.aliases.push(next.clone());
            current = next;
        }
        if self.rcode == Rcode::Ok {
            for (address, ttl_s) in addresses(&current, found).take(ADDRESSES_MAX) {
                held = Some(held.map_or(ttl_s, |held| held.min(ttl_s)));
                self.addresses.push(address);
            }
        }
        self.ttl_s = held.unwrap_or(0);
        Ok(())
    }
}

/// The name that this one stands for, if it does. It may be said twice, but not two ways, and
/// what stands for another has no addresses itself.
fn only_alias(name: &str, found: &[Found]) -> Result<Option<(String, u32)>, Flaw> {
    let mut alias: Option<(&str, u32)> = None;
    for record in found.iter().filter(|record| record.owner == name) {
        let Content::Alias(target) = &record.content else { continue };
        let target = target.as_deref().ok_or(Flaw::Aliases)?;
        alias = match alias {
            None => Some((target, record.ttl_s)),
            Some((before, ttl_s)) if before == target => Some((target, ttl_s.min(record.ttl_s))),
            Some(_) => return Err(Flaw::Aliases),
        };
    }
    if alias.is_some() && addresses(name, found).next().is_some() {
        return Err(Flaw::Aliases);
    }
    Ok(alias.map(|(target, ttl_s)| (target.to_owned(), ttl_s)))
}

fn addresses<'f>(name: &'f str, found: &'f [Found]) -> impl Iterator<Item = (IpAddr, u32)> + 'f {
    found.iter().filter(move |record| record.owner == name).filter_map(|record| match record.content {
        Content::Address(address) => Some((address, record.ttl_s)),
        Content::Alias(_) => None,
    })
}

/// What a record says, if it is an alias or of the kind that was asked for.
fn content(record: &Record<'_>, reader: &Reader<'_>, kind: Kind) -> Result<Option<Content>, Flaw> {
    if record.class != CLASS_IN {
        return Ok(None);
    }
    if record.kind == KIND_CNAME {
        let mut inside = reader.standing_at(record.content_at);
        let target = inside.name(Pointers::Backwards)?;
        if inside.at() != reader.at() {
            return Err(Flaw::Record);
        }
        return Ok(Some(Content::Alias(target.filter(|target| !target.is_empty()))));
    }
    if record.kind != kind.code() {
        return Ok(None);
    }
    match kind {
        Kind::A => octets::<4>(record.content).map(|octets| Some(Content::Address(IpAddr::from(octets)))),
        Kind::Aaaa => octets::<16>(record.content).map(|octets| Some(Content::Address(IpAddr::from(octets)))),
        Kind::Ptr | Kind::Https | Kind::Svcb | Kind::Other(_) => Ok(None),
    }
}

fn octets<const N: usize>(content: &[u8]) -> Result<[u8; N], Flaw> {
    content.try_into().map_err(|_| Flaw::Record)
}

fn rcode(header: Header, extended: u8) -> Rcode {
    let code = (u16::from(extended) << 4) | u16::from(header.rcode());
    match code {
        0 => Rcode::Ok,
        3 => Rcode::NoSuchName,
        other => Rcode::Other(u8::try_from(other).unwrap_or(u8::MAX)),
    }
}

/// What has its highest bit set was never meant as a time.
fn ttl_s(ttl: u32) -> u32 {
    if ttl > u32::MAX >> 1 { 0 } else { ttl }
}
