//! Requests that have fooled others, one line each.

use super::{BodyFraming, HeadScanner, HttpProblem, Limits, RequestHead, parse_request};

fn parse(input: &[u8]) -> Result<Option<(RequestHead, usize)>, HttpProblem> {
    parse_request(input, &Limits::default(), &mut HeadScanner::new())
}

#[track_caller]
fn refused(input: &str, problem: HttpProblem, status: u16) {
    assert_eq!(parse(input.as_bytes()), Err(problem.clone()), "{input:?}");
    assert_eq!(problem.status(), status, "{input:?}");
}

/// A request with these headers after its `Host`.
#[track_caller]
fn header(headers: &str, problem: HttpProblem, status: u16) {
    refused(&format!("POST / HTTP/1.1\r\nHost: h\r\n{headers}\r\n\r\n"), problem, status);
}

/// A request with this first line.
#[track_caller]
fn line(line: &str, problem: HttpProblem, status: u16) {
    refused(&format!("{line}\r\nHost: h\r\n\r\n"), problem, status);
}

#[test]
fn a_body_has_one_end() {
    header("Content-Length: 6\r\nTransfer-Encoding: chunked", HttpProblem::LengthAndEncoding, 400);
    header("Transfer-Encoding: chunked\r\nContent-Length: 6", HttpProblem::LengthAndEncoding, 400);
    header("Transfer-Encoding: identity\r\nContent-Length: 6", HttpProblem::LengthAndEncoding, 400);
    header("Transfer-Encoding: chunked, identity", HttpProblem::UnknownTransferEncoding, 501);
    header("Transfer-Encoding: identity, chunked", HttpProblem::UnknownTransferEncoding, 501);
    header("Transfer-Encoding: xchunked", HttpProblem::UnknownTransferEncoding, 501);
    header("Transfer-Encoding: chunked;a=b", HttpProblem::UnknownTransferEncoding, 501);
    header("Transfer-Encoding: \"chunked\"", HttpProblem::UnknownTransferEncoding, 501);
    header("Transfer-Encoding: chunked,", HttpProblem::UnknownTransferEncoding, 501);
    header("Transfer-Encoding:", HttpProblem::UnknownTransferEncoding, 501);
    header("Transfer-Encoding: \u{a0}chunked", HttpProblem::UnknownTransferEncoding, 501);
    header("Transfer-Encoding: \x0bchunked", HttpProblem::ControlByte, 400);
    header("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", HttpProblem::UnknownTransferEncoding, 501);
    header("Transfer-Encoding: chunked\r\nTransfer-Encoding: x", HttpProblem::UnknownTransferEncoding, 501);
    header("Transfer_Encoding: chunked", HttpProblem::DisguisedHeader("transfer_encoding".to_owned()), 400);
    refused("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", HttpProblem::EncodingInOldVersion, 400);
    refused("CONNECT h:1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", HttpProblem::BodyNotAllowed, 400);
    refused("CONNECT h:1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", HttpProblem::BodyNotAllowed, 400);
}

#[test]
fn a_length_is_plain_digits_once() {
    let nine = "9".repeat(20);
    for length in ["+5", "-5", "5 5", "0x5", "5,5", "5, 5", "", "5a", "5.0", "\u{665}", "18446744073709551621", &nine] {
        header(&format!("Content-Length: {length}"), HttpProblem::BadContentLength, 400);
    }
    header("Content-Length:  5 5", HttpProblem::BadContentLength, 400);
    header("Content-Length: 5\r\nContent-Length: 5", HttpProblem::Repeated("content-length"), 400);
    header("Content-Length: 5\r\ncontent-length: 6", HttpProblem::Repeated("content-length"), 400);
    header("Content_Length: 5", HttpProblem::DisguisedHeader("content_length".to_owned()), 400);
    let huge = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999999999999999\r\n\r\n";
    assert_eq!(parse(huge.as_bytes()).unwrap().unwrap().0.framing, BodyFraming::Length(9_999_999_999_999_999_999));
}

#[test]
fn a_line_ends_in_one_way() {
    refused("GET / HTTP/1.1\nHost: h\n\n", HttpProblem::BareLineFeed, 400);
    refused("GET / HTTP/1.1\r\nHost: h\n\r\n", HttpProblem::BareLineFeed, 400);
    refused("GET / HTTP/1.1\r\nHost: h\r\n\n", HttpProblem::BareLineFeed, 400);
    refused("\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", HttpProblem::BareLineFeed, 400);
    refused("\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", HttpProblem::EmptyLine, 400);
    refused("GET / HTTP/1.1\r\nHost: h\r\r\n\r\n", HttpProblem::BareCarriageReturn, 400);
    header("X: a\rb", HttpProblem::BareCarriageReturn, 400);
    header("X: a\rContent-Length: 5", HttpProblem::BareCarriageReturn, 400);
    header("X: a\r\n b", HttpProblem::FoldedHeader, 400);
    header("X: a\r\n\tTransfer-Encoding: chunked", HttpProblem::FoldedHeader, 400);
    header("X: a\r\n \r\nY: b", HttpProblem::FoldedHeader, 400);
    refused("GET / HTTP/1.1\r\n X: a\r\nHost: h\r\n\r\n", HttpProblem::FoldedHeader, 400);
}

#[test]
fn a_header_is_of_the_grammar() {
    header("X\0: a", HttpProblem::ControlByte, 400);
    header("X: a\0b", HttpProblem::ControlByte, 400);
    header("X: a\x08b", HttpProblem::ControlByte, 400);
    header("X: a\x7fb", HttpProblem::ControlByte, 400);
    header("X : a", HttpProblem::BadHeaderName, 400);
    header("X\t: a", HttpProblem::BadHeaderName, 400);
    header("Content-Length : 5", HttpProblem::BadHeaderName, 400);
    header(": a", HttpProblem::BadHeaderName, 400);
    header("X y: a", HttpProblem::BadHeaderName, 400);
    header("X\u{e9}: a", HttpProblem::BadHeaderName, 400);
    header("\"X\": a", HttpProblem::BadHeaderName, 400);
    header("X", HttpProblem::HeaderWithoutColon, 400);
    header("GET /admin HTTP/1.1", HttpProblem::HeaderWithoutColon, 400);
}

#[test]
fn a_request_is_for_one_host() {
    header("Host: h", HttpProblem::Repeated("host"), 400);
    header("host: g", HttpProblem::Repeated("host"), 400);
    refused("GET http://g/ HTTP/1.1\r\nHost: h\r\n\r\n", HttpProblem::HostMismatch, 400);
    refused("GET http://h:81/ HTTP/1.1\r\nHost: h\r\n\r\n", HttpProblem::HostMismatch, 400);
    refused("GET / HTTP/1.1\r\n\r\n", HttpProblem::MissingHost, 400);
    refused("GET / HTTP/1.1\r\nHost: u@h\r\n\r\n", HttpProblem::UserInformation, 400);
    refused("GET / HTTP/1.1\r\nHost: u:p@h\r\n\r\n", HttpProblem::BadPort, 400);
    refused("GET / HTTP/1.1\r\nHost: h:80@g\r\n\r\n", HttpProblem::BadPort, 400);
    refused("GET / HTTP/1.1\r\nHost: h/a\r\n\r\n", HttpProblem::BadHost, 400);
    refused("GET / HTTP/1.1\r\nHost: h#g\r\n\r\n", HttpProblem::BadHost, 400);
    refused("GET / HTTP/1.1\r\nHost: h g\r\n\r\n", HttpProblem::BadHost, 400);
    refused("GET / HTTP/1.1\r\nHost: h\u{e9}\r\n\r\n", HttpProblem::BadHost, 400);
    refused("GET / HTTP/1.1\r\nHost:\r\n\r\n", HttpProblem::BadHost, 400);
    refused("GET / HTTP/1.1\r\nHost: h:\r\n\r\n", HttpProblem::BadPort, 400);
    line("GET http://u@h/ HTTP/1.1", HttpProblem::UserInformation, 400);
    line("GET http://g#@h/ HTTP/1.1", HttpProblem::Fragment, 400);
    line("GET http://g\\@h/ HTTP/1.1", HttpProblem::UserInformation, 400);
    line("GET https://h/ HTTP/1.1", HttpProblem::SchemeNotServed, 400);
}

#[test]
fn a_connection_header_takes_nothing_away() {
    for name in ["host", "content-length", "transfer-encoding", "cookie", "authorization", "content-type"] {
        header(&format!("Connection: close, {name}"), HttpProblem::ConnectionNames(name.to_owned()), 400);
    }
    header("Connection: Host", HttpProblem::ConnectionNames("host".to_owned()), 400);
    header("Connection: a b", HttpProblem::BadConnection, 400);
    header("Connection: \"close\"", HttpProblem::BadConnection, 400);
}

#[test]
fn a_request_line_has_three_parts() {
    line("GET  / HTTP/1.1", HttpProblem::BadRequestLine, 400);
    line("GET /  HTTP/1.1", HttpProblem::BadRequestLine, 400);
    line("GET / HTTP/1.1 ", HttpProblem::BadRequestLine, 400);
    line(" GET / HTTP/1.1", HttpProblem::BadRequestLine, 400);
    line("GET /a b HTTP/1.1", HttpProblem::BadRequestLine, 400);
    line("GET\t/\tHTTP/1.1", HttpProblem::BadRequestLine, 400);
    line("GET\t/ / HTTP/1.1", HttpProblem::BadMethod, 400);
    line("GET\tx / HTTP/1.1", HttpProblem::BadMethod, 400);
    line("GET /\ta HTTP/1.1", HttpProblem::BadTarget, 400);
    line("GET /", HttpProblem::BadRequestLine, 400);
    line("GET", HttpProblem::BadRequestLine, 400);
    line("GET / ", HttpProblem::BadRequestLine, 400);
    line(" / HTTP/1.1", HttpProblem::BadMethod, 400);
    line("G(T / HTTP/1.1", HttpProblem::BadMethod, 400);
    line("get / HTTP/1.1", HttpProblem::BadMethod, 400);
    line("connect h:443 HTTP/1.1", HttpProblem::BadMethod, 400);
    line(&format!("{} / HTTP/1.1", "A".repeat(33)), HttpProblem::BadMethod, 400);
    line("GET h:443 HTTP/1.1", HttpProblem::BadTarget, 400);
    line("GET * HTTP/1.1", HttpProblem::TargetNotForMethod, 400);
    line("CONNECT / HTTP/1.1", HttpProblem::BadHost, 400);
}

#[test]
fn only_two_versions_are_spoken() {
    for version in
        ["http/1.1", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/2", "HTTP/1.10", "HTTP/01.1", "HTTP/1.1\t", "X"]
    {
        line(&format!("GET / {version}"), HttpProblem::UnknownVersion, 505);
    }
    refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HttpProblem::UnknownVersion, 505);
    refused("\x16\x03\x01\x02", HttpProblem::ControlByte, 400);
}

#[test]
fn bombs_do_not_go_off() {
    let limits = Limits::default();
    header(&"x:\r\n".repeat(128), HttpProblem::TooManyHeaders(limits.headers_max), 431);
    let long = "a".repeat(limits.head_bytes_max);
    refused(&format!("GET / HTTP/1.1\r\nX: {long}"), HttpProblem::HeadTooLong(limits.head_bytes_max), 431);
    refused(&format!("GET / HTTP/1.1\r\n{long}"), HttpProblem::HeadTooLong(limits.head_bytes_max), 431);
    refused(&format!("GET /{long}"), HttpProblem::TargetTooLong(limits.target_bytes_max), 414);
    let target = "a".repeat(limits.target_bytes_max);
    line(&format!("GET /{target} HTTP/1.1"), HttpProblem::TargetTooLong(limits.target_bytes_max), 414);
}

#[test]
fn a_path_hides_nothing() {
    line("GET /a/%2e%2e/%2E./b HTTP/1.1", HttpProblem::AboveRoot, 400);
    line("GET http://h/../b HTTP/1.1", HttpProblem::AboveRoot, 400);
    line("GET http://h/..;/b HTTP/1.1", HttpProblem::DisguisedDotSegment, 400);
    line("GET /%0d%0aX:%20y HTTP/1.1", HttpProblem::EscapedControl, 400);
    line("GET /\\..\\a HTTP/1.1", HttpProblem::BadPath, 400);
    line("GET /%u002e HTTP/1.1", HttpProblem::BadEscape, 400);
    line("GET /%c0%ae\u{ff0e} HTTP/1.1", HttpProblem::BadTarget, 400);
}

#[test]
fn a_second_request_is_left_untouched() {
    let first = "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n";
    let second = "GET /b HTTP/1.1\r\nHost: h\r\n\r\n";
    let both = format!("{first}{second}");
    let mut scanner = HeadScanner::new();
    let (head, consumed) = parse_request(both.as_bytes(), &Limits::default(), &mut scanner).unwrap().unwrap();
    assert_eq!((head.target.path().unwrap().path(), consumed), ("/a", first.len()));
    let rest = &both.as_bytes()[consumed..];
    let (head, consumed) = parse_request(rest, &Limits::default(), &mut scanner).unwrap().unwrap();
    assert_eq!((head.target.path().unwrap().path(), consumed), ("/b", second.len()));
}

#[test]
fn another_protocol_is_not_changed_to() {
    let input = "GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n";
    let (head, _) = parse(input.as_bytes()).unwrap().unwrap();
    assert!(head.upgrade.is_none() && head.headers.is_empty());
}
