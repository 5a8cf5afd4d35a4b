//! What the front does not let in: wrong hosts, foreign pages, too much, too fast, too slow,
//! too deep, and whatever cannot be read.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use it::TestServer;

#[test]
fn a_name_that_is_not_ours_is_not_answered() {
    let server = TestServer::start();
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "2130706433", "127.1"] {
        for path in ["/api/v1/agents", "/health", "/openapi.json"] {
            let answer = server.call("GET", path, &[("host", host), ("x-api-key", &server.admin)], "");
            assert_eq!((answer.status, answer.code().as_str()), (400, "ERR_HOST_NOT_ALLOWED"), "{host} {path}");
        }
    }
    let none = server.raw(b"GET /health HTTP/1.1\r\nconnection: close\r\n\r\n");
    assert_eq!(none.status, 400);
    let two = server.raw(b"GET /health HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n");
    assert_eq!(two.status, 400);
    let absolute =
        server.raw(b"GET http://evil.example/health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    assert_eq!(absolute.status, 400);
}

#[test]
fn a_foreign_page_is_refused_even_with_a_key() {
    let server = TestServer::start();
    for origin in ["https://evil.example", "null", "http://localhost:1"] {
        let headers = [("origin", origin), ("x-api-key", server.admin.as_str())];
        let answer = server.call("GET", "/api/v1/agents", &headers, "");
        assert_eq!((answer.status, answer.code().as_str()), (403, "ERR_ORIGIN_NOT_ALLOWED"), "{origin}");
        assert_eq!(answer.header("access-control-allow-origin"), None);
        let preflight = server.call("OPTIONS", "/api/v1/agents", &[("origin", origin)], "");
        assert_eq!(preflight.status, 403);
    }
}

#[test]
fn a_listed_page_may_ask() {
    let server = TestServer::start_with("[http]\norigins = [\"https://console.example\"]\n");
    let origin = "https://console.example";
    let preflight = server.call("OPTIONS", "/api/v1/agents", &[("origin", origin)], "");
    assert_eq!((preflight.status, preflight.header("access-control-allow-origin")), (204, Some(origin)));
    let headers = [("origin", origin), ("x-api-key", server.admin.as_str())];
    let answer = server.call("GET", "/api/v1/agents", &headers, "");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some(origin)));
}

#[test]
fn a_body_that_is_too_large_is_refused_before_it_is_read() {
    let server = TestServer::start();
    let declared = format!(
        "POST /api/v1/keys HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\nconnection: close\r\n\r\n",
        server.admin
    );
    assert_eq!(server.raw(declared.as_bytes()).code(), "ERR_TOO_LARGE");
    let large = format!(r#"{{"label":"{}"}}"#, "x".repeat(600 * 1024));
    assert_eq!(server.admin("POST", "/api/v1/keys", &large).code(), "ERR_TOO_LARGE");
    let chunk = "10000\r\n".to_owned() + &"x".repeat(0x10000) + "\r\n";
    let chunked = format!(
        "POST /api/v1/keys HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n{}0\r\n\r\n",
        server.admin,
        chunk.repeat(10)
    );
    assert_eq!(server.raw(chunked.as_bytes()).code(), "ERR_TOO_LARGE");
}

#[test]
fn a_request_that_can_be_read_in_two_ways_is_not_read_at_all() {
    let server = TestServer::start();
    let head = format!(
        "POST /api/v1/keys HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\nconnection: close\r\n",
        server.admin
    );
    for smuggled in [
        "content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
        "transfer-encoding: chunked, identity\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "content-length: +2\r\n\r\n{}",
        "x y: z\r\ncontent-length: 2\r\n\r\n{}",
        " folded: header\r\ncontent-length: 2\r\n\r\n{}",
    ] {
        let answer = server.raw(format!("{head}{smuggled}").as_bytes());
        assert!(matches!(answer.status, 0 | 400), "{smuggled:?} {answer:?}");
    }
    let keys = server.admin("GET", "/api/v1/keys", "").json();
    assert_eq!(keys["items"].as_array().map(Vec::len), Some(1), "nothing was created");
}

#[test]
fn a_head_without_end_is_cut_off() {
    let server = TestServer::start();
    let many: String = (0..200).map(|number| format!("x-{number}: y\r\n")).collect();
    let answer = server.raw(format!("GET /health HTTP/1.1\r\nhost: localhost\r\n{many}\r\n").as_bytes());
    assert_eq!(answer.status, 431);
    let long = "x".repeat(200 * 1024);
    let answer = server.raw(format!("GET /health HTTP/1.1\r\nhost: localhost\r\nx: {long}\r\n\r\n").as_bytes());
    assert!(matches!(answer.status, 0 | 431), "{answer:?}");
}

#[test]
fn a_slow_head_and_a_slow_body_end_in_time() {
    let server = TestServer::start_with("[http]\nheader_timeout_ms = 300\nbody_timeout_ms = 300\n");
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.write_all(b"GET /health HTTP/1.1\r\nhost: local").unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).unwrap();
    let head = format!(
        "POST /api/v1/keys HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\ncontent-type: application/json\r\ncontent-length: 10\r\nconnection: close\r\n\r\n{{",
        server.admin
    );
    let answer = server.raw(head.as_bytes());
    assert_eq!(answer.code(), "ERR_REQUEST_TIMED_OUT", "{answer:?}");
}

#[test]
fn a_key_that_asks_too_fast_is_told_when_to_come_back() {
    let server = TestServer::start_with("[http]\nkey_rate_per_second = 1\nkey_burst = 5\n");
    let mut refused = None;
    for _ in 0..8 {
        let answer = server.admin("GET", "/api/v1/agents", "");
        assert_eq!(answer.header("ratelimit-limit"), Some("5"));
        if answer.status == 429 {
            refused = Some(answer);
        }
    }
    let refused = refused.unwrap();
    assert_eq!((refused.code().as_str(), refused.header("ratelimit-remaining")), ("ERR_RATE_LIMITED", Some("0")));
    assert!(refused.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
}

#[test]
fn an_address_that_guesses_keys_is_slowed_down() {
    let server = TestServer::start_with("[http]\nfailure_rate_per_second = 2\n");
    let answers: Vec<String> =
        (0..10).map(|_| server.call("GET", "/api/v1/agents", &[("x-api-key", "guess")], "").code()).collect();
    assert_eq!(answers.first().map(String::as_str), Some("ERR_CREDENTIAL_INVALID"));
    assert_eq!(answers.last().map(String::as_str), Some("ERR_RATE_LIMITED"));
    let told = server.call("GET", "/api/v1/agents", &[("x-api-key", "guess")], "");
    assert!(told.header("retry-after").is_some());
    assert_eq!(server.admin("GET", "/api/v1/agents", "").status, 200, "a valid key does not pay for it");
}

#[test]
fn what_cannot_be_read_is_named() {
    let server = TestServer::start();
    let deep = "[".repeat(10_000);
    let malformed: [(&str, &str); 5] =
        [("{", ""), ("", ""), ("{\"label\":\"\u{0}\"}", ""), (deep.as_str(), ""), ("nul", "")];
    for (body, _) in malformed {
        let answer = server.call(
            "POST",
            "/api/v1/keys",
            &[("x-api-key", &server.admin), ("content-type", "application/json")],
            body,
        );
        assert_eq!((answer.status, answer.code().as_str()), (400, "ERR_MALFORMED"), "{} {}", body.len(), answer.text);
    }
    let invalid = [
        (r#"{"rol":"viewer"}"#, "/rol"),
        (r#"{"role":"king"}"#, "/role"),
        (r#"{"expires_in_ms":-1}"#, "/expires_in_ms"),
        (r#"{"expires_in_ms":0}"#, "/expires_in_ms"),
        (r#"{"label":7}"#, "/label"),
    ];
    for (body, pointer) in invalid {
        let answer = server.admin("POST", "/api/v1/keys", body);
        assert_eq!((answer.status, answer.code().as_str()), (422, "ERR_VALIDATION"), "{body} {}", answer.text);
        assert_eq!(answer.json()["error"]["details"]["pointer"], pointer, "{}", answer.text);
    }
    let not_utf8 = server.call_bytes("POST", "/api/v1/keys", &[("x-api-key", &server.admin)], b"{\"label\":\"\xff\"}");
    assert_eq!(not_utf8.code(), "ERR_MALFORMED");
    let text =
        server.call("POST", "/api/v1/keys", &[("x-api-key", &server.admin), ("content-type", "text/plain")], "{}");
    assert_eq!((text.status, text.code().as_str()), (415, "ERR_UNSUPPORTED_MEDIA_TYPE"));
}

#[test]
fn every_refusal_is_an_envelope_with_its_correlation_id() {
    let server = TestServer::start();
    let sent = [("x-correlation-id", "abc-123"), ("x-api-key", server.admin.as_str())];
    let paths = [
        ("GET", "/api/v1/agents/none", "ERR_NOT_FOUND"),
        ("GET", "/api/v2", "ERR_NO_SUCH_ROUTE"),
        ("PUT", "/api/v1/agents", "ERR_METHOD_NOT_ALLOWED"),
        ("GET", "/api/v1/agents/../../x", "ERR_NO_SUCH_ROUTE"),
        ("GET", "/api/v1/agents/A%00B", "ERR_NOT_FOUND"),
        ("GET", "/api/v1/agents/%ff", "ERR_MALFORMED"),
    ];
    for (method, path, code) in paths {
        let answer = server.call(method, path, &sent, "");
        assert_eq!(answer.code(), code, "{path} {answer:?}");
        assert_eq!(answer.json()["error"]["correlation_id"], "abc-123");
        assert_eq!(answer.header("x-correlation-id"), Some("abc-123"));
        assert_eq!(answer.header("content-type"), Some("application/json"));
    }
    assert!(server.call("PUT", "/api/v1/agents", &sent, "").header("allow").is_some());
    let bad = server.call("GET", "/health", &[("x-correlation-id", "a b")], "");
    assert_eq!(bad.code(), "ERR_VALIDATION");
    let made = server.call("GET", "/health", &[], "");
    assert!(made.header("x-correlation-id").unwrap().starts_with("cor_"));
}

#[test]
fn the_correlation_id_leads_to_the_ledger() {
    let server = TestServer::start();
    let headers = [("x-correlation-id", "trace-77"), ("x-api-key", server.admin.as_str())];
    server.call("POST", "/api/v1/tenants", &headers, r#"{"id":"acme"}"#);
    let entries = server.admin("GET", "/api/v1/ledger/entries", "").json();
    assert_eq!(entries["items"][1]["entry"]["correlation_id"], "trace-77");
}
