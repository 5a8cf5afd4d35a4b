//! The way out: what agents reach, and what they are kept from, in a world of the test's own.
#![expect(clippy::panic, clippy::print_stderr, reason = "where no world can be made that is said aloud")]

mod addresses;
mod changes;
mod channels;
mod clients;
mod dns;
mod http;
mod limits;
mod names;
mod observed;
mod reach;
mod smuggling;
mod tls;

use std::time::{Duration, Instant};

use aegis_world::{EnterError, World};
use it::TestServer;
use it::runs::{becomes, begin, invoke, outcome};
use serde_json::{Value, json};

/// Does what its input says, in Python, and tells what that gave.
const AGENT: &str = r#"
import json, sys
given = json.load(sys.stdin)
space = {"given": given}
exec(given["code"], space)
json.dump(space.get("result"), sys.stdout)
"#;

/// What the code of an agent begins with: ways to ask.
const TOOLS: &str = r#"
import errno, json, os, re, socket, ssl, struct, sys, threading, time, urllib.request, urllib.error
PROXY = ("127.0.0.1", 7702)
def raw(to, data, seconds=10, half=True):
    """Everything that is answered to these bytes, or what went wrong."""
    try:
        with socket.create_connection(to, seconds) as line:
            line.settimeout(seconds)
            # Who is refused may be told so before everything was said.
            try:
                line.sendall(data if isinstance(data, bytes) else data.encode("latin-1"))
                if half: line.shutdown(socket.SHUT_WR)
            except OSError: pass
            told = b""
            try:
                while True:
                    piece = line.recv(65536)
                    if not piece: break
                    told += piece
            except OSError:
                if not told: raise
            return told.decode("latin-1")
    except OSError as error:
        return "error: " + type(error).__name__ + " " + str(error)
def get(url, method="GET", data=None, headers={}, seconds=15):
    """Status and body of a request through the proxy that the environment names."""
    try:
        answer = urllib.request.urlopen(urllib.request.Request(url, data, headers, method=method), timeout=seconds)
        return [answer.status, answer.read().decode("latin-1")]
    except urllib.error.HTTPError as error:
        return [error.code, error.read().decode("latin-1")]
    except Exception as error:
        return [0, type(error).__name__ + ": " + str(error)]
def connect(target, seconds=10):
    """A connection through CONNECT, and the head of the answer."""
    line = socket.create_connection(PROXY, seconds)
    line.settimeout(seconds)
    line.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode("latin-1"))
    head = b""
    while b"\r\n\r\n" not in head:
        piece = line.recv(1)
        if not piece: break
        head += piece
    return line, head.decode("latin-1")
def resolve(name):
    try: return socket.gethostbyname(name)
    except OSError as error: return "error: " + str(error)
def rest(line):
    told = b""
    try:
        while True:
            piece = line.recv(65536)
            if not piece: break
            told += piece
    except OSError as error:
        if not told: return "error: " + type(error).__name__
    return told.decode("latin-1")
def bytes_of(text): return text if isinstance(text, bytes) else text.encode("latin-1")
def verdict(text):
    """Status and reason of an answer, in short."""
    if not text.startswith("HTTP/1.1 "): return text[:80] or "closed"
    found = re.search(r'"reason":"(\w+)"', text)
    return text[9:12] + (" " + found.group(1) if found else "")
def proxied(authority, path="/echo", host=None, more=b"", seconds=10):
    """What a request to a proxy is answered."""
    named = bytes_of(authority)
    host = named if host is None else bytes_of(host)
    head = b"GET http://" + named + bytes_of(path) + b" HTTP/1.1\r\nHost: " + host + b"\r\n" + bytes_of(more)
    return verdict(raw(PROXY, head + b"Connection: close\r\n\r\n", seconds))
def tunnelled(authority, data=b"", seconds=10):
    """What a tunnel is answered."""
    named = bytes_of(authority)
    return verdict(raw(PROXY, b"CONNECT " + named + b" HTTP/1.1\r\nHost: " + named + b"\r\n\r\n" + bytes_of(data), seconds))
def socks(kind, address, port=80, data=b""):
    """The number that SOCKS answers; nothing if it says none."""
    address = bytes_of(address)
    if kind == 3: address = bytes([len(address)]) + address
    asked = b"\x05\x01\x00\x05\x01\x00" + bytes([kind]) + address + struct.pack(">H", port) + bytes_of(data)
    told = bytes_of(raw(PROXY, asked))
    return told[3] if len(told) >= 4 else None
def together(work, cases):
    """The same for all cases, as many at the same time as a box has room for."""
    told, left = {}, list(cases)
    def some():
        while True:
            try: case = left.pop()
            except IndexError: return
            told[str(case)] = work(case)
    threads = [threading.Thread(target=some) for _ in left[:24]]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return told
"#;

/// What every answer of a list must be, one of several.
fn all_are(told: &Value, expected: &[&str]) {
    let cases = told.as_object().unwrap_or_else(|| panic!("no cases: {told}"));
    assert!(!cases.is_empty());
    for (case, answer) in cases {
        let answer = answer.as_str().map_or_else(|| answer.to_string(), str::to_owned);
        assert!(expected.contains(&answer.as_str()), "`{case}` was answered `{answer}`, not {expected:?}");
    }
}

/// A world, and a server in it.
pub struct Place {
    /// The server; dropped before the world that it lives in.
    pub server: TestServer,
    /// What is outside.
    pub world: World,
}

/// A world with a server, with that configuration beside the name server; `None` on a machine
/// where worlds cannot be made, which is said aloud.
pub fn place_with(config: &str) -> Option<Place> {
    let world = match World::enter() {
        Ok(world) => world,
        Err(EnterError::Unprivileged(why)) => {
            eprintln!("SKIPPED: no network namespaces here: {why}");
            return None;
        }
        Err(problem) => panic!("{problem}"),
    };
    let egress = format!("[egress]\nname_servers = [\"{}\"]\n{config}", world.names_address());
    let server = TestServer::start_with(&egress);
    Some(Place { server, world })
}

/// The same with the defaults.
pub fn place() -> Option<Place> {
    place_with("")
}

impl Place {
    /// Deploys an agent with these network grants.
    pub fn deploy(&self, name: &str, network: Value) {
        let answer = self.try_deploy(name, network);
        assert_eq!(answer.status, 201, "{}", answer.text);
    }

    /// Tries to.
    pub fn try_deploy(&self, name: &str, network: Value) -> it::Answer {
        let manifest = json!({
            "apiVersion": "aegis/v1", "kind": "Agent", "metadata": {"name": name},
            "spec": {
                "runtime": {"isolation": "process", "command": ["python3", "-c", AGENT]},
                "resources": {"memory": "256Mi", "pids": 64, "disk": "16Mi"},
                "permissions": {"network": network},
            },
        });
        self.server.admin("POST", "/api/v1/agents", &manifest.to_string())
    }

    /// What the code sets as `result`, run in a box of that agent.
    pub fn run(&self, agent: &str, code: &str) -> Value {
        let answer = invoke(&self.server, agent, &json!({"input": {"code": format!("{TOOLS}\n{code}")}}));
        let outcome = outcome(&answer);
        assert_eq!(outcome["status"], "succeeded", "{}\n{}", answer.text, self.server.log());
        outcome["output"].clone()
    }

    /// Begins the same, and does not wait for it.
    pub fn begin(&self, agent: &str, code: &str) -> String {
        begin(&self.server, agent, json!({"input": {"code": format!("{TOOLS}\n{code}")}}))
    }

    /// What the code has set as `result` in a run that was begun.
    pub fn finish(&self, run: &str) -> Value {
        becomes(&self.server, run, "succeeded")["outcome"]["output"].clone()
    }

    /// Takes the grants of the first version of an agent back.
    pub fn revoke(&self, agent: &str) {
        let answer = self.server.admin("POST", &format!("/api/v1/agents/{agent}/versions/1/revoke"), "");
        assert_eq!(answer.status, 200, "{}", answer.text);
    }

    /// Waits until that is so.
    pub fn wait_until(&self, what: &str, mut is_so: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed().as_secs() < 15, "not so in time: {what}\n{}", self.server.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The decisions that were recorded, newest first.
    pub fn decisions(&self, query: &str) -> Vec<Value> {
        let answer = self.server.admin("GET", &format!("/api/v1/decisions?limit=500&{query}"), "");
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()["items"].as_array().unwrap().clone()
    }

    /// A refusal of that kind, once it is recorded.
    pub fn recorded(&self, which: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let found = self.decisions("refused=true");
            if let Some(record) = found.iter().find(|record| which(record)) {
                return record.clone();
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "it was not recorded: {found:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The same, once there are so many.
    pub fn decisions_of(&self, query: &str, count: usize) -> Vec<Value> {
        let begun = Instant::now();
        loop {
            let found = self.decisions(query);
            if found.len() >= count {
                return found;
            }
            assert!(begun.elapsed().as_secs() < 10, "{} of {count} decisions: {found:?}", found.len());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
