//! A server that is killed at any moment of its work: what it acknowledged holds, what was open
//! is recorded as crashed, nothing of a box stays, and the ledger verifies.
//!
//! `AEGIS_TEST_CRASHES` says how often; 20 times unless told otherwise.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::Duration;

use it::TestServer;
use serde_json::{Value, json};

/// What a server acknowledged before it was killed.
#[derive(Default)]
struct Acknowledged {
    /// Runs with their outcome.
    ended: Vec<(String, Value)>,
    /// Runs that were begun.
    begun: Vec<String>,
    /// Versions of agents.
    deployed: Vec<(String, u64)>,
    /// Sessions that were killed.
    killed: Vec<String>,
}

/// A whole answer, if one came before the server was gone.
fn ask((address, key): (&str, &str), method: &str, path: &str, body: &str) -> Option<(u16, Value)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nx-api-key: {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let whole = length.is_none_or(|length: usize| body.len() == length);
    whole.then(|| (status, serde_json::from_str(body).unwrap_or(Value::Null)))
}

/// Asks for everything at once until the server is gone.
fn work(server: (&str, &str), worker: usize, acknowledged: &Mutex<Acknowledged>) {
    let path = "/api/v1/agents/echo/invocations";
    for number in 0.. {
        let session = format!("s-{worker}-{number}-{}", &server.0[10..]);
        let heard = match (worker + number) % 5 {
            0 => ask(server, "POST", path, &json!({"input": number}).to_string()).map(|(status, answer)| {
                assert_eq!((status, &answer["output"]), (200, &json!(number)), "{answer}");
                let id = answer["run_id"].as_str().unwrap().to_owned();
                acknowledged.lock().unwrap().ended.push((id, answer));
            }),
            1 => ask(server, "POST", path, &json!({"mode": "async"}).to_string()).map(|(_, answer)| {
                let id = answer["run_id"].as_str().unwrap().to_owned();
                acknowledged.lock().unwrap().begun.push(id);
            }),
            2 => ask(server, "POST", path, &json!({"mode": "stream"}).to_string()).map(drop),
            3 => ask(server, "POST", "/api/v1/agents", &it::manifest("echo")).map(|(status, answer)| {
                assert_eq!(status, 201, "{answer}");
                let version = answer["version"].as_u64().unwrap();
                acknowledged.lock().unwrap().deployed.push(("echo".to_owned(), version));
            }),
            _ => ask(server, "POST", path, &json!({"session_id": session}).to_string())
                .and_then(|_| ask(server, "DELETE", &format!("/api/v1/sessions/{session}"), ""))
                .map(|_| acknowledged.lock().unwrap().killed.push(session)),
        };
        if heard.is_none() {
            return;
        }
    }
}

fn check(server: &TestServer, acknowledged: &Acknowledged) {
    let get = |path: &str| server.admin("GET", path, "").json();
    for (id, outcome) in &acknowledged.ended {
        assert_eq!(get(&format!("/api/v1/runs/{id}"))["outcome"], *outcome);
    }
    for id in &acknowledged.begun {
        let state = get(&format!("/api/v1/runs/{id}"))["state"].as_str().unwrap_or_default().to_owned();
        assert!(["succeeded", "crashed"].contains(&state.as_str()), "{id} is {state}");
    }
    for (agent, version) in &acknowledged.deployed {
        assert_eq!(get(&format!("/api/v1/agents/{agent}/versions/{version}"))["version"], *version);
    }
    for id in &acknowledged.killed {
        assert_eq!(get(&format!("/api/v1/sessions/{id}"))["reason"], "killed", "{id}");
    }
    let open = get("/api/v1/sessions?limit=500");
    assert_eq!(open["items"], json!([]), "no session outlives its server");
}

#[test]
fn a_server_that_is_killed_at_any_moment_keeps_its_word() {
    #[expect(clippy::disallowed_methods, reason = "how often is said by whoever soaks")]
    let rounds = std::env::var("AEGIS_TEST_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(20);
    let mut server = TestServer::start();
    assert_eq!(server.deploy(&server.admin, "echo").status, 201);
    for round in 0..rounds {
        let acknowledged = Mutex::new(Acknowledged::default());
        let (address, key) = (server.address.clone(), server.admin.clone());
        std::thread::scope(|scope| {
            for worker in 0..5 {
                let (address, key, acknowledged) = (&address, &key, &acknowledged);
                scope.spawn(move || work((address, key), worker, acknowledged));
            }
            // From before the first answer to well into the work.
            std::thread::sleep(Duration::from_millis(3 + (round * 37) % 260));
            server.kill_and_restart();
        });
        check(&server, &acknowledged.into_inner().unwrap());
    }
    let verified = server.aegis(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    assert!(server.admin("GET", "/api/v1/runs?limit=500", "").json()["items"].as_array().unwrap().len() > 20);
}
