//! That the web servers say what their paths promise and record what they are sent, asked by
//! plain sockets and by a TLS client.

#![expect(
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "these are tests, which may fail and measure"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aegis_world::{SecureWeb, Trust, Web, World, pattern};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const SOON: Duration = Duration::from_secs(5);

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    stream
}

/// Sends bytes and reads until the server closes.
fn talk(web: &Web, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(web.address());
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    answer
}

fn get(web: &Web, path: &str) -> (String, Vec<u8>) {
    split(&talk(web, format!("GET {path} HTTP/1.1\r\nhost: a.example\r\nconnection: close\r\n\r\n").as_bytes()))
}

fn split(answer: &[u8]) -> (String, Vec<u8>) {
    let at = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("an answer has a head");
    (String::from_utf8(answer[..at + 2].to_vec()).unwrap(), answer[at + 4..].to_vec())
}

fn unchunk(mut bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let at = bytes.windows(2).position(|bytes| bytes == b"\r\n").unwrap();
        let length = usize::from_str_radix(str::from_utf8(&bytes[..at]).unwrap(), 16).unwrap();
        body.extend(&bytes[at + 2..at + 2 + length]);
        bytes = &bytes[at + 4 + length..];
        if length == 0 {
            assert!(bytes.is_empty());
            return body;
        }
    }
}

#[test]
fn every_path_answers_what_it_promises() {
    let world = World::enter().unwrap();
    let web = world.web("20.0.0.1", 80);
    let starts = |path: &str, line: &str| assert!(get(&web, path).0.starts_with(line), "{path}");
    starts("/", "HTTP/1.1 200 ");
    starts("/nowhere", "HTTP/1.1 404 ");
    starts("/status/503", "HTTP/1.1 503 ");
    starts("http://a.example/status/418?x=/", "HTTP/1.1 418 ");
    starts("http://a.example", "HTTP/1.1 200 ");
    starts("/ws", "HTTP/1.1 426 ");
    for length in [0, 1, 16_384, 16_385, 200_000] {
        let (head, body) = get(&web, &format!("/bytes/{length}"));
        assert!(head.contains(&format!("content-length: {length}\r\n")), "{head}");
        assert_eq!(body, pattern(length));
        let (head, body) = get(&web, &format!("/chunked/{length}"));
        assert!(head.contains("transfer-encoding: chunked\r\n") && !head.contains("content-length"), "{head}");
        assert_eq!(unchunk(&body), pattern(length));
        let (head, body) = get(&web, &format!("/close/{length}"));
        assert!(!head.contains("transfer-encoding") && !head.contains("content-length"), "{head}");
        assert_eq!(body, pattern(length));
    }
    assert_eq!(get(&web, "/short/10").1, pattern(5));
    assert!(get(&web, "/redirect?to=http://b.example/?a=1").0.contains("location: http://b.example/?a=1\r\n"));
    assert!(get(&web, "/redirect?to=http%3a%2F%2Fb.example%").0.contains("location: http://b.example%\r\n"));
    assert_eq!(get(&web, "/headers/200").0.matches("x-header-").count(), 200);
    let (head, body) = get(&web, "/smuggle");
    assert!(head.contains("content-length: 5\r\n") && head.contains("transfer-encoding: chunked\r\n"));
    assert_eq!(body, b"5\r\nhello\r\n0\r\n\r\n");
    web.answer("/own", "HTTP/9.9 banana");
    assert_eq!(talk(&web, b"GET /own?a HTTP/1.1\r\n\r\n"), b"HTTP/9.9 banana");
    assert_eq!(talk(&web, b"HEAD /bytes/7 HTTP/1.0\r\n\r\n").iter().filter(|byte| **byte == b'a').count(), 1);
}

#[test]
fn the_echo_tells_what_was_asked() {
    let world = World::enter().unwrap();
    let web = world.web("20.0.0.1", 80);
    let answer = talk(
        &web,
        b"POST /echo?x=\"1\" HTTP/1.1\r\nHost: a\r\nX-Two: 1\r\nX-Two: 2\r\nConnection: close\r\n\
          Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n",
    );
    let told: serde_json::Value = serde_json::from_slice(&split(&answer).1).unwrap();
    assert_eq!(told["method"], "POST");
    assert_eq!(told["target"], "/echo?x=\"1\"");
    assert_eq!(told["headers"][2], serde_json::json!(["X-Two", "2"]));
    assert_eq!(told["body_length"], 5);
}

#[test]
fn every_byte_that_came_is_in_a_request_exactly_once() {
    let world = World::enter().unwrap();
    let requests: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nhost: a\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3;a\r\nabc\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /unfinished HTTP/1.1\r\nhost:",
    ];
    let bytes = requests.concat();
    for pause_after in [0, 3, bytes.len() / 2, bytes.len() - 1] {
        let web = world.web("20.0.0.1", 0);
        let mut stream = connect(web.address());
        stream.set_nodelay(true).unwrap();
        stream.write_all(&bytes[..pause_after]).unwrap();
        stream.write_all(&bytes[pause_after..]).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 4);
        assert_eq!(web.requests(), requests);
        assert_eq!(web.connections(), 1, "the connection was kept");
    }
}

#[test]
fn what_is_no_request_is_refused_and_recorded() {
    let world = World::enter().unwrap();
    let cases: [&[u8]; 4] = [
        b"\x16\x03\x01\r\n\r\nrest",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\nrest",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\nrest",
        b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nrest",
    ];
    for bytes in cases {
        let web = world.web("20.0.0.1", 0);
        assert!(talk(&web, bytes).starts_with(b"HTTP/1.1 400 "));
        assert_eq!(web.requests().concat(), bytes);
    }
}

#[test]
fn a_client_may_wait_for_the_word_to_continue() {
    let world = World::enter().unwrap();
    let web = world.web("20.0.0.1", 80);
    let mut stream = connect(web.address());
    stream.write_all(b"PUT /echo HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n").unwrap();
    let mut word = [0; 25];
    stream.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ok").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("\"body_length\":2"), "{answer}");
}

#[test]
fn a_websocket_sends_back_bytes_or_frames() {
    let world = World::enter().unwrap();
    let web = world.web("20.0.0.1", 80);
    let frame = [0x81, 0x82, 1, 2, 3, 4, b'h' ^ 1, b'i' ^ 2];
    for (path, expected) in [("/ws", &frame[..]), ("/ws/frames", b"\x81\x02hi")] {
        let mut stream = connect(web.address());
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nUpgrade: websocket\r\nConnection: Upgrade";
        stream.write_all(format!("GET {path} HTTP/1.1\r\n{key}\r\n\r\n").as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{head}");
        for _ in 0..3 {
            stream.write_all(&frame[..3]).unwrap();
            stream.write_all(&frame[3..]).unwrap();
            let mut answer = vec![0; expected.len()];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(answer, expected);
        }
        assert!(web.requests().last().unwrap().ends_with(&frame));
    }
}

#[test]
fn slow_answers_drip_and_hanging_ones_never_come() {
    let world = World::enter().unwrap();
    let web = world.web("20.0.0.1", 80);
    let start = Instant::now();
    assert_eq!(get(&web, "/slow/4/50").1, b"abcd");
    assert!(start.elapsed() >= Duration::from_millis(200));
    let mut stream = connect(web.address());
    stream.write_all(b"GET /hang HTTP/1.1\r\n\r\n").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(stream.read(&mut [0]).is_err());
    assert!(web.wait_for_current(1, SOON));
    drop(stream);
    assert!(web.wait_for_current(0, SOON));
}

#[test]
fn a_server_that_keeps_no_requests_still_answers() {
    let world = World::enter().unwrap();
    let web = world.web("20.0.0.1", 80);
    get(&web, "/");
    web.stop_recording();
    get(&web, "/");
    assert_eq!((web.requests().len(), web.connections()), (1, 2));
}

fn secure_get(world: &World, web: &SecureWeb, name: &str, path: &str) -> std::io::Result<Vec<u8>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(world.ca_pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream = StreamOwned::new(client, connect(web.address()));
    stream.write_all(format!("GET {path} HTTP/1.1\r\nconnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(split(&answer).1)
}

#[test]
fn tls_carries_the_same_answers_and_the_name_is_seen() {
    let world = World::enter().unwrap();
    let web = world.secure_web("2600::1", 443, &["a.example", "*.b.example", "2600::1"]);
    for name in ["a.example", "x.b.example", "2600::1"] {
        assert_eq!(secure_get(&world, &web, name, "/bytes/100000").unwrap(), pattern(100_000));
    }
    assert_eq!(web.server_names(), [Some("a.example".to_owned()), Some("x.b.example".to_owned()), None]);
    assert_eq!(web.requests(), vec![b"GET /bytes/100000 HTTP/1.1\r\nconnection: close\r\n\r\n".to_vec(); 3]);
}

#[test]
fn a_server_that_should_not_be_trusted_is_not() {
    let world = World::enter().unwrap();
    let failure = |web: &SecureWeb| {
        let error = secure_get(&world, web, "a.example", "/").unwrap_err().to_string();
        assert!(web.requests().is_empty());
        assert_eq!(web.server_names(), [Some("a.example".to_owned())]);
        error
    };
    let expired = failure(&world.secure_web_with("20.0.0.1", 1, &["a.example"], Trust::Expired));
    assert!(expired.contains("expired"), "{expired}");
    let stranger = failure(&world.secure_web_with("20.0.0.1", 2, &["a.example"], Trust::Stranger));
    assert!(stranger.contains("UnknownIssuer") || stranger.contains("BadSignature"), "{stranger}");
    let other = failure(&world.secure_web("20.0.0.1", 3, &["b.example"]));
    assert!(other.contains("not valid for name"), "{other}");
}
