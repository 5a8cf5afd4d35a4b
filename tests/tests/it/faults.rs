//! Faults: crashes inside commits, full disks, taken ports and directories, signals.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use it::{TestServer, start};
use rustix::process::{Signal, kill_process};

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed_inside_commits() {
    let mut server = TestServer::start();
    let mut acknowledged: BTreeMap<String, u64> = BTreeMap::new();
    for round in 0..4_u64 {
        let seen = Mutex::new(Vec::new());
        let stopped = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for worker in 0..6 {
                let (server, seen, stopped) = (&server, &seen, &stopped);
                scope.spawn(move || {
                    let name = format!("agent-{worker}");
                    while !stopped.load(Ordering::Relaxed) {
                        if let Some(version) = try_deploy(server, &name) {
                            seen.lock().unwrap().push((name.clone(), version));
                        }
                    }
                });
            }
            let enough = || seen.lock().unwrap().len() as u64 >= 20 + 7 * round;
            let began = Instant::now();
            while !enough() && began.elapsed() < Duration::from_secs(30) {
                std::thread::yield_now();
            }
            kill_process(server.pid(), Signal::KILL).unwrap();
            stopped.store(true, Ordering::Relaxed);
        });
        for (name, version) in seen.into_inner().unwrap() {
            let highest = acknowledged.entry(name).or_default();
            *highest = version.max(*highest);
        }
        server.wait();
        server.restart();
        for (name, version) in &acknowledged {
            let found = server.admin("GET", &format!("/api/v1/agents/{name}/versions/{version}"), "");
            assert_eq!(found.status, 200, "round {round}: {name} {version} is lost");
        }
        let checked = server.aegis(&["audit", "verify"]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
    assert_eq!(server.stop(), 0);
    let data = server.data();
    let checked = server.aegis(&["audit", "verify", data.to_str().unwrap()]);
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

/// The version that was acknowledged, if the server lived to say so.
fn try_deploy(server: &TestServer, name: &str) -> Option<u64> {
    let body = it::manifest(name);
    let request = format!(
        "POST /api/v1/agents HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        server.admin,
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(&server.address).ok()?;
    std::io::Write::write_all(&mut stream, request.as_bytes()).ok()?;
    let mut text = String::new();
    std::io::Read::read_to_string(&mut stream, &mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 201").then_some(())?;
    serde_json::from_str::<serde_json::Value>(body).ok()?["version"].as_u64()
}

#[test]
fn a_second_server_on_the_same_data_is_refused_by_name() {
    let server = TestServer::start();
    let home = tempfile::tempdir().unwrap();
    let output = start(&server.data(), home.path(), "").unwrap_err();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("in use") && told.contains(&server.pid().as_raw_nonzero().to_string()), "{told}");
    assert_eq!(output.status.code(), Some(5));
    assert_eq!(server.admin("GET", "/api/v1/agents", "").status, 200);
}

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(it::program())
        .args(["up", "--listen", &address, "--metrics-listen", "127.0.0.1:0", "--data-dir"])
        .arg(home.path().join("data"))
        .env_clear()
        .env("HOME", home.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains(&address) && told.contains("in use") && told.contains("--listen"), "{told}");
    assert_eq!(output.status.code(), Some(5));
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, b"x").unwrap();
    for bad in [file.clone(), file.join("below"), "/proc/aegis".into()] {
        let output = start(&bad, home.path(), "").unwrap_err();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(told.contains(bad.to_str().unwrap()), "{told}");
        assert_eq!(output.status.code(), Some(10));
    }
    let output = start(&home.path().join("d"), home.path(), "lisen = 1").unwrap_err();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn sigterm_lets_running_requests_end_and_a_second_one_does_not_wait() {
    let mut server = TestServer::start();
    server.deploy(&server.admin, "triage");
    assert_eq!(server.stop(), 0);
    server.restart();
    assert_eq!(server.admin("GET", "/api/v1/agents/triage", "").status, 200);
    // A request whose body never ends would hold the drain for its whole time limit.
    let mut stream = std::net::TcpStream::connect(&server.address).unwrap();
    let head = format!(
        "POST /api/v1/keys HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{{",
        server.admin
    );
    std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
    let began = Instant::now();
    while !server.log().contains("stopping") {
        kill_process(server.pid(), Signal::TERM).unwrap();
        std::thread::yield_now();
    }
    let _ = kill_process(server.pid(), Signal::TERM);
    server.wait();
    assert!(began.elapsed() < Duration::from_secs(20), "the second signal did not stop it at once");
}

#[test]
fn a_full_disk_is_named_and_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let disk = home.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs"]).arg(&disk).status();
    if !mounted.is_ok_and(|status| status.success()) {
        // Said aloud, because a test that silently does nothing proves nothing.
        println!("SKIPPED: this machine does not let the test mount a small file system");
        return;
    }
    let result = std::panic::catch_unwind(|| fill(&disk, home.path()));
    let unmounted = Command::new("umount").arg("-l").arg(&disk).status();
    assert!(unmounted.is_ok_and(|status| status.success()));
    result.unwrap();
}

fn fill(disk: &std::path::Path, home: &std::path::Path) {
    let (mut child, address) = start(&disk.join("data"), home, "").unwrap();
    let key = fs::read_to_string(disk.join("data/admin.key")).unwrap();
    let ask = |method: &str, path: &str, body: &str| raw(&address, key.trim(), method, path, body);
    let mut acknowledged = 0;
    let refused = loop {
        let text = ask("POST", "/api/v1/agents", &it::manifest("triage"));
        if !text.starts_with("HTTP/1.1 201") {
            break text;
        }
        acknowledged += 1;
        assert!(acknowledged < 10_000, "the disk never filled");
    };
    assert!(refused.starts_with("HTTP/1.1 507") && refused.contains("ERR_STORAGE_FULL"), "{refused}");
    let latest = ask("GET", "/api/v1/agents/triage", "");
    assert!(latest.contains(&format!("\"latest_version\":{acknowledged}")), "{latest}");
    child.kill().unwrap();
    child.wait().unwrap();
}

fn raw(address: &str, key: &str, method: &str, path: &str, body: &str) -> String {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut text = String::new();
    std::io::Read::read_to_string(&mut stream, &mut text).unwrap();
    text
}
