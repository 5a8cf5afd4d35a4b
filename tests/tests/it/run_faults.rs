//! What goes wrong around runs: a full disk, callers that hang up, answers that come too late,
//! no room.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use it::runs::{becomes, begin, invoke, outcome, shell, view};
use it::{Answer, TestServer};
use serde_json::{Value, json};

/// Begins an invocation that is streamed, and hears it until `until` is there.
fn stream_until(server: &TestServer, agent: &str, request: &Value, until: &str) -> (TcpStream, String) {
    let body = request.to_string();
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(
        stream,
        "POST /api/v1/agents/{agent}/invocations HTTP/1.1\r\nhost: {}\r\nx-api-key: {}\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        server.address,
        server.admin,
        body.len()
    )
    .unwrap();
    let (mut heard, mut piece) = (String::new(), [0; 4096]);
    while !heard.contains(until) {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "{heard}");
        heard.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    (stream, heard)
}

fn verifies(server: &TestServer) {
    let verified = server.aegis(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
}

#[test]
fn the_first_line_is_heard_before_the_second_is_written() {
    let server = TestServer::start();
    shell(&server, "steps", "echo '{\"event\":1}'; until [ -e go ]; do sleep 0.01; done; echo '{\"event\":2}'");
    let request = json!({"mode": "stream", "session_id": "ada"});
    let (mut stream, _) = stream_until(&server, "steps", &request, "event: event\n");
    // Only now it is told to go on.
    assert_eq!(server.admin("PUT", "/api/v1/sessions/ada/files/go", "").status, 204);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("\"succeeded\""), "{rest}");
}

#[test]
fn callers_that_hang_up_in_the_middle_cancel_nothing_and_leave_nothing() {
    const CALLERS: usize = 100;
    let server = TestServer::start_with("[http]\nkey_burst = 10000\nkey_rate_per_second = 10000\n");
    shell(&server, "steps", "echo '{\"event\":1}'; until [ -e go ]; do sleep 0.05; done; echo 7");
    let warm = invoke(&server, "steps", &json!({"timeout_ms": 200}));
    assert_eq!(warm.code(), "ERR_TIMED_OUT");
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", server.pid().as_raw_nonzero())).unwrap().count();
    let before = descriptors();
    let runs: Vec<String> = std::thread::scope(|scope| {
        let callers = (0..CALLERS).map(|number| {
            let server = &server;
            scope.spawn(move || {
                let request = json!({"mode": "stream", "session_id": format!("s-{number}")});
                let (stream, heard) = stream_until(server, "steps", &request, "event: event\n");
                drop(stream);
                let id = heard.split("\"run_id\":\"").nth(1).unwrap();
                id.split('"').next().unwrap().to_owned()
            })
        });
        let callers: Vec<_> = callers.collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    for run in &runs {
        assert_eq!(view(&server, run)["state"], "running");
    }
    for (number, run) in runs.iter().enumerate() {
        let path = format!("/api/v1/sessions/s-{number}");
        assert_eq!(server.admin("PUT", &format!("{path}/files/go"), "").status, 204);
        assert_eq!(becomes(&server, run, "succeeded")["outcome"]["output"], 7);
        assert_eq!(server.admin("DELETE", &path, "").status, 204);
    }
    let begun = Instant::now();
    while descriptors() > before + 8 {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} descriptors, {before} before", descriptors());
        std::thread::sleep(Duration::from_millis(20));
    }
    verifies(&server);
}

#[test]
fn an_answer_that_comes_too_late_is_nobodys() {
    let server = TestServer::start();
    shell(&server, "late", "trap '' TERM INT; sleep 1; echo late; echo late > answered");
    let answer = invoke(&server, "late", &json!({"session_id": "ada", "timeout_ms": 300}));
    let found = outcome(&answer);
    assert_eq!((answer.status, found["status"].as_str()), (504, Some("timed_out")), "{}", answer.text);
    // What it was about to do after its time, it does not do.
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(server.admin("GET", "/api/v1/sessions/ada/files/answered", "").status, 404);
    let run = found["run_id"].as_str().unwrap();
    assert_eq!(view(&server, run)["outcome"], found);
    shell(&server, "next", "echo 2");
    assert_eq!(invoke(&server, "next", &json!({})).json()["output"], 2);
    verifies(&server);
}

#[test]
fn a_box_there_is_no_room_for_is_waited_for_so_long_and_so_many_wait() {
    let server = TestServer::start_with("[boxes]\nalive_max = 1\nwaiting_max = 1\nready_per_size = 0\n");
    shell(&server, "slow", "until [ -e go ]; do sleep 0.02; done; echo 1");
    let first = begin(&server, "slow", json!({"session_id": "ada"}));
    becomes(&server, &first, "running");
    let second = begin(&server, "slow", json!({}));
    let refused = |answer: &Answer| {
        assert_eq!((answer.status, answer.code().as_str()), (503, "ERR_OVERLOADED"), "{}", answer.text);
        assert!(answer.header("retry-after").and_then(|after| after.parse::<u64>().ok()) > Some(0), "{answer:?}");
    };
    // The one place to wait is taken once the second run waits.
    let begun = Instant::now();
    loop {
        let third = invoke(&server, "slow", &json!({"timeout_ms": 300}));
        if third.code() != "ERR_TIMED_OUT" {
            refused(&third);
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", third.text);
    }
    assert_eq!(server.admin("PUT", "/api/v1/sessions/ada/files/go", "").status, 204);
    becomes(&server, &first, "succeeded");
    // The first session keeps the only box until it ends; then it is the second run's turn.
    let waits = view(&server, &second);
    assert_eq!(waits["state"], "queued", "{waits}");
    assert_eq!(server.admin("DELETE", "/api/v1/sessions/ada", "").status, 204);
    becomes(&server, &second, "running");
    server.admin("POST", &format!("/api/v1/runs/{second}/cancel"), "");
}

#[test]
fn a_disk_that_is_full_when_a_run_ends_only_delays_its_record() {
    let home = tempfile::tempdir().unwrap();
    let disk = home.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=48m,mode=700", "tmpfs"]).arg(&disk).status();
    if !mounted.is_ok_and(|status| status.success()) {
        println!("SKIPPED: this machine does not let the test mount a small file system");
        return;
    }
    let result = std::panic::catch_unwind(|| fill_during_a_run(&disk));
    let unmounted = Command::new("umount").arg("-l").arg(&disk).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    result.unwrap();
}

fn fill_during_a_run(disk: &Path) {
    let server = TestServer::start_in(tempfile::tempdir_in(disk).unwrap(), "");
    shell(&server, "slow", "until [ -e go ]; do sleep 0.02; done; echo 1");
    let (kept, waited) = (begin(&server, "slow", json!({"session_id": "ada"})), json!({"timeout_ms": 1_500}));
    becomes(&server, &kept, "running");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| invoke(&server, "slow", &waited));
        std::thread::sleep(Duration::from_millis(500));
        assert_eq!(server.admin("PUT", "/api/v1/sessions/ada/files/go", "").status, 204);
        let mut filler = fs::File::create(disk.join("filler")).unwrap();
        while filler.write_all(&[1; 4096]).is_ok() {}
        let answer = waiting.join().unwrap();
        assert_eq!((answer.status, answer.code().as_str()), (507, "ERR_STORAGE_FULL"), "{}", answer.text);
    });
    let refused = invoke(&server, "slow", &json!({}));
    assert_eq!((refused.status, refused.code().as_str()), (507, "ERR_STORAGE_FULL"), "{}", refused.text);
    fs::remove_file(disk.join("filler")).unwrap();
    becomes(&server, &kept, "succeeded");
    let runs = server.admin("GET", "/api/v1/runs", "").json();
    let late = runs["items"].as_array().unwrap().iter().find(|run| run["id"] != kept.as_str()).cloned().unwrap();
    becomes(&server, late["id"].as_str().unwrap(), "timed_out");
    verifies(&server);
}

#[test]
fn a_stream_ends_when_its_listener_s_key_is_revoked() {
    let server = TestServer::start();
    shell(&server, "steps", "echo '{\"event\":1}'; until [ -e go ]; do sleep 0.05; done; echo 7");
    let made = server.admin("POST", "/api/v1/keys", r#"{"role":"operator"}"#).json();
    let (id, key) = (made["key_id"].as_str().unwrap(), made["api_key"].as_str().unwrap());
    let begun = begin(&server, "steps", json!({"session_id": "ada"}));
    becomes(&server, &begun, "running");
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let head = format!("host: {}\r\nx-api-key: {key}\r\nconnection: close\r\n", server.address);
    write!(stream, "GET /api/v1/runs/{begun}/events HTTP/1.1\r\n{head}\r\n").unwrap();
    let (mut heard, mut piece) = (String::new(), [0; 4096]);
    while !heard.contains("event: event\n") {
        let length = stream.read(&mut piece).unwrap();
        assert!(length > 0, "{heard}");
        heard.push_str(&String::from_utf8_lossy(&piece[..length]));
    }
    let revoked = Instant::now();
    assert_eq!(server.admin("DELETE", &format!("/api/v1/keys/{id}"), "").status, 204);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(revoked.elapsed() < Duration::from_secs(1), "{:?}", revoked.elapsed());
    assert!(!rest.contains("outcome"), "{rest}");
    assert_eq!(view(&server, &begun)["state"], "running", "the run is not its listener's");
    server.admin("DELETE", "/api/v1/sessions/ada", "");
}
