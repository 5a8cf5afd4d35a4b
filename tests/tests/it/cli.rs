//! The command line against a real server: what it prints, where, and how it ends.

use std::fs;

use it::TestServer;

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn check(server: &TestServer, arguments: &[&str], code: i32) -> (String, String) {
    let output = server.aegis(arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "aegis {arguments:?}\n{out}{err}");
    (out, err)
}

#[test]
fn an_agent_is_validated_deployed_shown_and_deleted() {
    let server = TestServer::start();
    let file = server.home().join("agent.yaml");
    fs::write(&file, it::manifest("triage")).unwrap();
    check(&server, &["agent", "validate", "agent.yaml"], 0);
    check(&server, &["agent", "deploy", "agent.yaml"], 0);
    let (out, _) = check(&server, &["--output", "json", "agent", "show", "triage"], 0);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&out).unwrap()["name"], "triage");
    let (out, _) = check(&server, &["agent", "list"], 0);
    assert!(out.contains("triage"));
    check(&server, &["agent", "delete", "triage", "--yes"], 0);
    let (out, err) = check(&server, &["agent", "show", "triage"], 3);
    assert!(out.is_empty() && err.contains("triage"), "{err}");
}

#[test]
fn a_directory_with_code_is_packed_and_deployed() {
    let server = TestServer::start();
    let dir = server.home().join("agent");
    fs::create_dir_all(dir.join("src/lib")).unwrap();
    fs::write(dir.join("src/agent.py"), "print('hi')\n").unwrap();
    fs::write(dir.join("src/lib/a.py"), "x = 1\n").unwrap();
    fs::write(
        dir.join("agent.yaml"),
        "apiVersion: aegis/v1\nkind: Agent\nmetadata: {name: packed}\nspec:\n  runtime: {isolation: process, command: [python3, agent.py], source: ./src}\n",
    )
    .unwrap();
    check(&server, &["agent", "deploy", "agent"], 0);
    let view = server.admin("GET", "/api/v1/agents/packed/versions/1", "").json();
    assert_eq!(view["bundle"]["files"], 2, "{view}");
    check(&server, &["agent", "deploy", "agent"], 0);
    let again = server.admin("GET", "/api/v1/agents/packed/versions/2", "").json();
    assert_eq!(view["bundle"], again["bundle"], "the same code is the same bundle");
}

#[test]
fn a_wrong_manifest_points_to_its_place() {
    let server = TestServer::start();
    fs::write(server.home().join("agent.yaml"), "apiVersion: aegis/v1\nkind: Agnt\nmetadata: {name: x}\n").unwrap();
    let (_, err) = check(&server, &["agent", "validate", "agent.yaml"], 2);
    assert!(err.contains("agent.yaml:2:") && err.contains("Agent"), "{err}");
}

#[test]
fn exit_codes_follow_the_table() {
    let server = TestServer::start();
    check(&server, &["agent", "show", "none"], 3);
    check(&server, &["agent", "show"], 2);
    check(&server, &["nonsense"], 2);
    check(&server, &["tenant", "create", "acme"], 0);
    check(&server, &["tenant", "create", "acme"], 5);
    check(&server, &["freeze", "all"], 0);
    fs::write(server.home().join("agent.yaml"), it::manifest("x")).unwrap();
    check(&server, &["agent", "deploy", "agent.yaml"], 9);
    check(&server, &["thaw", "all"], 0);
    let output = std::process::Command::new(it::program())
        .args(["agent", "list"])
        .env_clear()
        .env("HOME", server.home())
        .env("AEGIS_URL", "http://127.0.0.1:1")
        .env("AEGIS_API_KEY", &server.admin)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(6), "{}", text(&output.stderr));
    let output = std::process::Command::new(it::program())
        .args(["agent", "list"])
        .env_clear()
        .env("HOME", server.home())
        .env("AEGIS_URL", format!("http://{}", server.address))
        .env("AEGIS_API_KEY", "wrong")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
}

#[test]
fn keys_come_and_go() {
    let server = TestServer::start();
    let (out, _) = check(&server, &["--output", "json", "key", "create", "--role", "viewer"], 0);
    let made: serde_json::Value = serde_json::from_str(&out).unwrap();
    let key = made["api_key"].as_str().unwrap();
    assert_eq!(server.with_key(key, "GET", "/api/v1/agents", "").status, 200);
    check(&server, &["key", "revoke", made["key_id"].as_str().unwrap()], 0);
    assert_eq!(server.with_key(key, "GET", "/api/v1/agents", "").status, 401);
}

#[test]
fn the_ledger_is_exported_and_verified_offline() {
    let mut server = TestServer::start();
    for number in 0..3 {
        server.deploy(&server.admin, &format!("agent-{number}"));
    }
    let (out, _) = check(&server, &["--output", "json", "audit", "checkpoint"], 0);
    let head: serde_json::Value = serde_json::from_str(&out).unwrap();
    let key = head["verifier_key"].as_str().unwrap();
    check(&server, &["audit", "export", "--out", "export"], 0);
    check(&server, &["audit", "export", "--out", "export"], 2);
    let (_, _) = check(&server, &["audit", "proof", "1"], 0);
    server.stop();
    check(&server, &["audit", "verify", "export", "--key", key], 0);
    let (_, err) = check(&server, &["audit", "verify", "export"], 0);
    assert!(err.contains("pinned"), "{err}");
    check(&server, &["audit", "list"], 6);
}

#[test]
fn help_teaches_every_verb() {
    let server = TestServer::start();
    let (out, _) = check(&server, &["--help"], 0);
    for verb in
        ["up", "doctor", "agent", "endpoint", "key", "tenant", "policy", "audit", "freeze", "thaw", "completions"]
    {
        assert!(out.contains(verb), "{verb}");
        let (help, _) = check(&server, &[verb, "--help"], 0);
        assert!(help.contains("xample"), "`aegis {verb} --help` has no example");
    }
}

#[test]
fn an_older_manifest_says_what_it_became() {
    let server = TestServer::start();
    let older = "version: \"1.0\"\nagent:\n  name: triage\n  runtime: python:3.11\npermissions:\n  network:\n    allow: [api.github.com]\n  memory: 512MB\n";
    fs::write(server.home().join("agent.yaml"), older).unwrap();
    let (out, err) = check(&server, &["agent", "validate", "agent.yaml"], 0);
    let told = format!("{out}{err}");
    assert!(told.contains("512MB") && told.contains("spec.resources.memory"), "{told}");
}
