//! A tenant's own policies: applied whole, with revisions, author and reason; rolled back;
//! reported on only; refused where they are wrong.

use std::thread;

use it::{Answer, TestServer};
use serde_json::{Value, json};

const OWN: &str = "permit (principal, action, resource) when { resource.tenant == principal.tenant };";
const KEEP: &str = r#"forbid (principal, action == Action::"agent_delete", resource);"#;

/// A body that puts these policies in force.
fn set(policies: &[(&str, &str, &str)]) -> String {
    let policies: Vec<Value> =
        policies.iter().map(|(name, mode, text)| json!({"name": name, "mode": mode, "text": text})).collect();
    json!({"policies": policies, "reason": "as the test says"}).to_string()
}

fn apply(server: &TestServer, policies: &[(&str, &str, &str)]) -> Answer {
    server.admin("PUT", "/api/v1/policies", &set(policies))
}

fn revisions(server: &TestServer) -> Vec<Value> {
    server.admin("GET", "/api/v1/policies/revisions", "").json()["items"].as_array().unwrap().clone()
}

#[test]
fn a_set_holds_at_once_says_who_and_why_and_can_be_rolled_back() {
    let server = TestServer::start();
    server.deploy(&server.admin, "triage");
    let applied = apply(&server, &[("own-tenant", "ENFORCE", OWN), ("keep-agents", "ENFORCE", KEEP)]);
    assert_eq!((applied.status, &applied.json()["revision"]), (200, &1.into()), "{}", applied.text);
    let denied = server.admin("DELETE", "/api/v1/agents/triage", "");
    assert_eq!((denied.status, denied.code().as_str()), (403, "ERR_DENIED"));
    assert!(denied.text.contains("keep-agents"), "operators see which rule it was: {}", denied.text);
    let first = &revisions(&server)[0];
    assert_eq!((&first["reason"], &first["policies"]), (&json!("as the test says"), &json!(2)));
    assert!(first["author"].as_str().unwrap().starts_with("key/") && first["applied_at"].is_string(), "{first}");
    let back = server.admin("POST", "/api/v1/policies/rollback", r#"{"revision":0,"reason":"too strict"}"#).json();
    assert_eq!((&back["revision"], &back["repeats"]), (&2.into(), &0.into()), "{back}");
    assert_eq!(server.admin("DELETE", "/api/v1/agents/triage", "").status, 204);
    let shown = server.admin("GET", "/api/v1/policies/revisions/1", "").json();
    assert_eq!(shown["policies"][1]["text"], KEEP);
    assert_eq!(server.admin("GET", "/api/v1/policies/revisions/9", "").status, 404);
    let entries = server.admin("GET", "/api/v1/ledger/entries", "").text;
    assert!(entries.contains("policy_apply") && entries.contains("policy/revision/2"), "{entries}");
}

#[test]
fn a_set_survives_a_restart_and_is_the_tenants_own() {
    let mut server = TestServer::start();
    let key = server.tenant("acme");
    apply(&server, &[("own-tenant", "ENFORCE", OWN), ("keep-agents", "ENFORCE", KEEP)]);
    server.deploy(&key, "theirs");
    assert_eq!(server.with_key(&key, "DELETE", "/api/v1/agents/theirs", "").status, 204, "another tenant's rules");
    server.deploy(&server.admin.clone(), "triage");
    server.kill_and_restart();
    let rules = server.admin("GET", "/api/v1/policies", "").json();
    assert_eq!(rules["revision"], 1, "{rules}");
    assert_eq!(server.admin("DELETE", "/api/v1/agents/triage", "").status, 403);
}

#[test]
fn what_is_only_reported_on_does_not_count_and_is_told() {
    let server = TestServer::start();
    server.deploy(&server.admin, "triage");
    apply(&server, &[("own-tenant", "ENFORCE", OWN), ("keep-agents", "LOG_ONLY", KEEP)]);
    let ask = r#"{"action":"agent_delete","resource":{"type":"Agent","id":"triage"}}"#;
    let explained = server.admin("POST", "/api/v1/policies/explain", ask).json();
    let decision = &explained["decision"];
    assert_eq!((&decision["allowed"], &decision["log_only"]["allowed"]), (&true.into(), &false.into()), "{explained}");
    assert_eq!(decision["log_only"]["policies"], json!(["keep-agents"]));
    assert_eq!(server.admin("DELETE", "/api/v1/agents/triage", "").status, 204);
    let other = server.admin("POST", "/api/v1/policies/explain", r#"{"action":"agent_list"}"#).json();
    assert!(other["decision"]["log_only"].is_null(), "nothing would change: {other}");
}

#[test]
fn one_policy_is_set_and_deleted_beside_the_others() {
    let server = TestServer::start();
    server.deploy(&server.admin, "triage");
    let body = json!({"text": KEEP, "reason": "keep them"}).to_string();
    let made = server.admin("PUT", "/api/v1/policies/keep-agents", &body);
    assert_eq!((made.status, &made.json()["policies"]), (200, &2.into()), "{}", made.text);
    assert_eq!(server.admin("DELETE", "/api/v1/agents/triage", "").status, 403);
    assert_eq!(server.admin("DELETE", "/api/v1/policies/keep-agents", "").status, 204);
    assert_eq!(server.admin("DELETE", "/api/v1/policies/keep-agents", "").status, 404);
    assert_eq!(server.admin("DELETE", "/api/v1/agents/triage", "").status, 204);
    assert_eq!(revisions(&server).len(), 2);
}

#[test]
fn what_is_wrong_with_a_set_is_named_and_changes_nothing() {
    let server = TestServer::start();
    let check = |policies: &[(&str, &str, &str)], line: u64, column: u64, what: &str| {
        let answer = apply(&server, policies);
        assert_eq!((answer.status, answer.code().as_str()), (422, "ERR_POLICY_INVALID"), "{}", answer.text);
        let problem = &answer.json()["error"]["details"]["problems"][0];
        assert_eq!((&problem["line"], &problem["column"]), (&line.into(), &column.into()), "{problem}");
        assert!(problem["message"].as_str().unwrap().contains(what), "{problem}");
        assert!(!problem["message"].as_str().unwrap().contains("policy0"), "{problem}");
    };
    check(&[("own-tenant", "ENFORCE", OWN), ("a", "ENFORCE", "permit (")], 1, 9, "unexpected end");
    let misspelt = "permit (principal, action, resource)\nwhen { principal.nme == \"x\" };";
    check(&[("own-tenant", "ENFORCE", OWN), ("a", "LOG_ONLY", misspelt)], 2, 8, "nme");
    check(&[("own-tenant", "ENFORCE", OWN), ("own-tenant", "ENFORCE", KEEP)], 1, 1, "used twice");
    let answer = apply(&server, &[("own-tenant", "ENFORCE", KEEP)]);
    assert_eq!((answer.status, &answer.json()["error"]["details"]["pointer"]), (422, &"/policies".into()));
    assert!(answer.text.contains("never change the policies again"), "{}", answer.text);
    let name = server.admin("PUT", "/api/v1/policies/Upper", r#"{"text":""}"#);
    assert_eq!(name.status, 404, "{}", name.text);
    assert!(revisions(&server).is_empty());
}

#[test]
fn a_set_that_is_too_large_is_refused_before_it_is_compiled() {
    let server = TestServer::start();
    let long = format!("{OWN} // {}", "x".repeat(200 * 1024));
    let names: Vec<String> = (0..50).map(|number| format!("p{number}")).collect();
    let large = |count: usize| -> Vec<(&str, &str, &str)> {
        names.iter().take(count).map(|name| (name.as_str(), "ENFORCE", long.as_str())).collect()
    };
    let ten_megabytes = apply(&server, &large(50));
    assert_eq!((ten_megabytes.status, ten_megabytes.code().as_str()), (413, "ERR_TOO_LARGE"));
    let four = apply(&server, &large(16));
    assert_eq!((four.status, four.code().as_str()), (422, "ERR_VALIDATION"), "{}", four.text);
    let viewer = server.key("viewer");
    let refused = server.with_key(&viewer, "PUT", "/api/v1/policies", &set(&large(14)));
    assert_eq!(refused.status, 403);
    assert_eq!(apply(&server, &large(14)).status, 200);
}

#[test]
fn of_changes_at_the_same_time_none_is_lost() {
    let server = TestServer::start();
    let won: usize = thread::scope(|scope| {
        let setters: Vec<_> = (0..8)
            .map(|number| {
                let server = &server;
                scope.spawn(move || {
                    let body = json!({"text": format!("{KEEP} // {number}")}).to_string();
                    let made = server.admin("PUT", &format!("/api/v1/policies/p{number}"), &body);
                    assert!(matches!(made.status, 200 | 409), "{}", made.text);
                    usize::from(made.status == 200)
                })
            })
            .collect();
        setters.into_iter().map(|setter| setter.join().unwrap()).sum()
    });
    let all = revisions(&server);
    assert!(won >= 1 && all.len() == won, "{won} of {}", all.len());
    assert_eq!(all[0]["policies"], 1 + won, "the last revision holds every change that was answered");
    let expected = json!({"policies": [{"name": "own-tenant", "text": OWN}], "expected_revision": won - 1}).to_string();
    let late = server.admin("PUT", "/api/v1/policies", &expected);
    assert_eq!((late.status, &late.json()["error"]["details"]["revision"]), (409, &won.into()), "{}", late.text);
}

#[test]
fn a_draft_is_compared_with_what_is_in_force() {
    let server = TestServer::start();
    apply(&server, &[("own-tenant", "ENFORCE", OWN), ("a", "ENFORCE", KEEP), ("b", "ENFORCE", KEEP)]);
    let other = KEEP.replace("agent_delete", "key_create");
    let draft = json!({"policies": [
        {"name": "own-tenant", "text": OWN}, {"name": "a", "mode": "LOG_ONLY", "text": KEEP},
        {"name": "b", "text": other}, {"name": "c", "text": KEEP}]});
    let diff = server.admin("POST", "/api/v1/policies/diff", &draft.to_string()).json();
    let changes: Vec<(&str, &str)> = diff["policies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["name"].as_str().unwrap(), one["change"].as_str().unwrap()))
        .collect();
    assert_eq!(changes, [("a", "mode_changed"), ("b", "changed"), ("c", "added")], "{diff}");
    let removed = server.admin("POST", "/api/v1/policies/diff", r#"{"policies":[]}"#).json();
    assert_eq!(removed["policies"].as_array().unwrap().len(), 3);
    assert_eq!(revisions(&server).len(), 1, "a comparison changes nothing");
}
