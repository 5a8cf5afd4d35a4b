//! Tampering: every region of a real export and of a real database, changed behind the
//! server's back, is noticed.

use std::fs;
use std::path::{Path, PathBuf};

use it::TestServer;

/// A stopped server with something of everything in its data, and an export of its ledger.
fn world() -> (TestServer, PathBuf, String) {
    let mut server = TestServer::start();
    server.tenant("acme");
    for number in 0..6 {
        server.deploy(&server.admin, &format!("agent-{number}"));
    }
    server.admin("POST", "/api/v1/freeze", r#"{"target":"agent/agent-1","reason":"test"}"#);
    let head = server.admin("GET", "/api/v1/ledger/checkpoint", "").json();
    let key = head["verifier_key"].as_str().unwrap().to_owned();
    let export = server.home().join("export");
    let exported = server.aegis(&["audit", "export", "--out", export.to_str().unwrap()]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    assert_eq!(server.stop(), 0);
    (server, export, key)
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn export_verifies(server: &TestServer, export: &Path, key: &str) -> bool {
    server.aegis(&["audit", "verify", export.to_str().unwrap(), "--key", key]).status.success()
}

#[test]
fn every_region_of_an_export_counts() {
    let (server, export, key) = world();
    assert!(export_verifies(&server, &export, &key));
    let mut all = Vec::new();
    files(&export, &mut all);
    assert!(all.len() >= 3, "{all:?}");
    for file in all {
        let good = fs::read(&file).unwrap();
        // The key that lies beside the export is information: what counts is the pinned one.
        if file.file_name().is_some_and(|name| name == "vkey") {
            continue;
        }
        let step = (good.len() / 12).max(1);
        for place in (0..good.len()).step_by(step).chain([good.len() - 1]) {
            let mut bad = good.clone();
            bad[place] ^= 0x01;
            fs::write(&file, &bad).unwrap();
            assert!(!export_verifies(&server, &export, &key), "{} at {place}", file.display());
        }
        fs::write(&file, &good[..good.len() - 1]).unwrap();
        assert!(!export_verifies(&server, &export, &key), "{} cut", file.display());
        fs::remove_file(&file).unwrap();
        assert!(!export_verifies(&server, &export, &key), "{} removed", file.display());
        fs::write(&file, &good).unwrap();
    }
    assert!(export_verifies(&server, &export, &key));
}

#[test]
fn another_key_does_not_count() {
    let (server, export, key) = world();
    let other = TestServer::start();
    other.deploy(&other.admin, "x");
    let head = other.admin("GET", "/api/v1/ledger/checkpoint", "").json();
    let stranger = head["verifier_key"].as_str().unwrap();
    assert_ne!(stranger, key);
    assert!(!export_verifies(&server, &export, stranger));
}

/// What a reader of the database can see: every row of every table.
fn dump(database: &Path) -> Option<Vec<u8>> {
    let script = "import sqlite3,sys\nc=sqlite3.connect('file:'+sys.argv[1]+'?mode=ro',uri=True)\nfor t in sorted(r[0] for r in c.execute(\"select name from sqlite_master where type='table'\")):\n  for r in c.execute('select * from \"'+t+'\"'): print(t,r)\nfor r in c.execute('select * from sqlite_master'): print(r)\n";
    let output = std::process::Command::new("python3").args(["-c", script]).arg(database).output().ok()?;
    output.status.success().then_some(output.stdout)
}

#[test]
fn every_region_of_a_database_counts() {
    let (server, _, _) = world();
    let data = server.data();
    let database = data.join("aegis.db");
    let verify = || server.aegis(&["audit", "verify", data.to_str().unwrap()]).status.success();
    assert!(verify());
    let good = fs::read(&database).unwrap();
    let before = dump(&database).expect("python3 with sqlite3 reads the database");
    let step = (good.len() / 80).max(1);
    let (mut noticed, mut meaningless) = (0, 0);
    for place in (0..good.len()).step_by(step) {
        let mut bad = good.clone();
        bad[place] ^= 0xFF;
        fs::write(&database, &bad).unwrap();
        let seen = !verify();
        // A byte that no row, table or index uses says nothing: changing it changes nothing.
        let unused = dump(&database).is_some_and(|after| after == before);
        assert!(seen || unused, "a change at byte {place} of {} was not noticed", good.len());
        noticed += usize::from(seen);
        meaningless += usize::from(!seen);
    }
    fs::write(&database, &good).unwrap();
    assert!(verify());
    assert!(noticed >= 20, "{noticed} noticed, {meaningless} without meaning");
}

#[test]
fn an_altered_document_is_refused_when_it_is_read() {
    let (mut server, _, _) = world();
    let script = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nn=c.execute(\"update records set body=cast(replace(cast(body as text),'platform-admin','admin') as blob) where kind='key'\").rowcount\nc.commit()\nassert n>0\n";
    let changed =
        std::process::Command::new("python3").args(["-c", script]).arg(server.data().join("aegis.db")).status();
    assert!(changed.is_ok_and(|status| status.success()));
    server.restart();
    let answer = server.admin("GET", "/api/v1/agents", "");
    assert_eq!((answer.status, answer.code().as_str()), (500, "ERR_TAMPERED"), "{}", answer.text);
}
