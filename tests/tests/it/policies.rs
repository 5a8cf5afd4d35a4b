//! Policies to look at: lists, explanations, test cases, and what approval changes.

use it::TestServer;

const GRANTED: &str = r#"{"apiVersion":"aegis/v1","kind":"Agent","metadata":{"name":"triage"},"spec":{"runtime":{"isolation":"process","command":["cat"]},"permissions":{"network":[{"host":"api.github.com","ports":[80],"methods":["GET"],"paths":["/repos/**"]}]}}}"#;

const REACH: &str = r#""action":"connect","resource":{"type":"Host","id":"api.github.com"}"#;

fn explain(server: &TestServer, ask: &str) -> serde_json::Value {
    let answer = server.admin("POST", "/api/v1/policies/explain", ask);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

#[test]
fn a_grant_counts_only_once_it_is_approved() {
    let server = TestServer::start();
    let operator = server.key("operator");
    let made = server.with_key(&operator, "POST", "/api/v1/agents", GRANTED);
    assert_eq!(made.json()["grants"], "pending", "{}", made.text);
    let context = r#""context":{"port":80,"method":"GET","path":"/repos/x"}"#;
    let ask = format!(r#"{{"subject":{{"kind":"agent","name":"triage","version":1}},{REACH},{context}}}"#);
    let before = explain(&server, &ask);
    assert_eq!(before["decision"]["allowed"], false);
    server.admin("POST", "/api/v1/agents/triage/versions/1/approve", "");
    let after = explain(&server, &ask);
    assert_eq!(after["decision"]["allowed"], true, "{after}");
    let rules = server.admin("GET", "/api/v1/policies?agent=triage", "").json();
    assert!(rules["items"].as_array().unwrap().iter().any(|rule| rule["layer"] == "grants"), "{rules}");
    let elsewhere = ask.replace("/repos/x", "/user");
    assert_eq!(explain(&server, &elsewhere)["decision"]["allowed"], false);
    let evil = ask.replace(r#""id":"api.github.com""#, r#""id":"api.github.com.evil.example""#);
    assert_eq!(explain(&server, &evil)["decision"]["allowed"], false);
}

#[test]
fn an_explanation_names_what_decided_and_what_would_unlock() {
    let server = TestServer::start();
    let denied = explain(
        &server,
        r#"{"subject":{"kind":"key","role":"viewer"},"action":"agent_delete","resource":{"type":"Agent","id":"triage"}}"#,
    );
    assert_eq!(denied["decision"]["class"], "not_permitted");
    let near: Vec<&str> =
        denied["nearest"].as_array().unwrap().iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert!(near.contains(&"role-admin"), "{denied}");
    let allowed = explain(&server, r#"{"action":"tenant_create"}"#);
    assert_eq!(allowed["decision"]["allowed"], true);
}

#[test]
fn test_cases_run_against_the_live_policy_and_a_draft() {
    let server = TestServer::start();
    let cases = r#""cases":[{"name":"admins deploy","ask":{"subject":{"kind":"key","role":"admin"},"action":"agent_deploy"},"expect":"allow"},{"name":"viewers do not","ask":{"subject":{"kind":"key","role":"viewer"},"action":"agent_deploy"},"expect":"deny"}]"#;
    let live = server.admin("POST", "/api/v1/policies/test", &format!("{{{cases}}}")).json();
    assert_eq!(live["passed"], true, "{live}");
    let draft = r#""draft":"permit(principal, action, resource); forbid(principal, action == Action::\"agent_deploy\", resource);""#;
    let drafted = server.admin("POST", "/api/v1/policies/test", &format!("{{{draft},{cases}}}")).json();
    assert_eq!((&drafted["passed"], &drafted["results"][0]["passed"]), (&false.into(), &false.into()), "{drafted}");
    let broken = server.admin("POST", "/api/v1/policies/test", &format!(r#"{{"draft":"permit(",{cases}}}"#));
    assert_eq!((broken.status, broken.code().as_str()), (422, "ERR_POLICY_INVALID"));
}

#[test]
fn a_question_that_cannot_be_read_is_named() {
    let server = TestServer::start();
    let wrong = [
        (r#"{"action":"fly"}"#, "/action"),
        (r#"{"action":"connect","resource":{"type":"Planet","id":"x"}}"#, "/resource/type"),
        (r#"{"action":"connect","context":{"port":1.5}}"#, "/context/port"),
    ];
    for (ask, pointer) in wrong {
        let answer = server.admin("POST", "/api/v1/policies/explain", ask);
        assert_eq!(
            (answer.status, &answer.json()["error"]["details"]["pointer"]),
            (422, &pointer.into()),
            "{}",
            answer.text
        );
    }
    let none = server.admin("POST", "/api/v1/policies/test", r#"{"cases":[]}"#);
    assert_eq!(none.status, 422);
}
