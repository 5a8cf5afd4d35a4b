//! What heads look like when they are written.

use super::*;
use crate::http::{HeadScanner, Limits, RequestKind, parse_request, parse_response};

fn request(input: &str) -> RequestHead {
    parse_request(input.as_bytes(), &Limits::default(), &mut HeadScanner::new()).unwrap().unwrap().0
}

fn response(input: &str, kind: RequestKind) -> ResponseHead {
    parse_response(input.as_bytes(), &Limits::default(), &kind, &mut HeadScanner::new()).unwrap().unwrap().0
}

#[track_caller]
fn check(input: &str, host: &str, port: u16, expected: &str) {
    let written = write_request(&request(input), host, port, true).unwrap();
    assert_eq!(String::from_utf8(written).unwrap(), expected);
}

#[test]
fn a_request_is_written_from_its_structure() {
    let input =
        "POST http://H/%61/../b?c HTTP/1.0\r\nX-A:  1 \r\nContent-Length: 007\r\nConnection: x-b\r\nX-B: 2\r\n\r\n";
    check(input, "h", 80, "POST /b?c HTTP/1.1\r\nhost: h\r\nx-a: 1\r\ncontent-length: 7\r\n\r\n");
    check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "h", 8080, "GET / HTTP/1.1\r\nhost: h:8080\r\n\r\n");
    check("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "[::1]", 80, "OPTIONS * HTTP/1.1\r\nhost: [::1]\r\n\r\n");
    let chunked = "PUT / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: CHUNKED\r\n\r\n";
    check(chunked, "h", 80, "PUT / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n");
}

#[test]
fn a_request_that_ends_its_connection_says_so() {
    let head = request("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    let written = write_request(&head, "h", 80, false).unwrap();
    assert_eq!(written, b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n");
}

#[test]
fn a_handshake_is_written_from_its_structure() {
    let input = concat!(
        "GET /s HTTP/1.1\r\nHost: h\r\nUpgrade: WEBSOCKET\r\nConnection: keep-alive, upgrade\r\n",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nOrigin: o\r\n\r\n"
    );
    let expected = concat!(
        "GET /s HTTP/1.1\r\nhost: h\r\norigin: o\r\nconnection: Upgrade\r\nupgrade: websocket\r\n",
        "sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    check(input, "h", 80, expected);
}

#[test]
fn what_cannot_be_sent_on_is_not_written() {
    let tunnel = request("CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n");
    assert_eq!(write_request(&tunnel, "h", 443, true), Err(HttpProblem::NotForwarded));
    let head = request("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    for host in ["", "h\r\nx: y", "h:80", "h g", "[::1", "h/"] {
        assert_eq!(write_request(&head, host, 80, true), Err(HttpProblem::BadHost), "{host}");
    }
}

#[test]
fn a_response_is_written_from_its_structure() {
    let check = |input: &str, kind: RequestKind, framing: Option<ResponseFraming>, expected: &str| {
        let head = response(input, kind);
        let written = write_response(&head, true, framing.unwrap_or(head.framing));
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    };
    let get = RequestKind::default();
    let head = RequestKind { head: true, connect: false };
    let ok = "HTTP/1.0 200 Whatever\r\nContent-Length: 5\r\nServer:  s\r\n\r\n";
    let alive = "connection: keep-alive\r\n\r\n";
    let with_length = format!("HTTP/1.1 200 OK\r\nserver: s\r\ncontent-length: 5\r\n{alive}");
    check(ok, get, None, &with_length);
    check(ok, head, None, &with_length);
    let chunked = format!("HTTP/1.1 200 OK\r\nserver: s\r\ntransfer-encoding: chunked\r\n{alive}");
    check(ok, get, Some(ResponseFraming::Chunked), &chunked);
    let closing = "HTTP/1.1 200 OK\r\nserver: s\r\nconnection: close\r\n\r\n";
    check(ok, get, Some(ResponseFraming::UntilClose), closing);
    check("HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n", get, None, &format!("HTTP/1.1 204 No Content\r\n{alive}"));
    check("HTTP/1.1 299 x\r\n\r\n", get, None, "HTTP/1.1 299 \r\nconnection: close\r\n\r\n");
    check("HTTP/1.1 103 x\r\nLink: l\r\n\r\n", get, None, "HTTP/1.1 103 Early Hints\r\nlink: l\r\n\r\n");
    let switching = "HTTP/1.1 101 x\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: a\r\n\r\n";
    let switched = "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: a\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n";
    check(switching, get, None, switched);
}

#[test]
fn a_refusal_is_a_whole_response() {
    let expected = "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\ncontent-length: 3\r\nconnection: close\r\n\r\n\u{e9}1";
    assert_eq!(write_refusal(403, "\u{e9}1", false), expected.as_bytes());
    let written = write_refusal(431, "{}", true);
    let written = std::str::from_utf8(&written).unwrap();
    assert!(response(written, RequestKind::default()).keep_alive);
    assert!(written.starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n") && written.ends_with("\r\n\r\n{}"));
}
