//! The door of a box: an agent speaks to the API without a key, and is nobody but itself.

use std::time::{Duration, Instant};

use it::runs::{invoke, outcome};
use it::{Answer, TestServer};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Value, json};

/// Asks the API what its input says, and tells what was answered.
const AGENT: &str = r#"
import json, os, sys, urllib.error, urllib.request
def ask(one):
    body = one.get("body")
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", **one.get("headers", {})}
    request = urllib.request.Request(os.environ["AEGIS_URL"] + one["path"], data, headers, method=one["method"])
    try:
        answer = urllib.request.urlopen(request, timeout=20)
    except urllib.error.HTTPError as error:
        answer = error
    text = answer.read().decode()
    return {"status": answer.status, "body": json.loads(text) if text else None}
json.dump([ask(one) for one in json.load(sys.stdin)], sys.stdout)
"#;

const WHO: &str = "/api/v1/identity";
const TOKENS: &str = "/api/v1/identity/tokens";

fn deploy(server: &TestServer, key: &str, name: &str, pool: Value) {
    let manifest = json!({
        "apiVersion": "aegis/v1", "kind": "Agent", "metadata": {"name": name},
        "spec": {
            "runtime": {"isolation": "process", "command": ["python3", "-c", AGENT]},
            "resources": {"memory": "128Mi", "pids": 32, "disk": "16Mi"},
            "pool": pool,
        },
    });
    let deployed = server.with_key(key, "POST", "/api/v1/agents", &manifest.to_string());
    assert_eq!(deployed.status, 201, "{}", deployed.text);
}

/// A server with one agent that asks.
fn asker() -> TestServer {
    let server = TestServer::start();
    deploy(&server, &server.admin.clone(), "asker", json!({"warm": 0}));
    server
}

fn get(path: &str) -> Value {
    json!({"method": "GET", "path": path})
}

fn post(path: &str, body: Value) -> Value {
    json!({"method": "POST", "path": path, "body": body})
}

/// What the API answers to the agent in its box, and the session that was it.
fn inside(server: &TestServer, agent: &str, asked: &[Value]) -> (Vec<Value>, String) {
    let answer = invoke(server, agent, &json!({"input": asked}));
    let outcome = outcome(&answer);
    assert_eq!(outcome["status"], "succeeded", "{}\n{}", answer.text, server.log());
    (outcome["output"].as_array().unwrap().clone(), outcome["session_id"].as_str().unwrap().to_owned())
}

fn token(server: &TestServer, audience: &str) -> (String, Value) {
    let (answers, session) = inside(server, "asker", &[post(TOKENS, json!({"audience": audience}))]);
    assert_eq!(answers[0]["status"], 201, "{}", answers[0]);
    (session, answers[0]["body"].clone())
}

fn open(server: &TestServer, path: &str) -> Answer {
    server.call("GET", path, &[], "")
}

/// What a stranger with another library makes of the token: he follows its issuer to the keys.
fn verified(server: &TestServer, token: &str, audience: &str) -> Result<Value, String> {
    let about = open(server, "/.well-known/openid-configuration").json();
    let issuer = about["issuer"].as_str().unwrap().to_owned();
    let keys_at = about["jwks_uri"].as_str().unwrap().strip_prefix(&issuer).unwrap().to_owned();
    let keys: JwkSet = serde_json::from_str(&open(server, &keys_at).text).unwrap();
    let header = decode_header(token).unwrap();
    let key = keys.find(&header.kid.unwrap()).ok_or("no such key")?;
    let mut wanted = Validation::new(jsonwebtoken::Algorithm::EdDSA);
    wanted.set_audience(&[audience]);
    wanted.set_issuer(&[issuer]);
    wanted.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
    wanted.validate_nbf = true;
    let claims = decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &wanted);
    claims.map(|claims| claims.claims).map_err(|error| error.to_string())
}

#[test]
fn an_agent_is_known_by_its_door_and_by_nothing_else() {
    let server = asker();
    let with_key = json!({"method": "GET", "path": WHO, "headers": {"x-api-key": server.admin}});
    let with_nonsense = json!({"method": "GET", "path": WHO, "headers": {"authorization": "Bearer placeholder"}});
    let signed = json!({"method": "GET", "path": WHO, "headers": {
        "authorization": "AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/aegis/aws4_request, SignedHeaders=host, Signature=00",
    }});
    let (answers, session) = inside(&server, "asker", &[get(WHO), with_key, with_nonsense, signed]);
    for answer in &answers {
        assert_eq!(answer["status"], 200, "{answer}");
        let who = &answer["body"];
        assert_eq!(who["principal"], json!({"kind": "agent", "name": "asker"}), "{who}");
        assert_eq!((who["tenant"].as_str(), who.get("role")), (Some("default"), None));
        assert_eq!(
            (who["workload"]["session"].as_str(), who["workload"]["version"].as_u64()),
            (Some(&*session), Some(1))
        );
    }
    let outside = server.admin("GET", WHO, "").json();
    assert_eq!((outside["role"].as_str(), outside.get("workload")), (Some("platform-admin"), None), "{outside}");
}

#[test]
fn an_agent_may_nothing_of_the_api_but_what_is_there_for_agents() {
    use aegis_model::operation::{ActionGroup, Operation};
    let server = asker();
    let others = Operation::ALL
        .iter()
        .filter(|operation| operation.group() != ActionGroup::Inside && **operation != Operation::IdentityView);
    let ask = |operation: &Operation| {
        let path = operation.path().split('/').map(|part| if part.starts_with('{') { "one" } else { part });
        let path = path.collect::<Vec<_>>().join("/");
        json!({
            "method": operation.method().as_str(), "path": format!("/api/v1{path}"), "body": {},
            "headers": {"x-api-key": server.admin},
        })
    };
    let asked: Vec<Value> = others.map(ask).collect();
    let (answers, _) = inside(&server, "asker", &asked);
    assert!(answers.len() > 40);
    for (asked, answer) in asked.iter().zip(&answers) {
        assert_eq!(answer["body"]["error"]["code"], "ERR_DENIED", "{asked}: {answer}");
        assert!(answer["body"]["error"]["details"].get("reasons").is_none(), "{answer}");
    }
    let denials = server.admin("GET", "/api/v1/ledger/entries?limit=100", "");
    assert!(denials.text.contains("agent/asker"), "refusals of agents are in the ledger");
    assert_eq!(server.admin("POST", TOKENS, r#"{"audience":"a"}"#).code(), "ERR_DENIED", "nobody else has the tokens");
}

#[test]
fn a_session_asks_so_often_and_no_more_and_holds_up_nobody_else() {
    let server = TestServer::start_with("[http]\nsession_rate_per_second = 1\nsession_burst = 5\n");
    deploy(&server, &server.admin.clone(), "asker", json!({"warm": 0}));
    let asked: Vec<Value> = (0..8).map(|_| get(WHO)).collect();
    let (answers, _) = inside(&server, "asker", &asked);
    let statuses: Vec<_> = answers.iter().map(|answer| answer["status"].as_u64().unwrap()).collect();
    assert_eq!((&statuses[..5], statuses[7]), (&[200; 5][..], 429), "{statuses:?}");
    assert_eq!(inside(&server, "asker", &[get(WHO)]).0[0]["status"], 200, "another session has its own");
    let open = inside(&server, "asker", &[get("/openapi.json"), get("/.well-known/jwks.json")]).0;
    assert!(open.iter().all(|answer| answer["status"] == 404), "what has no allowance is not there");
}

#[test]
fn a_server_that_would_believe_its_own_tokens_does_not_start() {
    let own = "[identity]\nissuer = \"https://aegis.example\"\n[[auth.issuers]]\nissuer = \"https://aegis.example\"\naudiences = [\"a\"]\nrules = [{tenant = \"default\", role = \"viewer\"}]\n";
    let home = tempfile::tempdir().unwrap();
    let refused = it::start(&home.path().join("data"), home.path(), own).unwrap_err();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("this server itself"), "{refused:?}");
}

#[test]
fn a_session_proves_to_a_stranger_who_it_is() {
    let server = asker();
    let (session, given) = token(&server, "https://vault.example");
    let text = given["token"].as_str().unwrap();
    let claims = verified(&server, text, "https://vault.example").unwrap();
    let subject = format!("spiffe://127.0.0.1/tenant/default/agent/asker/session/{session}");
    assert_eq!((claims["sub"].as_str(), given["subject"].as_str()), (Some(&*subject), Some(&*subject)));
    let lifetime_s = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lifetime_s, 300);
    assert!(verified(&server, text, "https://other.example").is_err());
    // It is no credential here: this server is not among its own issuers.
    assert_eq!(server.with_key(text, "GET", WHO, "").status, 401);
    // That it was issued is recorded; the token is not.
    let entries = server.admin("GET", "/api/v1/ledger/entries?limit=100", "").text;
    assert!(entries.contains("identity_token") && !entries.contains(text));
    let signature = text.rsplit('.').next().unwrap();
    assert!(!server.log().contains(signature));
}

#[test]
fn a_token_is_for_one_and_not_for_long() {
    let server = asker();
    let asked = [
        post(TOKENS, json!({})),
        post(TOKENS, json!({"audience": ""})),
        post(TOKENS, json!({"audience": "a", "lifetime_s": 3_601})),
        post(TOKENS, json!({"audience": "a", "lifetime_s": -1})),
        post(TOKENS, json!({"audience": ["a", "b"]})),
        post(TOKENS, json!({"audience": "a", "subject": "spiffe://127.0.0.1/tenant/default/agent/other"})),
    ];
    for (asked, answer) in asked.iter().zip(inside(&server, "asker", &asked).0) {
        assert_eq!(
            (answer["status"].as_u64(), answer["body"]["error"]["code"].as_str()),
            (Some(422), Some("ERR_VALIDATION")),
            "{asked}"
        );
    }
}

#[test]
fn keys_of_tokens_change_without_anybody_locked_out() {
    let mut server = asker();
    let before = token(&server, "vault").1["token"].as_str().unwrap().to_owned();
    assert_eq!(server.admin("POST", "/api/v1/identity/keys", "").status, 204);
    let after = token(&server, "vault").1["token"].as_str().unwrap().to_owned();
    assert_ne!(decode_header(&before).unwrap().kid, decode_header(&after).unwrap().kid);
    server.kill_and_restart();
    let keys = open(&server, "/.well-known/jwks.json");
    assert_eq!(keys.header("cache-control"), Some("public, max-age=300"));
    let keys: JwkSet = serde_json::from_str(&keys.text).unwrap();
    for token in [&before, &after] {
        assert!(keys.find(&decode_header(token).unwrap().kid.unwrap()).is_some());
    }
    let operator = server.key("admin");
    assert_eq!(server.with_key(&operator, "POST", "/api/v1/identity/keys", "").code(), "ERR_DENIED");
}

#[test]
fn the_names_in_tokens_are_configured() {
    let server = TestServer::start_with(
        "[identity]\nissuer = \"https://aegis.acme.example/\"\ntrust_domain = \"agents.acme\"\n",
    );
    deploy(&server, &server.admin.clone(), "asker", json!({"warm": 0}));
    let about = open(&server, "/.well-known/openid-configuration").json();
    assert_eq!(about["issuer"], "https://aegis.acme.example");
    assert_eq!(about["jwks_uri"], "https://aegis.acme.example/.well-known/jwks.json");
    let (_, given) = token(&server, "vault");
    assert!(given["subject"].as_str().unwrap().starts_with("spiffe://agents.acme/tenant/default/"), "{given}");
}

#[test]
fn a_box_that_was_kept_ready_is_its_sessions() {
    let server = TestServer::start();
    deploy(&server, &server.admin.clone(), "asker", json!({"warm": 1}));
    let ready = || server.metrics().lines().any(|line| line.contains("boxes_alive") && line.ends_with(" 1"));
    let begun = Instant::now();
    while !ready() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{}", server.metrics());
        std::thread::sleep(Duration::from_millis(20));
    }
    for _ in 0..2 {
        let (answers, session) = inside(&server, "asker", &[get(WHO)]);
        assert_eq!(answers[0]["body"]["workload"]["session"], session.as_str(), "{}", answers[0]);
    }
}

#[test]
fn tenants_do_not_meet_at_the_door() {
    let server = asker();
    let acme = server.tenant("acme");
    deploy(&server, &acme, "asker", json!({"warm": 0}));
    let asked = json!({"input": [get(WHO), post(TOKENS, json!({"audience": "vault"}))]});
    let answer = server.with_key(&acme, "POST", "/api/v1/agents/asker/invocations", &asked.to_string()).json();
    assert_eq!(answer["output"][0]["body"]["tenant"], "acme", "{answer}");
    assert!(answer["output"][1]["body"]["subject"].as_str().unwrap().contains("/tenant/acme/agent/asker/"));
    let entries = server.admin("GET", "/api/v1/ledger/entries?limit=100", "").text;
    assert!(!entries.contains("identity_token"), "it is in the tenant's own ledger");
}
