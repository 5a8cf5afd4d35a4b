//! Orbit: intents that services ask for, the records that govern them, and what becomes of it.

use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use it::{Answer, TestServer};
use serde_json::{Value, json};

/// A server with an agent that answers what it is given, registered as `billing/refund`.
fn world() -> TestServer {
    let server = TestServer::start();
    assert_eq!(server.deploy(&server.admin, "refunds").status, 201);
    let set = server.admin("PUT", "/api/v1/intents/billing/refund", r#"{"agent":"refunds"}"#);
    assert_eq!(set.status, 200, "{}", set.text);
    server
}

fn govern(server: &TestServer, restrictions: Value) -> Answer {
    let mut record = json!({"service": "billing", "intent": "refund"});
    record.as_object_mut().unwrap().extend(restrictions.as_object().unwrap().clone());
    server.admin("PUT", "/api/v1/governance/billing/refund", &record.to_string())
}

fn dispatch(server: &TestServer, context: Value) -> Answer {
    let asked = json!({"service": "billing", "intent": "refund", "context": context});
    server.admin("POST", "/dispatch", &asked.to_string())
}

/// Governed so, a dispatch is refused with that reason.
fn check_refused(server: &TestServer, restrictions: Value, reason: &str) {
    let set = govern(server, restrictions);
    assert_eq!(set.status, 200, "{}", set.text);
    refused(&dispatch(server, json!({"amount": 500})), reason);
}

fn refused(answer: &Answer, reason: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (403, "ERR_DENIED"), "{}", answer.text);
    let error = &answer.json()["error"];
    assert_eq!(error["message"], reason);
    let governance = &error["details"]["governance"];
    assert_eq!((&governance["allowed"], &governance["reason"]), (&json!(false), &json!(reason)));
}

#[test]
fn a_dispatch_is_governed_done_and_answered_with_the_decision() {
    let server = world();
    assert_eq!(govern(&server, json!({})).status, 200);
    for path in ["/dispatch", "/api/v1/dispatch"] {
        let asked = r#"{"service":"billing","intent":"refund","context":{"amount":12,"user":{"id":"u7"}}}"#;
        let answer = server.call("POST", path, &[("x-api-key", &server.admin), ("x-correlation-id", "order-7")], asked);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let told = answer.json();
        assert_eq!((&told["correlation_id"], &told["service"]), (&json!("order-7"), &json!("billing")));
        assert_eq!(told["outcome"]["output"]["context"], json!({"amount": 12, "user": {"id": "u7"}}));
        let governance = &told["governance"];
        assert_eq!((&governance["allowed"], &governance["reason"]), (&json!(true), &json!("Request authorized")));
        assert!(governance["decision_time_ms"].as_f64().unwrap() > 0.0 && told["total_time_ms"].is_u64(), "{told}");
        let run = told["outcome"]["run_id"].as_str().unwrap();
        let run = server.admin("GET", &format!("/api/v1/runs/{run}"), "").json();
        assert_eq!(run["fulfils"]["governance"]["decision_id"], governance["decision_id"]);
    }
    let entries = server.admin("GET", "/api/v1/ledger/entries", "").text;
    assert!(entries.contains(r#""action":"dispatch""#), "{entries}");
}

#[test]
fn whoever_is_refused_is_told_why_in_the_words_of_the_record() {
    let server = world();
    refused(&dispatch(&server, json!({})), "No policy defined for billing:refund");
    check_refused(&server, json!({"enabled": false}), "Policy is disabled");
    let small = json!({"type": "context_check", "field": "amount", "operator": "less_than", "value": 100,
        "description": "at most 100 without a person"});
    check_refused(&server, json!({"conditions": [small]}), "Condition not met: at most 100 without a person");
    let named = json!({"type": "context_check", "field": "user.id", "operator": "equals", "value": "u7"});
    check_refused(&server, json!({"conditions": [named]}), "Condition not met: user.id equals u7");
    assert_eq!(govern(&server, json!({"conditions": [small, named]})).status, 200);
    assert_eq!(dispatch(&server, json!({"amount": 99.5, "user": {"id": "u7"}})).status, 200);
    let denials = server.admin("GET", "/api/v1/ledger/entries", "").json();
    let kept = denials["items"].as_array().unwrap().iter().filter(|item| item["entry"]["kind"] == "denial");
    assert_eq!(kept.filter(|item| item["entry"]["subject"] == "intent/billing/refund").count(), 4);
    let gone = server.admin("DELETE", "/api/v1/governance/billing/refund", "");
    assert_eq!(gone.status, 204, "{}", gone.text);
    refused(&dispatch(&server, json!({})), "No policy defined for billing:refund");
}

#[test]
fn hours_and_days_are_those_of_the_records_time_zone() {
    let server = world();
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    // Two hours, so that an hour that ends meanwhile changes nothing.
    let hours = |from_now: u64| json!([(seconds / 3_600 + from_now) % 24, (seconds / 3_600 + from_now + 1) % 24]);
    let outside = "Request outside allowed time window";
    check_refused(&server, json!({"time_restrictions": {"allowed_hours": hours(12)}}), outside);
    for (hours, zone) in [(hours(0), "UTC"), (hours(12), "Etc/GMT-12")] {
        let times = json!({"time_restrictions": {"allowed_hours": hours, "timezone": zone}});
        assert_eq!(govern(&server, times).status, 200);
        assert_eq!(dispatch(&server, json!({})).status, 200, "{zone}");
    }
    let days = ["thu", "fri", "sat", "sun", "mon", "tue", "wed"];
    let today = usize::try_from(seconds / 86_400 % 7).unwrap();
    let others: Vec<&str> = (2..6).map(|later| days[(today + later) % 7]).collect();
    check_refused(&server, json!({"time_restrictions": {"days": others}}), outside);
}

#[test]
fn a_rate_limit_is_exact_for_many_at_once_and_survives_a_restart() {
    let mut server = world();
    assert_eq!(govern(&server, json!({"rate_limits": {"requests_per_hour": 5}})).status, 200);
    let passed: usize = thread::scope(|scope| {
        let server = &server;
        let askers: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(move || {
                    let answer = dispatch(server, json!({}));
                    if answer.status != 200 {
                        refused(&answer, "Rate limit exceeded");
                    }
                    usize::from(answer.status == 200)
                })
            })
            .collect();
        askers.into_iter().map(|asker| asker.join().unwrap()).sum()
    });
    assert_eq!(passed, 5);
    server.kill_and_restart();
    refused(&dispatch(&server, json!({})), "Rate limit exceeded");
    assert_eq!(govern(&server, json!({"rate_limits": {"requests_per_hour": 6}})).status, 200);
    assert_eq!(dispatch(&server, json!({})).status, 200, "a refusal is not counted");
}

#[test]
fn what_is_wrong_with_a_record_is_named_with_its_place() {
    let server = world();
    let condition = |operator: &str| json!({"conditions": [{"type": "context_check", "field": "a", "operator": operator, "value": 1}]});
    for (record, pointer, said) in [
        (condition("equal"), "/conditions/0/operator", "equals"),
        (condition("starts_with"), "/conditions/0/value", "text"),
        (json!({"time_restrictions": {"allowed_hours": [24]}}), "/time_restrictions/allowed_hours/0", "24"),
        (json!({"time_restrictions": {"days": ["monday"]}}), "/time_restrictions/days/0", "mon"),
        (
            json!({"time_restrictions": {"timezone": "Europe/Atlantis"}}),
            "/time_restrictions/timezone",
            "Europe/Atlantis",
        ),
        (json!({"rate_limits": {"requests_per_minute": 0}}), "/rate_limits/requests_per_minute", "0"),
        (json!({"service": "other"}), "/service", "path"),
    ] {
        let answer = govern(&server, record.clone());
        assert_eq!((answer.status, answer.code().as_str()), (422, "ERR_VALIDATION"), "{record}: {}", answer.text);
        assert_eq!(answer.json()["error"]["details"]["pointer"], pointer, "{}", answer.text);
        assert!(answer.text.contains(said), "{}", answer.text);
    }
    assert_eq!(server.admin("GET", "/api/v1/governance/billing/refund", "").status, 404);
    assert_eq!(govern(&server, json!({"enabeld": true})).status, 422);
    let context = json!({"deep": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}}}});
    govern(&server, json!({}));
    assert_eq!(dispatch(&server, context).code(), "ERR_VALIDATION");
    assert_eq!(dispatch(&server, json!([1])).code(), "ERR_VALIDATION");
}

#[test]
fn whoever_may_not_invoke_the_agent_may_not_have_it_act_by_an_intent() {
    let server = world();
    govern(&server, json!({}));
    let viewer = server.key("viewer");
    let asked = r#"{"service":"billing","intent":"refund"}"#;
    assert_eq!(server.with_key(&viewer, "POST", "/dispatch", asked).status, 403);
    assert_eq!(server.call("POST", "/dispatch", &[], asked).status, 401);
    let forbidden =
        json!({"text": r#"forbid (principal, action == Action::"agent_invoke", resource == Agent::"refunds");"#});
    assert_eq!(server.admin("PUT", "/api/v1/policies/no-refunds", &forbidden.to_string()).status, 200);
    let answer = dispatch(&server, json!({}));
    assert_eq!((answer.status, answer.code().as_str()), (403, "ERR_DENIED"), "{}", answer.text);
    assert!(answer.text.contains("agent_invoke") && answer.text.contains("no-refunds"), "{}", answer.text);
    let fulfil =
        json!({"text": r#"forbid (principal, action == Action::"fulfil", resource) when { context.hour >= 0 };"#});
    assert_eq!(server.admin("PUT", "/api/v1/policies/no-refunds", &fulfil.to_string()).status, 200);
    refused(&dispatch(&server, json!({})), "Not permitted by policy");
    let other = server.tenant("acme");
    let theirs = server.with_key(&other, "POST", "/dispatch", asked);
    refused(&theirs, "No policy defined for billing:refund");
}

#[test]
fn an_intent_that_nobody_registered_or_whose_agent_is_frozen_is_not_done() {
    let server = world();
    govern(&server, json!({}));
    let frozen = server.admin("POST", "/api/v1/freeze", r#"{"target":"agent/refunds"}"#);
    assert_eq!(frozen.status, 200, "{}", frozen.text);
    assert_eq!(dispatch(&server, json!({})).code(), "ERR_FROZEN");
    assert_eq!(server.admin("DELETE", "/api/v1/intents/billing/refund", "").status, 204);
    assert_eq!(dispatch(&server, json!({})).code(), "ERR_NOT_FOUND");
    assert_eq!(server.admin("PUT", "/api/v1/intents/Billing/refund", r#"{"agent":"refunds"}"#).status, 422);
}

#[test]
fn a_repeated_dispatch_is_answered_and_not_done_again() {
    let server = world();
    govern(&server, json!({"rate_limits": {"requests_per_hour": 1}}));
    let asked = r#"{"service":"billing","intent":"refund","context":{"order":7}}"#;
    let headers = [("x-api-key", server.admin.as_str()), ("idempotency-key", "order-7")];
    let first = server.call("POST", "/dispatch", &headers, asked);
    assert_eq!(first.status, 200, "{}", first.text);
    let again = server.call("POST", "/dispatch", &headers, asked);
    assert_eq!((again.status, again.json()), (200, first.json()));
    refused(&dispatch(&server, json!({})), "Rate limit exceeded");
}

#[test]
fn a_record_that_was_deleted_and_made_anew_is_the_new_one() {
    let server = world();
    govern(&server, json!({}));
    assert_eq!(dispatch(&server, json!({})).status, 200);
    assert_eq!(server.admin("DELETE", "/api/v1/governance/billing/refund", "").status, 204);
    check_refused(&server, json!({"enabled": false}), "Policy is disabled");
}

#[test]
fn what_an_intent_asked_for_is_done_again_only_by_asking_again() {
    let server = world();
    govern(&server, json!({}));
    let late = server.admin("PUT", "/api/v1/intents/billing/refund", r#"{"agent":"refunds","timeout_ms":1}"#);
    assert_eq!(late.status, 200);
    let failed = dispatch(&server, json!({}));
    assert_eq!(failed.code(), "ERR_TIMED_OUT", "{}", failed.text);
    assert_eq!(failed.json()["error"]["details"]["governance"]["allowed"], true);
    let run = failed.json()["error"]["details"]["outcome"]["run_id"].as_str().unwrap().to_owned();
    let again = server.admin("POST", &format!("/api/v1/runs/{run}/retry"), "");
    assert_eq!(again.code(), "ERR_STATE_INVALID", "{}", again.text);
    let wild = json!({"service": "billing\n", "intent": "refund"}).to_string();
    assert_eq!(server.admin("POST", "/dispatch", &wild).code(), "ERR_VALIDATION");
}
