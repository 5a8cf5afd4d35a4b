//! The answers that a program is given. Each repeats the question, and is small enough for a
//! datagram of the oldest kind. Must not know: why it is given.

use std::net::Ipv4Addr;

use super::message::{
    CLASS_IN, FLAG_RECURSION_AVAILABLE, FLAG_RECURSION_DESIRED, FLAG_RESPONSE, HEADER_BYTES, Header, Kind,
};
use super::query::{Query, write_extensions};

/// The longest reason that an answer carries.
pub const REASON_BYTES_MAX: usize = 200;

const FORMAT_ERROR: u16 = 1;
const SERVER_FAILURE: u16 = 2;
const NO_SUCH_NAME: u16 = 3;
const NOT_IMPLEMENTED: u16 = 4;
const REFUSED: u16 = 5;
/// The number of the extension that explains an answer, and its word for what is not allowed.
const EXPLANATION: u16 = 15;
const PROHIBITED: u16 = 18;
/// The place of the question's name, as names refer to it.
const QUESTION_POINTER: [u8; 2] = [0xc0, 12];
const _: () = assert!(HEADER_BYTES == 12);

/// The name has this address. Whoever asked for anything else learns that there is none.
pub fn address(query: &Query, address: Ipv4Addr, ttl_s: u32) -> Vec<u8> {
    if query.kind != Kind::A {
        return no_data(query);
    }
    let mut record = QUESTION_POINTER.to_vec();
    record.extend(Kind::A.code().to_be_bytes());
    record.extend(CLASS_IN.to_be_bytes());
    record.extend(ttl_s.to_be_bytes());
    record.extend([0, 4]);
    record.extend(address.octets());
    answer(query, 0, &record, &[])
}

/// The name exists, and what is asked of it does not.
pub fn no_data(query: &Query) -> Vec<u8> {
    answer(query, 0, &[], &[])
}

/// The name does not exist for the one who asks. Why, is told to whoever understands it.
pub fn no_such_name(query: &Query, why: Option<&str>) -> Vec<u8> {
    answer(query, NO_SUCH_NAME, &[], &why.map(explanation).unwrap_or_default())
}

/// The question is not answered to the one who asks.
pub fn refused(query: &Query) -> Vec<u8> {
    answer(query, REFUSED, &[], &[])
}

/// The question could not be answered.
pub fn failed(query: &Query) -> Vec<u8> {
    answer(query, SERVER_FAILURE, &[], &[])
}

/// The question with this number could not be read.
pub fn malformed(id: u16) -> Vec<u8> {
    bare(id, FORMAT_ERROR)
}

/// The question with this number asks for something else than a record.
pub fn not_implemented(id: u16, opcode: u8) -> Vec<u8> {
    bare(id, (u16::from(opcode & 0x0f) << 11) | NOT_IMPLEMENTED)
}

fn bare(id: u16, flags: u16) -> Vec<u8> {
    let flags = FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | flags;
    Header { id, flags, questions: 0, answers: 0, authorities: 0, additionals: 0 }.write()
}

/// An answer of one record, or none. Extensions are only for those who understand them.
fn answer(query: &Query, rcode: u16, record: &[u8], extension: &[u8]) -> Vec<u8> {
    let desired = if query.recursion_desired { FLAG_RECURSION_DESIRED } else { 0 };
    let header = Header {
        id: query.id,
        flags: FLAG_RESPONSE | FLAG_RECURSION_AVAILABLE | desired | rcode,
        questions: 1,
        answers: u16::from(!record.is_empty()),
        authorities: 0,
        additionals: u16::from(query.edns),
    };
    let mut message = header.write();
    message.extend_from_slice(&query.question);
    message.extend_from_slice(record);
    if query.edns {
        message.extend(write_extensions(extension));
    }
    message
}

fn explanation(why: &str) -> Vec<u8> {
    let text = why.get(..why.floor_char_boundary(REASON_BYTES_MAX)).unwrap_or_default();
    let length = u16::try_from(text.len()).unwrap_or(0).saturating_add(2);
    let mut option = Vec::with_capacity(REASON_BYTES_MAX);
    option.extend(EXPLANATION.to_be_bytes());
    option.extend(length.to_be_bytes());
    option.extend(PROHIBITED.to_be_bytes());
    option.extend_from_slice(text.as_bytes());
    option
}
