//! What becomes of responses, and where their bodies end.

use super::*;

const GET: RequestKind = RequestKind { head: false, connect: false };
const HEAD: RequestKind = RequestKind { head: true, connect: false };
const CONNECT: RequestKind = RequestKind { head: false, connect: true };

fn parse(input: &str, request: RequestKind) -> Result<ResponseHead, HttpProblem> {
    let found = parse_response(input.as_bytes(), &Limits::default(), &request, &mut HeadScanner::new())?;
    let (head, consumed) = found.unwrap();
    assert_eq!(consumed, input.len());
    Ok(head)
}

fn check(request: RequestKind, status: u16, headers: &str, expected: Result<ResponseFraming, HttpProblem>) {
    let found = parse(&format!("HTTP/1.1 {status} x\r\n{headers}\r\n"), request).map(|head| head.framing);
    assert_eq!(found, expected, "{status} {headers}");
}

#[test]
fn a_body_ends_where_the_standard_says() {
    check(GET, 200, "Content-Length: 7\r\n", Ok(ResponseFraming::Length(7)));
    check(GET, 200, "Transfer-Encoding: chunked\r\n", Ok(ResponseFraming::Chunked));
    check(GET, 200, "", Ok(ResponseFraming::UntilClose));
    check(HEAD, 200, "Content-Length: 7\r\n", Ok(ResponseFraming::None));
    check(HEAD, 200, "Transfer-Encoding: chunked\r\n", Ok(ResponseFraming::None));
    check(GET, 304, "Content-Length: 7\r\n", Ok(ResponseFraming::None));
    check(GET, 204, "", Ok(ResponseFraming::None));
    check(GET, 204, "Content-Length: 0\r\n", Ok(ResponseFraming::None));
    check(GET, 100, "", Ok(ResponseFraming::None));
    check(CONNECT, 200, "", Ok(ResponseFraming::None));
    check(CONNECT, 403, "Content-Length: 7\r\n", Ok(ResponseFraming::Length(7)));
}

#[test]
fn a_body_that_could_end_in_two_places_is_refused() {
    let both = "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n";
    check(GET, 200, both, Err(HttpProblem::LengthAndEncoding));
    check(HEAD, 200, both, Err(HttpProblem::LengthAndEncoding));
    let two = "Content-Length: 7\r\nContent-Length: 7\r\n";
    check(GET, 200, two, Err(HttpProblem::Repeated("content-length")));
    check(GET, 304, "Content-Length: x\r\n", Err(HttpProblem::BadContentLength));
    check(GET, 200, "Content-Length: 7, 7\r\n", Err(HttpProblem::BadContentLength));
    check(GET, 200, "Transfer-Encoding: gzip, chunked\r\n", Err(HttpProblem::UnknownTransferEncoding));
    check(GET, 204, "Content-Length: 7\r\n", Err(HttpProblem::BodyNotAllowed));
    check(GET, 103, "Transfer-Encoding: chunked\r\n", Err(HttpProblem::BodyNotAllowed));
    check(CONNECT, 200, "Content-Length: 7\r\n", Err(HttpProblem::BodyNotAllowed));
    let old = parse("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", GET);
    assert_eq!(old, Err(HttpProblem::EncodingInOldVersion));
}

#[test]
fn a_status_line_is_one_or_refused() {
    for (line, status) in
        [("HTTP/1.1 200 OK", 200), ("HTTP/1.0 404 ", 404), ("HTTP/1.1 599", 599), ("HTTP/1.1 200 \t\u{e9} x", 200)]
    {
        assert_eq!(parse(&format!("{line}\r\n\r\n"), GET).unwrap().status, status, "{line}");
    }
    for line in [
        "HTTP/1.1",
        "HTTP/1.1 ",
        "HTTP/1.1 20",
        "HTTP/1.1 2000",
        "HTTP/1.1 200\tOK",
        "HTTP/1.1  200 OK",
        "HTTP/1.1 099 a",
        "HTTP/1.1 600 a",
        "HTTP/1.1 +20 a",
        "HTTP/1.1\t200 OK",
        "200 OK",
        "HTTP/1.1 2x0 OK",
    ] {
        assert_eq!(parse(&format!("{line}\r\n\r\n"), GET), Err(HttpProblem::BadStatusLine), "{line}");
    }
    for line in ["HTTP/2.0 200 OK", "http/1.1 200 OK", "ICY 200 OK, good", "HTTP/1.2 200 OK"] {
        assert_eq!(parse(&format!("{line}\r\n\r\n"), GET), Err(HttpProblem::UnknownVersion), "{line}");
    }
    for line in [
        "\r\nHTTP/1.1 200 OK",
        "HTTP/1.1 200 OK\nx: y",
        "HTTP/1.1 200 O\rK",
        "HTTP/1.1 200 O\0K",
        "HTTP/1.1 200 OK\r\n x: y",
    ] {
        assert!(parse(&format!("{line}\r\n\r\n"), GET).is_err(), "{line}");
    }
}

#[test]
fn an_interim_response_is_not_a_change_of_protocol() {
    let parse = |line: &str| parse(&format!("HTTP/1.1 {line}\r\n\r\n"), GET).unwrap();
    assert!(parse("100 Continue").is_interim() && parse("103 Early Hints").is_interim());
    let switching = parse("101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: a");
    assert!(!switching.is_interim() && switching.is_switching() && switching.upgrades_to_websocket);
    assert_eq!(switching.values("sec-websocket-accept").count(), 1);
    assert!(!parse("101 x").upgrades_to_websocket);
    assert!(!parse("101 x\r\nUpgrade: h2c\r\nConnection: Upgrade").upgrades_to_websocket);
    assert!(!parse("101 x\r\nUpgrade: websocket").upgrades_to_websocket);
    assert!(!parse("101 x\r\nUpgrade: websocket, h2c\r\nConnection: Upgrade").upgrades_to_websocket);
    assert!(!parse("200 OK").is_interim());
}

#[test]
fn what_concerns_one_connection_does_not_go_on() {
    let headers = concat!(
        "Connection: keep-alive, Transfer-Encoding, X-Drop\r\nTransfer-Encoding: chunked\r\nx-drop: 1\r\n",
        "Keep-Alive: timeout=5\r\nTrailer: x\r\nUpgrade: h2\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n"
    );
    let head = parse(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n"), GET).unwrap();
    assert_eq!(head.headers.iter().map(Header::name).collect::<Vec<_>>(), ["set-cookie", "set-cookie"]);
    assert_eq!(head.framing, ResponseFraming::Chunked);
    assert!(head.keep_alive);
    let taken = parse("HTTP/1.1 200 OK\r\nConnection: set-cookie\r\n\r\n", GET);
    assert_eq!(taken, Err(HttpProblem::ConnectionNames("set-cookie".to_owned())));
}

#[test]
fn a_connection_whose_end_is_the_end_of_a_body_does_not_go_on() {
    assert!(!parse("HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n", GET).unwrap().keep_alive);
    assert!(parse("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\n", GET).unwrap().keep_alive);
    assert!(!parse("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", GET).unwrap().keep_alive);
}
