//! Hellos made by hand, hellos of real clients, and what nobody should send.

use super::*;
use proptest::prelude::*;

/// What a common command-line client sends for `api.example.com`, offering `h2` and `http/1.1`.
const OFFERS_PROTOCOLS: &str = "\
    160301014e0100014a03034603c57856e5638d9e65a0569ecdefd653c2b10182f4a365a2581e8085e8a3b620738bc251\
    274963f6ed27ec60e6ab58d44b9e2ae33ab89c57b2445b28b7a8eefa003e130213031301c02cc030009fcca9cca8ccaa\
    c02bc02f009ec024c028006bc023c0270067c00ac0140039c009c0130033009d009c003d003c0035002f00ff010000c3\
    00000014001200000f6170692e6578616d706c652e636f6d000b000403000102000a00160014001d0017001e00190018\
    01000101010201030104002300000010000e000c02683208687474702f312e310016000000170000000d002a00280403\
    05030603080708080809080a080b080408050806040105010601030303010302040205020602002b0009080304030303\
    020301002d00020101003300260024001d0020a1c87dca2c489796a58951295fc48948d47841ff551095e39b567d6d50\
    c2fd78\
    ";

/// What a common scripting language sends for `Api.Example.com`.
const MIXED_CASE: &str = "\
    1603010200010001fc030358f555ba643b8786fc385cbad40094588c7cd9c0c877f67e31134f5dcd1ef3df20112ff8e8\
    483813a829da7c1ae076b30a81077e0efb6df956b847c794774ab6db0024130213031301c02cc030c02bc02fcca9cca8\
    c024c028c023c027009f009e006b006700ff0100018f00000014001200000f4170692e4578616d706c652e636f6d000b\
    000403000102000a00160014001d0017001e0019001801000101010201030104002300000016000000170000000d002a\
    0028040305030603080708080809080a080b080408050806040105010601030303010302040205020602002b00050403\
    040303002d00020101003300260024001d0020e690f3b2d975c31c898b42f18be3a41b84757b944dc51b4bec9cf915fa\
    f9a95f001500de0000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\
    00000000000000000000000000000000000000000000000000000000000000000000000000\
    ";

fn bytes_of(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn vector(content: &[u8]) -> Vec<u8> {
    [&u16::try_from(content.len()).unwrap().to_be_bytes(), content].concat()
}

fn short_vector(content: &[u8]) -> Vec<u8> {
    [&[u8::try_from(content.len()).unwrap()], content].concat()
}

fn extension(kind: u16, content: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vector(content)].concat()
}

/// The content of an extension that names a server.
fn named(name: &[u8]) -> Vec<u8> {
    vector(&[&[0], &vector(name)[..]].concat())
}

fn server(name: &[u8]) -> Vec<u8> {
    extension(SERVER_NAME, &named(name))
}

/// A handshake message with this body.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

/// Everything of a body in front of the extensions.
fn body_start() -> Vec<u8> {
    [&[3, 3][..], &[7; 32], &short_vector(&[9; 32]), &vector(&[0x13, 0x01]), &short_vector(&[0])].concat()
}

fn hello(extensions: &[u8]) -> Vec<u8> {
    message(CLIENT_HELLO, &[body_start(), vector(extensions)].concat())
}

fn record(content: &[u8]) -> Vec<u8> {
    [&[22, 3, 1][..], &vector(content)].concat()
}

fn records(handshake: &[u8], bytes_each: usize) -> Vec<u8> {
    handshake.chunks(bytes_each).flat_map(record).collect()
}

/// A hello with exactly these extensions, read.
fn with(extensions: &[u8]) -> Result<ClientHello, TlsProblem> {
    read(&record(&hello(extensions))).map(|read| read.expect("a whole hello"))
}

fn names(name: &[u8], expected: Result<&str, TlsProblem>) {
    let read = with(&server(name)).map(|hello| hello.server_name.unwrap());
    assert_eq!(read, expected.map(str::to_owned), "{}", String::from_utf8_lossy(name));
}

fn malformed(part: Part) -> Result<ClientHello, TlsProblem> {
    Err(TlsProblem::Malformed(part))
}

fn body(content: &[u8], expected: Result<ClientHello, TlsProblem>) {
    assert_eq!(read(&record(&message(CLIENT_HELLO, content))).map(Option::unwrap), expected, "{content:?}");
}

#[test]
fn real_hellos_are_read() {
    let name = Some("api.example.com".to_owned());
    let first = read(&bytes_of(OFFERS_PROTOCOLS)).unwrap().unwrap();
    let alpn = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    assert_eq!(first, ClientHello { server_name: name.clone(), alpn, ..ClientHello::default() });
    let second = read(&bytes_of(MIXED_CASE)).unwrap().unwrap();
    assert_eq!(second, ClientHello { server_name: name, ..ClientHello::default() });
}

#[test]
fn a_hello_waits_for_its_last_byte() {
    for whole in [bytes_of(OFFERS_PROTOCOLS), bytes_of(MIXED_CASE), record(&hello(&server(b"a.example")))] {
        for end in 0..whole.len() {
            assert_eq!(read(&whole[..end]), Ok(None), "{end}");
        }
        let more = [&whole[..], b"anything at all"].concat();
        assert_eq!(read(&more), read(&whole));
    }
}

#[test]
fn a_hello_may_be_cut_into_records_anywhere() {
    let handshake = hello(&server(b"a.example"));
    let expected = read(&record(&handshake)).unwrap();
    assert!(expected.is_some());
    for cut in 1..handshake.len() {
        let (first, second) = handshake.split_at(cut);
        let both = [record(first), record(second)].concat();
        assert_eq!(read(&both).unwrap(), expected);
        for end in 0..both.len() {
            assert_eq!(read(&both[..end]), Ok(None), "cut at {cut}, ends at {end}");
        }
    }
    let pieces = handshake.len().div_ceil(RECORDS_MAX);
    assert_eq!(read(&records(&handshake, pieces)).unwrap(), expected);
}

#[test]
fn what_follows_the_hello_is_not_looked_at() {
    let handshake = hello(&server(b"a.example"));
    let expected = read(&record(&handshake));
    for after in [&[14, 0, 0, 0][..], &[0xff; 9]] {
        assert_eq!(read(&record(&[&handshake, after].concat())), expected);
        assert_eq!(read(&[&record(&handshake), after].concat()), expected);
    }
    let cut = [record(&handshake[..9]), record(&[&handshake[9..], &[20, 9, 9]].concat())].concat();
    assert_eq!(read(&cut), expected);
}

#[test]
fn another_protocol_is_known_by_its_first_bytes() {
    type Case<'c> = (&'c [u8], Result<Option<ClientHello>, TlsProblem>, Option<bool>);
    let cases: &[Case<'_>] = &[
        (&[], Ok(None), None),
        (&[22], Ok(None), None),
        (&[22, 3], Ok(None), None),
        (&[22, 3, 4], Ok(None), Some(true)),
        (&[22, 3, 5], Err(TlsProblem::Record), Some(false)),
        (&[22, 2], Err(TlsProblem::Record), Some(false)),
        (b"GET / HTTP/1.1", Err(TlsProblem::NotTls), Some(false)),
        (b"SSH-2.0-x", Err(TlsProblem::NotTls), Some(false)),
        (&[0x80, 0x2e, 1, 3, 1], Err(TlsProblem::NotTls), Some(false)),
        (&[21, 3, 1, 0, 2, 1, 0], Err(TlsProblem::NotTls), Some(false)),
        (&[22, 3, 1, 0, 0], Err(TlsProblem::Record), Some(true)),
        (&[22, 3, 1, 0x40, 0x00], Ok(None), Some(true)),
        (&[22, 3, 1, 0x40, 0x01], Err(TlsProblem::Record), Some(true)),
        (&[22, 3, 1, 0, 9, 2], Err(TlsProblem::NotAClientHello), Some(true)),
        (&[22, 3, 1, 0, 9, 0], Err(TlsProblem::NotAClientHello), Some(true)),
        (&[22, 3, 1, 0, 1, 1, 23, 3, 1], Err(TlsProblem::Record), Some(true)),
        (&[22, 3, 1, 0, 1, 1, 22, 4], Err(TlsProblem::Record), Some(true)),
    ];
    for (input, expected, looks) in cases {
        assert_eq!(read(input), *expected, "{input:?}");
        assert_eq!(looks_like_tls(input), *looks, "{input:?}");
    }
}

#[test]
fn a_hello_has_an_end() {
    let padded = |whole: usize| {
        let empty = hello(&extension(21, &[])).len();
        hello(&extension(21, &vec![0; whole - empty]))
    };
    let longest = padded(HELLO_BYTES_MAX);
    assert_eq!(longest.len(), HELLO_BYTES_MAX);
    assert!(read(&records(&longest, 16_384)).unwrap().is_some());
    let in_pieces = records(&longest, HELLO_BYTES_MAX / RECORDS_MAX);
    assert_eq!(in_pieces.len(), INPUT_BYTES_MAX);
    assert!(read(&in_pieces).unwrap().is_some());
    assert_eq!(read(&records(&padded(HELLO_BYTES_MAX + 1), 16_384)), Err(TlsProblem::TooLong));
    // It is refused as soon as it says so, and not when it has come.
    assert_eq!(read(&[22, 3, 1, 0, 9, 1, 0, 0x7f, 0xfd]), Err(TlsProblem::TooLong));
    assert_eq!(read(&[22, 3, 1, 0, 9, 1, 0xff, 0xff, 0xff]), Err(TlsProblem::TooLong));
    assert_eq!(read(&[22, 3, 1, 0, 9, 1, 0, 0x7f, 0xfc]), Ok(None));
    let crumbs = records(&hello(&server(b"a.example")), 1);
    assert_eq!(read(&crumbs[..RECORDS_MAX * 6]), Ok(None));
    assert_eq!(read(&crumbs), Err(TlsProblem::TooLong));
    // As many records as there may be, and then one more that is needed.
    let handshake = hello(&server(b"a.example"));
    let (most, last) = handshake.split_at(RECORDS_MAX - 1);
    assert!(read(&[records(most, 1), record(last)].concat()).unwrap().is_some());
    let (most, last) = handshake.split_at(RECORDS_MAX);
    assert_eq!(read(&[records(most, 1), record(last)].concat()), Err(TlsProblem::TooLong));
}

#[test]
fn a_server_is_named_once_and_plainly() {
    names(b"api.example.com", Ok("api.example.com"));
    names(b"API.Example.com", Ok("api.example.com"));
    names(b"a_b-c.example", Ok("a_b-c.example"));
    names(b"127.0.0.1", Ok("127.0.0.1"));
    names(&[b'a'; 253], Ok(&"a".repeat(253)));
    names(&[b'a'; 254], Err(TlsProblem::ServerName));
    for odd in ["", ".", "a.example.", "a b", "a\0.example", "a%2e", "*.example", "[::1]", "a:1", "a@b", "bücher.de"] {
        names(odd.as_bytes(), Err(TlsProblem::ServerName));
    }
    let content = |content: &[u8]| with(&extension(SERVER_NAME, content));
    let entry = [&[0], &vector(b"a.example")[..]].concat();
    assert_eq!(content(&[]), malformed(Part::ServerName));
    assert_eq!(content(&vector(&[])), malformed(Part::ServerName));
    assert_eq!(content(&vector(&[&entry[..], &entry].concat())), malformed(Part::ServerName));
    assert_eq!(content(&vector(&[&[1], &entry[1..]].concat())), malformed(Part::ServerName));
    assert_eq!(content(&[&vector(&entry)[..], &[0]].concat()), malformed(Part::ServerName));
    assert_eq!(content(&vector(&[&entry[..], &[0]].concat())), malformed(Part::ServerName));
    assert_eq!(content(&vector(&entry[..entry.len() - 1])), malformed(Part::ServerName));
    assert_eq!(with(&[]).unwrap(), ClientHello::default());
    let twice = [server(b"a.example"), server(b"b.example")].concat();
    assert_eq!(with(&twice), Err(TlsProblem::DuplicateExtension(0)));
    let unknown_twice = [extension(0x0a0a, &[]), server(b"a.example"), extension(0x0a0a, &[])].concat();
    assert_eq!(with(&unknown_twice), Err(TlsProblem::DuplicateExtension(0x0a0a)));
}

#[test]
fn a_hidden_hello_is_seen() {
    let hides = |kind, content: &[u8]| with(&extension(kind, content)).unwrap().encrypted_client_hello;
    for kind in [0xfe0d, 0xffce, 0xfe08, 0xfe0c] {
        assert!(hides(kind, &[]) && hides(kind, &[0; 40]), "{kind:#x}");
    }
    for kind in [0xfe07, 0xfe0e, 0x0a0a, 21] {
        assert!(!hides(kind, &[]), "{kind:#x}");
    }
}

#[test]
fn what_is_continued_or_sent_early_is_seen() {
    let seen = |kind, content: &[u8]| with(&extension(kind, content)).map(|hello| (hello.early_data, hello.resumes));
    assert_eq!(seen(EARLY_DATA, &[]), Ok((true, false)));
    assert_eq!(seen(EARLY_DATA, &[0]), Err(TlsProblem::Malformed(Part::EarlyData)));
    assert_eq!(seen(SESSION_TICKET, &[]), Ok((false, false)));
    assert_eq!(seen(SESSION_TICKET, &[1]), Ok((false, true)));
    assert_eq!(seen(PRE_SHARED_KEY, &[]), Ok((false, true)));
    let both = [extension(PRE_SHARED_KEY, &[1]), extension(SESSION_TICKET, &[])].concat();
    assert!(with(&both).unwrap().resumes);
}

#[test]
fn protocols_are_read_in_their_order() {
    let offered = |content: &[u8]| with(&extension(PROTOCOLS, content)).map(|hello| hello.alpn);
    let wrong = Err(TlsProblem::Malformed(Part::Protocols));
    assert_eq!(offered(&vector(b"\x02h2")), Ok(vec![b"h2".to_vec()]));
    assert_eq!(offered(&vector(b"\x01b\x01a")), Ok(vec![b"b".to_vec(), b"a".to_vec()]));
    assert_eq!(offered(&[]), wrong);
    assert_eq!(offered(&vector(b"")), wrong);
    assert_eq!(offered(&vector(b"\x00")), wrong);
    assert_eq!(offered(&vector(b"\x03h2")), wrong);
    assert_eq!(offered(&[&vector(b"\x02h2")[..], b"x"].concat()), wrong);
    assert_eq!(offered(&vector(&b"\x01a".repeat(64))).unwrap().len(), PROTOCOLS_MAX);
    assert_eq!(offered(&vector(&b"\x01a".repeat(65))), Err(TlsProblem::TooManyProtocols));
}

#[test]
fn lengths_inside_a_hello_fit_exactly() {
    let random = [7; 32];
    let start = |session: &[u8], rest: &[u8]| [&[3, 3], &random[..], &short_vector(session), rest].concat();
    body(&body_start(), Ok(ClientHello::default()));
    body(&[body_start(), vector(&[])].concat(), Ok(ClientHello::default()));
    body(&start(&[], &[0, 2, 0x13, 1, 1, 0]), Ok(ClientHello::default()));
    body(&[], malformed(Part::Version));
    body(&[[2, 0].as_slice(), &body_start()[2..]].concat(), malformed(Part::Version));
    body(&[[3, 5].as_slice(), &body_start()[2..]].concat(), malformed(Part::Version));
    body(&[3, 3, 7], malformed(Part::Random));
    body(&start(&[9; 33], &[0, 2, 0x13, 1, 1, 0]), malformed(Part::Session));
    body(&start(&[], &[0, 0, 1, 0]), malformed(Part::Ciphers));
    body(&start(&[], &[0, 3, 0x13, 1, 2, 1, 0]), malformed(Part::Ciphers));
    body(&start(&[], &[0, 9, 0x13, 1]), malformed(Part::Ciphers));
    body(&start(&[], &[0, 2, 0x13, 1, 0]), malformed(Part::Compressions));
    body(&start(&[], &[0, 2, 0x13, 1]), malformed(Part::Compressions));
    let list = server(b"a.example");
    body(&[body_start(), vector(&list), vec![0]].concat(), malformed(Part::Extensions));
    body(&[body_start(), vec![0]].concat(), malformed(Part::Extensions));
    body(&[body_start(), vec![0, 1]].concat(), malformed(Part::Extensions));
    body(&[body_start(), vector(&list[..list.len() - 1])].concat(), malformed(Part::Extensions));
    body(&[body_start(), vector(&[&list[..], &[0, 16, 0]].concat())].concat(), malformed(Part::Extensions));
}

proptest! {
    #[test]
    fn no_bytes_bring_the_reader_down(bytes: Vec<u8>) {
        let _ = read(&bytes);
        let _ = looks_like_tls(&bytes);
        let _ = read(&record(&message(CLIENT_HELLO, &bytes)));
        let _ = with(&bytes);
    }

    #[test]
    fn a_spoilt_hello_brings_nobody_down(place in 0_usize..339, value: u8) {
        let mut bytes = bytes_of(OFFERS_PROTOCOLS);
        bytes[place] = value;
        if let Ok(Some(hello)) = read(&bytes) {
            let name = hello.server_name.unwrap_or_default();
            prop_assert_eq!(name.to_ascii_lowercase(), name);
        }
    }

    #[test]
    fn what_was_written_is_read(
        name in "[a-zA-Z0-9_.-]{0,60}[a-z]",
        alpn in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..9), 1..9),
        flags: [bool; 3],
        bytes_each in 16_usize..400,
    ) {
        let [early_data, resumes, encrypted_client_hello] = flags;
        let list: Vec<u8> = alpn.iter().flat_map(|protocol| short_vector(protocol)).collect();
        let mut extensions = [extension(0x1a1a, &[0]), server(name.as_bytes()), extension(PROTOCOLS, &vector(&list))].concat();
        for (present, kind) in [(early_data, EARLY_DATA), (resumes, PRE_SHARED_KEY), (encrypted_client_hello, 0xfe0d)] {
            if present {
                extensions.extend(extension(kind, &[]));
            }
        }
        let server_name = Some(name.to_ascii_lowercase());
        let expected = ClientHello { server_name, encrypted_client_hello, alpn, early_data, resumes };
        prop_assert_eq!(read(&records(&hello(&extensions), bytes_each)), Ok(Some(expected)));
    }

    #[test]
    fn what_is_decided_early_stays_decided(bytes: Vec<u8>, end: prop::sample::Index) {
        let whole = [&[22, 3, 1, 0][..], &bytes].concat();
        let early = read(&whole[..end.index(whole.len() + 1)]);
        if early != Ok(None) {
            prop_assert_eq!(read(&whole), early);
        }
    }
}
