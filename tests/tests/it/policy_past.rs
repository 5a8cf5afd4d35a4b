//! Policies about the past and the time, and drafts that decisions of the past are put to.

use std::thread;

use it::{Answer, TestServer};
use serde_json::{Value, json};

const OWN: &str = "permit (principal, action, resource) when { resource.tenant == principal.tenant };";

fn apply(server: &TestServer, rule: &str, counters: Value) -> Answer {
    let policies = json!([{"name": "own-tenant", "text": OWN}, {"name": "past", "text": rule}]);
    server.admin("PUT", "/api/v1/policies", &json!({"policies": policies, "counters": counters}).to_string())
}

fn make_key(server: &TestServer, credential: &str) -> Answer {
    server.with_key(credential, "POST", "/api/v1/keys", r#"{"role":"viewer"}"#)
}

#[test]
fn of_many_at_once_no_more_pass_than_a_rule_about_the_past_allows() {
    let mut server = TestServer::start();
    let other = server.key("admin");
    let rule = r#"forbid (principal, action == Action::"key_create", resource) when { context.counts.keys >= 3 };"#;
    let counter = json!([{"name": "keys", "actions": ["key_create"], "per": ["principal"], "window": "1h"}]);
    let applied = apply(&server, rule, counter);
    assert_eq!(applied.status, 200, "{}", applied.text);
    let passed: usize = thread::scope(|scope| {
        let server = &server;
        let makers: Vec<_> = (0..12).map(|_| scope.spawn(move || make_key(server, &server.admin).status)).collect();
        makers.into_iter().map(|maker| usize::from(maker.join().unwrap() == 201)).sum()
    });
    assert_eq!(passed, 3);
    server.kill_and_restart();
    let refused = make_key(&server, &server.admin);
    assert_eq!((refused.status, refused.code().as_str()), (403, "ERR_DENIED"), "after a restart");
    assert_eq!(make_key(&server, &other).status, 201, "another principal is counted apart");
}

#[test]
fn something_may_have_to_come_first_and_may_happen_only_once() {
    let server = TestServer::start();
    server.deploy(&server.admin, "triage");
    let rule = r#"forbid (principal, action == Action::"key_create", resource)
        when { context.counts.deployed == 0 || context.counts.made > 0 };"#;
    let counters =
        json!([{"name": "deployed", "actions": ["agent_deploy"]}, {"name": "made", "actions": ["key_create"]}]);
    assert_eq!(apply(&server, rule, counters).status, 200);
    assert_eq!(make_key(&server, &server.admin).status, 403, "what was before the counter is not counted");
    server.deploy(&server.admin, "triage");
    let refused =
        server.with_key(&server.admin, "POST", "/api/v1/keys", r#"{"role":"platform-admin","tenant":"nobody"}"#);
    assert!(refused.status >= 400, "an act that fails is not counted: {}", refused.text);
    assert_eq!(make_key(&server, &server.admin).status, 201);
    assert_eq!(make_key(&server, &server.admin).status, 403, "only once");
}

#[test]
fn what_is_wrong_with_a_counter_is_named() {
    let server = TestServer::start();
    let misspelt = r#"forbid (principal, action == Action::"key_create", resource) when { context.counts.kays >= 3 };"#;
    let counter = |actions: Value| json!([{"name": "keys", "actions": actions, "window": "1h"}]);
    let answer = apply(&server, misspelt, counter(json!(["key_create"])));
    assert!(answer.status == 422 && answer.text.contains("kays"), "{}", answer.text);
    let read = apply(&server, OWN, counter(json!(["agent_list"])));
    assert!(read.status == 422 && read.text.contains("cannot be counted"), "{}", read.text);
    assert_eq!(read.json()["error"]["details"]["pointer"], "/counters/0/actions");
    let session = json!([{"name": "keys", "actions": ["key_create"], "per": ["session"], "window": "1h"}]);
    let session = apply(&server, OWN, session);
    assert!(session.status == 422 && session.text.contains("session"), "{}", session.text);
    let unknown = apply(&server, OWN, counter(json!(["fly"])));
    assert!(unknown.status == 422 && unknown.text.contains("fly"), "{}", unknown.text);
}

#[test]
fn a_table_of_cases_can_say_the_time_and_what_was_counted() {
    let server = TestServer::start();
    let rule = r#"forbid (principal, action == Action::"agent_delete", resource)
        unless { context.hour >= 9 && context.hour < 17 && context.weekday != "sun" && context.counts.deleted < 2 };"#;
    let counters = json!([{"name": "deleted", "actions": ["agent_delete"], "window": "1d"}]);
    assert_eq!(apply(&server, rule, counters).status, 200);
    let case = |name: &str, at: &str, count: u32, expect: &str| {
        json!({"name": name, "expect": expect, "ask": {"action": "agent_delete", "at": at, "counts": {"deleted": count},
            "resource": {"type": "Agent", "id": "triage"}}})
    };
    let cases = json!({"cases": [
        case("on a working day", "2026-11-20T10:00:00Z", 0, "allow"),
        case("before nine", "2026-11-20T08:59:59Z", 0, "deny"),
        case("on a Sunday", "2026-11-22T10:00:00Z", 0, "deny"),
        case("the third one", "2026-11-20T10:00:00Z", 2, "deny"),
    ]});
    let result = server.admin("POST", "/api/v1/policies/test", &cases.to_string()).json();
    assert_eq!(result["passed"], true, "{result}");
}

#[test]
fn decisions_of_the_past_show_what_a_draft_would_change() {
    let server = TestServer::start();
    let operator = server.key("operator");
    for name in ["one", "two", "three"] {
        server.deploy(&server.admin, name);
    }
    assert_eq!(server.admin("DELETE", "/api/v1/agents/one", "").status, 204);
    assert_eq!(server.with_key(&operator, "DELETE", "/api/v1/agents/two", "").status, 403);
    let forbid = r#"forbid (principal, action == Action::"agent_delete", resource);"#;
    let draft = json!({"draft": {"policies": [{"name": "own-tenant", "text": OWN}, {"name": "keep", "text": forbid}]}});
    let replayed = server.admin("POST", "/api/v1/policies/replay", &draft.to_string()).json();
    // Two keys of the world, three deployments, two deletions; a refusal of another set stays one.
    assert_eq!((&replayed["examined"], &replayed["changed"]), (&json!(6), &json!(1)), "{replayed}");
    let change = &replayed["changes"][0];
    assert_eq!((&change["action"], &change["resource"]), (&json!("agent_delete"), &json!("Agent/one")), "{change}");
    assert_eq!((&change["was_allowed"], &change["would_be_allowed"]), (&json!(true), &json!(false)));
    assert_eq!(change["policies"], json!(["keep"]));
    let same = json!({"draft": {"policies": [{"name": "own-tenant", "text": OWN}]}}).to_string();
    assert_eq!(server.admin("POST", "/api/v1/policies/replay", &same).json()["changed"], 0);
    let live = server.admin("GET", "/api/v1/policies", "").json();
    assert_eq!(live["revision"], 0, "nothing of a draft is in force");
}

#[test]
fn a_question_about_another_time_moves_no_counter() {
    let server = TestServer::start();
    let rule = r#"forbid (principal, action == Action::"key_create", resource) when { context.counts.keys >= 2 };"#;
    let counter = json!([{"name": "keys", "actions": ["key_create"], "window": "1h"}]);
    assert_eq!(apply(&server, rule, counter.clone()).status, 200);
    for _ in 0..2 {
        assert_eq!(make_key(&server, &server.admin).status, 201);
    }
    for year in ["2030", "9999"] {
        let at = format!("{year}-01-01T00:00:00Z");
        let ask = json!({"action": "key_create", "at": at});
        assert_eq!(server.admin("POST", "/api/v1/policies/explain", &ask.to_string()).status, 200);
        let test = json!({"cases": [{"name": "later", "ask": ask, "expect": "deny"}],
            "draft": {"policies": [{"name": "own-tenant", "text": OWN}, {"name": "past", "text": rule}], "counters": counter}});
        assert_eq!(server.admin("POST", "/api/v1/policies/test", &test.to_string()).status, 200);
        assert_eq!(make_key(&server, &server.admin).status, 403, "{year}");
    }
}

#[test]
fn a_set_that_its_author_could_not_change_at_some_time_or_count_is_refused() {
    let server = TestServer::start();
    let change = r#"action in [Action::"policy_apply", Action::"policy_rollback"]"#;
    let refused = |condition: &str, counters: Value| {
        let answer =
            apply(&server, &format!("forbid (principal, {change}, resource) when {{ {condition} }};"), counters);
        assert_eq!((answer.status, answer.code().as_str()), (422, "ERR_POLICY_INVALID"), "{}", answer.text);
        assert!(answer.text.contains("never change the policies again"), "{}", answer.text);
    };
    refused("context.hour == 3", json!([]));
    refused(r#"context.weekday == "sun" && context.hour == 23"#, json!([]));
    refused(r#"context.now > datetime("2100-01-01")"#, json!([]));
    refused("context.counts.applied >= 1", json!([{"name": "applied", "actions": ["policy_apply"]}]));
}

#[test]
fn a_run_is_done_again_only_by_whoever_may_invoke_its_agent() {
    let server = TestServer::start();
    server.deploy(&server.admin, "triage");
    let late = r#"{"timeout_ms":1}"#;
    let late = server.admin("POST", "/api/v1/agents/triage/invocations", late);
    let run = late.json()["error"]["details"]["outcome"]["run_id"].as_str().unwrap().to_owned();
    let forbid = r#"forbid (principal, action == Action::"agent_invoke", resource == Agent::"triage");"#;
    assert_eq!(apply(&server, forbid, json!([])).status, 200);
    let refused = server.admin("POST", &format!("/api/v1/runs/{run}/retry"), "");
    assert_eq!((refused.status, refused.code().as_str()), (403, "ERR_DENIED"), "{}", refused.text);
    assert_eq!(apply(&server, OWN, json!([])).status, 200);
    assert_eq!(server.admin("POST", &format!("/api/v1/runs/{run}/retry"), "").status, 202);
}
