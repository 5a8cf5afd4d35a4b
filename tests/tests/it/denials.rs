//! What agents were refused, as people see it at the command line, and how it becomes a grant.

use std::fs;
use std::process::Output;
use std::time::{Duration, Instant};

use it::TestServer;
use serde_json::{Value, json};

/// No name server answers there, so what is let out reaches nothing, at once.
const CONFIG: &str = "[egress]\nname_servers = [\"127.0.0.1:9\"]\n";

/// Asks for what its manifest may not grant, and tells what came of it.
const AGENT: &str = r#"
import json, socket, urllib.error, urllib.request
def get(url):
    try: return urllib.request.urlopen(url, timeout=20).status
    except urllib.error.HTTPError as error: return error.code
    except OSError as error: return str(error)
def resolve(name):
    try: return socket.gethostbyname(name)
    except OSError: return "none"
print(json.dumps([get("http://api.example.com/a?b"), get("https://api.example.com/"), resolve("db.example.com")]))
"#;

struct Place {
    server: TestServer,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Place {
    fn new() -> Self {
        Self { server: TestServer::start_with(CONFIG) }
    }

    /// Validates and deploys the agent with these grants, as a person would.
    fn deploy(&self, network: &Value) {
        let manifest = json!({
            "apiVersion": "aegis/v1", "kind": "Agent", "metadata": {"name": "asker"},
            "spec": {
                "runtime": {"isolation": "process", "command": ["python3", "-c", AGENT]},
                "resources": {"memory": "128Mi", "pids": 32, "disk": "16Mi"},
                "permissions": {"network": network},
            },
        });
        fs::write(self.server.home().join("agent.yaml"), manifest.to_string()).unwrap();
        self.check(&["agent", "validate", "agent.yaml"], 0);
        self.check(&["agent", "deploy", "agent.yaml"], 0);
    }

    #[track_caller]
    fn check(&self, arguments: &[&str], code: i32) -> (String, String) {
        ended(&self.server.aegis(arguments), arguments, code)
    }

    /// What the agent was answered in a session of that name.
    fn invoke(&self, session: &str, more: &[&str]) -> (Value, String) {
        let (out, err) = self.check(&[&["invoke", "asker", "--session", session], more].concat(), 0);
        (serde_json::from_str(&out).unwrap(), err)
    }

    /// The denials of a session, once there are so many.
    fn denials(&self, session: &str, count: usize) -> String {
        let begun = Instant::now();
        loop {
            let (out, _) = self.check(&["policy", "denials", "--session", session], 0);
            if out.lines().count() > count {
                return out;
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{out}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[track_caller]
fn ended(output: &Output, arguments: &[&str], code: i32) -> (String, String) {
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "aegis {arguments:?}\n{out}{err}");
    (out, err)
}

#[test]
fn what_was_refused_is_listed_and_becomes_a_grant_that_lets_it_out_until_it_is_revoked() {
    let place = Place::new();
    place.deploy(&json!([]));
    let (told, _) = place.invoke("first", &[]);
    assert_eq!(told[0], 403, "{told}");
    assert!(told[1].as_str().unwrap().contains("403"), "{told}");
    assert_eq!(told[2], "none", "{told}");
    let listed = place.denials("first", 3);
    for expected in ["api.example.com:80 GET /a ", "api.example.com:443 ", "db.example.com (its name) "] {
        assert!(listed.contains(expected), "{listed}");
    }
    assert_eq!(listed.matches("no grant names it").count(), 3, "{listed}");

    let (snippet, _) = place.check(&["policy", "denials", "--session", "first", "--suggest"], 0);
    let piece = aegis_model::manifest::document(snippet.as_bytes()).unwrap();
    let network = &piece["spec"]["permissions"]["network"];
    let expected = json!([
        {"host": "api.example.com", "ports": [443]},
        {"host": "api.example.com", "ports": [80], "methods": ["GET"], "paths": ["/a"]},
        {"host": "db.example.com", "ports": [443]},
    ]);
    assert_eq!(*network, expected, "{snippet}");
    assert!(snippet.contains("# the port is not known"), "{snippet}");

    place.deploy(network);
    let (told, _) = place.invoke("second", &[]);
    assert_eq!(told[0], 502, "let out, and no name server answers: {told}");
    assert!(told[1].as_str().unwrap().contains("502"), "{told}");
    assert!(told[2].as_str().unwrap().starts_with("127.64."), "{told}");
    let (out, _) = place.check(&["policy", "denials", "--session", "second"], 0);
    assert_eq!(out.trim(), "nothing was refused");

    place.check(&["agent", "revoke", "asker", "2"], 2);
    place.check(&["agent", "revoke", "asker", "2", "--yes"], 0);
    assert_eq!(place.invoke("third", &[]).0[0], 403);
    place.check(&["agent", "approve", "asker", "2"], 0);
    assert_eq!(place.invoke("fourth", &[]).0[0], 502);
}

#[test]
fn an_observed_session_reports_what_it_would_have_been_refused_and_only_an_admin_begins_one() {
    let place = Place::new();
    place.deploy(&json!([]));
    let operator = place.server.key("operator");
    let arguments = ["invoke", "asker", "--observe"];
    let (_, err) = ended(&place.server.aegis_as(&operator, &arguments), &arguments, 4);
    assert!(!err.contains("was observed"), "{err}");
    let (told, err) = place.invoke("watched", &["--observe"]);
    assert_eq!(told[0], 502, "let out, and no name server answers: {told}");
    assert!(err.contains("`aegis policy denials --session watched --suggest`"), "{err}");
    let listed = place.denials("watched", 2);
    assert!(listed.contains("observed: no grant names it"), "{listed}");
    let (snippet, _) = place.check(&["policy", "denials", "--session", "watched", "--suggest"], 0);
    assert!(snippet.contains("- {host: api.example.com, ports: [443]}"), "{snippet}");
    let (sessions, _) = place.check(&["session", "list"], 0);
    assert!(sessions.contains("observed"), "{sessions}");
    let (all, _) = place.check(&["policy", "denials", "--session", "watched", "--all"], 0);
    assert!(all.contains(" failed "), "{all}");
}

#[test]
fn decisions_are_the_tenants_own_and_their_reasons_for_operators() {
    let place = Place::new();
    place.deploy(&json!([]));
    place.invoke("first", &[]);
    place.denials("first", 3);
    let decisions = |key: &str| {
        let answer = place.server.with_key(key, "GET", "/api/v1/decisions", "");
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["items"].as_array().unwrap().clone()
    };
    assert_eq!(decisions(&place.server.tenant("acme")), Vec::<Value>::new());
    let reasons = |key: &str| {
        decisions(key).iter().map(|record| record["reasons"].as_array().unwrap().len()).max().unwrap_or_default()
    };
    assert!(reasons(&place.server.key("operator")) > 0);
    assert_eq!(reasons(&place.server.key("viewer")), 0, "a map of the rules is not for everybody");
}

#[test]
fn bytes_that_an_observed_session_carries_are_suggested_as_bytes() {
    let Some(place) = crate::egress::place() else { return };
    place.world.names().set_addresses("db.example.com", &["20.0.0.1"]);
    let _database = place.world.banner("20.0.0.1", 5432, "who are you?\n");
    place.deploy("client", json!([]));
    let code = "import socket\n\
                line = socket.create_connection((\"db.example.com\", 5432), 10)\n\
                result = line.recv(100).decode()\n";
    let wish = json!({"input": {"code": code}, "session_id": "watched"});
    let answer = place.server.admin("POST", "/api/v1/agents/client/observations", &wish.to_string());
    assert_eq!(it::runs::outcome(&answer)["output"], "who are you?\n", "{}", answer.text);
    assert_eq!(place.server.admin("DELETE", "/api/v1/sessions/watched", "").status, 204);
    place.decisions_of("session_id=watched", 1);
    let arguments = ["policy", "denials", "--session", "watched", "--suggest"];
    let (snippet, _) = ended(&place.server.aegis(&arguments), &arguments, 0);
    assert!(snippet.contains("- {host: db.example.com, ports: [5432], protocol: tcp}"), "{snippet}");
}
