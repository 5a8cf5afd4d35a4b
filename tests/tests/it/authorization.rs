//! Every operation of the API, asked by everybody who must not get through.

use aegis_model::Operation;
use aegis_model::operation::{ActionGroup, Method, ResourceKind};
use it::{Answer, TestServer};
use serde_json::Value;

/// Operations that are asked in no row below. May only shrink.
const UNCOVERED: [&str; 0] = [];

/// What there is to aim at.
struct Ids {
    key: String,
    run: String,
    /// One for each operation that ends it.
    approvals: [(Operation, String); 3],
}

impl Ids {
    fn approval(&self, operation: Operation) -> &str {
        let own = self.approvals.iter().find(|(of, _)| *of == operation);
        own.unwrap_or(&self.approvals[0]).1.as_str()
    }
}

/// A path of the operation with parameters that exist in the admin's tenant.
fn path(operation: Operation, ids: &Ids) -> String {
    let path = format!("/api/v1{}", operation.path());
    let path = path.replace("{name}", "victim").replace("{version}", "1").replace("{endpoint}", "default");
    let path = path.replace("{key_id}", &ids.key).replace("{tenant}", "acme");
    path.replace("{run_id}", &ids.run)
        .replace("{session_id}", "victim")
        .replace("{path}", "file")
        .replace("{policy}", "own-tenant")
        .replace("{approval_id}", ids.approval(operation))
        .replace("{revision}", "0")
        .replace("{service}", "billing")
        .replace("{intent}", "refund")
}

/// A body the operation would take.
fn body(operation: Operation) -> &'static str {
    match operation {
        Operation::AgentDeploy => {
            r#"{"apiVersion":"aegis/v1","kind":"Agent","metadata":{"name":"x"},"spec":{"runtime":{"isolation":"process","command":["cat"]}}}"#
        }
        Operation::EndpointSet => r#"{"version":1}"#,
        Operation::KeyCreate => "{}",
        Operation::SecretSet | Operation::SecretRotate => r#"{"value":"another"}"#,
        Operation::RotationSet => r#"{"agent":"victim"}"#,
        Operation::TenantCreate => r#"{"id":"newcomer"}"#,
        Operation::PolicyApply => {
            r#"{"policies":[{"name":"own-tenant","text":"permit (principal, action, resource);"}]}"#
        }
        Operation::PolicySet => r#"{"text":"permit (principal, action, resource);"}"#,
        Operation::PolicyRollback => r#"{"revision":0}"#,
        Operation::Dispatch => r#"{"service":"billing","intent":"refund"}"#,
        Operation::IntentSet => r#"{"agent":"victim"}"#,
        Operation::GovernanceSet => r#"{"service":"billing","intent":"refund"}"#,
        Operation::PolicyReplay => r#"{"draft":{"policies":[]}}"#,
        Operation::PolicyDiff => r#"{"policies":[]}"#,
        Operation::PolicyTest => r#"{"cases":[{"name":"n","ask":{"action":"agent_list"},"expect":"allow"}]}"#,
        Operation::PolicyExplain => r#"{"action":"agent_list"}"#,
        Operation::ApprovalApprove | Operation::ApprovalDeny => r#"{"reason":"as the test says"}"#,
        Operation::SessionExec => r#"{"command":["sh","-c","echo > file"]}"#,
        Operation::FreezeSet | Operation::FreezeLift => r#"{"target":"agent/victim"}"#,
        _ => "",
    }
}

/// A query string the operation needs.
fn query(operation: Operation) -> &'static str {
    match operation {
        Operation::LedgerProof => "?position=0",
        Operation::LedgerConsistency => "?from=0",
        _ => "",
    }
}

fn ask(server: &TestServer, operation: Operation, key: Option<&str>, ids: &Ids) -> Answer {
    let target = format!("{}{}", path(operation, ids), query(operation));
    let headers: Vec<(&str, &str)> = key.map(|key| ("x-api-key", key)).into_iter().collect();
    server.call(operation.method().as_str(), &target, &headers, body(operation))
}

/// A server with an agent, a key and a second tenant to aim at.
fn world() -> (TestServer, Ids) {
    // Every row below fails on purpose: the address must not be shut out for it.
    let server = TestServer::start_with("[http]\nfailure_rate_per_second = 100000\n");
    assert_eq!(server.deploy(&server.admin, "victim").status, 201);
    assert_eq!(server.admin("PUT", "/api/v1/secrets/victim", r#"{"value":"kept"}"#).status, 200);
    assert_eq!(server.admin("PUT", "/api/v1/intents/billing/refund", r#"{"agent":"victim"}"#).status, 200);
    let governed = r#"{"service":"billing","intent":"refund"}"#;
    assert_eq!(server.admin("PUT", "/api/v1/governance/billing/refund", governed).status, 200);
    let made = server.admin("POST", "/api/v1/keys", r#"{"label":"victim"}"#);
    let key = made.json()["key_id"].as_str().unwrap().to_owned();
    let late = r#"{"session_id":"victim","timeout_ms":1}"#;
    let late = server.admin("POST", "/api/v1/agents/victim/invocations", late);
    assert_eq!(late.code(), "ERR_TIMED_OUT", "{}", late.text);
    let run = late.json()["error"]["details"]["outcome"]["run_id"].as_str().unwrap().to_owned();
    let rule =
        r#"@approval("Anybody else.") forbid (principal, action == Action::"agent_view", resource == Agent::"asked");"#;
    let set = serde_json::json!({"text": rule}).to_string();
    assert_eq!(server.admin("PUT", "/api/v1/policies/asked", &set).status, 200);
    let approvals = [Operation::ApprovalApprove, Operation::ApprovalDeny, Operation::ApprovalWithdraw];
    let approvals = approvals.map(|operation| (operation, approval(&server, &server.admin, operation)));
    (server, Ids { key, run, approvals })
}

/// An approval that this key asks for.
fn approval(server: &TestServer, key: &str, of: Operation) -> String {
    let asked = server.with_key(key, "GET", &format!("/api/v1/agents/asked?for={}", of.as_str()), "");
    assert_eq!(asked.code(), "ERR_APPROVAL_REQUIRED", "{}", asked.text);
    asked.json()["error"]["details"]["approval_id"].as_str().unwrap().to_owned()
}

#[test]
fn every_operation_of_the_document_has_its_rows() {
    let server = TestServer::start();
    let document: Value = server.call("GET", "/openapi.json", &[], "").json();
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            let open = operation["security"].as_array().is_some_and(Vec::is_empty);
            assert!(open || Operation::by_name(id).is_some() || UNCOVERED.contains(&id), "{path} {id}");
            asked += usize::from(!open);
        }
    }
    assert_eq!(asked, Operation::ALL.len());
}

#[test]
fn nobody_unknown_gets_through() {
    let (server, ids) = world();
    let revoked = server.admin("POST", "/api/v1/keys", r#"{"role":"admin"}"#).json();
    let id = revoked["key_id"].as_str().unwrap();
    assert_eq!(server.admin("DELETE", &format!("/api/v1/keys/{id}"), "").status, 204);
    let short = server.admin("POST", "/api/v1/keys", r#"{"role":"admin","expires_in_ms":1}"#).json();
    let mut damaged = server.admin.clone();
    let last = damaged.pop().unwrap();
    damaged.push(if last == 'a' { 'b' } else { 'a' });
    for operation in Operation::ALL {
        assert_eq!(ask(&server, *operation, None, &ids).code(), "ERR_UNAUTHENTICATED", "{operation:?}");
        for bad in [revoked["api_key"].as_str().unwrap(), short["api_key"].as_str().unwrap(), &damaged, "x", ""] {
            let answer = ask(&server, *operation, Some(bad), &ids);
            assert_eq!((answer.status, answer.code().as_str()), (401, "ERR_CREDENTIAL_INVALID"), "{operation:?}");
        }
    }
}

#[test]
fn a_role_that_is_too_weak_is_refused_and_recorded() {
    let (server, ids) = world();
    let roles = [("viewer", ActionGroup::Read), ("operator", ActionGroup::Operate), ("admin", ActionGroup::Administer)];
    let mut refused = Vec::new();
    for (role, strongest) in roles {
        let key = server.key(role);
        for operation in Operation::ALL {
            if operation.group() > strongest {
                let answer = ask(&server, *operation, Some(&key), &ids);
                assert_eq!((answer.status, answer.code().as_str()), (403, "ERR_DENIED"), "{role} {operation:?}");
                assert_eq!(answer.json()["error"]["details"]["reasons"].is_array(), role != "viewer");
                refused.push(operation.as_str());
            }
        }
    }
    let entries = server.admin("GET", "/api/v1/ledger/entries?limit=500", "").json();
    // What the world needed an approval for is refused too.
    let denials = entries["items"].as_array().unwrap().iter().filter(|item| item["entry"]["kind"] == "denial");
    let recorded = denials.map(|item| item["entry"]["action"].as_str().unwrap());
    let recorded: Vec<&str> = recorded.filter(|action| *action != "agent_view").collect();
    assert_eq!(recorded, refused);
}

#[test]
fn a_role_that_is_strong_enough_passes() {
    let (server, mut ids) = world();
    for (role, strongest) in [("viewer", ActionGroup::Read), ("operator", ActionGroup::Operate)] {
        let key = server.key(role);
        // Of those who are no admins, only whoever asked takes it back.
        ids.approvals[2].1 = approval(&server, &key, Operation::ApprovalWithdraw);
        for operation in Operation::ALL.iter().filter(|operation| operation.group() <= strongest) {
            let answer = ask(&server, *operation, Some(&key), &ids);
            assert!((200..300).contains(&answer.status), "{role} {operation:?} {}", answer.text);
        }
    }
}

#[test]
fn another_tenants_things_do_not_exist() {
    let (server, ids) = world();
    let stranger = server.tenant("acme");
    // Setting a secret makes one of the stranger's own, of the same name.
    // What is there for agents in their boxes is nobody's out here, whatever there is.
    let named = |operation: &&Operation| {
        operation.resource() != ResourceKind::Tenant && operation.group() != ActionGroup::Inside
    };
    for operation in Operation::ALL.iter().filter(named).filter(|operation| **operation != Operation::SecretSet) {
        let answer = ask(&server, *operation, Some(&stranger), &ids);
        assert_eq!((answer.status, answer.code().as_str()), (404, "ERR_NOT_FOUND"), "{operation:?}");
    }
    for list in ["/agents", "/freeze", "/secrets", "/intents", "/governance", "/policies/revisions"] {
        let answer = server.with_key(&stranger, "GET", &format!("/api/v1{list}"), "");
        assert_eq!(answer.json()["items"].as_array().map(Vec::len), Some(0), "{list}");
    }
    let keys = server.with_key(&stranger, "GET", "/api/v1/keys", "").json();
    assert!(keys["items"].as_array().unwrap().iter().all(|key| key["tenant"] == "acme"));
    let ledger = server.with_key(&stranger, "GET", "/api/v1/ledger/entries", "").json();
    assert!(ledger["items"].as_array().unwrap().iter().all(|item| item["entry"]["tenant"] == "acme"));
    for target in ["agent/victim".to_owned(), format!("key/{}", ids.key), "tenant/default".to_owned()] {
        let body = format!(r#"{{"target":"{target}"}}"#);
        assert_eq!(server.with_key(&stranger, "POST", "/api/v1/freeze", &body).status, 404, "{target}");
    }
    let all = server.with_key(&stranger, "POST", "/api/v1/freeze", r#"{"target":"all"}"#);
    assert_eq!(all.code(), "ERR_DENIED");
    assert_eq!(server.admin("GET", "/api/v1/agents/victim", "").status, 200);
}

#[test]
fn the_tenant_comes_from_the_credential_only() {
    let (server, _) = world();
    let stranger = server.tenant("acme");
    let headers = [("x-api-key", stranger.as_str()), ("x-tenant", "default"), ("x-aegis-tenant", "default")];
    assert_eq!(server.call("GET", "/api/v1/agents/victim", &headers, "").status, 404);
    let wish = r#"{"role":"viewer","tenant":"default"}"#;
    assert_eq!(server.with_key(&stranger, "POST", "/api/v1/keys", wish).code(), "ERR_DENIED");
    let several = [("x-api-key", stranger.as_str()), ("authorization", &format!("Bearer {}", server.admin))];
    assert_eq!(server.call("GET", "/api/v1/agents", &several, "").code(), "ERR_CREDENTIAL_INVALID");
    let in_query = format!("/api/v1/agents?api_key={}", server.admin);
    assert_eq!(server.call("GET", &in_query, &[], "").code(), "ERR_UNAUTHENTICATED");
}

#[test]
fn when_a_key_was_used_last_is_kept_across_a_restart() {
    let mut server = TestServer::start();
    let made = server.admin("POST", "/api/v1/keys", r#"{"label":"used"}"#).json();
    let key = made["api_key"].as_str().unwrap();
    let used = |server: &TestServer| {
        let keys = server.admin("GET", "/api/v1/keys", "").json();
        let found = keys["items"].as_array().unwrap().iter().find(|key| key["label"] == "used").cloned();
        found.unwrap()["last_used_at"].clone()
    };
    assert!(used(&server).is_null(), "it was never used");
    assert_eq!(server.with_key(key, "GET", "/api/v1/agents", "").status, 200);
    let at = used(&server);
    assert!(at.is_string(), "{at}");
    assert_eq!(server.stop(), 0);
    server.restart();
    assert_eq!(used(&server), at);
}

#[test]
fn no_key_makes_a_stronger_key() {
    let server = TestServer::start();
    let admin = server.key("admin");
    let answer = server.with_key(&admin, "POST", "/api/v1/keys", r#"{"role":"platform-admin"}"#);
    assert_eq!(answer.code(), "ERR_DENIED");
    server.tenant("acme");
    let answer = server.admin("POST", "/api/v1/keys", r#"{"role":"platform-admin","tenant":"acme"}"#);
    assert_eq!(answer.code(), "ERR_DENIED");
    let answer = server.admin("POST", "/api/v1/keys", r#"{"tenant":"platform"}"#);
    assert_eq!(answer.status, 404);
}

#[test]
fn a_deleted_tenants_keys_stop_working_at_once() {
    let server = TestServer::start();
    let key = server.tenant("acme");
    assert_eq!(server.with_key(&key, "GET", "/api/v1/agents", "").status, 200);
    assert_eq!(server.admin("DELETE", "/api/v1/tenants/acme", "").status, 204);
    assert_eq!(server.with_key(&key, "GET", "/api/v1/agents", "").status, 401);
    assert_eq!(server.admin("POST", "/api/v1/tenants", r#"{"id":"acme"}"#).code(), "ERR_ALREADY_EXISTS");
    assert_eq!(server.admin("DELETE", "/api/v1/tenants/default", "").code(), "ERR_STATE_INVALID");
    assert_eq!(server.admin("DELETE", "/api/v1/tenants/platform", "").code(), "ERR_STATE_INVALID");
}

#[test]
fn keys_never_appear_in_the_log_or_the_ledger() {
    let server = TestServer::start_with("[log]\nlevel = \"trace\"\n");
    let key = server.key("viewer");
    server.with_key(&key, "GET", "/api/v1/agents", "");
    server.call("GET", &format!("/api/v1/agents/{}", server.admin), &[("x-api-key", &key)], "");
    server.call("GET", &format!("/nowhere/{}", server.admin), &[], "");
    let ledger = server.admin("GET", "/api/v1/ledger/entries?limit=500", "").text;
    let secret = |key: &str| key.splitn(3, '_').nth(2).unwrap().to_owned();
    for told in [server.log(), ledger] {
        assert!(!told.is_empty());
        assert!(!told.contains(&secret(&key)) && !told.contains(&secret(&server.admin)), "{told}");
    }
    assert!(Operation::KeyCreate.method() == Method::Post);
}

#[test]
fn nobody_takes_the_key_from_somebody_stronger() {
    let server = TestServer::start();
    let admin = server.key("admin");
    let keys = server.admin("GET", "/api/v1/keys", "").json();
    let first = keys["items"].as_array().unwrap().iter().find(|key| key["role"] == "platform-admin").unwrap().clone();
    let id = first["id"].as_str().unwrap();
    assert_eq!(server.with_key(&admin, "DELETE", &format!("/api/v1/keys/{id}"), "").code(), "ERR_DENIED");
    let target = format!(r#"{{"target":"key/{id}"}}"#);
    assert_eq!(server.with_key(&admin, "POST", "/api/v1/freeze", &target).code(), "ERR_DENIED");
    assert_eq!(server.admin("GET", "/api/v1/keys", "").status, 200);
}

#[test]
fn a_key_that_is_revoked_while_its_body_arrives_does_nothing() {
    use std::io::{Read, Write};
    let server = TestServer::start();
    let made = server.admin("POST", "/api/v1/keys", r#"{"role":"admin"}"#).json();
    let (id, key) = (made["key_id"].as_str().unwrap(), made["api_key"].as_str().unwrap());
    let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
    let head = "POST /api/v1/keys HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json";
    write!(stream, "{head}\r\nx-api-key: {key}\r\ncontent-length: 2\r\n\r\n{{").unwrap();
    assert_eq!(server.with_key(key, "GET", "/api/v1/agents", "").status, 200);
    assert_eq!(server.admin("DELETE", &format!("/api/v1/keys/{id}"), "").status, 204);
    stream.write_all(b"}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
}
