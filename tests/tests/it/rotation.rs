//! Secrets that programs rotate: in boxes that may do nothing else, verified before they are
//! used, and whatever goes wrong, the value before stays.

use std::time::{Duration, Instant};

use it::runs::invoke;
use it::{Answer, TestServer, files_below};
use serde_json::{Value, json};

/// Rotates what it is told to; how it misbehaves, the name of the secret says.
const PROGRAM: &str = r#"
import json, os, sys, time, urllib.error, urllib.request
task = json.load(sys.stdin)["rotate"]
name = task["secret"]
def ask(path, body=None, method="POST"):
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "x-correlation-id": said}
    request = urllib.request.Request(os.environ["AEGIS_URL"] + "/api/v1" + path, data, headers, method=method)
    text = urllib.request.urlopen(request, timeout=20).read().decode()
    return json.loads(text) if text else None
def refused(path, body=None):
    try:
        ask(path, body)
    except urllib.error.HTTPError as error:
        return error.code == 403
    return False
said = "harmless"
values = ask(f"/secrets/{name}/rotation/read")
said = values.get("current") or values["proposed"]
if name == "nosy":
    others = [("/secrets/good/rotation/read", None), ("/secrets/good/rotation/propose", {"value": "x"}),
              ("/identity/tokens", {"audience": "a"}), ("/secrets/nosy/rotate", {"value": "x"}), ("/keys", {}),
              ("/agents/" + (values.get("current") or values["proposed"]) + "/invocations", {})]
    for path, body in others:
        if not refused(path, body):
            sys.exit(9)
    for text in values.values():
        print(json.dumps({"event": text}), flush=True)
        print(text, file=sys.stderr, flush=True)
if task["step"] == "propose":
    if name == "breaks":
        print(values["current"], file=sys.stderr)
        sys.exit(3)
    if name == "nothing":
        sys.exit(0)
    if name == "hangs":
        time.sleep(600)
    made = values["current"] if name == "same" else values.get("proposed") or values["current"] + "-rotated"
    ask(f"/secrets/{name}/rotation/propose", {"value": made})
else:
    if name == "slow":
        time.sleep(2)
    if name == "rejected" or "current" in values or not values["proposed"].endswith("-rotated"):
        sys.exit(5)
json.dump(values, sys.stdout)
"#;

fn start() -> TestServer {
    let server = TestServer::start();
    let manifest = json!({
        "apiVersion": "aegis/v1", "kind": "Agent", "metadata": {"name": "rotator"},
        "spec": {
            "runtime": {"isolation": "process", "command": ["python3", "-c", PROGRAM]},
            "resources": {"memory": "128Mi", "pids": 32, "disk": "16Mi", "timeout": "10s"},
        },
    });
    let deployed = server.admin("POST", "/api/v1/agents", &manifest.to_string());
    assert_eq!(deployed.status, 201, "{}", deployed.text);
    server
}

fn path(name: &str) -> String {
    format!("/api/v1/secrets/{name}")
}

fn value(name: &str) -> String {
    format!("planted-{name}-7f3a9c")
}

/// A secret that the program rotates.
fn rotated(server: &TestServer, name: &str) {
    let set = server.admin("PUT", &path(name), &json!({"value": value(name)}).to_string());
    assert_eq!(set.status, 200, "{}", set.text);
    let set = server.admin("PUT", &format!("{}/rotation", path(name)), r#"{"agent": "rotator"}"#);
    assert_eq!((set.status, set.json()["rotation"]["agent_version"].as_u64()), (200, Some(1)), "{}", set.text);
}

fn begin(server: &TestServer, name: &str) -> Answer {
    server.admin("POST", &format!("{}/rotation", path(name)), "")
}

/// Waits until the secret is as that says.
fn becomes(server: &TestServer, name: &str, as_wanted: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let now = server.admin("GET", &path(name), "").json();
        if as_wanted(&now) {
            return now;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "{now}\n{}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Whether that is the value: a rotation to the present one is refused.
fn is_value(server: &TestServer, name: &str, value: &str) -> bool {
    let rotate = server.admin("POST", &format!("{}/rotate", path(name)), &json!({"value": value}).to_string());
    rotate.json()["error"]["details"]["pointer"] == "/value"
}

#[test]
fn a_program_rotates_a_secret_and_the_value_before_overlaps() {
    let server = start();
    rotated(&server, "good");
    assert_eq!(begin(&server, "good").status, 202);
    let secret = becomes(&server, "good", |secret| secret["version"] == 2);
    assert_eq!(
        (secret["versions"][1]["state"].as_str(), secret["versions"][0]["created_by"].as_str()),
        (Some("overlapping"), Some("system"))
    );
    assert_eq!(
        (secret["rotation"]["proposed"].as_bool(), secret["rotation"]["failures"].as_u64()),
        (Some(false), Some(0))
    );
    assert!(is_value(&server, "good", &format!("{}-rotated", value("good"))));
    // Who was given what, and when, is in the ledger.
    let entries = server.admin("GET", "/api/v1/ledger/entries?limit=100", "").text;
    for act in ["rotation_read", "rotation_propose", "rotation_start", "secret_rotate"] {
        assert!(entries.contains(act), "{act} is recorded");
    }
}

#[test]
fn the_command_line_chooses_the_program_and_waits_for_it() {
    let server = start();
    for name in ["good", "breaks"] {
        server.admin("PUT", &path(name), &json!({"value": value(name)}).to_string());
        let set = server.aegis(&["secret", "rotation", "set", name, "--agent", "rotator"]);
        assert!(set.status.success(), "{set:?}");
    }
    let good = server.aegis(&["secret", "rotation", "start", "good"]);
    let said = String::from_utf8(good.stdout).unwrap();
    assert!(good.status.success() && said.contains("is at version 2; version 1 can be read until"), "{said}");
    let breaks = server.aegis(&["secret", "rotation", "start", "breaks"]);
    let said = String::from_utf8(breaks.stderr).unwrap();
    assert!(breaks.status.code() == Some(1) && said.contains("the value before stays in use"), "{said}");
    let shown = String::from_utf8(server.aegis(&["secret", "show", "breaks"]).stdout).unwrap();
    assert!(shown.contains("version 1 of `rotator`") && shown.contains("1 times, last"), "{shown}");
    let removed = server.aegis(&["secret", "rotation", "remove", "breaks"]);
    assert!(removed.status.success(), "{removed:?}");
    let again = server.aegis(&["secret", "rotation", "start", "breaks"]);
    assert_eq!(again.status.code(), Some(5), "{again:?}");
}

#[test]
fn whatever_a_program_does_wrong_the_value_before_stays() {
    let server = start();
    let cases = [
        ("breaks", "propose", "failed"),
        ("nothing", "propose", "without having proposed"),
        ("same", "propose", "failed"),
        ("hangs", "propose", "longer than 10000 ms"),
        ("rejected", "verify", "failed"),
    ];
    for (name, ..) in cases {
        rotated(&server, name);
        begin(&server, name);
    }
    for (name, step, reason) in cases {
        let secret = becomes(&server, name, |secret| secret["rotation"]["failures"] == 1);
        let failure = &secret["rotation"]["last_failure"];
        assert_eq!(failure["step"], step, "{secret}");
        assert!(failure["reason"].as_str().unwrap().contains(reason), "{failure}");
        assert_eq!((secret["version"].as_u64(), secret["overdue"].as_bool()), (Some(1), Some(false)));
        assert!(is_value(&server, name, &value(name)), "{name}");
        assert!(secret["rotation"]["retry_after"].as_str().is_some());
    }
}

#[test]
fn a_box_that_rotates_may_do_nothing_else_and_what_it_says_is_not_kept() {
    let mut server = start();
    rotated(&server, "good");
    rotated(&server, "nosy");
    begin(&server, "nosy");
    let secret = becomes(&server, "nosy", |secret| secret["version"] == 2 || secret["rotation"]["failures"] == 1);
    assert_eq!(secret["version"], 2, "{secret}");
    let runs = server.admin("GET", "/api/v1/runs?limit=50", "").json();
    let mut seen = server.log() + &server.admin("GET", "/api/v1/ledger/entries?limit=200", "").text;
    for run in runs["items"].as_array().unwrap() {
        let id = run["id"].as_str().or(run["run_id"].as_str()).unwrap();
        let session = run["session_id"].as_str().unwrap();
        seen += &server.admin("GET", &format!("/api/v1/runs/{id}"), "").text;
        seen += &server.admin("GET", &format!("/api/v1/runs/{id}/events"), "").text;
        seen += &server.admin("GET", &format!("/api/v1/sessions/{session}/logs"), "").text;
    }
    assert!(!seen.contains("planted-"), "{seen}");
    server.stop();
    for (path, bytes) in files_below(&server.data()) {
        let found = bytes.windows(8).any(|window| window == b"planted-");
        assert!(!found, "{} holds a value", path.display());
    }
}

#[test]
fn nobody_comes_into_a_box_that_rotates() {
    let server = start();
    rotated(&server, "hangs");
    begin(&server, "hangs");
    becomes(&server, "hangs", |secret| secret["rotation"]["step"] == "propose");
    let begun = Instant::now();
    let session = loop {
        let sessions = server.admin("GET", "/api/v1/sessions", "").json();
        if let Some(session) = sessions["items"].as_array().and_then(|items| items.first()) {
            break session["id"].as_str().or(session["session_id"].as_str()).unwrap().to_owned();
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
    };
    let exec = server.admin(
        "POST",
        &format!("/api/v1/sessions/{session}/exec"),
        r#"{"command": ["cat", "/proc/self/environ"]}"#,
    );
    assert_eq!(exec.code(), "ERR_STATE_INVALID", "{}", exec.text);
    let file = server.admin("GET", &format!("/api/v1/sessions/{session}/files/x"), "");
    assert_eq!(file.code(), "ERR_STATE_INVALID", "{}", file.text);
    let joined = invoke(&server, "rotator", &json!({"session_id": session, "input": {}}));
    assert_eq!(joined.code(), "ERR_STATE_INVALID", "{}", joined.text);
    // Another run of the same program is no rotation.
    let input = json!({"rotate": {"secret": "hangs", "step": "propose"}});
    let posed = invoke(&server, "rotator", &json!({"input": input}));
    assert_eq!(posed.code(), "ERR_AGENT_FAILED", "{}", posed.text);
    assert!(posed.text.contains("403"), "{}", posed.text);
}

#[test]
fn a_rotation_goes_on_after_the_server_was_killed_in_it() {
    let mut server = start();
    rotated(&server, "slow");
    begin(&server, "slow");
    becomes(&server, "slow", |secret| secret["rotation"]["step"] == "verify");
    server.kill_and_restart();
    assert!(server.admin("GET", &path("slow"), "").json()["version"] == 1);
    becomes(&server, "slow", |secret| secret["version"] == 2);
    assert!(is_value(&server, "slow", &format!("{}-rotated", value("slow"))));
}

#[test]
fn what_is_overdue_is_rotated_by_itself() {
    let mut server = start();
    rotated(&server, "good");
    let due = json!({"value": value("good"), "rotate_every_ms": 1}).to_string();
    assert_eq!(server.admin("PUT", &path("good"), &due).status, 200);
    server.kill_and_restart();
    becomes(&server, "good", |secret| secret["version"].as_u64() >= Some(3));
}

#[test]
fn only_an_admin_chooses_the_program_and_only_one_that_can_be() {
    let server = start();
    rotated(&server, "good");
    let operator = server.key("operator");
    let rotation = format!("{}/rotation", path("good"));
    for (method, body) in [("PUT", r#"{"agent": "rotator"}"#), ("POST", ""), ("DELETE", "")] {
        assert_eq!(server.with_key(&operator, method, &rotation, body).code(), "ERR_DENIED", "{method}");
    }
    for inside in ["read", "propose"] {
        let asked = server.admin("POST", &format!("{rotation}/{inside}"), r#"{"value": "x"}"#);
        assert_eq!(asked.code(), "ERR_DENIED", "{inside}");
    }
    assert_eq!(server.admin("PUT", &rotation, r#"{"agent": "nobody"}"#).status, 404);
    assert_eq!(server.admin("PUT", &rotation, r#"{"agent": "rotator", "agent_version": 9}"#).status, 404);
    let http = json!({
        "apiVersion": "aegis/v1", "kind": "Agent", "metadata": {"name": "http"},
        "spec": {"runtime": {"isolation": "process", "protocol": "http", "command": ["true"]}},
    });
    assert_eq!(server.admin("POST", "/api/v1/agents", &http.to_string()).status, 201);
    assert_eq!(server.admin("PUT", &rotation, r#"{"agent": "http"}"#).json()["error"]["details"]["pointer"], "/agent");
    // A later version of the program is not asked for.
    it::runs::shell(&server, "rotator", "exit 7");
    begin(&server, "good");
    becomes(&server, "good", |secret| secret["version"] == 2);
    assert_eq!(server.admin("DELETE", &rotation, "").status, 204);
    assert_eq!(begin(&server, "good").code(), "ERR_STATE_INVALID");
    assert!(server.admin("GET", &path("good"), "").json().get("rotation").is_none());
}
