//! Requests that are signed: who may, what a changed one is answered with, and that one that
//! changes something is carried out once.

use aegis_identity::sigv4::{AccessKeyId, BodyHeader, PathRule, Payload, RequestHead, SecretAccessKey, Signer};
use aegis_model::Timestamp;
use it::{Answer, TestServer, files_below};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Somebody with a key that signs.
struct Signing {
    id: AccessKeyId,
    secret: SecretAccessKey,
    key_id: String,
    body: BodyHeader,
    region: &'static str,
    service: &'static str,
    /// How far the clock of the one who signs is off.
    ahead_ms: i64,
}

impl Signing {
    fn new(server: &TestServer, role: &str) -> Self {
        let created = server.admin("POST", "/api/v1/keys", &json!({"kind": "aws", "role": role}).to_string());
        assert_eq!(created.status, 201, "{}", created.text);
        let key = created.json();
        assert!(key.get("api_key").is_none(), "{key}");
        assert_eq!(key["region"], "us-east-1");
        Self {
            id: AccessKeyId::parse(key["access_key_id"].as_str().unwrap()).unwrap(),
            secret: SecretAccessKey::parse(key["secret_access_key"].as_str().unwrap()).unwrap(),
            key_id: key["key_id"].as_str().unwrap().to_owned(),
            body: BodyHeader::Absent,
            region: "us-east-1",
            service: "bedrock-agentcore",
            ahead_ms: 0,
        }
    }

    fn signer(&self) -> Signer<'_> {
        Signer {
            access_key_id: &self.id,
            secret: &self.secret,
            session_token: None,
            region: self.region,
            service: self.service,
            path: PathRule::Strict,
            body_header: self.body,
        }
    }

    fn now(&self) -> Timestamp {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
        Timestamp::from_millis(u64::try_from(i64::try_from(now).unwrap() + self.ahead_ms).unwrap())
    }

    /// The headers of a signed request.
    fn headers(&self, server: &TestServer, (method, path): (&str, &str), body: &str) -> Vec<(String, String)> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let headers = [("host", server.address.as_bytes()), ("content-type", b"application/json".as_slice())];
        let head = RequestHead { method, path, query, headers: &headers };
        let payload = Payload::Digest(Sha256::digest(body).into());
        let added = self.signer().sign(head, payload, self.now()).unwrap();
        added.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn ask(&self, server: &TestServer, method: &str, path: &str, body: &str) -> Answer {
        send(server, (method, path), &self.headers(server, (method, path), body), body)
    }
}

fn send(server: &TestServer, (method, path): (&str, &str), headers: &[(String, String)], body: &str) -> Answer {
    let mut all = vec![("content-type", "application/json")];
    all.extend(headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    server.call(method, path, &all, body)
}

fn refused(answer: &Answer, why: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (401, "ERR_CREDENTIAL_INVALID"), "{}", answer.text);
    let told = answer.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(told.contains(why), "{told}");
}

#[test]
fn who_signs_is_known_and_may_do_what_the_key_may() {
    let server = TestServer::start();
    for body in [BodyHeader::Absent, BodyHeader::Stated] {
        let operator = Signing { body, ..Signing::new(&server, "operator") };
        let deployed = operator.ask(&server, "POST", "/api/v1/agents", &it::manifest("signed"));
        assert_eq!(deployed.status, 201, "{}", deployed.text);
        assert_eq!(operator.ask(&server, "GET", "/api/v1/agents?limit=5", "").status, 200);
        assert_eq!(operator.ask(&server, "GET", "/api/v1/keys", "").code(), "ERR_DENIED");
        let entries = server.admin("GET", "/api/v1/ledger/entries?limit=200", "").text;
        assert!(entries.contains(&format!("key/{}", operator.key_id)), "{entries}");
    }
}

#[test]
fn whatever_of_a_signed_request_is_changed_it_is_refused() {
    let server = TestServer::start_with("[http]\nfailure_rate_per_second = 10000\n");
    for body in [BodyHeader::Absent, BodyHeader::Stated] {
        let signing = Signing { body, ..Signing::new(&server, "admin") };
        let (path, manifest) = ("/api/v1/agents", it::manifest("signed"));
        let good = signing.headers(&server, ("POST", path), &manifest);
        refused(&send(&server, ("POST", path), &good, &manifest.replace("signed", "forged")), "");
        refused(&send(&server, ("PUT", "/api/v1/agents/a/endpoints/b"), &good, &manifest), "");
        refused(&send(&server, ("POST", "/api/v1/agents?x=y"), &good, &manifest), "");
        let mut more = good.clone();
        more.push(("idempotency-key".to_owned(), "another".to_owned()));
        refused(&send(&server, ("POST", path), &more, &manifest), "idempotency-key");
        for place in 0..good.len() {
            let mut changed = good.clone();
            let value = changed[place].1.clone();
            let last = if value.ends_with('0') { "1" } else { "0" };
            changed[place].1 = format!("{}{last}", &value[..value.len() - 1]);
            refused(&send(&server, ("POST", path), &changed, &manifest), "");
        }
        let mut twice = good.clone();
        twice.push(("x-api-key".to_owned(), server.admin.clone()));
        refused(&send(&server, ("POST", path), &twice, &manifest), "several credentials");
        assert_eq!(server.admin("GET", "/api/v1/agents", "").json()["items"], json!([]), "nothing was done");
    }
}

#[test]
fn a_signature_for_somebody_else_or_another_time_is_refused_and_says_so() {
    let server = TestServer::start();
    let check = |change: fn(&mut Signing), why: &str| {
        let mut signing = Signing::new(&server, "viewer");
        change(&mut signing);
        refused(&signing.ask(&server, "GET", "/api/v1/agents", ""), why);
    };
    check(|signing| signing.region = "eu-west-9", "another region");
    check(|signing| signing.service = "s3", "another service");
    check(|signing| signing.ahead_ms = 6 * 60_000, "not good yet");
    check(|signing| signing.ahead_ms = -6 * 60_000, "expired");
    let unknown = "the signature is not the one that the key makes of this request";
    check(|signing| signing.id = AccessKeyId::parse("AEGIS00000000000000000000000000").unwrap(), unknown);
    check(|signing| signing.secret = SecretAccessKey::parse(&"x".repeat(40)).unwrap(), unknown);
}

#[test]
fn what_was_carried_out_is_not_carried_out_again() {
    let mut server = TestServer::start();
    let signing = Signing::new(&server, "operator");
    let (path, manifest) = ("/api/v1/agents", it::manifest("signed"));
    let headers = signing.headers(&server, ("POST", path), &manifest);
    assert_eq!(send(&server, ("POST", path), &headers, &manifest).status, 201);
    refused(&send(&server, ("POST", path), &headers, &manifest), "carried out already");
    let reading = signing.headers(&server, ("GET", path), "");
    for _ in 0..2 {
        assert_eq!(send(&server, ("GET", path), &reading, "").status, 200, "reading changes nothing");
    }
    // A server that begins anew remembers no signature, and takes none that is older.
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    server.kill_and_restart();
    let headers: Vec<_> = headers.into_iter().collect();
    let again = send(&server, ("POST", path), &headers, &manifest);
    assert_eq!(again.status, 401, "{}", again.text);
    let versions = server.admin("GET", "/api/v1/agents/signed/versions", "").json();
    assert_eq!(versions["items"].as_array().map(Vec::len), Some(1), "{versions}");
}

#[test]
fn nobody_unknown_makes_the_server_take_in_much() {
    let server = TestServer::start();
    let signing = Signing::new(&server, "viewer");
    let stranger = Signing { secret: SecretAccessKey::parse(&"x".repeat(40)).unwrap(), ..signing };
    let large = "x".repeat(600_000);
    let path = "/api/v1/sessions/ada/files/large";
    assert_eq!(stranger.ask(&server, "PUT", path, &large).code(), "ERR_TOO_LARGE");
    // With the digest in the head, the head alone is enough to refuse.
    let stated = Signing { body: BodyHeader::Stated, ..stranger };
    refused(&stated.ask(&server, "PUT", path, &large), "");
}

#[test]
fn a_signed_address_works_for_as_long_as_it_says() {
    let server = TestServer::start();
    let signing = Signing::new(&server, "viewer");
    let headers = [("host", server.address.as_bytes())];
    let path = "/api/v1/agents";
    let head = RequestHead { method: "GET", path, query: "limit=3", headers: &headers };
    let payload = Payload::Digest(Sha256::digest("").into());
    let address = |ahead_ms: i64| {
        let at = Timestamp::from_millis(signing.now().as_millis().checked_add_signed(ahead_ms).unwrap());
        format!("{path}?{}", signing.signer().presign(head, payload, at, 60).unwrap())
    };
    let answer = server.call("GET", &address(0), &[], "");
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.json()["items"].is_array());
    let admin = Signing::new(&server, "admin");
    let head = RequestHead { method: "DELETE", path: "/api/v1/agents/none", query: "", headers: &headers };
    let long = |seconds| {
        let query = admin.signer().presign(head, payload, admin.now(), seconds).unwrap();
        server.call("DELETE", &format!("/api/v1/agents/none?{query}"), &[], "")
    };
    refused(&long(901), "900 seconds");
    assert_eq!(long(900).code(), "ERR_NOT_FOUND");
    refused(&server.call("GET", &address(-61_000), &[], ""), "expired");
    refused(&server.call("GET", &address(0).replace("limit=3", "limit=4"), &[], ""), "");
    refused(&server.call("GET", &address(0), &[("x-api-key", &server.admin)], ""), "several credentials");
}

#[test]
fn a_revoked_key_signs_nothing_and_secrets_are_nowhere_in_the_data() {
    let server = TestServer::start();
    let signing = Signing::new(&server, "viewer");
    assert_eq!(signing.ask(&server, "GET", "/api/v1/agents", "").status, 200);
    let listed: Value = server.admin("GET", "/api/v1/keys", "").json();
    let listed = listed["items"].as_array().unwrap().iter().find(|key| key["id"] == signing.key_id.as_str()).cloned();
    assert_eq!(listed.unwrap()["access_key_id"], signing.id.as_str());
    assert_eq!(server.admin("DELETE", &format!("/api/v1/keys/{}", signing.key_id), "").status, 204);
    refused(&signing.ask(&server, "GET", "/api/v1/agents", ""), "");
    let secret = signing.secret.reveal().as_bytes();
    let files = files_below(server.home());
    for (path, bytes) in &files {
        assert!(!bytes.windows(secret.len()).any(|window| window == secret), "{}", path.display());
    }
    assert!(files.len() > 3);
}
