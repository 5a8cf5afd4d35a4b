//! The kill switch.

use it::{TestServer, manifest};

fn switch(server: &TestServer, verb: &str, target: &str) -> u16 {
    server.admin("POST", &format!("/api/v1/{verb}"), &format!(r#"{{"target":"{target}","reason":"test"}}"#)).status
}

fn thaw(server: &TestServer, target: &str) -> u16 {
    server.admin("POST", "/api/v1/thaw", &format!(r#"{{"target":"{target}"}}"#)).status
}

#[test]
fn a_frozen_agent_takes_no_new_work_and_can_be_looked_at() {
    let server = TestServer::start();
    server.deploy(&server.admin, "triage");
    assert_eq!(switch(&server, "freeze", "agent/triage"), 200);
    let refused = server.deploy(&server.admin, "triage");
    assert_eq!((refused.status, refused.code().as_str()), (423, "ERR_FROZEN"));
    let set = server.admin("PUT", "/api/v1/agents/triage/endpoints/prod", r#"{"version":1}"#);
    assert_eq!(set.code(), "ERR_FROZEN");
    assert_eq!(server.admin("GET", "/api/v1/agents/triage", "").status, 200);
    assert_eq!(server.deploy(&server.admin, "other").status, 201);
    assert_eq!(thaw(&server, "agent/triage"), 204);
    assert_eq!(server.deploy(&server.admin, "triage").json()["version"], 2);
}

#[test]
fn a_frozen_tenant_stops_its_own_work_only() {
    let server = TestServer::start();
    let stranger = server.tenant("acme");
    assert_eq!(switch(&server, "freeze", "tenant/acme"), 200);
    assert_eq!(server.deploy(&stranger, "triage").code(), "ERR_FROZEN");
    assert_eq!(server.with_key(&stranger, "GET", "/api/v1/agents", "").status, 200);
    assert_eq!(server.deploy(&server.admin, "triage").status, 201);
    let told = server.with_key(&stranger, "GET", "/api/v1/ledger/entries", "").json();
    let kinds: Vec<&str> =
        told["items"].as_array().unwrap().iter().map(|i| i["entry"]["action"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"freeze_set") && kinds.contains(&"agent_deploy"), "{kinds:?}");
}

#[test]
fn a_frozen_installation_stops_everybody_and_survives_a_crash() {
    let mut server = TestServer::start();
    let stranger = server.tenant("acme");
    assert_eq!(switch(&server, "freeze", "all"), 200);
    for key in [stranger.clone(), server.admin.clone()] {
        assert_eq!(server.deploy(&key, "triage").code(), "ERR_FROZEN");
    }
    server.kill_and_restart();
    assert_eq!(server.deploy(&server.admin, "triage").code(), "ERR_FROZEN");
    assert_eq!(thaw(&server, "all"), 204);
    assert_eq!(server.deploy(&stranger, "triage").status, 201);
    assert_eq!(thaw(&server, "all"), 404);
}

#[test]
fn a_frozen_key_can_do_nothing_at_all() {
    let server = TestServer::start();
    let made = server.admin("POST", "/api/v1/keys", r#"{"role":"admin"}"#).json();
    let (id, key) = (made["key_id"].as_str().unwrap(), made["api_key"].as_str().unwrap());
    assert_eq!(switch(&server, "freeze", &format!("key/{id}")), 200);
    assert_eq!(server.with_key(key, "GET", "/api/v1/agents", "").code(), "ERR_FROZEN");
    let thawing = server.with_key(key, "POST", "/api/v1/thaw", &format!(r#"{{"target":"key/{id}"}}"#));
    assert_eq!(thawing.code(), "ERR_FROZEN");
    assert_eq!(thaw(&server, &format!("key/{id}")), 204);
    assert_eq!(server.with_key(key, "POST", "/api/v1/agents", &manifest("triage")).status, 201);
}

#[test]
fn a_typing_mistake_is_told() {
    let server = TestServer::start();
    let missing_key = "key/key_00000000000000000000000000";
    for missing in ["agent/none", "tenant/none", missing_key] {
        assert_eq!(switch(&server, "freeze", missing), 404, "{missing}");
    }
    for wrong in ["everything", "agent/", "agent/A", "host/x", ""] {
        assert_eq!(switch(&server, "freeze", wrong), 422, "{wrong}");
    }
    let list = server.admin("GET", "/api/v1/freeze", "").json();
    assert_eq!(list["items"].as_array().map(Vec::len), Some(0));
}

#[test]
fn nobody_freezes_the_key_in_their_own_hand() {
    let server = TestServer::start();
    let id = server.admin("GET", "/api/v1/keys", "").json()["items"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(switch(&server, "freeze", &format!("key/{id}")), 409);
    assert_eq!(server.admin("DELETE", &format!("/api/v1/keys/{id}"), "").status, 409);
}

#[test]
fn a_key_can_be_revoked_while_everything_is_frozen() {
    let server = TestServer::start();
    let made = server.admin("POST", "/api/v1/keys", r#"{"role":"admin"}"#).json();
    assert_eq!(switch(&server, "freeze", "all"), 200);
    let id = made["key_id"].as_str().unwrap();
    assert_eq!(server.admin("DELETE", &format!("/api/v1/keys/{id}"), "").status, 204);
    assert_eq!(server.with_key(made["api_key"].as_str().unwrap(), "GET", "/api/v1/agents", "").status, 401);
}

#[test]
fn a_refusal_by_a_freeze_names_what_was_frozen() {
    let server = TestServer::start();
    server.deploy(&server.admin, "triage");
    switch(&server, "freeze", "agent/triage");
    server.deploy(&server.admin, "triage");
    let entries = server.admin("GET", "/api/v1/ledger/entries", "").json();
    let last = entries["items"].as_array().unwrap().last().unwrap()["entry"].clone();
    assert_eq!((&last["kind"], &last["subject"]), (&"denial".into(), &"agent/triage".into()));
}

#[test]
fn what_a_platform_admin_froze_only_a_platform_admin_thaws() {
    let server = TestServer::start();
    let stranger = server.tenant("acme");
    assert_eq!(switch(&server, "freeze", "tenant/acme"), 200);
    let thawing = server.with_key(&stranger, "POST", "/api/v1/thaw", r#"{"target":"tenant/acme"}"#);
    assert_eq!(thawing.code(), "ERR_DENIED");
    assert_eq!(server.deploy(&stranger, "triage").code(), "ERR_FROZEN");
    assert_eq!(thaw(&server, "tenant/acme"), 204);
}
