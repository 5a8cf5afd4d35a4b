//! Queries and answers as bytes. Must not know: which names there are.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The kinds of record that the name server has, as queries number them.
pub mod kind {
    /// An address of version 4.
    pub const A: u16 = 1;
    /// Another name.
    pub const CNAME: u16 = 5;
    /// An address of version 6.
    pub const AAAA: u16 = 28;
}

const HEAD_LENGTH: usize = 12;
const CLASS_INTERNET: u16 = 1;
/// What a resolver takes that says nothing about it, and one that does, in bytes over UDP.
const PLAIN_LIMIT: usize = 512;
const EXTENDED_LIMIT: usize = 1232;

const FLAG_ANSWER: u16 = 0x8000;
const FLAG_TRUNCATED: u16 = 0x0200;
const FLAG_RECURSION_DESIRED: u16 = 0x0100;
const FLAG_RECURSION_AVAILABLE: u16 = 0x0080;

/// A query with one question.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) id: u16,
    /// In small letters, without the last dot.
    pub(crate) name: String,
    pub(crate) kind: u16,
    /// The question as it came; an answer must repeat its letters, small or not.
    question: Vec<u8>,
    flags: u16,
    is_extended: bool,
}

/// What an answer says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Success = 0,
    Failure = 2,
    Nxdomain = 3,
}

/// The data of a record.
#[derive(Clone, Debug)]
pub(crate) enum Data {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Alias(String),
}

/// One record of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) owner: String,
    pub(crate) ttl: u32,
    pub(crate) data: Data,
}

impl Query {
    /// None when the bytes are not a query with one question.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]));
        let (flags, questions, additional) = (word(2)?, word(4)?, word(10)?);
        if flags & FLAG_ANSWER != 0 || questions != 1 {
            return None;
        }
        let (name, end) = read_name(bytes)?;
        let question = bytes.get(HEAD_LENGTH..end + 4)?.to_vec();
        Some(Self { id: word(0)?, name, kind: word(end)?, question, flags, is_extended: additional > 0 })
    }

    /// The same query as someone else might have asked it.
    pub(crate) fn with_id(&self, id: u16) -> Self {
        Self { id, ..self.clone() }
    }

    /// The same query for another name.
    pub(crate) fn with_name(&self, name: &str) -> Self {
        let mut question = write_name(name);
        question.extend(self.kind.to_be_bytes());
        question.extend(CLASS_INTERNET.to_be_bytes());
        Self { name: name.to_owned(), question, ..self.clone() }
    }

    /// The answer with these records.
    pub(crate) fn answer(&self, code: Code, records: &[Record]) -> Vec<u8> {
        let mut bytes = self.head(code as u16, u16::try_from(records.len()).expect("a test sets few records"));
        for record in records {
            let owner =
                if record.owner == self.name { vec![0xC0, HEAD_LENGTH as u8] } else { write_name(&record.owner) };
            let (kind, data) = match &record.data {
                Data::V4(address) => (kind::A, address.octets().to_vec()),
                Data::V6(address) => (kind::AAAA, address.octets().to_vec()),
                Data::Alias(target) => (kind::CNAME, write_name(target)),
            };
            bytes.extend(owner);
            bytes.extend(kind.to_be_bytes());
            bytes.extend(CLASS_INTERNET.to_be_bytes());
            bytes.extend(record.ttl.to_be_bytes());
            bytes.extend(u16::try_from(data.len()).expect("a name has at most 255 bytes").to_be_bytes());
            bytes.extend(data);
        }
        bytes
    }

    /// The answer that there is more than UDP carries.
    pub(crate) fn truncated(&self) -> Vec<u8> {
        self.head(FLAG_TRUNCATED, 0)
    }

    /// How long an answer over UDP may be.
    pub(crate) fn limit(&self) -> usize {
        if self.is_extended { EXTENDED_LIMIT } else { PLAIN_LIMIT }
    }

    fn head(&self, flags: u16, records: u16) -> Vec<u8> {
        let flags = flags | FLAG_ANSWER | FLAG_RECURSION_AVAILABLE | (self.flags & FLAG_RECURSION_DESIRED);
        let words = [self.id, flags, 1, records, 0, 0];
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        bytes.extend(&self.question);
        bytes
    }
}

/// The name of the first question and where it ends.
fn read_name(bytes: &[u8]) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let mut at = HEAD_LENGTH;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        if length > 63 {
            return None;
        }
        labels.push(String::from_utf8_lossy(bytes.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
}

fn write_name(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        bytes.push(u8::try_from(label.len()).ok().filter(|length| *length < 64).expect("a label has at most 63 bytes"));
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
