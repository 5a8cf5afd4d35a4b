//! Agents from the first deployment to the end: versions, grants, endpoints.

use std::collections::BTreeSet;

use it::TestServer;

const AGENT: &str = "/api/v1/agents/triage";

fn default_points_to(server: &TestServer) -> Option<u64> {
    server.admin("GET", &format!("{AGENT}/endpoints/default"), "").json()["version"].as_u64()
}

#[test]
fn an_admins_deployment_is_approved_and_default_follows() {
    let server = TestServer::start();
    for number in 1..=3_u64 {
        let made = server.deploy(&server.admin, "triage");
        assert_eq!((made.status, made.json()["version"].as_u64()), (201, Some(number)), "{}", made.text);
        assert_eq!(made.json()["grants"], "approved");
        assert_eq!(default_points_to(&server), Some(number));
    }
    let versions = server.admin("GET", &format!("{AGENT}/versions"), "").json();
    let numbers: Vec<u64> =
        versions["items"].as_array().unwrap().iter().map(|v| v["version"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [3, 2, 1]);
}

#[test]
fn an_operators_deployment_waits_for_an_admin() {
    let server = TestServer::start();
    let operator = server.key("operator");
    let made = server.deploy(&operator, "triage");
    assert_eq!(made.json()["grants"], "pending");
    assert_eq!(default_points_to(&server), None);
    let set = server.admin("PUT", &format!("{AGENT}/endpoints/prod"), r#"{"version":1}"#);
    assert_eq!(set.code(), "ERR_STATE_INVALID");
    assert_eq!(server.with_key(&operator, "POST", &format!("{AGENT}/versions/1/approve"), "").code(), "ERR_DENIED");
    let approved = server.admin("POST", &format!("{AGENT}/versions/1/approve"), "");
    assert_eq!(approved.json()["grants"], "approved", "{}", approved.text);
    assert_eq!(default_points_to(&server), Some(1));
    let again = server.admin("POST", &format!("{AGENT}/versions/1/approve"), "");
    assert_eq!(again.json(), approved.json());
}

#[test]
fn endpoints_move_only_when_told_to() {
    let server = TestServer::start();
    server.deploy(&server.admin, "triage");
    let prod = format!("{AGENT}/endpoints/prod");
    assert_eq!(server.admin("PUT", &prod, r#"{"version":1}"#).status, 200);
    server.deploy(&server.admin, "triage");
    assert_eq!(server.admin("GET", &prod, "").json()["version"], 1);
    assert_eq!(server.admin("PUT", &prod, r#"{"version":2}"#).json()["version"], 2);
    for missing in [r#"{"version":3}"#, r#"{"version":0}"#] {
        assert_eq!(server.admin("PUT", &prod, missing).status, 404);
    }
    assert_eq!(server.admin("DELETE", &prod, "").status, 204);
    assert_eq!(server.admin("GET", &prod, "").status, 404);
    assert_eq!(server.admin("DELETE", &format!("{AGENT}/endpoints/default"), "").code(), "ERR_STATE_INVALID");
}

#[test]
fn a_deleted_agent_is_gone_and_its_name_goes_on_counting() {
    let server = TestServer::start();
    server.deploy(&server.admin, "triage");
    server.deploy(&server.admin, "triage");
    assert_eq!(server.admin("DELETE", AGENT, "").status, 204);
    for path in
        [AGENT.to_owned(), format!("{AGENT}/versions"), format!("{AGENT}/versions/1"), format!("{AGENT}/endpoints")]
    {
        assert_eq!(server.admin("GET", &path, "").status, 404, "{path}");
    }
    assert_eq!(server.admin("DELETE", AGENT, "").status, 404);
    assert_eq!(server.deploy(&server.admin, "triage").json()["version"], 3);
    assert_eq!(default_points_to(&server), Some(3));
    assert_eq!(server.admin("GET", &format!("{AGENT}/versions/2"), "").status, 404, "it belongs to the deleted one");
    let versions = server.admin("GET", &format!("{AGENT}/versions"), "").json();
    assert_eq!(versions["items"].as_array().unwrap().len(), 1);
}

#[test]
fn deployments_at_once_get_a_version_each() {
    let server = TestServer::start();
    let versions: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| server.deploy(&server.admin, "triage").json()["version"].as_u64().unwrap()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(versions.iter().copied().collect::<BTreeSet<_>>(), (1..=8).collect());
    assert_eq!(default_points_to(&server), Some(8));
}

#[test]
fn pages_lead_through_everything_once() {
    let server = TestServer::start();
    let names: BTreeSet<String> = (0..7).map(|number| format!("agent-{number}")).collect();
    for name in &names {
        server.deploy(&server.admin, name);
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.admin("GET", &format!("/api/v1/agents?limit=3{cursor}"), "").json();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        found.extend(items.iter().map(|item| item["name"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, names.into_iter().collect::<Vec<_>>());
    for bad in ["limit=0", "limit=501", "limit=x", "cursor=%00", "cursor=!!", "unknown=1"] {
        let answer = server.admin("GET", &format!("/api/v1/agents?{bad}"), "");
        assert_eq!((answer.status, answer.code().as_str()), (422, "ERR_VALIDATION"), "{bad}");
    }
}

#[test]
fn a_wrong_manifest_is_refused_with_places_and_stores_nothing() {
    let server = TestServer::start();
    let headers = [("x-api-key", server.admin.as_str()), ("content-type", "application/yaml")];
    let wrong = "apiVersion: aegis/v1\nkind: Agent\nmetadata: {name: triage}\nspec:\n  runtime: {isolation: process, comand: [cat]}\n";
    let answer = server.call("POST", "/api/v1/agents", &headers, wrong);
    assert_eq!((answer.status, answer.code().as_str()), (422, "ERR_MANIFEST_INVALID"));
    let body = answer.json();
    let problems = body["error"]["details"]["problems"].as_array().unwrap();
    let problem = problems.iter().find(|problem| problem["pointer"] == "/spec/runtime/comand").unwrap();
    assert_eq!((problem["line"].as_u64(), problem["column"].as_u64()), (Some(5), Some(33)), "{}", answer.text);
    assert!(problem.to_string().contains("command"), "{problem}");
    assert_eq!(server.admin("GET", AGENT, "").status, 404);
    assert_eq!(server.admin("GET", "/api/v1/ledger/checkpoint", "").json()["size"], 1, "only the first start");
}

#[test]
fn a_grant_that_no_policy_can_express_is_refused_before_anything_is_stored() {
    let server = TestServer::start();
    let manifest = it::manifest("triage").replace(
        r#""spec":{"#,
        r#""spec":{"permissions":{"network":[{"host":"api.example.com","ports":[443],"paths":["/a/**/b"]}]},"#,
    );
    let answer = server.admin("POST", "/api/v1/agents", &manifest);
    assert_eq!((answer.status, answer.code().as_str()), (422, "ERR_MANIFEST_INVALID"), "{}", answer.text);
    let pointer = answer.json()["error"]["details"]["pointer"].as_str().unwrap().to_owned();
    assert!(pointer.starts_with("/spec/permissions/network/0/paths"), "{pointer}");
    assert_eq!(server.admin("GET", AGENT, "").status, 404);
}
