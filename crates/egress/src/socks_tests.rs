//! What clients say and what nobody should, byte by byte.

use super::*;
use proptest::prelude::*;

fn greets(input: &[u8], expected: Result<Option<(Option<Method>, usize)>, SocksProblem>) {
    let read = Greeting::read(input).map(|read| read.map(|(greeting, used)| (greeting.method, used)));
    assert_eq!(read, expected, "{input:?}");
}

fn asks(input: &[u8], expected: Result<Option<(Command, &str, u16)>, SocksProblem>) {
    let read = Request::read(input).map(|read| {
        read.map(|(request, used)| {
            assert_eq!(used, input.len());
            let destination = match request.destination {
                Destination::Name(name) => name,
                Destination::Address(address) => format!("<{address}>"),
            };
            (request.command, destination, request.port)
        })
    });
    let expected = expected.map(|read| read.map(|(command, to, port)| (command, to.to_owned(), port)));
    assert_eq!(read, expected, "{input:?}");
}

/// A request by name.
fn by_name(command: u8, name: &[u8], port: u16) -> Vec<u8> {
    let mut bytes = vec![5, command, 0, 3, u8::try_from(name.len()).unwrap()];
    bytes.extend_from_slice(name);
    bytes.extend(port.to_be_bytes());
    bytes
}

#[test]
fn a_greeting_chooses_the_method() {
    greets(&[5, 1, 0], Ok(Some((Some(Method::Open), 3))));
    greets(&[5, 2, 2, 0], Ok(Some((Some(Method::Open), 4))));
    greets(&[5, 2, 1, 2], Ok(Some((Some(Method::Password), 4))));
    greets(&[5, 1, 1], Ok(Some((None, 3))));
    greets(&[5, 1, 0, 5, 1], Ok(Some((Some(Method::Open), 3))));
    greets(&[], Ok(None));
    greets(&[5], Ok(None));
    greets(&[5, 3, 0, 2], Ok(None));
    greets(&[5, 0], Err(SocksProblem::NoMethods));
    greets(&[4], Err(SocksProblem::Version4));
    greets(b"GET / HTTP/1.1", Err(SocksProblem::Version(b'G')));
    let most: Vec<u8> = [5, 255].into_iter().chain([9; 255]).collect();
    greets(&most, Ok(Some((None, 257))));
}

#[test]
fn a_login_is_read_over() {
    let whole = [1, 3, b'b', b'o', b'x', 2, 0, 255];
    for end in 0..whole.len() {
        assert_eq!(Login::read(&whole[..end]), Ok(None));
    }
    assert_eq!(Login::read(&whole), Ok(Some((Login, 8))));
    assert_eq!(Login::read(&[1, 0, 0, 5]), Ok(Some((Login, 3))));
    assert_eq!(Login::read(&[5]), Err(SocksProblem::LoginVersion(5)));
}

#[test]
fn a_request_says_where_to() {
    asks(&by_name(1, b"api.example.com", 443), Ok(Some((Command::Connect, "api.example.com", 443))));
    asks(&by_name(1, b"Example.COM", 0), Ok(Some((Command::Connect, "Example.COM", 0))));
    asks(&by_name(2, b"a", 65535), Ok(Some((Command::Bind, "a", 65535))));
    asks(&by_name(3, b"a", 1), Ok(Some((Command::UdpAssociate, "a", 1))));
    asks(&by_name(0, b"a", 1), Ok(Some((Command::Other, "a", 1))));
    asks(&by_name(255, b"a", 1), Ok(Some((Command::Other, "a", 1))));
    asks(&by_name(1, &[b'a'; 255], 1), Ok(Some((Command::Connect, &"a".repeat(255), 1))));
    asks(&[5, 1, 0, 1, 127, 0, 0, 1, 0, 80], Ok(Some((Command::Connect, "<127.0.0.1>", 80))));
    let mut wide = vec![5, 1, 0, 4];
    wide.extend("::ffff:10.0.0.1".parse::<Ipv6Addr>().unwrap().octets());
    wide.extend([1, 187]);
    asks(&wide, Ok(Some((Command::Connect, "<::ffff:10.0.0.1>", 443))));
}

#[test]
fn a_request_that_cannot_be_meant_is_refused() {
    asks(&[4], Err(SocksProblem::Version4));
    asks(&[0], Err(SocksProblem::Version(0)));
    asks(&[5, 1, 1], Err(SocksProblem::Reserved(1)));
    asks(&[5, 1, 0, 0], Err(SocksProblem::AddressType(0)));
    asks(&[5, 1, 0, 2], Err(SocksProblem::AddressType(2)));
    asks(&[5, 1, 0, 5], Err(SocksProblem::AddressType(5)));
    asks(&[5, 1, 0, 3, 0], Err(SocksProblem::EmptyName));
    asks(&by_name(1, b"a b", 1), Err(SocksProblem::Name));
    asks(&by_name(1, b"a\0.example", 1), Err(SocksProblem::Name));
    asks(&by_name(1, b"a\r\nHost: b", 1), Err(SocksProblem::Name));
    asks(&by_name(1, "bücher".as_bytes(), 1), Err(SocksProblem::Name));
    asks(&by_name(1, b"a\x7f", 1), Err(SocksProblem::Name));
}

#[test]
fn a_request_waits_for_its_last_byte() {
    let mut wide = vec![5, 1, 0, 4];
    wide.extend([0; 18]);
    for whole in [by_name(1, b"example.com", 443), vec![5, 1, 0, 1, 1, 2, 3, 4, 0, 80], wide] {
        for end in 0..whole.len() {
            assert_eq!(Request::read(&whole[..end]), Ok(None), "{end} of {whole:?}");
        }
        let (request, _) = Request::read(&whole).unwrap().unwrap();
        let more = [&whole[..], b"\x16\x03\x01"].concat();
        assert_eq!(Request::read(&more), Ok(Some((request, whole.len()))));
    }
}

#[test]
fn answers_have_their_numbers() {
    assert_eq!(write_method(Some(Method::Open)), [5, 0]);
    assert_eq!(write_method(Some(Method::Password)), [5, 2]);
    assert_eq!(write_method(None), [5, 255]);
    assert_eq!(write_login_ok(), [1, 0]);
    assert_eq!(Reply::Succeeded.write(), [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    let codes = [
        (Reply::General, 1),
        (Reply::NotAllowed, 2),
        (Reply::NetworkUnreachable, 3),
        (Reply::HostUnreachable, 4),
        (Reply::Refused, 5),
        (Reply::CommandNotSupported, 7),
        (Reply::AddressType, 8),
    ];
    for (reply, code) in codes {
        assert_eq!(reply.write()[1], code);
    }
    assert_eq!(SocksProblem::AddressType(9).reply(), Some(Reply::AddressType));
    assert_eq!(SocksProblem::Name.reply(), Some(Reply::General));
    assert_eq!(SocksProblem::Version4.reply(), None);
}

proptest! {
    #[test]
    fn no_bytes_bring_the_readers_down(bytes: Vec<u8>, name: u8) {
        let _ = Greeting::read(&bytes);
        let _ = Login::read(&bytes);
        let near = [&[5, 1, 0, name % 6][..], &bytes].concat();
        for input in [&bytes, &near] {
            if let Ok(Some((_, used))) = Request::read(input) {
                prop_assert!(used <= input.len());
            }
        }
    }

    #[test]
    fn what_is_decided_early_stays_decided(bytes in proptest::collection::vec(0_u8..8, 0..40), end in 0_usize..40) {
        let early = Request::read(&bytes[..end.min(bytes.len())]);
        if early != Ok(None) {
            prop_assert_eq!(Request::read(&bytes), early);
        }
    }
}
