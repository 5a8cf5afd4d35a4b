//! Secrets: what they can do for whom, and that their values are nowhere to be found.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use it::{Answer, TestServer, files_below};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const PATH: &str = "/api/v1/secrets/token";

fn set(server: &TestServer, key: &str, value: &str) -> Answer {
    server.with_key(key, "PUT", PATH, &json!({"value": value}).to_string())
}

fn rotate(server: &TestServer, key: &str, body: &Value) -> Answer {
    server.with_key(key, "POST", &format!("{PATH}/rotate"), &body.to_string())
}

/// Number and state of each version, newest first.
fn states(answer: &Answer) -> Vec<(u64, String)> {
    let versions = answer.json()["versions"].as_array().cloned().unwrap_or_default();
    let state = |version: &Value| (version["number"].as_u64().unwrap(), version["state"].as_str().unwrap().to_owned());
    versions.iter().map(state).collect()
}

/// The command line with a value on its stdin.
fn aegis(server: &TestServer, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(it::program())
        .args(arguments)
        .env_clear()
        .env("HOME", server.home())
        .env("AEGIS_URL", format!("http://{}", server.address))
        .env("AEGIS_API_KEY", &server.admin)
        .current_dir(server.home())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn holds(bytes: &[u8], wanted: &str) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted.as_bytes())
}

/// Changes the database of a server that does not run; gives what the script printed.
fn alter(server: &TestServer, script: &str) -> String {
    let script = format!("import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\n{script}\nc.commit()\n");
    let output = Command::new("python3").args(["-c", &script]).arg(server.data().join("aegis.db")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn a_secret_is_set_rotated_rolled_back_and_deleted() {
    let server = TestServer::start();
    let admin = &server.admin;
    let first = set(&server, admin, "one");
    assert_eq!((first.status, first.json()["version"].as_u64()), (200, Some(1)), "{}", first.text);
    assert_eq!(first.json()["rotate_every_ms"], 30_u64 * 24 * 3_600_000);
    let second = rotate(&server, admin, &json!({"value": "two"}));
    let expected = [(2, "current".to_owned()), (1, "overlapping".to_owned())];
    assert_eq!(states(&second), expected, "{}", second.text);
    let same = rotate(&server, admin, &json!({"value": "two"}));
    assert_eq!(
        (same.code().as_str(), &same.json()["error"]["details"]["pointer"]),
        ("ERR_VALIDATION", &json!("/value"))
    );
    let back = server.admin("POST", &format!("{PATH}/rollback"), "");
    assert_eq!(states(&back), [(2, "retired".to_owned()), (1, "current".to_owned())]);
    assert_eq!(server.admin("POST", &format!("{PATH}/rollback"), "").code(), "ERR_STATE_INVALID");
    assert_eq!(set(&server, admin, "three").json()["version"], 3);
    assert_eq!(server.admin("DELETE", PATH, "").status, 204);
    for (method, path) in [("GET", PATH.to_owned()), ("DELETE", PATH.to_owned()), ("POST", format!("{PATH}/rollback"))]
    {
        assert_eq!(server.admin(method, &path, "").status, 404, "{method} {path}");
    }
    assert_eq!(server.admin("GET", "/api/v1/secrets", "").json()["items"], json!([]));
    assert_eq!(set(&server, admin, "four").json()["version"], 4, "numbers go on counting");
    let entries = server.admin("GET", "/api/v1/ledger/entries?limit=200", "").json();
    let about = |item: &&Value| item["entry"]["subject"] == "secret/token";
    let acts = entries["items"].as_array().unwrap().iter().filter(about);
    let acts: Vec<&str> = acts.map(|item| item["entry"]["action"].as_str().unwrap()).collect();
    let expected = ["secret_set", "secret_rotate", "secret_rollback", "secret_set", "secret_delete", "secret_set"];
    assert_eq!(acts, expected);
}

#[test]
fn an_overlap_ends_by_the_clock_and_an_overdue_rotation_shows() {
    let server = TestServer::start();
    let wish = json!({"value": "one", "rotate_every_ms": 1, "description": "short"}).to_string();
    assert_eq!(server.admin("PUT", PATH, &wish).status, 200);
    let second = rotate(&server, &server.admin, &json!({"value": "two", "overlap_ms": 1}));
    assert_eq!(second.status, 200, "{}", second.text);
    // The answer to one request later is more than a millisecond away.
    std::thread::sleep(std::time::Duration::from_millis(5));
    let seen = server.admin("GET", PATH, "");
    assert_eq!(states(&seen)[1], (1, "retired".to_owned()));
    assert_eq!(server.admin("POST", &format!("{PATH}/rollback"), "").code(), "ERR_STATE_INVALID");
    let listed = server.admin("GET", "/api/v1/secrets", "").json();
    assert_eq!((&listed["items"][0]["overdue"], &listed["items"][0]["description"]), (&json!(true), &json!("short")));
    assert!(text(&server.aegis(&["secret", "list"])).contains("overdue since"));
}

#[test]
fn operators_see_that_a_secret_is_there_and_only_admins_change_it() {
    let server = TestServer::start();
    assert_eq!(set(&server, &server.admin, "one").status, 200);
    let operator = server.key("operator");
    for path in ["/api/v1/secrets", PATH] {
        assert_eq!(server.with_key(&operator, "GET", path, "").status, 200);
        assert_eq!(server.with_key(&server.key("viewer"), "GET", path, "").code(), "ERR_DENIED");
    }
    assert_eq!(set(&server, &operator, "two").code(), "ERR_DENIED");
    assert_eq!(rotate(&server, &operator, &json!({"value": "two"})).code(), "ERR_DENIED");
    assert_eq!(server.with_key(&operator, "DELETE", PATH, "").code(), "ERR_DENIED");
    assert_eq!(set(&server, &server.key("admin"), "two").json()["version"], 2);
    assert_eq!(server.admin("POST", "/api/v1/freeze", r#"{"target":"tenant/default"}"#).status, 200);
    assert_eq!(set(&server, &server.admin, "three").code(), "ERR_FROZEN");
}

#[test]
fn a_secret_of_the_same_name_is_another_one_in_another_tenant() {
    let server = TestServer::start();
    let stranger = server.tenant("acme");
    set(&server, &server.admin, "one");
    assert_eq!(server.with_key(&stranger, "GET", PATH, "").status, 404);
    assert_eq!(rotate(&server, &stranger, &json!({"value": "two"})).status, 404);
    assert_eq!(server.with_key(&stranger, "DELETE", PATH, "").status, 404);
    assert_eq!(server.with_key(&stranger, "GET", "/api/v1/secrets", "").json()["items"], json!([]));
    assert_eq!(set(&server, &stranger, "theirs").json()["version"], 1);
    let own = server.admin("GET", PATH, "").json();
    assert_eq!((own["version"].as_u64(), own["versions"].as_array().map(Vec::len)), (Some(1), Some(1)));
}

#[test]
fn what_is_no_secret_is_refused_and_never_repeated() {
    let server = TestServer::start();
    let planted = "planted-in-a-wrong-place";
    let bodies = [
        format!("\"{planted}\""),
        format!(r#"{{"value":["{planted}"]}}"#),
        format!(r#"{{"value":{{"{planted}":1}}}}"#),
        format!(r#"{{"{planted}":1}}"#),
        format!(r#"{{"value":"x","description":["{planted}"]}}"#),
        format!(r#"{{"value":"{planted}"#),
        format!(r#"{{"value":"{planted}"}} {planted}"#),
        r#"{"value":8080808080}"#.to_owned(),
        "{}".to_owned(),
        r#"{"value":""}"#.to_owned(),
        r#"{"value":"x","rotate_every_ms":0}"#.to_owned(),
        json!({"value": planted.repeat(3_000)}).to_string(),
    ];
    for body in &bodies {
        let answer = server.admin("PUT", PATH, body);
        assert!(matches!(answer.status, 400 | 422), "{} {}", answer.status, answer.text);
        assert!(!answer.text.contains(planted) && !answer.text.contains("8080808080"), "{}", answer.text);
    }
    let long = json!({"value": "x".repeat(65_537)}).to_string();
    assert_eq!(server.admin("PUT", PATH, &long).json()["error"]["details"]["pointer"], "/value");
    assert_eq!(server.admin("PUT", PATH, &json!({"value": "x".repeat(65_536)}).to_string()).status, 200);
    for name in ["Token", "-x", "a_b", &"x".repeat(64)] {
        assert_eq!(server.admin("PUT", &format!("/api/v1/secrets/{name}"), r#"{"value":"x"}"#).status, 404, "{name}");
    }
    assert!(!server.log().contains(planted));
}

#[test]
fn the_command_line_does_all_of_it() {
    let server = TestServer::start();
    let run = |arguments: &[&str], input: &str| {
        let output = aegis(&server, arguments, input);
        (output.status.code(), text(&output))
    };
    assert_eq!(run(&["secret", "set", "token"], "one\n").0, Some(0));
    let (code, said) = run(&["secret", "rotate", "token", "--overlap", "1h"], "one\n\n");
    assert!(
        code == Some(0) && said.contains("version 1 can be read until"),
        "one end of line only is taken away: {said}"
    );
    std::fs::write(server.home().join("value.txt"), "three\r\n").unwrap();
    assert_eq!(run(&["secret", "rotate", "token", "--from-file", "value.txt"], "").0, Some(0));
    assert_eq!(run(&["secret", "rotate", "token"], "three").0, Some(2), "the same value");
    let (_, listed) = run(&["secret", "list"], "");
    assert!(listed.contains("token") && listed.contains("due "), "{listed}");
    let (_, shown) = run(&["secret", "show", "token"], "");
    assert!(shown.contains("overlapping until") && shown.contains("retired"), "{shown}");
    assert_eq!(run(&["secret", "rollback", "token"], "").0, Some(0));
    assert_eq!(run(&["secret", "rollback", "token"], "").0, Some(5));
    assert_eq!(run(&["secret", "delete", "token"], "").0, Some(2), "nobody can be asked");
    assert_eq!(run(&["secret", "delete", "token", "--yes"], "").0, Some(0));
    assert_eq!(run(&["secret", "show", "token"], "").0, Some(3));
    assert_eq!(run(&["secret", "set", "token"], "").0, Some(2), "an empty value");
    let (code, said) = run(&["secret", "set", "token", "planted-argument"], "");
    assert!(code == Some(2) && said.contains("--from-file") && !said.contains("planted-argument"), "{said}");
}

#[test]
fn a_person_is_asked_and_what_is_typed_is_not_shown() {
    let server = TestServer::start();
    let script = "import os,pty,sys\npid,fd=pty.fork()\nif pid==0: os.execv(sys.argv[1],[sys.argv[1],'secret','set','token'])\nsaid=b''\nwhile b'value' not in said: said+=os.read(fd,1024)\nos.write(fd,b'typed-by-hand\\n')\ntry:\n  while True:\n    more=os.read(fd,1024)\n    if not more: break\n    said+=more\nexcept OSError: pass\n_,status=os.waitpid(pid,0)\nprint(said.decode())\nsys.exit(os.waitstatus_to_exitcode(status))\n";
    let output = Command::new("python3")
        .args(["-c", script])
        .arg(it::program())
        .env("HOME", server.home())
        .env("AEGIS_URL", format!("http://{}", server.address))
        .env("AEGIS_API_KEY", &server.admin)
        .output()
        .unwrap();
    let said = text(&output);
    assert!(output.status.success() && said.contains("is at version 1") && !said.contains("typed-by-hand"), "{said}");
}

#[test]
fn a_value_is_in_no_file_no_log_no_ledger_and_no_answer() {
    let mut server = TestServer::start_with("[log]\nlevel = \"trace\"\n");
    let values = ["planted-first-0a1b2c", "planted-second-3d4e5f", "planted-third-6a7b8c"];
    let bodies = values.map(|value| json!({"value": value}).to_string());
    let mut told = vec![server.admin("PUT", PATH, &bodies[0]).text];
    let headers = [("x-api-key", server.admin.as_str()), ("idempotency-key", "one")];
    for _ in 0..2 {
        let answer = server.call("POST", &format!("{PATH}/rotate"), &headers, &bodies[1]);
        assert_eq!((answer.status, answer.json()["version"].as_u64()), (200, Some(2)), "{}", answer.text);
        told.push(answer.text);
    }
    let other = server.call("POST", &format!("{PATH}/rotate"), &headers, &bodies[2]);
    assert_eq!(other.code(), "ERR_IDEMPOTENCY_MISMATCH");
    let refused = rotate(&server, &server.key("viewer"), &json!({"value": values[2]}));
    assert_eq!(refused.code(), "ERR_DENIED");
    told.extend([other.text, refused.text]);
    told.extend(
        ["/secrets", "/secrets/token", "/ledger/entries?limit=500"]
            .map(|path| server.admin("GET", &format!("/api/v1{path}"), "").text),
    );
    let export = server.home().join("export");
    assert!(server.aegis(&["audit", "export", "--out", export.to_str().unwrap()]).status.success());
    told.push(server.metrics());
    let look = |place: &str, bytes: &[u8]| {
        for (value, body) in values.iter().zip(&bodies) {
            assert!(!holds(bytes, value), "`{value}` is in {place}");
            // Nor is what a guess could be compared with: a digest of the value or of the request.
            for digest in [digest("secret_rotate", "/secrets/token/rotate", body), hex(&Sha256::digest(value))] {
                assert!(!holds(bytes, &digest), "a digest of `{value}` is in {place}");
            }
        }
    };
    told.iter().for_each(|text| look("an answer", text.as_bytes()));
    let running = files_below(server.home());
    assert!(running.len() > 6, "{}", running.len());
    running.iter().for_each(|(path, bytes)| look(&path.display().to_string(), bytes));
    assert_eq!(server.stop(), 0);
    files_below(server.home()).iter().for_each(|(path, bytes)| look(&path.display().to_string(), bytes));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of a request, as the gateway makes it: with the path below the API's prefix.
fn digest(operation: &str, path: &str, body: &str) -> String {
    let mut hash = Sha256::new();
    for part in [operation, path, "", body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex(&hash.finalize())
}

#[test]
fn a_secret_that_was_altered_on_the_disk_is_named_and_not_used() {
    let mut server = TestServer::start();
    set(&server, &server.admin, "one");
    assert_eq!(server.stop(), 0);
    alter(
        &server,
        "assert c.execute(\"update records set body=cast(replace(cast(body as text),'\\\"sealed\\\":\\\"A','\\\"sealed\\\":\\\"B') as blob) where kind='secret'\").rowcount==1",
    );
    server.restart();
    for answer in [server.admin("GET", PATH, ""), rotate(&server, &server.admin, &json!({"value": "two"}))] {
        assert_eq!((answer.status, answer.code().as_str()), (500, "ERR_TAMPERED"), "{}", answer.text);
    }
}

#[test]
fn of_a_deleted_tenants_secrets_nothing_opens_and_its_ledger_verifies() {
    let mut server = TestServer::start();
    let key = server.tenant("acme");
    assert_eq!(set(&server, &key, "one").status, 200);
    assert_eq!(server.stop(), 0);
    let find = "import json\nprint(json.loads(c.execute(\"select body from records where kind='tenant' and id='acme'\").fetchone()[0]).get('sealed_data_key'))";
    let data_key = alter(&server, find);
    assert!(data_key.len() > 60, "{data_key}");
    server.restart();
    assert_eq!(server.admin("DELETE", "/api/v1/tenants/acme", "").status, 204);
    assert_eq!(set(&server, &key, "two").status, 401);
    assert_eq!(server.stop(), 0);
    assert_eq!(alter(&server, find), "None");
    // What a master key could open is not left in a corner of a page either, nor a part of it.
    for (path, bytes) in files_below(&server.data()) {
        for part in data_key.as_bytes().chunks(24).map(|part| std::str::from_utf8(part).unwrap()) {
            assert!(part.len() < 24 || !holds(&bytes, part), "{}", path.display());
        }
    }
    let data = server.data();
    let verified = server.aegis(&["audit", "verify", data.to_str().unwrap()]);
    assert!(verified.status.success(), "{}", text(&verified));
}
