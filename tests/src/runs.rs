//! Runs in tests: begun, waited for, looked at.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{Answer, TestServer};

/// An agent that is a line of shell.
pub fn shell(server: &TestServer, name: &str, script: &str) {
    let manifest = json!({
        "apiVersion": "aegis/v1", "kind": "Agent", "metadata": {"name": name},
        "spec": {
            "runtime": {"isolation": "process", "command": ["sh", "-c", script]},
            "resources": {"memory": "64Mi", "pids": 32, "disk": "16Mi"},
        },
    });
    let deployed = server.admin("POST", "/api/v1/agents", &manifest.to_string());
    assert_eq!(deployed.status, 201, "{}", deployed.text);
}

/// Invokes an agent.
pub fn invoke(server: &TestServer, agent: &str, request: &Value) -> Answer {
    server.admin("POST", &format!("/api/v1/agents/{agent}/invocations"), &request.to_string())
}

/// The outcome of an invocation, whether it succeeded or not.
pub fn outcome(answer: &Answer) -> Value {
    match answer.status {
        200 => answer.json(),
        _ => answer.json()["error"]["details"]["outcome"].clone(),
    }
}

/// Begins a run, and does not wait for it.
pub fn begin(server: &TestServer, agent: &str, mut request: Value) -> String {
    request["mode"] = json!("async");
    let begun = invoke(server, agent, &request);
    assert_eq!(begun.status, 202, "{}", begun.text);
    begun.json()["run_id"].as_str().unwrap().to_owned()
}

/// The run as it is now.
pub fn view(server: &TestServer, run: &str) -> Value {
    server.admin("GET", &format!("/api/v1/runs/{run}"), "").json()
}

/// Waits until the run has that state.
pub fn becomes(server: &TestServer, run: &str, state: &str) -> Value {
    let begun = Instant::now();
    loop {
        let now = view(server, run);
        if now["state"] == state {
            return now;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "not {state}: {now}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The events of a stream: number, kind, data.
pub fn events(text: &str) -> Vec<(u64, String, Value)> {
    let field = |block: &str, name: &str| {
        block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ").map(str::to_owned))
    };
    // Pieces of the answer are framed by their lengths; events are found all the same.
    let blocks = text.split("\n\n").filter_map(|block| {
        let data = serde_json::from_str(&field(block, "data")?).ok()?;
        Some((field(block, "id")?.parse().ok()?, field(block, "event")?, data))
    });
    blocks.collect()
}
