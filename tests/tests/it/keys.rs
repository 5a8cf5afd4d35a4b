//! The server's own keys: rotated while everybody works, killed in the middle, under a
//! passphrase, damaged.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use it::{TestServer, start};
use rustix::process::{Signal, kill_process};

const ROTATE: &str = "/api/v1/keys/encryption/rotate";

/// How many generations there are in a key ring that is under no passphrase.
fn generations(data: &Path) -> usize {
    let ring = fs::read_to_string(data.join("master.key")).unwrap();
    let keys = STANDARD.decode(ring.lines().nth(2).unwrap()).unwrap();
    (keys.len() - 32) / 48
}

fn told(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The command line beside a server, with nothing but this in its environment.
fn aegis(home: &Path, arguments: &[&str], passphrase: Option<&Path>) -> Output {
    let mut command = Command::new(it::program());
    command.args(arguments).env_clear().env("HOME", home).stdin(Stdio::null());
    command.envs(passphrase.map(|file| ("AEGIS_PASSPHRASE_FILE", file)));
    command.output().unwrap()
}

fn private(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_rotation_goes_on_while_everybody_works_and_old_checkpoints_still_verify() {
    let mut server = TestServer::start();
    let (acme, exported) = (server.tenant("acme"), server.home().join("before"));
    assert!(server.aegis(&["audit", "export", "--out", exported.to_str().unwrap()]).status.success());
    let checkpoint = server.admin("GET", "/api/v1/ledger/checkpoint", "").json();
    let pinned = checkpoint["verifier_key"].as_str().unwrap().trim().to_owned();
    assert_eq!(server.with_key(&acme, "PUT", "/api/v1/secrets/token", r#"{"value":"one"}"#).status, 200);
    let before = fs::read(server.data().join("master.key")).unwrap();
    let (stopped, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let (server, acme, stopped, asked) = (&server, &acme, &stopped, &asked);
            scope.spawn(move || {
                let mut number = 0;
                while !stopped.load(Ordering::Relaxed) {
                    number += 1;
                    let answer = match worker {
                        0 => server.admin("POST", "/api/v1/tenants", &format!(r#"{{"id":"t-{number}"}}"#)),
                        1 => server.with_key(acme, "POST", "/api/v1/ledger/keys", ""),
                        _ => {
                            server.with_key(acme, "PUT", "/api/v1/secrets/token", &format!(r#"{{"value":"{number}"}}"#))
                        }
                    };
                    assert!((200..300).contains(&answer.status), "{worker}: {}", answer.text);
                    asked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Also when an assertion below fails, so that nobody works forever.
        let _stop = Stop(&stopped);
        for key in 2..6 {
            let (enough, began) = (asked.load(Ordering::Relaxed) + 9, Instant::now());
            while asked.load(Ordering::Relaxed) < enough {
                assert!(began.elapsed() < Duration::from_secs(60), "nobody works any more");
                std::thread::yield_now();
            }
            let rotated = server.aegis(&["key", "rotate-encryption", "--output", "json"]);
            assert!(rotated.status.success(), "{}", told(&rotated));
            let rotated: serde_json::Value = serde_json::from_slice(&rotated.stdout).unwrap();
            assert_eq!(rotated["key"], key.to_string());
            assert!(rotated["tenants"].as_u64().unwrap() >= 3);
        }
    });
    assert_ne!(fs::read(server.data().join("master.key")).unwrap(), before);
    assert_eq!(generations(&server.data()), 1);
    assert_eq!(server.stop(), 0);
    server.restart();
    for tenant in server.admin("GET", "/api/v1/tenants?limit=500", "").json()["items"].as_array().unwrap() {
        let body = format!(r#"{{"role":"admin","tenant":"{}"}}"#, tenant["id"].as_str().unwrap());
        let made = server.admin("POST", "/api/v1/keys", &body);
        assert_eq!(made.status, 201, "{}", made.text);
        let key = made.json()["api_key"].as_str().unwrap().to_owned();
        assert_eq!(server.with_key(&key, "GET", "/api/v1/ledger/checkpoint", "").status, 200);
    }
    let after = server.home().join("after");
    assert!(server.aegis(&["audit", "export", "--out", after.to_str().unwrap()]).status.success());
    for export in [&exported, &after] {
        let verified = server.aegis(&["audit", "verify", export.to_str().unwrap(), "--key", &pinned]);
        assert!(verified.status.success(), "{}", told(&verified));
    }
    let entries = server.with_key(&acme, "GET", "/api/v1/ledger/entries?limit=500", "");
    assert!(entries.text.contains("encryption_key_rotate"), "its own ledger tells of it");
}

/// Tells the others to stop, whatever happens.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_rotation_that_is_killed_at_any_moment_loses_nothing_and_is_completed_by_the_next_start() {
    let mut server = TestServer::start();
    let keys: Vec<String> = (0..8).map(|number| server.tenant(&format!("t-{number}"))).collect();
    for round in 0..8_u32 {
        let before = fs::read(server.data().join("master.key")).unwrap();
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| ask_to_rotate(&server));
            // The first step shows in the file; the kill comes between it and some later one.
            let began = Instant::now();
            while fs::read(server.data().join("master.key")).unwrap() == before {
                assert!(began.elapsed() < Duration::from_secs(30), "no rotation began");
            }
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(u64::from(round) * 4) {
                std::thread::yield_now();
            }
            kill_process(server.pid(), Signal::KILL).unwrap();
            asking.join().unwrap();
        });
        server.wait();
        let left = generations(&server.data());
        server.restart();
        for key in &keys {
            let answer = server.with_key(key, "GET", "/api/v1/ledger/checkpoint", "");
            assert_eq!(answer.status, 200, "round {round}, {left} generations: {}", answer.text);
        }
        let began = Instant::now();
        while generations(&server.data()) > 1 {
            assert!(began.elapsed() < Duration::from_secs(30), "round {round}: the start did not go on");
            std::thread::yield_now();
        }
        println!("round {round}: killed with {left} generations");
    }
    assert_eq!(server.admin("POST", ROTATE, "").status, 200);
    assert_eq!(server.stop(), 0);
    let checked = server.aegis(&["audit", "verify", server.data().to_str().unwrap()]);
    assert!(checked.status.success(), "{}", told(&checked));
}

/// Asks, and does not mind if the server goes away.
fn ask_to_rotate(server: &TestServer) {
    let request = format!(
        "POST {ROTATE} HTTP/1.1\r\nhost: localhost\r\nx-api-key: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        server.admin
    );
    if let Ok(mut stream) = std::net::TcpStream::connect(&server.address) {
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

#[test]
fn a_plain_key_from_before_there_were_rings_is_taken_over_and_a_wrong_one_is_not() {
    let home = tempfile::tempdir().unwrap();
    let key = home.path().join("data/master.key");
    std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).create(home.path().join("data")).unwrap();
    let plain = "k".repeat(32);
    private(&key, &plain);
    let mut server = TestServer::start_in(home, "");
    let acme = server.tenant("acme");
    assert_eq!(generations(&server.data()), 1);
    assert!(server.log().contains("key ring from now on"));
    let ring = fs::read(&key).unwrap();
    assert_eq!(server.stop(), 0);
    // A crash before the file was renamed leaves the plain key: the next start takes it over again.
    private(&key, &plain);
    server.restart();
    assert_eq!(server.with_key(&acme, "GET", "/api/v1/ledger/checkpoint", "").status, 200);
    assert_ne!(fs::read(&key).unwrap(), plain.as_bytes());
    assert_eq!(server.stop(), 0);
    // Somebody else's plain key is noticed before anything is written.
    private(&key, &"x".repeat(32));
    let refused = start(&server.data(), server.home(), "").unwrap_err();
    assert!(told(&refused).contains("belongs to another key"), "{}", told(&refused));
    assert_eq!(fs::read(&key).unwrap(), "x".repeat(32).as_bytes());
    private(&key, std::str::from_utf8(&ring).unwrap());
    server.restart();
    assert_eq!(server.with_key(&acme, "GET", "/api/v1/ledger/checkpoint", "").status, 200);
}

#[test]
fn a_passphrase_is_set_needed_changed_and_removed() {
    let mut server = TestServer::start();
    let (home, data) = (server.home().to_owned(), server.data());
    let (one, other) = (home.join("one"), home.join("other"));
    private(&one, "correct horse\n");
    private(&other, "battery staple\n");
    let data_text = data.to_str().unwrap();
    let set = |file: &Path, now: Option<&Path>| {
        let arguments = ["key", "passphrase", "--data-dir", data_text, "--new-passphrase-file", file.to_str().unwrap()];
        aegis(&home, &arguments, now)
    };
    let running = set(&one, None);
    assert_eq!(running.status.code(), Some(5), "{}", told(&running));
    assert_eq!(server.stop(), 0);
    let done = set(&one, None);
    assert!(done.status.success(), "{}", told(&done));
    let sealed = fs::read(data.join("master.key")).unwrap();

    let config = |file: &Path| format!("[keys]\npassphrase_file = {:?}", file.to_str().unwrap());
    let missing = start(&data, &home, "").unwrap_err();
    assert_eq!(missing.status.code(), Some(2));
    assert!(told(&missing).contains("keys.passphrase_file"), "{}", told(&missing));
    let wrong = start(&data, &home, &config(&other)).unwrap_err();
    assert_eq!(wrong.status.code(), Some(4));
    assert!(told(&wrong).contains("the passphrase does not open"), "{}", told(&wrong));
    assert!(!told(&wrong).contains("battery") && !told(&wrong).contains("correct"), "{}", told(&wrong));
    assert_eq!(fs::read(data.join("master.key")).unwrap(), sealed);

    let (mut child, address) = start(&data, &home, &config(&one)).unwrap();
    let stream = std::net::TcpStream::connect(address).unwrap();
    drop(stream);
    child.kill().unwrap();
    child.wait().unwrap();

    let verify = |passphrase: Option<&Path>| aegis(&home, &["audit", "verify", data_text], passphrase);
    assert!(verify(Some(&one)).status.success());
    assert_eq!((verify(Some(&other)).status.code(), verify(None).status.code()), (Some(4), Some(2)));

    assert_eq!(set(&other, Some(&other)).status.code(), Some(4));
    assert!(set(&other, Some(&one)).status.success());
    assert!(verify(Some(&other)).status.success() && !verify(Some(&one)).status.success());
    let remove = ["key", "passphrase", "--data-dir", data_text, "--remove"];
    assert_eq!(aegis(&home, &remove, Some(&one)).status.code(), Some(4));
    assert!(aegis(&home, &remove, Some(&other)).status.success());
    server.restart();
    assert_eq!(server.admin("GET", "/api/v1/agents", "").status, 200);
    let unused = start(&data, &home, &config(&one)).unwrap_err();
    assert_eq!(unused.status.code(), Some(5), "a running server is named first: {}", told(&unused));
    assert_eq!(server.stop(), 0);
    let unused = start(&data, &home, &config(&one)).unwrap_err();
    assert_eq!(unused.status.code(), Some(2), "{}", told(&unused));
}

#[test]
fn a_rotation_under_a_passphrase_stays_under_it() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("passphrase");
    private(&file, "correct horse");
    let config = format!("[keys]\npassphrase_file = {:?}", file.to_str().unwrap());
    let mut server = TestServer::start_in(home, &config);
    let ring = |server: &TestServer| fs::read_to_string(server.data().join("master.key")).unwrap();
    let before = ring(&server);
    assert!(before.starts_with("aegis key ring v1\nargon2id "), "{before}");
    assert_eq!(server.admin("POST", ROTATE, "").status, 200);
    let after = ring(&server);
    assert!(after != before && after.lines().nth(1) == before.lines().nth(1));
    assert_eq!(server.stop(), 0);
    let (mut child, _) = start(&server.data(), server.home(), &config).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A terminal of its own: our end, and the one that a program gets.
fn terminal() -> (fs::File, std::os::fd::OwnedFd) {
    use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let ours = openpt(flags).unwrap();
    unlockpt(&ours).unwrap();
    let theirs = ioctl_tiocgptpeer(&ours, flags).unwrap();
    (fs::File::from(ours), theirs)
}

/// Starts a server on a terminal and types this when it asks; gives what it said on stdout, and
/// all that was to be seen on the terminal.
fn start_and_type(home: &Path, data: &Path, typed: &str) -> (std::process::Child, String, String) {
    let (mut ours, theirs) = terminal();
    let mut child = Command::new(it::program())
        .args(["up", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .env_clear()
        .env("HOME", home)
        .stdin(theirs.try_clone().unwrap())
        .stderr(theirs)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut seen, mut part) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains("not shown while you type") {
        let count = ours.read(&mut part).unwrap();
        seen.extend_from_slice(&part[..count]);
    }
    ours.write_all(format!("{typed}\n").as_bytes()).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    while !String::from_utf8_lossy(&seen).contains(if line.is_empty() { "error" } else { "ready" }) {
        let count = ours.read(&mut part).unwrap();
        seen.extend_from_slice(&part[..count]);
    }
    (child, line, String::from_utf8_lossy(&seen).into_owned())
}

#[test]
fn on_a_terminal_the_passphrase_is_asked_for_and_not_shown() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("passphrase");
    private(&file, "correct horse");
    let config = format!("[keys]\npassphrase_file = {:?}", file.to_str().unwrap());
    let mut server = TestServer::start_in(home, &config);
    assert_eq!(server.stop(), 0);
    let (mut child, line, seen) = start_and_type(server.home(), &server.data(), "correct horse");
    assert!(line.starts_with("ready http://"), "{line}{seen}");
    assert!(!seen.contains("correct horse"), "{seen}");
    child.kill().unwrap();
    child.wait().unwrap();
    let (mut child, line, seen) = start_and_type(server.home(), &server.data(), "battery staple");
    assert_eq!((line.as_str(), child.wait().unwrap().code()), ("", Some(4)), "{seen}");
    assert!(seen.contains("the passphrase does not open") && !seen.contains("battery"), "{seen}");
}

#[test]
fn a_damaged_key_ring_is_named_with_what_to_do_and_not_written_over() {
    let mut server = TestServer::start();
    assert_eq!(server.stop(), 0);
    let key = server.data().join("master.key");
    let whole = fs::read(&key).unwrap();
    let mut flipped = whole.clone();
    let middle = whole.len() / 2;
    flipped[middle] ^= 1;
    for damaged in [&flipped[..], &whole[..middle], &whole[..32], b""] {
        private(&key, "");
        fs::write(&key, damaged).unwrap();
        let refused = start(&server.data(), server.home(), "").unwrap_err();
        assert_eq!(refused.status.code(), Some(10));
        assert!(told(&refused).contains("master.key") && told(&refused).contains("restore it"), "{}", told(&refused));
        assert_eq!(fs::read(&key).unwrap(), damaged);
        let checked = server.aegis(&["audit", "verify", server.data().to_str().unwrap()]);
        assert_eq!(checked.status.code(), Some(10), "{}", told(&checked));
    }
    fs::write(&key, &whole).unwrap();
    server.restart();
    assert_eq!(server.admin("GET", "/api/v1/agents", "").status, 200);
}
