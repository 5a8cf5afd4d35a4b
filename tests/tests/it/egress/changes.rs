//! What changes while something is open: grants that are taken back, agents that are frozen.

use std::time::{Duration, Instant};

use it::runs::becomes;
use serde_json::json;

use super::place;

/// Requests on one connection that is kept, until one is answered otherwise; and a tunnel.
const HOLD: &str = r#"
def answered(line):
    told = b""
    while b"\r\n\r\n" not in told:
        piece = line.recv(4096)
        if not piece: return "closed"
        told += piece
    head, body = told.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"content-length: (\d+)", head.lower()).group(1))
    while len(body) < length: body += line.recv(4096)
    return verdict((head + b"\r\n\r\n" + body).decode("latin-1"))
line = socket.create_connection(PROXY, 20)
told = []
for _ in range(400):
    line.sendall(b"GET http://api.example.com/echo HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
    told.append(answered(line))
    if told[-1] != "200": break
    time.sleep(0.05)
result = {"last": told[-1], "others": sorted(set(told[:-1])), "again": proxied("api.example.com"), "name": resolve("api.example.com")}
"#;

#[test]
fn a_grant_that_is_taken_back_ends_the_next_request_and_what_is_open_within_a_second() {
    let Some(place) = place() else { return };
    let (web, echo) = (place.world.web("20.0.0.1", 80), place.world.echo("20.0.0.1", 5432));
    place.world.names().set_addresses("api.example.com", &["20.0.0.1"]);
    let grants = json!([
        {"host": "api.example.com", "ports": [80], "websocket": true},
        {"host": "api.example.com", "ports": [5432], "protocol": "tcp"},
    ]);
    for agent in ["keeper", "tunnel", "socket", "sender", "other"] {
        place.deploy(agent, grants.clone());
    }
    let kept = place.begin("keeper", HOLD);
    let wait = "line.settimeout(20)\nresult = [head[9:12], rest(line)]";
    let tunnels = [
        ("tunnel", place.begin("tunnel", &format!("line, head = connect('api.example.com:5432')\n{wait}"))),
        ("other", place.begin("other", &format!("line, head = connect('api.example.com:5432')\nline.settimeout(3)\n{}", "result = [head[9:12], rest(line)]"))),
        ("socket", place.begin("socket", &format!(r#"
line = socket.create_connection(PROXY, 20)
line.sendall(b"GET http://api.example.com/ws HTTP/1.1\r\nHost: api.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
head = line.recv(4096).decode()
{wait}"#))),
        ("sender", place.begin("sender", r#"
line = socket.create_connection(PROXY, 20)
line.sendall(b"POST http://api.example.com/echo HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 100000\r\n\r\n")
try:
    for _ in range(400): line.sendall(b"x" * 10); time.sleep(0.05)
except OSError: pass
result = rest(line)[9:12]"#)),
    ];
    place.wait_until("everything is open", || web.current() >= 3 && echo.current() == 2 && web.requests().len() >= 4);
    let begun = Instant::now();
    for agent in ["tunnel", "socket", "sender"] {
        place.revoke(agent);
    }
    // From here on it is in force; how long it takes to be written is the store's.
    let (asked, answered) = (begun.elapsed(), Instant::now());
    assert!(web.wait_for_current(1, Duration::from_secs(1)), "{} are open, {:?}", web.current(), begun.elapsed());
    place.wait_until("one tunnel is left", || echo.current() == 1);
    let ended = answered.elapsed();
    eprintln!("three grants were taken back in {asked:?}, and all that was open had ended {ended:?} later");
    assert!(ended < Duration::from_secs(1), "{ended:?}, after {asked:?}");
    place.revoke("keeper");
    let told = place.finish(&kept);
    assert_eq!((&told["last"], &told["others"]), (&json!("403 not_permitted"), &json!(["200"])), "{told}");
    assert_eq!(told["again"], "403 not_permitted");
    for (agent, run) in &tunnels {
        let told = place.finish(run);
        match *agent {
            "tunnel" => assert_eq!(told, json!(["200", ""]), "{agent}"),
            "socket" => assert_eq!(told[0], "101", "{agent}: {told}"),
            "other" => {
                assert!(told[1].as_str().unwrap().starts_with("error: TimeoutError"), "another's tunnel stays: {told}")
            }
            _ => {}
        }
        if *agent != "other" {
            let records = place.decisions_of(&format!("agent={agent}"), 1);
            assert!(records.iter().any(|record| record["state"] == "revoked"), "{agent}: {records:?}");
        }
    }
    let approved = place.server.admin("POST", "/api/v1/agents/keeper/versions/1/approve", "");
    assert_eq!(approved.status, 200, "{}", approved.text);
    assert_eq!(place.run("keeper", "result = proxied('api.example.com')"), "200");
}

#[test]
fn what_a_frozen_or_deleted_agent_had_open_is_ended() {
    let Some(place) = place() else { return };
    let echo = place.world.echo("20.0.0.1", 5432);
    place.world.names().set_addresses("db.example.com", &["20.0.0.1"]);
    for agent in ["frozen", "deleted", "free"] {
        place.deploy(agent, json!([{"host": "db.example.com", "ports": [5432], "protocol": "tcp"}]));
    }
    let code = r#"
line, head = connect("db.example.com:5432")
for _ in range(40):
    line.sendall(b"x")
    if not line.recv(10): break
    time.sleep(0.05)
result = "done"
"#;
    let runs = ["frozen", "deleted", "free"].map(|agent| place.begin(agent, code));
    place.wait_until("all are open", || echo.current() == 3);
    let answer = place.server.admin("POST", "/api/v1/freeze", r#"{"target":"agent/frozen","reason":"test"}"#);
    assert_eq!(answer.status, 200, "{}", answer.text);
    let begun = Instant::now();
    assert!(echo.wait_for_current(2, Duration::from_secs(1)), "{} are open", echo.current());
    eprintln!("a frozen agent's tunnel had ended after {:?}", begun.elapsed());
    let answer = place.server.admin("DELETE", "/api/v1/agents/deleted", "");
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert!(echo.wait_for_current(1, Duration::from_secs(2)), "{} are open", echo.current());
    becomes(&place.server, &runs[2], "succeeded");
    for agent in ["frozen", "deleted"] {
        let records = place.decisions_of(&format!("agent={agent}"), 1);
        assert!(["revoked", "ended", "failed"].contains(&records[0]["state"].as_str().unwrap()), "{records:?}");
    }
}

#[test]
fn an_agent_that_is_deployed_anew_under_the_name_of_a_deleted_one_has_none_of_its_grants() {
    let Some(place) = place() else { return };
    let (web, evil) = (place.world.web("20.0.0.1", 80), place.world.web("20.0.0.2", 80));
    place.world.names().set_addresses("api.example.com", &["20.0.0.1"]);
    place.world.names().set_addresses("other.example.com", &["20.0.0.2"]);
    let code = "result = [proxied('api.example.com'), proxied('other.example.com')]";
    place.deploy("phoenix", json!([{"host": "api.example.com", "ports": [80]}]));
    assert_eq!(place.run("phoenix", code), json!(["200", "403 not_permitted"]));
    let deleted = place.server.admin("DELETE", "/api/v1/agents/phoenix", "");
    assert_eq!(deleted.status, 204, "{}", deleted.text);
    place.deploy("phoenix", json!([{"host": "other.example.com", "ports": [80]}]));
    assert_eq!(place.run("phoenix", code), json!(["403 not_permitted", "200"]));
    assert_eq!((web.connections(), evil.connections()), (1, 1));
}
