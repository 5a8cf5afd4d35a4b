//! What becomes of well-formed requests, and of those that are nearly so.

use super::*;

fn parse(input: &str) -> Result<RequestHead, HttpProblem> {
    let (head, consumed) = parse_request(input.as_bytes(), &Limits::default(), &mut HeadScanner::new())?.unwrap();
    assert_eq!(consumed, input.len());
    Ok(head)
}

fn get(headers: &str) -> Result<RequestHead, HttpProblem> {
    parse(&format!("GET / HTTP/1.1\r\nHost: h\r\n{headers}\r\n"))
}

fn handshake(headers: &str) -> Result<Option<WebSocket>, HttpProblem> {
    get(headers).map(|head| head.upgrade)
}

fn names(head: &RequestHead) -> Vec<&str> {
    head.headers.iter().map(Header::name).collect()
}

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

#[test]
fn a_request_becomes_a_structure() {
    let head =
        parse("\r\nPOST /a?b HTTP/1.1\r\nHOST: H:8080\r\nX-A: \t 1 2\t\r\nx-a:\r\nContent-Length: 5\r\n\r\n").unwrap();
    assert_eq!(head.method.as_str(), "POST");
    assert_eq!(head.target, Target::Origin(crate::http::RequestPath::parse("/a?b").unwrap()));
    assert_eq!(head.authority, Authority { host: "H".to_owned(), port: Some(8080) });
    assert_eq!(head.values("x-a").collect::<Vec<_>>(), [b"1 2".as_slice(), b""]);
    assert_eq!(head.framing, BodyFraming::Length(5));
    assert!(head.keep_alive && !head.expect_continue && head.upgrade.is_none());
    assert_eq!(names(&head), ["x-a", "x-a"]);
}

#[test]
fn a_connection_lives_on_by_version_and_token() {
    let check = |version: &str, headers: &str, expected: bool| {
        let input = format!("GET / HTTP/{version}\r\nHost: h\r\n{headers}\r\n");
        assert_eq!(parse(&input).unwrap().keep_alive, expected, "{input}");
    };
    check("1.1", "", true);
    check("1.1", "Connection: Close\r\n", false);
    check("1.1", "Connection: x,, close ,\r\n", false);
    check("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false);
    check("1.1", "Proxy-Connection: close\r\n", true);
    check("1.0", "", false);
    check("1.0", "Connection: Keep-Alive\r\n", true);
    check("1.0", "Proxy-Connection: keep-alive\r\n", false);
    check("1.0", "Connection: keep-alive, close\r\n", false);
}

#[test]
fn what_concerns_one_connection_does_not_go_on() {
    let head = get(concat!(
        "Connection: X-Drop, te\r\nx-drop: 1\r\nKeep-Alive: 1\r\nProxy-Connection: a\r\nProxy-Authorization: b\r\n",
        "Proxy-Authenticate: c\r\nTE: trailers\r\nTrailer: x\r\nHTTP2-Settings: d\r\nExpect: 100-Continue\r\n",
        "Upgrade: h2c\r\nTransfer-Encoding: Chunked\r\nx-keep: 2\r\nCookie: e\r\n"
    ));
    let head = head.unwrap();
    assert_eq!(names(&head), ["x-keep", "cookie"]);
    assert_eq!(head.framing, BodyFraming::Chunked);
    assert!(head.expect_continue);
}

#[test]
fn an_expectation_is_the_known_one_or_refused() {
    assert_eq!(get("Expect: 200-ok\r\n"), Err(HttpProblem::UnknownExpectation));
    assert_eq!(get("Expect:\r\n").unwrap_err().status(), 417);
    assert_eq!(get("Expect: 100-continue\r\nExpect: 100-continue\r\n"), Err(HttpProblem::Repeated("expect")));
    let old = parse("POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n").unwrap();
    assert!(!old.expect_continue);
}

#[test]
fn target_and_host_agree() {
    let check = |line: &str, host: &str, expected: Result<(&str, Option<u16>), HttpProblem>| {
        let found = parse(&format!("{line}\r\n{host}\r\n")).map(|head| head.authority);
        let expected = expected.map(|(host, port)| Authority { host: host.to_owned(), port });
        assert_eq!(found, expected, "{line} {host}");
    };
    check("GET http://h/ HTTP/1.1", "Host: H\r\n", Ok(("h", Some(80))));
    check("GET http://h/ HTTP/1.1", "Host: h:80\r\n", Ok(("h", Some(80))));
    check("GET http://h:80/ HTTP/1.1", "Host: h\r\n", Ok(("h", Some(80))));
    check("GET http://h:81/ HTTP/1.1", "Host: h\r\n", Err(HttpProblem::HostMismatch));
    check("GET http://h/ HTTP/1.1", "Host: h:81\r\n", Err(HttpProblem::HostMismatch));
    check("GET http://h/ HTTP/1.1", "Host: g\r\n", Err(HttpProblem::HostMismatch));
    check("GET http://h/ HTTP/1.1", "Host:\r\n", Err(HttpProblem::BadHost));
    check("GET http://h/ HTTP/1.1", "", Err(HttpProblem::MissingHost));
    check("GET http://h/ HTTP/1.0", "", Ok(("h", Some(80))));
    check("GET http://h/ HTTP/1.0", "Host: g\r\n", Err(HttpProblem::HostMismatch));
    check("GET / HTTP/1.0", "", Err(HttpProblem::MissingHost));
    check("OPTIONS * HTTP/1.0", "", Err(HttpProblem::MissingHost));
    check("OPTIONS * HTTP/1.1", "Host: h\r\n", Ok(("h", None)));
    check("CONNECT h:443 HTTP/1.1", "Host: h\r\n", Ok(("h", Some(443))));
    check("CONNECT h:443 HTTP/1.1", "Host: h:443\r\n", Ok(("h", Some(443))));
    check("CONNECT h:443 HTTP/1.1", "Host: h:80\r\n", Err(HttpProblem::HostMismatch));
    check("CONNECT h:443 HTTP/1.1", "Host: g:443\r\n", Err(HttpProblem::HostMismatch));
    check("CONNECT h:443 HTTP/1.1", "", Err(HttpProblem::MissingHost));
    check("CONNECT h:443 HTTP/1.0", "", Ok(("h", Some(443))));
}

#[test]
fn a_websocket_handshake_is_whole() {
    let upgrade = "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n";
    let version = "Sec-WebSocket-Version: 13\r\n";
    let key = format!("Sec-WebSocket-Key: {KEY}\r\n");
    let whole = format!("{upgrade}{version}{key}Sec-WebSocket-Protocol: chat\r\n");
    assert_eq!(handshake(&whole).unwrap().unwrap().key(), KEY);
    assert_eq!(names(&get(&whole).unwrap()), ["sec-websocket-protocol"]);

    let refused = |headers: &str| assert_eq!(handshake(headers), Err(HttpProblem::BadWebSocket), "{headers}");
    refused(&format!("{upgrade}{version}"));
    refused(&format!("{upgrade}{key}"));
    refused(&format!("{upgrade}{version}{key}{key}"));
    refused(&format!("{upgrade}{version}{version}{key}"));
    refused(&format!("{upgrade}Sec-WebSocket-Version: 8\r\n{key}"));
    refused(&format!("{upgrade}{version}Sec-WebSocket-Key: short==\r\n"));
    refused(&format!("{upgrade}{version}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA\r\n"));
    refused(&format!("Upgrade: websocket\r\n{version}{key}"));
    refused(&format!("Upgrade: websocket, h2c\r\nConnection: upgrade\r\n{version}{key}"));
    refused(&format!("{upgrade}Upgrade: h2c\r\n{version}{key}"));
    refused(&format!("Upgrade: websocket/13\r\nConnection: upgrade\r\n{version}{key}"));
    refused(&format!("{whole}Content-Length: 0\r\n"));
    refused(&format!("{whole}Transfer-Encoding: chunked\r\n"));
    for line in ["POST / HTTP/1.1", "GET / HTTP/1.0"] {
        assert_eq!(parse(&format!("{line}\r\nHost: h\r\n{whole}\r\n")), Err(HttpProblem::BadWebSocket), "{line}");
    }
}

#[test]
fn a_limit_holds_before_the_head_is_complete() {
    let limits = Limits { head_bytes_max: 100, headers_max: 2, target_bytes_max: 10 };
    let check = |input: &str, expected: Result<bool, HttpProblem>| {
        let found = parse_request(input.as_bytes(), &limits, &mut HeadScanner::new()).map(|head| head.is_some());
        assert_eq!(found, expected, "{input}");
    };
    let long = "a".repeat(60);
    check("GET /234567890 HTTP/1.1\r\nHost: h\r\n\r\n", Ok(true));
    check("GET /2345678901 HTTP/1.1\r\nHost: h\r\n\r\n", Err(HttpProblem::TargetTooLong(10)));
    check(&format!("GET /{long}"), Err(HttpProblem::TargetTooLong(10)));
    check("GET / HTTP/1.1\r\na:\r\nHost: h\r\n\r\n", Ok(true));
    check("GET / HTTP/1.1\r\na:\r\nb:\r\nc:\r\n", Err(HttpProblem::TooManyHeaders(2)));
    check("GET / HTTP/1.1\r\na:\r\nb:\r\nc:", Ok(false));
    check(&format!("GET / HTTP/1.1\r\na: {long}{long}"), Err(HttpProblem::HeadTooLong(100)));
    let whole = format!("GET / HTTP/1.1\r\nhost: h\r\na: {}\r\n\r\n", "a".repeat(68));
    assert_eq!(whole.len(), 100);
    check(&whole, Ok(true));
    check(&whole[..99], Ok(false));
    check(&whole.replacen("a: ", "a: a", 1), Err(HttpProblem::HeadTooLong(100)));
}
