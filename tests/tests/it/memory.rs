//! What a core of the server would hold: nothing that was told to it in confidence, once whoever
//! told it has gone; and there is no core.

use std::fs::{self, File};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::time::{Duration, Instant};

use it::TestServer;
use rustix::process::{Signal, kill_process};
use serde_json::json;

/// Every readable page of the process that it could have written to.
fn memory_of(pid: u32) -> Option<Vec<u8>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let mut memory = File::open(format!("/proc/{pid}/mem")).ok()?;
    let mut all = Vec::new();
    for line in maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|modes| modes.starts_with("rw"))) {
        let (from, to) = line.split(' ').next()?.split_once('-')?;
        let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        memory.seek(SeekFrom::Start(from)).ok()?;
        let mut piece = vec![0; usize::try_from(to - from).ok()?];
        // Pages that were never touched cannot be read everywhere.
        if memory.read_exact(&mut piece).is_ok() {
            all.extend_from_slice(&piece);
        }
    }
    Some(all)
}

fn count(memory: &[u8], wanted: &[u8]) -> usize {
    memory.windows(wanted.len()).filter(|window| *window == wanted).count()
}

#[test]
fn nothing_of_a_secret_stays_in_memory_and_no_core_is_written() {
    let server = TestServer::start();
    let pid = server.pid().as_raw_nonzero().get().unsigned_abs();
    // Found only if this test did not hold it in one piece itself; it is another process anyway.
    let value = format!("planted-{}-{}", "7f3a9c", "e21b");
    for name in ["one", "two"] {
        let set = server.admin("PUT", &format!("/api/v1/secrets/{name}"), &json!({"value": value}).to_string());
        assert_eq!(set.status, 200, "{}", set.text);
    }
    let same = server.admin("POST", "/api/v1/secrets/one/rotate", &json!({"value": value}).to_string());
    assert_eq!(same.code(), "ERR_VALIDATION", "it was opened and compared");
    let made = server.admin("POST", "/api/v1/keys", "{}").json();
    let key = made["api_key"].as_str().unwrap();
    assert_eq!(server.with_key(key, "GET", "/api/v1/agents", "").status, 200);
    let master = fs::read(server.data().join("admin.key")).unwrap();
    let Some(memory) = memory_of(pid) else {
        eprintln!("skipped: this user may not look at the server's memory");
        return;
    };
    // That it is the server's memory: what is no secret is there.
    let directory = server.data().to_str().unwrap().to_owned();
    assert!(memory.len() > 1 << 20 && count(&memory, directory.as_bytes()) > 0);
    let begun = Instant::now();
    loop {
        // Connections that were closed are let go of in a moment.
        let memory = memory_of(pid).unwrap();
        let found =
            [value.as_bytes(), &key.as_bytes()[key.len() - 40..], &master[40..80]].map(|text| count(&memory, text));
        if found == [0, 0, 0] {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(5), "value, key, admin's key: {found:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_server_that_crashes_writes_no_core() {
    let mut server = TestServer::start();
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.pid().as_raw_nonzero())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let words: Vec<&str> = core.split_whitespace().collect();
    assert_eq!(words[4..6], ["0", "0"], "{core}");
    kill_process(server.pid(), Signal::ABORT).unwrap();
    assert_eq!(server.wait(), None, "it was ended by the signal");
    assert!(!std::path::Path::new("core").exists(), "where it was started");
}
