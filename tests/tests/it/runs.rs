//! Runs and sessions from outside: what an agent is given, what becomes of it, how it is
//! stopped, and what is left after a crash.

use std::time::{Duration, Instant};

use it::TestServer;
use it::runs::{becomes, begin, events, invoke, outcome, shell, view};
use serde_json::{Value, json};

#[test]
fn an_agent_is_given_its_input_and_its_answer_is_the_outcome() {
    let server = TestServer::start();
    shell(&server, "echo", "cat");
    let answer = invoke(&server, "echo", &json!({"input": {"a": [1, "ä"]}}));
    assert_eq!(answer.status, 200, "{}", answer.text);
    let outcome = answer.json();
    assert_eq!(outcome["output"], json!({"a": [1, "ä"]}));
    assert_eq!((outcome["status"].as_str(), outcome["code"].as_str()), (Some("succeeded"), Some("OK")));
    assert_eq!(outcome["isolation"], "process");
    assert!(outcome["usage"]["memory_peak_bytes"].as_u64() > Some(0), "{outcome}");
    let run = view(&server, outcome["run_id"].as_str().unwrap());
    assert_eq!((run["state"].as_str(), &run["outcome"]), (Some("succeeded"), &outcome));
    let session = server.admin("GET", &format!("/api/v1/sessions/{}", run["session_id"].as_str().unwrap()), "").json();
    assert_eq!(
        (session["state"].as_str(), session["reason"].as_str()),
        (Some("ended"), Some("completed")),
        "{session}"
    );
}

/// A script, what it is answered with, and a part of the message.
fn check(server: &TestServer, script: &str, (status, code, message): (u16, &str, &str)) {
    shell(server, "subject", script);
    let answer = invoke(server, "subject", &json!({"timeout_ms": 2_000}));
    let found = outcome(&answer);
    assert_eq!((answer.status, found["code"].as_str()), (status, Some(code)), "`{script}`: {}", answer.text);
    assert!(found["message"].as_str().unwrap().contains(message), "`{script}`: {found}");
    let stored = view(server, found["run_id"].as_str().unwrap());
    assert_eq!(stored["outcome"], found, "`{script}`");
}

#[test]
fn every_end_of_an_agent_has_its_name() {
    let server = TestServer::start();
    check(&server, "exit 0", (200, "OK", "done"));
    check(&server, "exit 3", (424, "ERR_AGENT_FAILED", "exit code 3"));
    check(&server, "kill -SEGV $$", (424, "ERR_AGENT_FAILED", "signal 11"));
    check(&server, "echo hello", (424, "ERR_AGENT_ANSWER_INVALID", "not one JSON document"));
    check(&server, "yes", (424, "ERR_AGENT_ANSWER_INVALID", "more than"));
    check(&server, "exec sleep 100", (504, "ERR_TIMED_OUT", "2000 ms"));
    check(&server, "trap '' TERM; while :; do :; done", (504, "ERR_TIMED_OUT", "2000 ms"));
    check(&server, "exec >&- 2>&-; sleep 100", (504, "ERR_TIMED_OUT", "2000 ms"));
    check(
        &server,
        "tail -c 200M /dev/zero | tail -c 199M > /dev/null",
        (424, "ERR_AGENT_OUT_OF_MEMORY", "want of memory"),
    );
}

#[test]
fn a_command_that_cannot_be_started_is_named() {
    let server = TestServer::start();
    let manifest = it::manifest("missing").replace("\"cat\"", "\"no-such-program\"");
    assert_eq!(server.admin("POST", "/api/v1/agents", &manifest).status, 201);
    let answer = invoke(&server, "missing", &json!({}));
    assert_eq!((answer.status, answer.code().as_str()), (424, "ERR_AGENT_START_FAILED"), "{}", answer.text);
    assert!(answer.text.contains("no-such-program"), "{}", answer.text);
}

#[test]
fn the_end_of_its_log_explains_a_failure() {
    let server = TestServer::start();
    shell(&server, "loud", "for i in 1 2 3; do echo line $i >&2; done; exit 1");
    let found = outcome(&invoke(&server, "loud", &json!({})));
    assert_eq!(found["details"]["log"], json!(["line 1", "line 2", "line 3"]));
}

#[test]
fn a_kept_session_keeps_files_and_version_until_it_is_killed() {
    let server = TestServer::start();
    shell(&server, "notes", "echo x >> notes; wc -l < notes");
    let ask = || invoke(&server, "notes", &json!({"session_id": "ada"})).json()["output"].clone();
    assert_eq!((ask(), ask()), (json!(1), json!(2)));
    shell(&server, "notes", "echo 99");
    assert_eq!(ask(), json!(3), "a running session keeps its version");
    assert_eq!(invoke(&server, "notes", &json!({})).json()["output"], 99);
    shell(&server, "other", "echo 1");
    let foreign = invoke(&server, "other", &json!({"session_id": "ada"}));
    assert_eq!((foreign.status, foreign.code().as_str()), (409, "ERR_STATE_INVALID"));
    let listed = server.admin("GET", "/api/v1/sessions", "").json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert!(listed["items"][0]["stats"]["pids"].as_u64() > Some(0), "{listed}");
    assert_eq!(server.admin("DELETE", "/api/v1/sessions/ada", "").status, 204);
    let again = invoke(&server, "notes", &json!({"session_id": "ada"}));
    assert_eq!((again.status, again.json()["error"]["details"]["reason"].as_str()), (409, Some("killed")));
}

#[test]
fn an_idle_session_ends_and_says_why() {
    let server = TestServer::start();
    let manifest = it::manifest("brief").replace("\"spec\":{", "\"spec\":{\"resources\":{\"idle_timeout\":\"1s\"},");
    assert_eq!(server.admin("POST", "/api/v1/agents", &manifest).status, 201);
    assert_eq!(invoke(&server, "brief", &json!({"session_id": "ada"})).status, 200);
    let begun = Instant::now();
    loop {
        let session = server.admin("GET", "/api/v1/sessions/ada", "").json();
        if session["state"] == "ended" {
            assert_eq!(session["reason"], "idle");
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(15), "{session}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn runs_of_one_session_take_turns() {
    let server = TestServer::start();
    shell(&server, "slow", "date +%s%N; sleep 0.2 >&2");
    invoke(&server, "slow", &json!({"session_id": "ada"}));
    let begun = Instant::now();
    let runs: Vec<String> = (0..3).map(|_| begin(&server, "slow", json!({"session_id": "ada"}))).collect();
    for run in &runs {
        becomes(&server, run, "succeeded");
    }
    assert!(begun.elapsed() >= Duration::from_millis(600), "{:?}", begun.elapsed());
}

#[test]
fn a_run_is_cancelled_and_done_again() {
    let server = TestServer::start();
    shell(&server, "slow", "read x; if [ $x = 1 ]; then exec sleep 100; fi; echo 1");
    let run = begin(&server, "slow", json!({"input": 1}));
    becomes(&server, &run, "running");
    assert_eq!(server.admin("POST", &format!("/api/v1/runs/{run}/retry"), "").code(), "ERR_STATE_INVALID");
    let cancelled = server.admin("POST", &format!("/api/v1/runs/{run}/cancel"), "");
    assert_eq!((cancelled.status, cancelled.json()["state"].as_str()), (200, Some("cancelled")));
    let again = server.admin("POST", &format!("/api/v1/runs/{run}/cancel"), "");
    assert_eq!(again.json()["outcome"]["code"], "ERR_RUN_CANCELLED");
    let retried = server.admin("POST", &format!("/api/v1/runs/{run}/retry"), "");
    assert_eq!(retried.status, 202, "{}", retried.text);
    let next = retried.json()["run_id"].as_str().unwrap().to_owned();
    assert_eq!(view(&server, &next)["retry_of"], run.as_str());
    assert_eq!(view(&server, &next)["input"], 1);
    server.admin("POST", &format!("/api/v1/runs/{next}/cancel"), "");
}

#[test]
fn a_stream_begins_with_the_run_and_ends_with_the_outcome_and_can_be_taken_up_again() {
    let server = TestServer::start();
    shell(&server, "count", "for i in 1 2 3; do echo \"{\\\"event\\\": $i}\"; done; echo 4");
    let stream = invoke(&server, "count", &json!({"mode": "stream"}));
    assert_eq!(stream.header("content-type"), Some("text/event-stream"));
    let all = events(&stream.text);
    let kinds: Vec<&str> = all.iter().map(|(_, kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["run", "event", "event", "event", "outcome"], "{}", stream.text);
    assert_eq!(all[4].2["output"], 4);
    let run = all[0].2["run_id"].as_str().unwrap();
    let path = format!("/api/v1/runs/{run}/events");
    let rest = server.call("GET", &path, &[("x-api-key", &server.admin), ("last-event-id", "2")], "");
    assert_eq!(events(&rest.text), all[2..]);
    let wrong = server.call("GET", &path, &[("x-api-key", &server.admin), ("last-event-id", "x")], "");
    assert_eq!(wrong.code(), "ERR_VALIDATION");
}

#[test]
fn a_repeated_invocation_has_no_second_effect() {
    let server = TestServer::start();
    shell(&server, "notes", "echo x >> notes; wc -l < notes");
    let ask = |path: &str, body: &str| {
        server.call("POST", path, &[("x-api-key", &server.admin), ("idempotency-key", "k")], body)
    };
    let path = "/api/v1/agents/notes/invocations";
    let (first, second) = (ask(path, r#"{"session_id":"a"}"#), ask(path, r#"{"session_id":"a"}"#));
    assert_eq!((first.status, second.status), (200, 200), "{}", second.text);
    assert_eq!(first.text.trim(), second.text.trim());
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(ask(path, r#"{"session_id":"b"}"#).code(), "ERR_IDEMPOTENCY_MISMATCH");
    assert_eq!(server.admin("GET", "/api/v1/runs", "").json()["items"].as_array().unwrap().len(), 1);
}

#[test]
fn the_kill_switch_stops_what_runs_and_what_would_come() {
    let server = TestServer::start();
    shell(&server, "slow", "trap '' TERM; sleep 100 & sleep 100");
    for target in ["agent/slow", "tenant/default", "all"] {
        let runs: Vec<String> = (0..3).map(|_| begin(&server, "slow", json!({}))).collect();
        becomes(&server, &runs[2], "running");
        let begun = Instant::now();
        let frozen = server.admin("POST", "/api/v1/freeze", &json!({"target": target}).to_string());
        assert_eq!(frozen.status, 200, "{}", frozen.text);
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        for run in &runs {
            assert_eq!(becomes(&server, run, "killed")["outcome"]["code"], "ERR_RUN_KILLED");
        }
        assert_eq!(invoke(&server, "slow", &json!({})).status, 423);
        assert_eq!(server.admin("POST", "/api/v1/thaw", &json!({"target": target}).to_string()).status, 204);
    }
    let operator = server.key("operator");
    let begun = server.with_key(&operator, "POST", "/api/v1/agents/slow/invocations", r#"{"mode":"async"}"#);
    let key = view(&server, begun.json()["run_id"].as_str().unwrap())["started_by"].as_str().unwrap().to_owned();
    let mine = begin(&server, "slow", json!({}));
    assert_eq!(server.admin("POST", "/api/v1/freeze", &json!({"target": key}).to_string()).status, 200);
    becomes(&server, begun.json()["run_id"].as_str().unwrap(), "killed");
    assert_eq!(becomes(&server, &mine, "running")["state"], "running", "another key's run goes on");
    assert_eq!(server.admin("POST", &format!("/api/v1/runs/{mine}/cancel"), "").status, 200);
}

#[test]
fn what_was_open_in_a_crash_is_recorded_as_crashed() {
    let mut server = TestServer::start();
    shell(&server, "slow", "exec sleep 100");
    let runs: Vec<String> = (0..3).map(|_| begin(&server, "slow", json!({}))).collect();
    let kept = begin(&server, "slow", json!({"session_id": "ada"}));
    becomes(&server, &kept, "running");
    server.kill_and_restart();
    for run in runs.iter().chain([&kept]) {
        let run = view(&server, run);
        assert_eq!(
            (run["state"].as_str(), run["outcome"]["code"].as_str()),
            (Some("crashed"), Some("ERR_RUN_CRASHED"))
        );
    }
    let session = server.admin("GET", "/api/v1/sessions/ada", "").json();
    assert_eq!(session["reason"], "crashed");
    let verified = server.aegis(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn an_orderly_stop_ends_runs_and_says_so() {
    let mut server = TestServer::start();
    shell(&server, "slow", "exec sleep 100");
    let run = begin(&server, "slow", json!({}));
    becomes(&server, &run, "running");
    assert_eq!(server.stop(), 0);
    server.restart();
    assert_eq!(view(&server, &run)["state"], "crashed");
    assert!(!server.log().contains("runs that were open"), "it was recorded before the end: {}", server.log());
}

#[test]
fn another_tenants_runs_and_sessions_do_not_exist() {
    let server = TestServer::start();
    shell(&server, "slow", "exec sleep 100");
    let run = begin(&server, "slow", json!({"session_id": "ada"}));
    let stranger = server.tenant("acme");
    for (method, path) in [
        ("GET", format!("/api/v1/runs/{run}")),
        ("GET", format!("/api/v1/runs/{run}/events")),
        ("POST", format!("/api/v1/runs/{run}/cancel")),
        ("POST", format!("/api/v1/runs/{run}/retry")),
        ("GET", "/api/v1/sessions/ada".to_owned()),
        ("DELETE", "/api/v1/sessions/ada".to_owned()),
    ] {
        assert_eq!(server.with_key(&stranger, method, &path, "").status, 404, "{method} {path}");
    }
    for list in ["runs", "sessions"] {
        let listed = server.with_key(&stranger, "GET", &format!("/api/v1/{list}"), "").json();
        assert_eq!(listed["items"], json!([]), "{list}");
    }
    let wrong = invoke(&server, "slow", &json!({"session_id": "../x"}));
    assert_eq!((wrong.status, wrong.code().as_str()), (422, "ERR_VALIDATION"));
    server.admin("DELETE", "/api/v1/sessions/ada", "");
}

#[test]
fn many_cold_invocations_at_once_all_succeed() {
    let server = TestServer::start();
    shell(&server, "echo", "cat");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for number in 0..10 {
                    let answer = invoke(&server, "echo", &json!({"input": number}));
                    assert_eq!(outcome(&answer)["output"], number, "{}", answer.text);
                }
            });
        }
    });
    let metrics = server.metrics();
    assert!(metrics.contains("aegis_boxes_made_total{isolation=\"process\"} 80"), "{metrics}");
}

#[test]
fn what_an_agent_logs_is_kept_by_session_and_by_run_without_keys() {
    let server = TestServer::start();
    let secret = server.key("viewer");
    shell(&server, "loud", "read x; echo \"line $x\" >&2; printf end >&2");
    let runs: Vec<String> = (1..=2)
        .map(|number| {
            let answer = invoke(&server, "loud", &json!({"session_id": "ada", "input": [number, secret]}));
            answer.json()["run_id"].as_str().unwrap().to_owned()
        })
        .collect();
    let lines = |query: &str| server.admin("GET", &format!("/api/v1/sessions/ada/logs{query}"), "").json();
    let all = lines("");
    let texts: Vec<&str> = all["items"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert!(texts[0].starts_with("line [1,") && texts[2].starts_with("line [2,"), "{all}");
    assert_eq!((texts[1], texts[3]), ("end", "end"), "{all}");
    assert!(!all.to_string().contains(&secret), "{all}");
    let of_second = lines(&format!("?run_id={}", runs[1]));
    assert_eq!(of_second["items"].as_array().unwrap().len(), 2, "{of_second}");
    assert_eq!(lines("?after=3")["items"].as_array().unwrap().len(), 1);
    let shown = server.aegis(&["run", "logs", "-f", &runs[0]]);
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("line [1,") && !shown.contains("line [2,"), "{shown}");
    let stranger = server.tenant("acme");
    assert_eq!(server.with_key(&stranger, "GET", "/api/v1/sessions/ada/logs", "").status, 404);
    server.admin("DELETE", "/api/v1/sessions/ada", "");
}

#[test]
fn a_program_runs_in_a_session_and_files_go_in_and_out() {
    let server = TestServer::start();
    shell(&server, "idle", "echo 1");
    invoke(&server, "idle", &json!({"session_id": "ada"}));
    let exec = |request: Value| server.admin("POST", "/api/v1/sessions/ada/exec", &request.to_string());
    let done = exec(json!({"command": ["sh", "-c", "cat; echo $X >&2; exit 3"], "input": "abc", "env": {"X": "y"}}));
    let found = done.json();
    assert_eq!(
        (done.status, &found["exit_code"], &found["output"], &found["errors"]),
        (200, &json!(3), &json!("abc"), &json!("y\n"))
    );
    let late = exec(json!({"command": ["sleep", "100"], "timeout_ms": 200})).json();
    assert_eq!((&late["exit_code"], late["reason"].as_str()), (&Value::Null, Some("out of time")));
    let missing = exec(json!({"command": ["no-such-program"]}));
    assert_eq!((missing.status, missing.code().as_str()), (422, "ERR_VALIDATION"), "{}", missing.text);
    assert_eq!(exec(json!({"command": []})).code(), "ERR_VALIDATION");
    assert_eq!(exec(json!({"command": ["sh"], "terminal": {"rows": 1, "columns": 1}})).code(), "ERR_VALIDATION");
    assert_eq!(exec(json!({"command": ["yes"]})).status, 424, "an endless output is cut off");

    let files = "/api/v1/sessions/ada/files";
    let large = "x".repeat(3 * 1024 * 1024);
    assert_eq!(server.admin("PUT", &format!("{files}/a/b.txt"), &large).status, 204);
    assert_eq!(server.admin("GET", &format!("{files}/a/b.txt"), "").text.len(), large.len());
    assert_eq!(
        exec(json!({"command": ["wc", "-c", "a/b.txt"]})).json()["output"],
        format!("{} a/b.txt\n", large.len())
    );
    assert_eq!(server.admin("GET", &format!("{files}/missing"), "").status, 404);
    for hostile in ["%2e%2e/%2e%2e/etc/passwd", "%2Fetc%2Fpasswd", "a"] {
        let refused = server.admin("GET", &format!("{files}/{hostile}"), "");
        assert!((400..500).contains(&refused.status) && !refused.text.contains("root:"), "{hostile}: {}", refused.text);
    }
    let viewer = server.key("viewer");
    assert_eq!(server.with_key(&viewer, "POST", "/api/v1/sessions/ada/exec", r#"{"command":["id"]}"#).status, 403);
    assert_eq!(server.with_key(&viewer, "GET", &format!("{files}/a/b.txt"), "").status, 403);
    assert_eq!(server.admin("DELETE", "/api/v1/sessions/ada", "").status, 204);
    assert_eq!(exec(json!({"command": ["id"]})).status, 404);
}

#[test]
fn a_program_on_a_connection_of_its_own_is_killed_when_that_breaks() {
    let server = TestServer::start();
    shell(&server, "idle", "echo 1");
    invoke(&server, "idle", &json!({"session_id": "ada"}));
    let shown = server.aegis(&["session", "exec", "ada", "--", "sh", "-c", "echo out; echo err >&2; exit 4"]);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert_eq!((text(&shown.stdout).as_str(), shown.status.code()), ("out\n", Some(1)), "{}", text(&shown.stderr));
    assert!(text(&shown.stderr).contains("err\n") && text(&shown.stderr).contains("exit code 4"));
    let terminal =
        json!({"command": ["sh", "-c", "tty; stty size"], "terminal": {"rows": 33, "columns": 77}}).to_string();
    let upgrade = |body: &str| {
        let headers = [("x-api-key", server.admin.as_str()), ("upgrade", "aegis-exec"), ("connection", "upgrade")];
        server.call("POST", "/api/v1/sessions/ada/exec", &headers, body)
    };
    let said = upgrade(&terminal);
    assert_eq!(said.status, 101, "{}", said.text);
    assert!(said.text.contains("/dev/pts/0") && said.text.contains("33 77"), "{:?}", said.text);
    let pids = || server.admin("GET", "/api/v1/sessions/ada", "").json()["stats"]["pids"].as_u64().unwrap();
    let before = pids();
    let body = r#"{"command":["sh","-c","sleep 1000 & sleep 1000"]}"#;
    let head = format!(
        "POST /api/v1/sessions/ada/exec HTTP/1.1\r\nhost: {}\r\nx-api-key: {}\r\ncontent-type: application/json\r\nconnection: upgrade\r\nupgrade: aegis-exec\r\ncontent-length: {}\r\n\r\n{body}",
        server.address,
        server.admin,
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    let begun = Instant::now();
    while pids() < before + 3 {
        assert!(begun.elapsed() < Duration::from_secs(10), "it does not start");
    }
    drop(stream);
    while pids() > before {
        assert!(begun.elapsed() < Duration::from_secs(10), "it lives on");
    }
    server.admin("DELETE", "/api/v1/sessions/ada", "");
}

#[test]
fn boxes_are_kept_ready_and_replaced_and_go_with_their_version() {
    let server = TestServer::start();
    let pooled = |script: &str, warm: usize| {
        let manifest = json!({
            "apiVersion": "aegis/v1", "kind": "Agent", "metadata": {"name": "warm"},
            "spec": {
                "runtime": {"isolation": "process", "command": ["sh", "-c", script]},
                "resources": {"memory": "32Mi", "pids": 8, "disk": "16Mi"}, "pool": {"warm": warm},
            },
        });
        let deployed = server.admin("POST", "/api/v1/agents", &manifest.to_string());
        assert_eq!(deployed.status, 201, "{}", deployed.text);
    };
    let alive = || {
        let metrics = server.metrics();
        let line = metrics.lines().find(|line| line.starts_with("aegis_boxes_alive{")).unwrap().to_owned();
        line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()
    };
    let settles = |number: usize| {
        let begun = Instant::now();
        while alive() != number {
            assert!(begun.elapsed() < Duration::from_secs(10), "{} boxes instead of {number}", alive());
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    pooled("date +%s%N > /tmp/born; read x; cat /tmp/born", 2);
    settles(2);
    std::thread::sleep(Duration::from_millis(200));
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    let born = invoke(&server, "warm", &json!({})).json()["output"].as_u64().unwrap();
    assert!(u128::from(born) < before, "it was ready before it was asked");
    settles(2);
    let second = invoke(&server, "warm", &json!({})).json()["output"].as_u64().unwrap();
    assert_ne!(born, second, "a box serves one session");
    pooled("read x; echo 2", 3);
    settles(3);
    assert_eq!(invoke(&server, "warm", &json!({})).json()["output"], 2);
    server.admin("POST", "/api/v1/freeze", r#"{"target":"agent/warm"}"#);
    settles(0);
    server.admin("POST", "/api/v1/thaw", r#"{"target":"agent/warm"}"#);
    assert_eq!(invoke(&server, "warm", &json!({})).status, 200);
    settles(3);
    pooled("exit 1", 0);
    settles(0);
}

#[test]
fn an_agent_is_run_once_in_a_box_that_is_kept_ready() {
    let server = TestServer::start();
    let pooled = |warmup: Value| {
        let script = "read x; echo \"$x\" >> seen; [ \"$x\" != 7 ] && wc -l < seen";
        let manifest = json!({
            "apiVersion": "aegis/v1", "kind": "Agent", "metadata": {"name": "warm"},
            "spec": {
                "runtime": {"isolation": "process", "command": ["sh", "-c", script]},
                "resources": {"memory": "32Mi", "pids": 16, "disk": "16Mi"}, "pool": {"warm": 1, "warmup": warmup},
            },
        });
        let deployed = server.admin("POST", "/api/v1/agents", &manifest.to_string());
        assert_eq!(deployed.status, 201, "{}", deployed.text);
    };
    let alive =
        |number: usize| server.metrics().contains(&format!("aegis_boxes_alive{{isolation=\"process\"}} {number}\n"));
    pooled(json!("x"));
    let begun = Instant::now();
    // A box that is being made is not taken.
    loop {
        let answer = invoke(&server, "warm", &json!({"input": "y"}));
        if answer.json()["output"] == 2 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "no box is warm: {}", answer.text);
    }
    // One whose agent fails at it is not kept, and whoever comes gets another.
    pooled(json!(7));
    while !alive(0) {
        assert!(begun.elapsed() < Duration::from_secs(10), "a box is kept that is not well");
    }
    assert_eq!(invoke(&server, "warm", &json!({"input": "y"})).json()["output"], 1);
}

#[test]
fn what_runs_of_a_deleted_agent_or_tenant_is_dead() {
    let server = TestServer::start();
    shell(&server, "slow", "exec sleep 100");
    let run = begin(&server, "slow", json!({"session_id": "ada"}));
    becomes(&server, &run, "running");
    assert_eq!(server.admin("DELETE", "/api/v1/agents/slow", "").status, 204);
    assert_eq!(view(&server, &run)["state"], "killed");
    let acme = server.tenant("acme");
    let slow = it::manifest("slow").replace("\"cat\"", "\"sleep\",\"100\"");
    assert_eq!(server.with_key(&acme, "POST", "/api/v1/agents", &slow).status, 201);
    let begun = server.with_key(&acme, "POST", "/api/v1/agents/slow/invocations", r#"{"mode":"async"}"#);
    assert_eq!(begun.status, 202, "{}", begun.text);
    assert_eq!(server.admin("DELETE", "/api/v1/tenants/acme", "").status, 204);
    let metrics = server.metrics();
    assert!(metrics.contains("aegis_boxes_alive{isolation=\"process\"} 0"), "{metrics}");
}
