//! Tokens of another issuer (OIDC): whom they let in, as what, and what they are refused for.

use std::time::Duration;

use aegis_identity::jwt::{Workload, WorkloadKey};
use aegis_model::Timestamp;
use it::{Answer, TestServer};

use crate::issuer::{Issuer, key};

fn ask(server: &TestServer, token: &str, (method, path): (&str, &str), body: &str) -> Answer {
    server.call(method, path, &[("authorization", &format!("Bearer {token}"))], body)
}

fn refused(answer: &Answer, (status, code, why): (u16, &str, &str)) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text);
    let told = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(told.contains(why), "{told}");
}

#[test]
fn whom_an_issuer_vouches_for_is_let_in_as_the_rules_say_and_recorded_by_name() {
    let issuer = Issuer::start(&key(1));
    let server = issuer.server();
    let ops = issuer.token(&key(1), "ops", |_| {});
    let deployed = ask(&server, &ops, ("POST", "/api/v1/agents"), &it::manifest("by-token"));
    assert_eq!(deployed.status, 201, "{}", deployed.text);
    let shown = server.aegis_as(&ops, &["agent", "show", "by-token"]);
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    let looks = issuer.token(&key(1), "looks", |_| {});
    assert_eq!(ask(&server, &looks, ("GET", "/api/v1/agents"), "").status, 200);
    refused(&ask(&server, &looks, ("POST", "/api/v1/agents"), &it::manifest("b")), (403, "ERR_DENIED", ""));
    refused(&ask(&server, &ops, ("GET", "/api/v1/keys"), ""), (403, "ERR_DENIED", ""));
    let stranger = issuer.token(&key(1), "stranger", |_| {});
    refused(&ask(&server, &stranger, ("GET", "/api/v1/agents"), ""), (403, "ERR_DENIED", "no rule"));
    let entries = server.admin("GET", "/api/v1/ledger/entries?limit=200", "").text;
    let name = format!("user/spiffe://house.example/agent/ops@{}", issuer.address);
    assert!(entries.contains(&name), "{entries}");
}

#[test]
fn a_token_that_is_not_to_be_believed_is_refused_and_says_why() {
    let issuer = Issuer::start(&key(1));
    let server = issuer.server();
    let check = |token: &str, why: &str| {
        let answer = ask(&server, token, ("GET", "/api/v1/agents"), "");
        refused(&answer, (401, "ERR_CREDENTIAL_INVALID", why));
    };
    let good = issuer.token(&key(1), "looks", |_| {});
    assert_eq!(ask(&server, &good, ("GET", "/api/v1/agents"), "").status, 200);
    check(&issuer.token(&key(1), "looks", |token| token.audience = "others"), "");
    check(&issuer.token(&key(1), "looks", |token| token.issuer = "https://other.example"), "not trusted");
    let past =
        |token: &mut Workload<'_>| token.issued_at = Timestamp::from_millis(token.issued_at.as_millis() - 700_000);
    check(&issuer.token(&key(1), "looks", past), "");
    check(&issuer.token(&key(2), "looks", |_| {}), "");
    let (head, rest) = good.split_once('.').unwrap();
    let (body, signature) = rest.split_once('.').unwrap();
    check(&format!("{head}.{body}."), "");
    check(&format!("{head}.{}.{signature}", body.replace('a', "b")), "");
    // {"alg":"none"}
    check(&format!("eyJhbGciOiJub25lIn0.{body}."), "");
    check("a.b.c", "");
}

#[test]
fn an_issuer_may_change_its_keys() {
    let issuer = Issuer::start(&key(1));
    let server = issuer.server();
    assert_eq!(ask(&server, &issuer.token(&key(1), "looks", |_| {}), ("GET", "/api/v1/agents"), "").status, 200);
    issuer.change(|book| book.keys = WorkloadKey::public_set(&[&key(1), &key(2)]));
    let newer = issuer.token(&key(2), "looks", |_| {});
    let begun = std::time::Instant::now();
    while ask(&server, &newer, ("GET", "/api/v1/agents"), "").status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(15), "the new key was never read");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn an_issuer_that_is_away_is_named() {
    let issuer = Issuer::away();
    let server = issuer.server();
    let token = issuer.token(&key(1), "looks", |_| {});
    let answer = ask(&server, &token, ("GET", "/api/v1/agents"), "");
    refused(&answer, (503, "ERR_ISSUER_UNREACHABLE", "http://127.0.0.1:1"));
    assert_eq!(server.admin("GET", "/api/v1/agents", "").status, 200, "keys work as ever");
}
