//! A question, as it is read from a program and as it is asked of a resolver. Must not know:
//! what it is answered.

use super::message::{
    CLASS_IN, DATAGRAM_BYTES, DnsProblem, FLAG_RECURSION_DESIRED, Flaw, Header, KIND_OPT, Kind, Pointers, Reader,
    write_name,
};
use super::reply;

/// What a program asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Its number, which the answer repeats.
    pub id: u16,
    /// The name that it asks for, in lower case and without a dot at its end; nothing for the
    /// root and for what is not the name of a host, neither of which exists here.
    pub name: Option<String>,
    /// What it asks of the name.
    pub kind: Kind,
    /// Whether it wants others to be asked for it.
    pub recursion_desired: bool,
    /// Whether it understands extensions.
    pub edns: bool,
    /// The question as it came, which the answer repeats byte for byte. At most 259 bytes,
    /// because a name is bounded and continues nowhere else.
    pub(super) question: Vec<u8>,
}

impl Query {
    /// Reads a question.
    ///
    /// # Errors
    /// When it is not exactly one whole question; [`DnsProblem::reply`] says what to answer.
    pub fn read(message: &[u8]) -> Result<Self, DnsProblem> {
        let (header, reader) = Reader::open(message)?;
        if header.is_response() {
            return Err(DnsProblem::NotAQuestion);
        }
        if header.opcode() != 0 {
            return Err(DnsProblem::NotImplemented { id: header.id, opcode: header.opcode() });
        }
        read_behind(header, reader).map_err(|flaw| DnsProblem::Malformed { id: header.id, flaw })
    }
}

impl DnsProblem {
    /// What a question with this problem is answered, if anything.
    pub fn reply(self) -> Option<Vec<u8>> {
        match self {
            Self::NotImplemented { id, opcode } => Some(reply::not_implemented(id, opcode)),
            Self::Malformed { id, .. } => Some(reply::malformed(id)),
            Self::NoHeader
            | Self::TooLong
            | Self::NotAQuestion
            | Self::Name
            | Self::OtherId
            | Self::NotAnAnswer
            | Self::OtherQuestion => None,
        }
    }
}

/// A question for a resolver, which may answer in a datagram of 1232 bytes.
///
/// # Errors
/// When the name is not one of a host: it has no dot at its end, and labels of letters,
/// digits, `-` and `_`.
pub fn write_query(id: u16, name: &str, kind: Kind) -> Result<Vec<u8>, DnsProblem> {
    let header = Header { id, flags: FLAG_RECURSION_DESIRED, questions: 1, answers: 0, authorities: 0, additionals: 1 };
    let mut message = header.write();
    message.extend(write_name(name)?);
    message.extend(kind.code().to_be_bytes());
    message.extend(CLASS_IN.to_be_bytes());
    message.extend(write_extensions(&[]));
    Ok(message)
}

/// The record that says which extensions are understood. What it holds is at most a few
/// hundred bytes of our own.
pub(super) fn write_extensions(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap_or(0);
    let mut record = vec![0];
    record.extend(KIND_OPT.to_be_bytes());
    record.extend(DATAGRAM_BYTES.to_be_bytes());
    record.extend([0; 4]);
    record.extend(length.to_be_bytes());
    record.extend(content.iter().take(usize::from(length)));
    record
}

fn read_behind(header: Header, mut reader: Reader<'_>) -> Result<Query, Flaw> {
    if (header.questions, header.answers, header.authorities) != (1, 0, 0) {
        return Err(Flaw::Counts);
    }
    let start = reader.at();
    let name = reader.name(Pointers::Refused)?.filter(|name| !name.is_empty());
    let kind = Kind::of(reader.number()?);
    let class = reader.number()?;
    let question = reader.since(start).to_vec();
    let edns = read_extensions(header.additionals, &mut reader)?.is_some();
    reader.finish()?;
    if class != CLASS_IN {
        return Err(Flaw::Class);
    }
    let recursion_desired = header.flags & FLAG_RECURSION_DESIRED != 0;
    Ok(Query { id: header.id, name, kind, recursion_desired, edns, question })
}

/// Reads over the last section, and gives the upper bits of the outcome if extensions are
/// understood. Each record takes eleven bytes at least, so a count that lies ends early.
pub(super) fn read_extensions(count: u16, reader: &mut Reader<'_>) -> Result<Option<u8>, Flaw> {
    let mut found = None;
    for _ in 0..count {
        let record = reader.record()?;
        if record.kind != KIND_OPT {
            continue;
        }
        let is_at_root = record.owner.is_some_and(|owner| owner.is_empty());
        if found.is_some() || !is_at_root {
            return Err(Flaw::Extensions);
        }
        let [outcome, ..] = record.ttl.to_be_bytes();
        found = Some(outcome);
    }
    Ok(found)
}
