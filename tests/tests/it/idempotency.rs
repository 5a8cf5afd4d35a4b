//! A repeated request has no second effect: not at once, not at the same time, not after a crash.

use it::{Answer, TestServer, manifest};

fn deploy(server: &TestServer, key: &str, name: &str) -> Answer {
    let headers = [("x-api-key", server.admin.as_str()), ("idempotency-key", key)];
    server.call("POST", "/api/v1/agents", &headers, &manifest(name))
}

fn versions(server: &TestServer, name: &str) -> usize {
    let list = server.admin("GET", &format!("/api/v1/agents/{name}/versions"), "").json();
    list["items"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_repeated_request_gets_the_first_answer() {
    let server = TestServer::start();
    let first = deploy(&server, "one", "triage");
    let second = deploy(&server, "one", "triage");
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.json(), second.json());
    assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), (None, Some("true")));
    assert_eq!(versions(&server, "triage"), 1);
    assert_eq!(deploy(&server, "two", "triage").json()["version"], 2);
}

#[test]
fn the_same_key_with_another_request_is_a_conflict() {
    let server = TestServer::start();
    deploy(&server, "one", "triage");
    let other = deploy(&server, "one", "other");
    assert_eq!((other.status, other.code().as_str()), (409, "ERR_IDEMPOTENCY_MISMATCH"));
    assert_eq!(versions(&server, "other"), 0);
}

#[test]
fn a_secret_is_never_shown_twice() {
    let server = TestServer::start();
    let headers = [("x-api-key", server.admin.as_str()), ("idempotency-key", "one")];
    let first = server.call("POST", "/api/v1/keys", &headers, "{}");
    let second = server.call("POST", "/api/v1/keys", &headers, "{}");
    assert_eq!((first.status, second.code().as_str()), (201, "ERR_IDEMPOTENCY_SECRET"));
    let secret = first.json()["api_key"].as_str().unwrap().splitn(3, '_').nth(2).unwrap().to_owned();
    let database = std::fs::read(server.data().join("aegis.db-wal")).unwrap();
    let found = database.windows(secret.len()).any(|window| window == secret.as_bytes());
    assert!(!found && !second.text.contains(&secret));
}

#[test]
fn requests_at_once_with_one_key_have_one_effect() {
    let server = TestServer::start();
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12).map(|_| scope.spawn(|| deploy(&server, "one", "triage"))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for answer in &answers {
        assert_eq!((answer.status, answer.json()["version"].as_u64()), (201, Some(1)), "{}", answer.text);
    }
    assert_eq!(versions(&server, "triage"), 1);
}

#[test]
fn a_crash_does_not_lose_the_answer() {
    let mut server = TestServer::start();
    let first = deploy(&server, "one", "triage");
    server.kill_and_restart();
    let second = deploy(&server, "one", "triage");
    assert_eq!((first.json(), second.header("idempotency-replayed")), (second.json(), Some("true")));
    assert_eq!(versions(&server, "triage"), 1);
}

#[test]
fn another_callers_key_is_another_key() {
    let server = TestServer::start();
    deploy(&server, "one", "triage");
    let operator = server.key("operator");
    let headers = [("x-api-key", operator.as_str()), ("idempotency-key", "one")];
    let answer = server.call("POST", "/api/v1/agents", &headers, &manifest("triage"));
    assert_eq!((answer.status, answer.json()["version"].as_u64()), (201, Some(2)));
}

#[test]
fn a_malformed_key_is_refused() {
    let server = TestServer::start();
    for bad in ["", "a b", &"x".repeat(256)] {
        assert_eq!(deploy(&server, bad, "triage").code(), "ERR_VALIDATION", "{bad:?}");
    }
    assert_eq!(versions(&server, "triage"), 0);
}
