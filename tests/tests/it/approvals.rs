//! Acts that pass only when somebody approves them: asked for, decided by others, used once.

use std::thread;
use std::time::{Duration, Instant};

use it::{Answer, TestServer};
use serde_json::{Value, json};

const OWN: &str = "permit (principal, action, resource) when { resource.tenant == principal.tenant };";
const SENTENCE: &str = "The owner of the agent decides.";
const INVOKE: &str = "/api/v1/agents/echo/invocations";

/// A server whose operators invoke only what somebody has approved, and two of them.
struct World {
    server: TestServer,
    asker: String,
    other: String,
}

fn world() -> World {
    world_with(&["agent_invoke"])
}

fn world_with(actions: &[&str]) -> World {
    let server = TestServer::start();
    assert_eq!(server.deploy(&server.admin, "echo").status, 201);
    let world = World { asker: server.key("operator"), other: server.key("operator"), server };
    world.apply(actions);
    world
}

impl World {
    /// Puts these actions under approval, for everybody.
    fn apply(&self, actions: &[&str]) {
        let actions: Vec<String> = actions.iter().map(|action| format!("Action::\"{action}\"")).collect();
        let rule =
            format!("@approval(\"{SENTENCE}\") forbid (principal, action in [{}], resource);", actions.join(", "));
        let policies = json!([{"name": "own-tenant", "text": OWN}, {"name": "asked", "text": rule}]);
        let applied = self.server.admin("PUT", "/api/v1/policies", &json!({"policies": policies}).to_string());
        assert_eq!(applied.status, 200, "{}", applied.text);
    }

    fn invoke(&self, input: u64) -> Answer {
        self.server.with_key(&self.asker, "POST", INVOKE, &json!({"input": input}).to_string())
    }

    /// Asks for what nobody has approved, and gives the approval's id.
    fn asked(&self, input: u64) -> String {
        required(&self.invoke(input))
    }

    fn decide(&self, key: &str, id: &str, verb: &str, body: &Value) -> Answer {
        self.server.with_key(key, "POST", &format!("/api/v1/approvals/{id}/{verb}"), &body.to_string())
    }

    fn approve(&self, id: &str) -> Answer {
        let approved = self.decide(&self.other, id, "approve", &json!({"reason": "looked at it"}));
        assert_eq!((approved.status, &approved.json()["state"]), (200, &"approved".into()), "{}", approved.text);
        approved
    }

    fn view(&self, id: &str) -> Value {
        self.server.with_key(&self.asker, "GET", &format!("/api/v1/approvals/{id}"), "").json()
    }
}

/// The id of the approval that an answer says is missing.
fn required(answer: &Answer) -> String {
    assert_eq!((answer.status, answer.code().as_str()), (403, "ERR_APPROVAL_REQUIRED"), "{}", answer.text);
    let details = &answer.json()["error"]["details"];
    assert_eq!(details["sentence"], SENTENCE);
    assert!(details["expires_at"].is_string(), "{details}");
    details["approval_id"].as_str().unwrap().to_owned()
}

fn message(answer: &Answer) -> String {
    answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn what_was_approved_passes_once_and_is_asked_for_anew_after() {
    let world = world();
    let id = world.asked(1);
    assert_eq!(world.asked(1), id, "asking again asks for the same");
    let pending = world.view(&id);
    assert_eq!((&pending["state"], &pending["operation"]), (&"pending".into(), &"agent_invoke".into()), "{pending}");
    assert_eq!((&pending["resource"], &pending["sentence"]), (&"agent/echo".into(), &SENTENCE.into()));
    assert_eq!(pending["asked"]["body"], r#"{"input":1}"#);
    assert_eq!((&pending["asked"]["method"], &pending["asked"]["path"]), (&"POST".into(), &INVOKE.into()));
    let approved = world.approve(&id).json();
    assert!(approved["decided_by"].as_str().unwrap().starts_with("key/"), "{approved}");
    assert_eq!(approved["reason"], "looked at it");
    let passed = world.invoke(1);
    assert_eq!((passed.status, &passed.json()["output"]), (200, &json!(1)), "{}", passed.text);
    let used = world.view(&id);
    assert_eq!((&used["state"], &used["used_by"]), (&"used".into(), &passed.json()["decision"]["id"]), "{used}");
    let again = world.invoke(1);
    assert_ne!(required(&again), id);
    assert!(message(&again).contains("approved once, and that is used"), "{}", again.text);
    let entries = world.server.admin("GET", "/api/v1/ledger/entries?limit=500", "").text;
    for told in ["approval_approve".to_owned(), format!("approval/{id}"), "needs_approval".to_owned()] {
        assert!(entries.contains(&told), "{told}: {entries}");
    }
}

#[test]
fn other_arguments_or_somebody_else_are_another_act() {
    let world = world();
    let id = world.asked(1);
    world.approve(&id);
    assert_ne!(world.asked(2), id);
    let path = format!("{INVOKE}?x=1");
    let queried = world.server.with_key(&world.asker, "POST", &path, &json!({"input": 1}).to_string());
    assert_ne!(required(&queried), id);
    let others = world.server.with_key(&world.other, "POST", INVOKE, &json!({"input": 1}).to_string());
    assert_ne!(required(&others), id);
    assert_eq!(world.invoke(1).status, 200, "what was approved is still there");
}

#[test]
fn rejecting_and_withdrawing_are_told_apart() {
    let world = world();
    let id = world.asked(1);
    let denied = world.decide(&world.other, &id, "deny", &json!({"reason": "not on a Friday"}));
    assert_eq!((denied.status, &denied.json()["state"]), (200, &"rejected".into()), "{}", denied.text);
    let refused = world.invoke(1);
    assert_eq!((refused.status, refused.code().as_str()), (403, "ERR_DENIED"), "{}", refused.text);
    assert_eq!(refused.json()["error"]["details"]["reason"], "not on a Friday");
    assert!(message(&refused).contains("rejected by"), "{}", refused.text);
    let id = world.asked(2);
    let stranger = world.decide(&world.other, &id, "withdraw", &json!({}));
    assert_eq!((stranger.status, stranger.code().as_str()), (403, "ERR_DENIED"), "{}", stranger.text);
    let withdrawn = world.decide(&world.asker, &id, "withdraw", &json!({}));
    assert_eq!((withdrawn.status, &withdrawn.json()["state"]), (200, &"withdrawn".into()), "{}", withdrawn.text);
    let late = world.decide(&world.other, &id, "approve", &json!({}));
    assert_eq!(late.status, 409);
    assert!(message(&late).contains("withdrawn by"), "{}", late.text);
    let anew = world.invoke(2);
    assert_ne!(required(&anew), id);
    assert!(message(&anew).contains("it was withdrawn before"), "{}", anew.text);
}

#[test]
fn nobody_decides_about_what_they_asked_for_and_no_viewer_decides() {
    let world = world();
    let body = json!({"input": 7}).to_string();
    let id = required(&world.server.admin("POST", INVOKE, &body));
    for verb in ["approve", "deny"] {
        let own = world.decide(&world.server.admin, &id, verb, &json!({"reason": "mine"}));
        assert_eq!((own.status, own.code().as_str()), (403, "ERR_DENIED"), "{verb} {}", own.text);
        assert!(message(&own).contains("whoever asked"), "{}", own.text);
        let viewer = world.server.key("viewer");
        assert_eq!(world.decide(&viewer, &id, verb, &json!({"reason": "x"})).status, 403, "{verb}");
        assert_eq!(world.server.with_key(&viewer, "GET", &format!("/api/v1/approvals/{id}"), "").status, 200);
    }
    assert_eq!(world.view(&id)["state"], "pending");
    world.approve(&id);
    assert_eq!(world.server.admin("POST", INVOKE, &body).status, 200);
}

#[test]
fn another_tenants_approval_does_not_exist() {
    let world = world();
    let stranger = world.server.tenant("acme");
    let id = world.asked(1);
    let path = format!("/api/v1/approvals/{id}");
    assert_eq!(world.server.with_key(&stranger, "GET", &path, "").code(), "ERR_NOT_FOUND");
    for verb in ["approve", "deny", "withdraw"] {
        let answer = world.decide(&stranger, &id, verb, &json!({"reason": "x"}));
        assert_eq!((answer.status, answer.code().as_str()), (404, "ERR_NOT_FOUND"), "{verb} {}", answer.text);
    }
    let listed = world.server.with_key(&stranger, "GET", "/api/v1/approvals", "").json();
    assert_eq!(listed["items"], json!([]));
    let listed = world.server.with_key(&world.other, "GET", "/api/v1/approvals?state=pending", "").json();
    assert_eq!((listed["items"].as_array().map(Vec::len), &listed["items"][0]["id"]), (Some(1), &json!(id)));
}

#[test]
fn what_was_approved_under_other_policies_does_not_count() {
    let world = world();
    let (approved, pending) = (world.asked(1), world.asked(2));
    world.approve(&approved);
    world.apply(&["agent_invoke", "agent_delete"]);
    let stale = world.decide(&world.other, &pending, "approve", &json!({}));
    assert_eq!((stale.status, stale.code().as_str()), (409, "ERR_STATE_INVALID"), "{}", stale.text);
    assert!(message(&stale).contains("the policies were changed"), "{}", stale.text);
    let answer = world.invoke(1);
    let anew = required(&answer);
    assert_ne!(anew, approved);
    assert!(message(&answer).contains("the policies were changed"), "{}", answer.text);
    assert_eq!(world.view(&approved)["state"], "expired");
    world.approve(&anew);
    assert_eq!(world.invoke(1).status, 200);
}

#[test]
fn every_other_rule_and_every_freeze_still_counts() {
    let world = world();
    let id = world.asked(1);
    world.approve(&id);
    assert_eq!(world.server.admin("POST", "/api/v1/freeze", r#"{"target":"agent/echo"}"#).status, 200);
    assert_eq!(world.invoke(1).code(), "ERR_FROZEN");
    assert_eq!(world.server.admin("POST", "/api/v1/thaw", r#"{"target":"agent/echo"}"#).status, 204);
    assert_eq!(world.invoke(1).status, 200, "a freeze uses nothing up");
    let rules = json!([{"name": "own-tenant", "text": OWN},
        {"name": "asked", "text": format!("@approval(\"x\") forbid (principal, action == Action::\"agent_invoke\", resource);")},
        {"name": "never", "text": "forbid (principal, action == Action::\"agent_invoke\", resource);"}]);
    let applied = world.server.admin("PUT", "/api/v1/policies", &json!({"policies": rules}).to_string());
    assert_eq!(applied.status, 200, "{}", applied.text);
    assert_eq!(world.invoke(1).code(), "ERR_DENIED", "nobody is asked what nobody can allow");
}

#[test]
fn a_rule_that_is_only_reported_on_asks_nobody_and_explain_says_what_would_be_asked() {
    let world = world();
    let ask = r#"{"action":"agent_invoke","resource":{"type":"Agent","id":"echo"}}"#;
    let explained = world.server.admin("POST", "/api/v1/policies/explain", ask).json();
    let decision = &explained["decision"];
    assert_eq!((&decision["allowed"], &decision["class"]), (&json!(false), &json!("needs_approval")), "{explained}");
    assert!(explained["determining"].to_string().contains("@approval"), "{explained}");
    let rule = format!("@approval(\"{SENTENCE}\") forbid (principal, action == Action::\"agent_invoke\", resource);");
    let policies = json!([{"name": "own-tenant", "text": OWN}, {"name": "asked", "mode": "LOG_ONLY", "text": rule}]);
    let applied = world.server.admin("PUT", "/api/v1/policies", &json!({"policies": policies}).to_string());
    assert_eq!(applied.status, 200);
    assert_eq!(world.invoke(1).status, 200);
    assert_eq!(world.server.admin("GET", "/api/v1/approvals", "").json()["items"], json!([]));
    let permit = r#"@approval("x") permit (principal, action, resource);"#;
    let policies = json!([{"name": "own-tenant", "text": OWN}, {"name": "asked", "text": permit}]);
    let refused = world.server.admin("PUT", "/api/v1/policies", &json!({"policies": policies}).to_string());
    assert_eq!((refused.status, refused.code().as_str()), (422, "ERR_POLICY_INVALID"), "{}", refused.text);
}

#[test]
fn what_was_approved_survives_a_kill_and_still_passes_once() {
    let mut world = world();
    let id = world.asked(1);
    world.approve(&id);
    world.server.kill_and_restart();
    assert_eq!(world.invoke(1).status, 200);
    world.server.kill_and_restart();
    assert_eq!(world.view(&id)["state"], "used");
    assert_ne!(world.asked(1), id);
}

#[test]
fn of_many_at_once_exactly_one_passes() {
    let world = world_with(&["agent_deploy"]);
    let manifest = it::manifest("other");
    let deploy = || world.server.with_key(&world.asker, "POST", "/api/v1/agents", &manifest);
    let ids: Vec<String> = thread::scope(|scope| {
        let asking: Vec<_> = (0..20).map(|_| scope.spawn(|| required(&deploy()))).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "one act is asked for once: {ids:?}");
    world.approve(&ids[0]);
    let answers: Vec<Answer> = thread::scope(|scope| {
        let deploying: Vec<_> = (0..20).map(|_| scope.spawn(deploy)).collect();
        deploying.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let passed = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(passed, 1, "{answers:#?}");
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 403 | 409)), "{answers:#?}");
    let versions = world.server.admin("GET", "/api/v1/agents/other/versions", "").json();
    assert_eq!(versions["items"].as_array().map(Vec::len), Some(1), "{versions}");
}

#[test]
fn nobody_decides_twice() {
    let world = world();
    let id = world.asked(1);
    world.approve(&id);
    for verb in ["approve", "deny"] {
        let again = world.decide(&world.other, &id, verb, &json!({"reason": "again"}));
        assert_eq!((again.status, again.code().as_str()), (409, "ERR_IMMUTABLE"), "{}", again.text);
        assert!(message(&again).contains("approved already"), "{}", again.text);
    }
    let id = world.asked(2);
    let answers: Vec<u16> = thread::scope(|scope| {
        let deciding: Vec<_> = ["approve", "deny"]
            .into_iter()
            .cycle()
            .take(8)
            .map(|verb| scope.spawn(|| world.decide(&world.other, &id, verb, &json!({"reason": "race"})).status))
            .collect();
        deciding.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|status| matches!(status, 200 | 409)), "{answers:?}");
}

#[test]
fn a_standing_approval_covers_other_arguments_as_often_as_it_says() {
    let world = world();
    let id = world.asked(1);
    let wish = json!({"reason": "for the night", "standing": {"for_ms": 3_600_000, "uses": 3}});
    let approved = world.decide(&world.other, &id, "approve", &wish);
    assert_eq!(approved.json()["standing"]["uses_left"], 3, "{}", approved.text);
    for input in [2, 3, 1] {
        assert_eq!(world.invoke(input).status, 200, "{input}");
    }
    assert_eq!(world.view(&id)["state"], "used");
    required(&world.invoke(4));
    let other = json!({"input": 1}).to_string();
    required(&world.server.with_key(&world.other, "POST", INVOKE, &other));
}

#[test]
fn a_standing_approval_is_one_resources_and_ends_when_an_admin_withdraws_it() {
    let world = world();
    assert_eq!(world.server.deploy(&world.server.admin, "second").status, 201);
    let id = world.asked(1);
    let wish = json!({"standing": {"for_ms": 3_600_000}});
    assert_eq!(world.decide(&world.other, &id, "approve", &wish).status, 200);
    for input in 0..5 {
        assert_eq!(world.invoke(input).status, 200, "{input}");
    }
    let second = INVOKE.replace("echo", "second");
    required(&world.server.with_key(&world.asker, "POST", &second, &json!({"input": 1}).to_string()));
    assert_eq!(world.decide(&world.server.admin, &id, "withdraw", &json!({})).status, 200);
    required(&world.invoke(6));
    required(&world.invoke(1));
    for standing in [json!({"for_ms": 1}), json!({"for_ms": 60_000, "uses": 0}), json!({"for_ms": 1_u64 << 40})] {
        let id = world.asked(7);
        let refused = world.decide(&world.other, &id, "approve", &json!({"standing": standing}));
        assert_eq!((refused.status, refused.code().as_str()), (422, "ERR_VALIDATION"), "{}", refused.text);
    }
}

#[test]
fn whoever_waits_hears_of_the_decision_at_once() {
    let world = world();
    let id = world.asked(1);
    let path = format!("/api/v1/approvals/{id}?wait_ms=30000");
    let (heard, decided) = thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let answer = world.server.with_key(&world.asker, "GET", &path, "");
            (answer, Instant::now())
        });
        // Another request that goes all the way: the one that waits is there before.
        thread::scope(|others| {
            drop(others.spawn(|| world.server.with_key(&world.other, "GET", &path.replace("30000", "300"), "")))
        });
        assert!(!waiting.is_finished(), "it waits");
        world.approve(&id);
        let decided = Instant::now();
        (waiting.join().unwrap(), decided)
    });
    assert_eq!(heard.0.json()["state"], "approved", "{}", heard.0.text);
    assert!(heard.1.saturating_duration_since(decided) < Duration::from_millis(200));
    let too_long = path.replace("30000", "30001");
    assert_eq!(world.server.with_key(&world.asker, "GET", &too_long, "").status, 422);
}

#[test]
fn no_secret_stands_in_what_was_asked() {
    let world = world_with(&["secret_set", "secret_rotate"]);
    let hidden = "correct-horse-battery-staple";
    let body = json!({"value": hidden}).to_string();
    let id = required(&world.server.admin("PUT", "/api/v1/secrets/github", &body));
    let pending = world.view(&id);
    assert!(pending["asked"]["body"].is_null() && pending["resource"] == "secret/github", "{pending}");
    world.approve(&id);
    assert_eq!(world.server.admin("PUT", "/api/v1/secrets/github", &body).status, 200);
    let listed = world.server.admin("GET", "/api/v1/approvals", "").text;
    assert!(!listed.contains(hidden), "{listed}");
}

#[test]
fn looking_passes_once_too() {
    let world = world_with(&["agent_view"]);
    let look = || world.server.with_key(&world.asker, "GET", "/api/v1/agents/echo", "");
    let id = required(&look());
    world.approve(&id);
    assert_eq!(look().status, 200);
    assert_ne!(required(&look()), id);
    let entries = world.server.admin("GET", "/api/v1/ledger/entries?limit=500", "").json();
    let used = entries["items"].as_array().unwrap().iter().map(|item| &item["entry"]).find(|entry| {
        entry["action"] == "agent_view" && entry["subject"] == format!("approval/{id}") && entry["kind"] == "act"
    });
    assert!(used.is_some(), "{entries}");
}

#[test]
fn a_repeated_request_gets_the_first_answer_and_asks_nobody_anew() {
    let world = world_with(&["agent_deploy"]);
    let deploy = || {
        let headers = [("x-api-key", world.asker.as_str()), ("idempotency-key", "one")];
        world.server.call("POST", "/api/v1/agents", &headers, &it::manifest("other"))
    };
    world.approve(&required(&deploy()));
    let first = deploy();
    assert_eq!(first.status, 201, "{}", first.text);
    let again = deploy();
    assert_eq!((again.status, again.header("idempotency-replayed")), (201, Some("true")), "{}", again.text);
    let pending = world.server.admin("GET", "/api/v1/approvals?state=pending", "").json();
    assert_eq!(pending["items"], json!([]));
}

#[test]
fn what_was_approved_does_not_differ_from_the_policies_it_was_approved_under() {
    let world = world();
    world.approve(&world.asked(1));
    assert_eq!(world.invoke(1).status, 200);
    let in_force = world.server.admin("GET", "/api/v1/policies/revisions/1", "").json()["policies"].clone();
    let replay = json!({"draft": {"policies": in_force}}).to_string();
    let replayed = world.server.admin("POST", "/api/v1/policies/replay", &replay).json();
    assert_eq!((&replayed["changed"], &replayed["changes"]), (&json!(0), &json!([])), "{replayed}");
    assert!(replayed["examined"].as_u64() > Some(1), "{replayed}");
}
