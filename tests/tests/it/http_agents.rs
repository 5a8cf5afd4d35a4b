//! Agents that are servers, from outside: a plain one with nothing but Python's own library, and
//! what becomes of it when it does what servers should not.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use it::runs::{becomes, begin, events, invoke, outcome, view};
use it::{Answer, TestServer};
use serde_json::{Value, json};

const AGENT: &str = include_str!("agents/server.py");

/// Deploys the agent with these variables.
fn deploy(server: &TestServer, variables: Value) {
    let manifest = manifest(variables);
    let deployed = server.admin("POST", "/api/v1/agents", &manifest.to_string());
    assert_eq!(deployed.status, 201, "{}", deployed.text);
}

fn manifest(variables: Value) -> Value {
    json!({
        "apiVersion": "aegis/v1", "kind": "Agent", "metadata": {"name": "subject"},
        "spec": {
            "runtime": {"isolation": "process", "protocol": "http", "command": ["python3", "-c", AGENT]},
            "resources": {"memory": "128Mi", "pids": 64, "disk": "16Mi", "idle_timeout": "2s"},
            "env": variables,
        },
    })
}

fn served(variables: Value) -> TestServer {
    let server = TestServer::start();
    deploy(&server, variables);
    server
}

/// Invokes it in a session of that name, or in one of its own.
fn ask(server: &TestServer, session: Option<&str>, input: Value) -> Answer {
    invoke(server, "subject", &json!({"input": input, "session_id": session, "timeout_ms": 30_000}))
}

fn session(server: &TestServer, name: &str) -> Value {
    server.admin("GET", &format!("/api/v1/sessions/{name}"), "").json()
}

/// Waits until the session has ended, and tells why.
fn ends(server: &TestServer, name: &str) -> String {
    let begun = Instant::now();
    loop {
        let now = session(server, name);
        if now["state"] == "ended" {
            return now["reason"].as_str().unwrap().to_owned();
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{now}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_server_is_given_the_input_and_who_asks() {
    let server = served(json!({}));
    let path = "/api/v1/agents/subject/invocations";
    let headers = [("x-api-key", server.admin.as_str()), ("x-correlation-id", "req-7")];
    let answer = server.call("POST", path, &headers, r#"{"input":{"do":"tell","a":"ä"},"session_id":"ada"}"#);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let told = answer.json()["output"].clone();
    let expected = json!({
        "path": "/invocations",
        "port": "8080",
        "given": {"do": "tell", "a": "ä"},
        "headers": {
            "Content-Type": "application/json",
            "X-Amzn-Bedrock-AgentCore-Runtime-Session-Id": "ada",
            "X-Correlation-ID": "req-7",
        },
    });
    assert_eq!(told, expected);
    let alone = ask(&server, None, json!({"do": "tell"}));
    let found = alone.json();
    assert!(found["usage"]["memory_peak_bytes"].as_u64() > Some(0), "{found}");
    assert_eq!(session(&server, found["session_id"].as_str().unwrap())["reason"], "completed");
}

#[test]
fn a_server_listens_where_the_manifest_says() {
    let server = served(json!({"PORT": "9123", "NO_PING": "1"}));
    let answer = ask(&server, None, json!({"do": "tell"}));
    assert_eq!(answer.json()["output"]["port"], "9123", "{}", answer.text);
}

/// What the server says, and what the run is answered with.
fn check(server: &TestServer, says: Value, (status, code, output): (u16, &str, Value)) {
    let answer = ask(server, Some("ada"), says.clone());
    let found = outcome(&answer);
    assert_eq!((answer.status, found["code"].as_str()), (status, Some(code)), "{says}: {}", answer.text);
    if status == 200 {
        assert_eq!(found["output"], output, "{says}");
    } else {
        assert!(found["message"].as_str().unwrap().contains(output.as_str().unwrap()), "{says}: {found}");
        assert!(found["details"]["log"][0].is_string(), "{says}: {found}");
    }
}

#[test]
fn what_a_server_answers_is_the_output_or_the_failure() {
    let server = served(json!({}));
    let say = |content_type: &str, body: &str| json!({"do": "say", "type": content_type, "body": body});
    check(&server, say("application/json", "{\"a\": 1}"), (200, "OK", json!({"a": 1})));
    check(&server, say("text/plain", "{\"a\": 1}"), (200, "OK", json!("{\"a\": 1}")));
    check(&server, say("application/json", ""), (200, "OK", Value::Null));
    check(&server, json!({"do": "say", "body": "", "status": 204}), (200, "OK", Value::Null));
    check(&server, say("application/json", "hello"), (424, "ERR_AGENT_ANSWER_INVALID", json!("not the JSON")));
    let failed = json!({"do": "say", "body": "no such tool", "status": 500});
    check(&server, failed, (424, "ERR_AGENT_FAILED", json!("status 500: no such tool")));
    check(&server, json!({"do": "break"}), (424, "ERR_AGENT_FAILED", json!("broke its answer off")));
    check(&server, json!({"do": "drop"}), (424, "ERR_AGENT_FAILED", json!("without an answer")));
    check(&server, json!({"do": "babble"}), (424, "ERR_AGENT_ANSWER_INVALID", json!("not HTTP")));
    check(&server, json!({"do": "no such thing"}), (424, "ERR_AGENT_FAILED", json!("without an answer")));
    assert_eq!(session(&server, "ada")["state"], "idle", "a session outlives what fails in it");
}

#[test]
fn the_first_event_is_heard_before_the_second_is_sent() {
    let server = served(json!({}));
    let body = r#"{"mode":"stream","session_id":"ada","input":{"do":"stream"}}"#;
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!(
        "POST /api/v1/agents/subject/invocations HTTP/1.1\r\nhost: {}\r\nx-api-key: {}\r\nconnection: close\r\n",
        server.address, server.admin
    );
    let length = body.len();
    write!(stream, "{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
    let mut heard = Vec::new();
    let mut piece = [0; 4096];
    while !String::from_utf8_lossy(&heard).contains(r#"{"number":1}"#) {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "{}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&piece[..length]);
    }
    // Only now the agent is told to go on, in the same session, beside the first run.
    assert_eq!(ask(&server, Some("ada"), json!({"do": "release"})).status, 200);
    stream.read_to_end(&mut heard).unwrap();
    let all = events(&String::from_utf8_lossy(&heard));
    let kinds: Vec<&str> = all.iter().map(|(_, kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["run", "event", "event", "outcome"], "{all:?}");
    assert_eq!(all[3].2["output"], json!([{"number": 1}, "two"]));
}

#[test]
fn a_server_that_takes_its_time_to_begin_is_waited_for() {
    let server = served(json!({"SLOW_START": "1.5"}));
    let answer = ask(&server, None, json!({"do": "count"}));
    assert_eq!(answer.status, 200, "{}", answer.text);
}

#[test]
fn a_server_that_is_kept_ready_serves_one_session() {
    let server = TestServer::start();
    let mut kept_ready = manifest(json!({"SLOW_START": "0.5"}));
    kept_ready["spec"]["pool"] = json!({"warm": 1});
    assert_eq!(server.admin("POST", "/api/v1/agents", &kept_ready.to_string()).status, 201);
    let begun = Instant::now();
    while !server.metrics().contains("aegis_boxes_made_total{isolation=\"process\"} 1") {
        assert!(begun.elapsed() < Duration::from_secs(10), "no box was made ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    for name in [None, Some("ada"), Some("ada")] {
        let answer = ask(&server, name, json!({"do": "count"}));
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

#[test]
fn a_server_that_is_kept_ready_is_warmed_up() {
    let server = TestServer::start();
    let mut kept_ready = manifest(json!({}));
    kept_ready["spec"]["pool"] = json!({"warm": 1, "warmup": {"do": "release"}});
    assert_eq!(server.admin("POST", "/api/v1/agents", &kept_ready.to_string()).status, 201);
    let begun = Instant::now();
    // A server answers this at once only if it was told before to release.
    loop {
        let body = json!({"input": {"do": "stream"}, "timeout_ms": 1_500});
        if invoke(&server, "subject", &body).status == 200 {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "it was not warmed up");
    }
}

#[test]
fn a_server_that_dies_at_its_start_says_why() {
    let server = served(json!({"FAIL": "gpt-0"}));
    for name in [None, Some("ada")] {
        let answer = ask(&server, name, json!({"do": "count"}));
        let found = outcome(&answer);
        assert_eq!((answer.status, found["code"].as_str()), (424, Some("ERR_AGENT_START_FAILED")), "{}", answer.text);
        assert!(found["message"].as_str().unwrap().contains("exit code 1 before it listened on port 8080"), "{found}");
        let log = found["details"]["log"].to_string();
        assert!(log.contains("Traceback") && log.contains("RuntimeError: no such model: gpt-0"), "{found}");
        assert_eq!(ends(&server, found["session_id"].as_str().unwrap()), "crashed", "{name:?}");
    }
}

#[test]
fn a_server_that_never_listens_ends_with_the_time_of_its_run() {
    let server = served(json!({"DEAF": "1"}));
    let answer = invoke(&server, "subject", &json!({"input": {"do": "count"}, "timeout_ms": 1_000}));
    assert_eq!(answer.code(), "ERR_TIMED_OUT", "{}", answer.text);
}

#[test]
fn who_is_busy_is_not_idle_and_who_only_says_how_it_is_is() {
    let server = served(json!({}));
    assert_eq!(ask(&server, Some("busy"), json!({"do": "work", "seconds": 5})).status, 200);
    assert_eq!(ask(&server, Some("lazy"), json!({"do": "count"})).status, 200);
    let begun = Instant::now();
    assert_eq!(ends(&server, "lazy"), "idle");
    let lazy = begun.elapsed();
    assert_eq!(ends(&server, "busy"), "idle");
    // Idle for two seconds, after five of work.
    assert!(lazy >= Duration::from_secs(2) && lazy < Duration::from_secs(5), "{lazy:?}");
    assert!(begun.elapsed() >= Duration::from_millis(6_500), "{:?}", begun.elapsed());
}

#[test]
fn runs_of_one_session_go_on_beside_each_other() {
    let server = served(json!({}));
    assert_eq!(ask(&server, Some("ada"), json!({"do": "count"})).status, 200);
    std::thread::scope(|scope| {
        // Each waits inside for all others.
        let asking = |number: u32| ask(&server, Some("ada"), json!({"do": "gather", "number": number}));
        let asked: Vec<_> = (0..20).map(|number| scope.spawn(move || (number, asking(number)))).collect();
        for asked in asked {
            let (number, answer) = asked.join().unwrap();
            assert_eq!((answer.status, &answer.json()["output"]), (200, &json!(number)), "{}", answer.text);
        }
    });
}

#[test]
fn a_session_may_be_begun_by_many_at_once() {
    let server = served(json!({}));
    for name in ["ada", "grace", "mary"] {
        std::thread::scope(|scope| {
            let asked: Vec<_> =
                (0..20).map(|_| scope.spawn(|| ask(&server, Some(name), json!({"do": "count"})))).collect();
            for asked in asked {
                let answer = asked.join().unwrap();
                assert_eq!(answer.status, 200, "{}", answer.text);
            }
        });
        assert_eq!(server.admin("DELETE", &format!("/api/v1/sessions/{name}"), "").status, 204);
    }
}

#[test]
fn connections_are_used_again_where_the_server_keeps_them() {
    for (protocol, expected) in [("HTTP/1.1", [1, 1, 1]), ("HTTP/1.0", [2, 3, 4])] {
        let server = served(json!({"PROTOCOL": protocol}));
        let count = || ask(&server, Some("ada"), json!({"do": "count"})).json()["output"].clone();
        assert_eq!([count(), count(), count()], expected.map(Value::from), "{protocol}");
    }
}

#[test]
fn a_run_that_is_cancelled_hangs_up() {
    let server = served(json!({}));
    let run = begin(&server, "subject", json!({"input": {"do": "wait"}, "session_id": "ada"}));
    becomes(&server, &run, "running");
    // The server has heard it for certain when it answers the next one.
    assert_eq!(ask(&server, Some("ada"), json!({"do": "count"})).status, 200);
    assert_eq!(server.admin("POST", &format!("/api/v1/runs/{run}/cancel"), "").status, 200);
    assert_eq!(ask(&server, Some("ada"), json!({"do": "left"})).json()["output"], true);
    assert_eq!(view(&server, &run)["state"], "cancelled");
}

#[test]
fn a_server_that_dies_takes_its_session_with_it() {
    let server = served(json!({}));
    let waiting = begin(&server, "subject", json!({"input": {"do": "wait"}, "session_id": "ada"}));
    becomes(&server, &waiting, "running");
    let answer = ask(&server, Some("ada"), json!({"do": "die", "code": 3}));
    let found = outcome(&answer);
    assert_eq!((answer.status, found["code"].as_str()), (424, Some("ERR_AGENT_FAILED")), "{}", answer.text);
    assert!(found["message"].as_str().unwrap().contains("exit code 3"), "{found}");
    assert!(found["details"]["log"].to_string().contains("these are my last words"), "{found}");
    let beside = becomes(&server, &waiting, "failed");
    assert!(beside["outcome"]["details"]["log"].to_string().contains("these are my last words"), "{beside}");
    assert_eq!(ends(&server, "ada"), "crashed");
    let logs = server.admin("GET", "/api/v1/sessions/ada/logs", "");
    assert!(logs.text.contains("I begin") && logs.text.contains("these are my last words"), "{}", logs.text);
    let alone = outcome(&ask(&server, None, json!({"do": "die", "code": 0})));
    assert!(alone["message"].as_str().unwrap().contains("exit code 0"), "{alone}");
    assert_eq!(ends(&server, alone["session_id"].as_str().unwrap()), "crashed");
}

#[test]
fn a_session_that_is_killed_kills_what_its_server_works_on() {
    let server = served(json!({}));
    let run = begin(&server, "subject", json!({"input": {"do": "wait"}, "session_id": "ada"}));
    becomes(&server, &run, "running");
    assert_eq!(server.admin("DELETE", "/api/v1/sessions/ada", "").status, 204);
    assert_eq!(becomes(&server, &run, "killed")["outcome"]["code"], "ERR_RUN_KILLED");
}
