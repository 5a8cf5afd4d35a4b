//! That the name server answers as a test told it, asked by plain sockets.

#![expect(clippy::unwrap_used, reason = "these are tests, which may fail")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use aegis_world::{Answer, Records, World, Wrong, kind};

const ID: u16 = 0x1234;

/// The head and the records of an answer, as far as these tests look at them.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    id: u16,
    code: u8,
    is_truncated: bool,
    question: Vec<u8>,
    /// Kind, time to live and data of each record.
    records: Vec<(u16, u32, Vec<u8>)>,
}

fn query(name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = ID.to_be_bytes().to_vec();
    bytes.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    bytes.extend(question(name, kind));
    bytes
}

fn question(name: &str, kind: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

fn name_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start;
    loop {
        match bytes[at] {
            0 => return at + 1,
            0xC0.. => return at + 2,
            length => at += 1 + usize::from(length),
        }
    }
}

fn read(bytes: &[u8]) -> Seen {
    let word = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    let mut at = name_end(bytes, 12) + 4;
    let question = bytes[12..at].to_vec();
    let mut records = Vec::new();
    for _ in 0..word(6) {
        at = name_end(bytes, at);
        let ttl = u32::from(word(at + 4)) << 16 | u32::from(word(at + 6));
        let end = at + 10 + usize::from(word(at + 8));
        records.push((word(at), ttl, bytes[at + 10..end].to_vec()));
        at = end;
    }
    assert_eq!(at, bytes.len(), "nothing follows the records");
    Seen { id: word(0), code: bytes[3] & 15, is_truncated: bytes[2] & 2 != 0, question, records }
}

fn ask(server: SocketAddr, name: &str, kind: u16) -> Option<(Seen, SocketAddr)> {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    socket.send_to(&query(name, kind), server).unwrap();
    let mut buffer = [0; 4096];
    let (length, peer) = socket.recv_from(&mut buffer).ok()?;
    Some((read(&buffer[..length]), peer))
}

fn ask_stream(server: SocketAddr, name: &str, kind: u16) -> Seen {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let bytes = query(name, kind);
    stream.write_all(&[&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()).unwrap();
    let mut length = [0; 2];
    stream.read_exact(&mut length).unwrap();
    let mut bytes = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut bytes).unwrap();
    read(&bytes)
}

fn data(world: &World, name: &str, kind: u16) -> Vec<Vec<u8>> {
    let (seen, peer) = ask(world.names_address(), name, kind).unwrap();
    assert_eq!((seen.id, seen.code, peer), (ID, 0, world.names_address()), "{seen:?}");
    seen.records.into_iter().map(|(_, _, data)| data).collect()
}

#[test]
fn records_are_answered_by_kind_and_the_letters_of_the_question_are_kept() {
    let world = World::enter().unwrap();
    world.names().set("a.example", Answer::Records(Records::of(&["20.0.0.1", "20.0.0.2", "2600::1"]).ttl(7)));
    let (seen, _) = ask(world.names_address(), "A.exAmple", kind::A).unwrap();
    assert_eq!(seen.question, question("A.exAmple", kind::A));
    assert_eq!(seen.records, [(kind::A, 7, vec![20, 0, 0, 1]), (kind::A, 7, vec![20, 0, 0, 2])]);
    assert_eq!(data(&world, "a.example", kind::AAAA).concat().len(), 16);
    assert!(data(&world, "a.example", 65).is_empty());
    let asked = [kind::A, kind::AAAA, 65].map(|kind| ("a.example".to_owned(), kind));
    assert_eq!(world.names().queries(), asked);
    assert_eq!((world.names().asked("A.example"), world.names().asked("b.example")), (3, 0));
}

#[test]
fn names_that_were_not_set_do_not_exist_and_failures_are_failures() {
    let world = World::enter().unwrap();
    world.names().set("failing.example", Answer::Failure);
    world.names().set("gone.example", Answer::Nxdomain);
    for (name, code) in [("no.example", 3), ("gone.example", 3), ("failing.example", 2)] {
        assert_eq!(ask(world.names_address(), name, kind::A).unwrap().0.code, code, "{name}");
        assert_eq!(ask_stream(world.names_address(), name, kind::A).code, code, "{name}");
    }
}

#[test]
fn a_sequence_rebinds_for_each_kind_apart() {
    let world = World::enter().unwrap();
    let first = Answer::Records(Records::of(&["20.0.0.1", "2600::1"]));
    let second = Answer::Records(Records::of(&["169.254.169.254", "fd00::1"]));
    world.names().set_sequence("rebind.example", vec![first, second]);
    assert_eq!(data(&world, "rebind.example", kind::A), [[20, 0, 0, 1]]);
    assert_eq!(data(&world, "rebind.example", kind::AAAA)[0][..2], [0x26, 0]);
    assert_eq!(data(&world, "rebind.example", kind::A), [[169, 254, 169, 254]]);
    assert_eq!(data(&world, "rebind.example", kind::A), [[169, 254, 169, 254]]);
}

#[test]
fn aliases_are_followed_and_a_circle_ends() {
    let world = World::enter().unwrap();
    world.names().set("alias.example", Answer::Records(Records::alias("target.example")));
    world.names().set_addresses("target.example", &["20.0.0.9"]);
    world.names().set("circle.example", Answer::Records(Records::alias("circle.example")));
    world.names().set("loose.example", Answer::Records(Records::alias("nowhere.example")));
    let target = question("target.example", 0);
    assert_eq!(data(&world, "alias.example", kind::A), [target[..16].to_vec(), vec![20, 0, 0, 9]]);
    assert_eq!(data(&world, "circle.example", kind::A).len(), 8);
    assert_eq!(data(&world, "loose.example", kind::A).len(), 1);
    assert_eq!(world.names().asked("target.example"), 0, "nobody asked for it");
}

#[test]
fn what_is_truncated_over_udp_is_whole_over_tcp() {
    let world = World::enter().unwrap();
    world.names().set("long.example", Answer::Truncated(Records::of(&["20.0.0.1"])));
    let many: Vec<String> = (0..100).map(|index| format!("20.0.1.{index}")).collect();
    world.names().set_addresses("many.example", &many.iter().map(String::as_str).collect::<Vec<_>>());
    for (name, count) in [("long.example", 1), ("many.example", 100)] {
        let (seen, _) = ask(world.names_address(), name, kind::A).unwrap();
        assert!(seen.is_truncated && seen.records.is_empty(), "{seen:?}");
        let seen = ask_stream(world.names_address(), name, kind::A);
        assert!(!seen.is_truncated);
        assert_eq!(seen.records.len(), count);
    }
}

#[test]
fn wrong_answers_are_wrong_in_one_way_and_silence_is_silence() {
    let world = World::enter().unwrap();
    let set = |name: &str, wrong| world.names().set(name, Answer::Wrong(wrong, Records::of(&["6.6.6.6"])));
    set("id.example", Wrong::OtherId);
    set("question.example", Wrong::OtherQuestion);
    set("port.example", Wrong::OtherPort);
    world.names().set("silent.example", Answer::Silent);
    let server = world.names_address();
    let is_right = |name: &str| {
        let (seen, peer) = ask(server, name, kind::A).unwrap();
        assert_eq!(seen.records.len(), 1, "{name}");
        [seen.id == ID, seen.question == question(name, kind::A), peer == server]
    };
    assert_eq!(is_right("id.example"), [false, true, true]);
    assert_eq!(is_right("question.example"), [true, false, true]);
    assert_eq!(is_right("port.example"), [true, true, false]);
    assert_eq!(ask(server, "silent.example", kind::A), None);
    assert_eq!(world.names().asked("silent.example"), 1);
}

#[test]
fn a_closed_name_server_answers_nothing() {
    let world = World::enter().unwrap();
    world.names().set_addresses("a.example", &["20.0.0.1"]);
    assert!(ask(world.names_address(), "a.example", kind::A).is_some());
    world.names().close();
    assert!(ask(world.names_address(), "a.example", kind::A).is_none());
    assert!(TcpStream::connect(world.names_address()).is_err());
}
