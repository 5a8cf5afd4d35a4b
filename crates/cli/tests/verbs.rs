//! Verbs, from what is typed to what is shown, against a small server on a real socket. The
//! ledger it serves is a real one, so that exports and proofs are really verified.
#![expect(clippy::expect_used, reason = "what a test cannot set up ends it")]

use std::fs;
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use aegis_cli::{Environment, Terminal};
use aegis_ledger::{Checkpoint, Signer, entry_bytes, tree};
use aegis_model::ledger::{Entry, EntryDecision, TreeHead};
use aegis_model::{Code, Fault, ReasonClass, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A request: its first line without the version, and its body.
type Request = (String, Vec<u8>);
/// What a server answers.
type Handler = dyn Fn(&str) -> (u16, String) + Send + Sync;

/// A server for one test.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    fn start(handler: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.expect("a connection"), &handler, &log);
            }
        });
        Self { url, seen }
    }

    fn lines(&self) -> Vec<String> {
        self.seen.lock().expect("log").iter().map(|(line, _)| line.clone()).collect()
    }
}

fn serve(stream: TcpStream, handler: &Handler, log: &Mutex<Vec<Request>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a copy"));
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_owned());
    }
    let length =
        head.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length.map_or(0, |length| length.parse().expect("a length"))];
    reader.read_exact(&mut body).expect("a body");
    let line = head.first().expect("a line").trim_end_matches(" HTTP/1.1").to_owned();
    log.lock().expect("log").push((line.clone(), body));
    let (status, answer) = handler(&line);
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", answer.len());
    let _ = (&stream).write_all(format!("{head}{answer}").as_bytes());
}

/// What a verb said and ended with.
#[derive(Debug)]
struct Ended {
    code: u8,
    data: String,
    messages: String,
}

impl Ended {
    fn json(&self) -> Value {
        serde_json::from_str(&self.data).expect("json on stdout")
    }
}

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("sink").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Where a verb runs.
#[derive(Default)]
struct Place {
    url: String,
    answers: &'static str,
    interactive: bool,
}

impl Place {
    fn at(server: &Server) -> Self {
        Self { url: server.url.clone(), ..Self::default() }
    }

    fn run(&self, arguments: &[&str]) -> Ended {
        let (data, messages) = (Sink::default(), Sink::default());
        let terminal = Terminal {
            data: Box::new(data.clone()),
            messages: Box::new(messages.clone()),
            answers: Box::new(Cursor::new(self.answers)),
            is_interactive: self.interactive,
            colours_data: false,
            colours_messages: false,
            messages_are_read: false,
        };
        let set = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let environment =
            Environment { url: set(&self.url), api_key: set("aegis_key_secret"), ..Environment::default() };
        let arguments = std::iter::once("aegis").chain(arguments.iter().copied()).map(Into::into).collect();
        let code = aegis_cli::run(arguments, environment, terminal);
        let text = |sink: &Sink| String::from_utf8(sink.0.lock().expect("sink").clone()).expect("text");
        Ended { code, data: text(&data), messages: text(&messages) }
    }
}

fn project(manifest: &str, files: &[(&str, &str)]) -> TempDir {
    let directory = tempfile::tempdir().expect("a directory");
    for (path, content) in files.iter().chain([&("agent.yaml", manifest)]) {
        let path = directory.path().join(path);
        fs::create_dir_all(path.parent().expect("parent")).expect("directories");
        fs::write(path, content).expect("a file");
    }
    directory
}

fn path(path: &Path) -> &str {
    path.to_str().expect("text")
}

const MANIFEST: &str = "apiVersion: aegis/v1
kind: Agent
metadata: {name: triage}
spec:
  runtime: {isolation: process, command: [python3, agent.py], source: ./src}
";

fn version(grants: &str) -> String {
    let manifest = aegis_model::manifest::parse(MANIFEST.as_bytes()).expect("a manifest").manifest;
    json!({
        "agent": "triage", "version": 3, "grants": grants, "deployed_by": "key/key_1",
        "created_at": "2026-11-20T12:00:00.000Z", "manifest": manifest,
    })
    .to_string()
}

#[test]
fn a_manifest_that_is_right_is_said_to_be() {
    let directory = project(MANIFEST, &[]);
    let ended = Place::default().run(&["agent", "validate", path(directory.path())]);
    assert_eq!((ended.code, ended.messages.as_str()), (0, ""));
    assert!(ended.data.contains("is valid: agent `triage`"), "{ended:?}");
}

#[test]
fn a_manifest_that_is_wrong_is_shown_like_a_compiler_does() {
    let directory = project(&MANIFEST.replace("command:", "comand:"), &[]);
    let ended = Place::default().run(&["agent", "validate", path(directory.path())]);
    assert_eq!((ended.code, ended.data.as_str()), (2, ""));
    for part in ["comand", "agent.yaml:5:33", "^", "did you mean `command`"] {
        assert!(ended.messages.contains(part), "{part}: {}", ended.messages);
    }
    let ended = Place::default().run(&["agent", "validate", path(directory.path()), "--output", "json"]);
    assert_eq!((ended.code, &ended.json()["valid"]), (2, &json!(false)));
    assert_eq!(ended.json()["problems"][0]["line"], 5);
}

#[test]
fn a_directory_without_a_manifest_is_named() {
    let directory = tempfile::tempdir().expect("a directory");
    let ended = Place::default().run(&["agent", "validate", path(directory.path())]);
    assert_eq!(ended.code, 2);
    assert!(ended.messages.contains("agent.yaml"), "{ended:?}");
}

#[test]
fn a_deployment_sends_manifest_and_code_and_says_that_grants_are_pending() {
    let server = Server::start(|_| (201, version("pending")));
    let directory = project(MANIFEST, &[("src/agent.py", "print()"), ("src/.git/HEAD", "x")]);
    let ended = Place::at(&server).run(&["agent", "deploy", path(directory.path())]);
    assert_eq!((ended.code, ended.data.as_str()), (0, "agent `triage` has version 3\n"), "{ended:?}");
    assert!(ended.messages.contains("1 file, 7 bytes") && ended.messages.contains("without `.git`"), "{ended:?}");
    assert!(ended.messages.contains("aegis agent approve triage 3"), "{ended:?}");
    let seen = server.seen.lock().expect("log").clone();
    let (line, body) = seen.first().expect("a request");
    assert_eq!(line, "POST /api/v1/agents");
    let holds = |part: &[u8]| body.windows(part.len()).any(|window| window == part);
    assert!(holds(MANIFEST.as_bytes()) && holds(b"name=\"bundle\"") && holds(&[0x28, 0xb5, 0x2f, 0xfd]));
}

#[test]
fn a_wrong_manifest_is_never_sent() {
    let server = Server::start(|_| (201, version("approved")));
    let directory = project("kind: Agent\n", &[]);
    assert_eq!(Place::at(&server).run(&["agent", "deploy", path(directory.path())]).code, 2);
    assert!(server.lines().is_empty());
}

#[test]
fn a_refusal_ends_with_the_exit_code_of_the_table() {
    for code in Code::ALL.iter().filter(|code| code.category().tries().attempts_max == 1) {
        let envelope = serde_json::to_string(&Fault::new(*code, "no way").envelope("cor_9")).expect("json");
        let server = Server::start(move |_| (code.status(), envelope.clone()));
        let ended = Place::at(&server).run(&["agent", "list"]);
        assert_eq!((ended.code, ended.data.as_str()), (code.category().exit_code(), ""), "{code}");
        assert!(ended.messages.contains("no way") && ended.messages.contains("cor_9"), "{ended:?}");
        let ended = Place::at(&server).run(&["agent", "list", "-o", "json"]);
        let envelope: Value =
            serde_json::from_str(ended.messages.lines().last().unwrap_or("")).expect("an envelope on stderr");
        assert_eq!(envelope["error"]["code"], code.as_str());
    }
}

#[test]
fn nobody_there_ends_with_six_and_wrong_usage_with_two() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let place = Place { url: format!("http://127.0.0.1:{port}"), ..Place::default() };
    let ended = place.run(&["agent", "list"]);
    assert_eq!(ended.code, 6);
    assert!(ended.messages.contains("aegis up"), "{ended:?}");
    for wrong in [
        &["agent", "lisst"][..],
        &["agent", "show", "Not-A-Name"],
        &["freeze", "triage"],
        &["thaw"],
        &["audit", "proof"],
        &["audit", "proof", "--verify", "x"],
        &["agent", "list", "--limit", "0"],
        &["--url", "ftp://x", "agent", "list"],
        &["--url", "http://aegis.example", "agent", "list"],
        &["key", "create", "--role", "god"],
        &[],
    ] {
        let ended = place.run(wrong);
        assert_eq!((ended.code, ended.data.as_str()), (2, ""), "{wrong:?} {ended:?}");
    }
    let ended = place.run(&["freeze", "triage"]);
    for form in ["all", "tenant/NAME", "agent/NAME", "key/ID"] {
        assert!(ended.messages.contains(form), "{ended:?}");
    }
}

#[test]
fn what_is_deleted_must_be_confirmed() {
    let server = Server::start(|_| (204, String::new()));
    for verb in [&["agent", "delete", "triage"][..], &["tenant", "delete", "acme"]] {
        check_confirmed(&server, verb);
    }
    let server = Server::start(|_| (200, version("pending")));
    check_confirmed(&server, &["agent", "revoke", "triage", "3"]);
}

/// Nothing is sent before somebody has said yes.
#[track_caller]
fn check_confirmed(server: &Server, verb: &[&str]) {
    let unasked = Place::at(server).run(verb);
    assert_eq!(unasked.code, 2);
    assert!(unasked.messages.contains("--yes"), "{unasked:?}");
    let refused = Place { answers: "n\n", interactive: true, ..Place::at(server) }.run(verb);
    assert_eq!(refused.code, 2);
    assert!(server.lines().is_empty(), "{verb:?}");
    let agreed = Place { answers: "y\n", interactive: true, ..Place::at(server) }.run(verb);
    let told = Place::at(server).run(&[verb, &["--yes"]].concat());
    assert_eq!((agreed.code, told.code, server.lines().len()), (0, 0, 2), "{agreed:?} {told:?}");
    server.seen.lock().expect("log").clear();
}

#[test]
fn what_is_revoked_does_not_hold_any_more() {
    let server = Server::start(|_| (200, version("pending")));
    let ended = Place::at(&server).run(&["agent", "revoke", "triage", "3", "--yes"]);
    assert_eq!((ended.code, ended.data.trim_end()), (0, "the grants of `triage` version 3 do not hold any more"));
    assert_eq!(server.lines(), ["POST /api/v1/agents/triage/versions/3/revoke"]);
}

/// How a run in the session `ada` ended.
fn outcome(status: &str, code: &str) -> Value {
    let run_id = aegis_model::RunId::generate(Timestamp::from_millis(1), [1; 10]);
    json!({
        "run_id": run_id, "status": status, "code": code, "message": "it said no", "output": "done", "cost_cents": 0,
        "latency_ms": 5, "retryable": false, "side_effects": [],
        "decision": {"id": "dec", "allowed": true, "reason": "permitted"}, "usage": {}, "isolation": "process",
        "session_id": "ada", "trace_id": "t", "finished_at": "2026-11-20T12:00:00.000Z",
    })
}

#[test]
fn an_observed_session_says_how_to_see_what_would_have_been_refused() {
    let next = "session `ada` was observed; see what would have been refused: \
                `aegis policy denials --session ada --suggest`";
    let fine = Server::start(|_| (200, outcome("succeeded", "OK").to_string()));
    let ended = Place::at(&fine).run(&["invoke", "triage", "--observe"]);
    assert_eq!((ended.code, ended.data.trim_end()), (0, "done"));
    assert!(ended.messages.contains(next), "{ended:?}");
    assert_eq!(fine.lines(), ["POST /api/v1/agents/triage/observations"]);
    let plain = Place::at(&fine).run(&["invoke", "triage"]);
    assert!(!plain.messages.contains("observed"), "{plain:?}");
    let failing = Server::start(|_| {
        let fault = aegis_model::Fault::new(aegis_model::Code::AgentFailed, "it said no");
        let fault = fault.with("outcome", outcome("failed", "ERR_AGENT_FAILED"));
        (424, serde_json::to_string(&fault.envelope("cor_1")).expect("json"))
    });
    let ended = Place::at(&failing).run(&["invoke", "triage", "--observe"]);
    assert_eq!(ended.code, 1);
    assert!(ended.messages.contains(next), "an agent that failed is what one looks into: {ended:?}");
    let denied = Server::start(|_| {
        let fault = aegis_model::Fault::new(aegis_model::Code::Denied, "no");
        (403, serde_json::to_string(&fault.envelope("cor_1")).expect("json"))
    });
    let ended = Place::at(&denied).run(&["invoke", "triage", "--observe"]);
    assert_eq!(ended.code, 4);
    assert!(!ended.messages.contains("was observed"), "nothing was: {ended:?}");
}

fn decisions(hosts: &[&str]) -> String {
    let record = |host: &&str| {
        let id = aegis_model::DecisionId::generate(Timestamp::from_millis(1), [1; 10]);
        json!({
            "id": id, "at": "2026-11-20T12:00:00.000Z", "agent": "triage", "version": 1, "session_id": "ada",
            "host": host, "port": 443, "manner": "tls", "allowed": false, "state": "refused",
            "refusal": "not_permitted", "reasons": [], "policy_hash": "", "bytes_out": 0, "bytes_in": 0,
            "duration_ms": 0,
        })
    };
    json!({"items": hosts.iter().map(record).collect::<Vec<_>>()}).to_string()
}

#[test]
fn denials_are_asked_for_as_they_are_wanted_and_become_a_piece_of_a_manifest() {
    let server = Server::start(|_| (200, decisions(&["b.example.com", "a.example.com"])));
    let ended = Place::at(&server).run(&["policy", "denials", "--agent", "triage", "--host", "B.example.com."]);
    assert_eq!(ended.code, 0);
    assert!(ended.data.contains("b.example.com:443") && ended.data.contains("no grant names it"), "{ended:?}");
    let asked = server.lines().pop().expect("a request");
    for part in ["GET /api/v1/decisions?", "refused=true", "agent=triage", "host=b.example.com", "limit=50"] {
        assert!(asked.contains(part), "{asked}");
    }
    Place::at(&server).run(&["policy", "denials", "--all", "-n", "7"]);
    let asked = server.lines().pop().expect("a request");
    assert!(asked.contains("refused=false") && asked.contains("limit=7"), "{asked}");
    let ended = Place::at(&server).run(&["policy", "denials", "--session", "ada", "--suggest"]);
    let piece = aegis_model::manifest::document(ended.data.as_bytes()).expect("YAML");
    let expected = json!([{"host": "a.example.com", "ports": [443]}, {"host": "b.example.com", "ports": [443]}]);
    assert_eq!(piece["spec"]["permissions"]["network"], expected);
    let ended = Place::at(&server).run(&["policy", "denials", "--suggest", "-o", "json"]);
    assert_eq!(ended.json()["items"][0]["network"][0]["host"], "a.example.com");
    assert_eq!(Place::at(&server).run(&["policy", "denials", "--suggest", "--all"]).code, 2);
}

#[test]
fn where_nothing_was_refused_there_is_nothing_to_suggest() {
    let server = Server::start(|_| (200, decisions(&[])));
    let ended = Place::at(&server).run(&["policy", "denials", "--suggest"]);
    assert_eq!((ended.code, ended.data.as_str()), (0, ""));
    assert!(ended.messages.contains("nothing was refused"), "{ended:?}");
}

#[test]
fn a_new_key_is_on_stdout_and_the_warning_is_not() {
    let server = Server::start(|_| {
        let key_id = aegis_model::KeyId::generate(Timestamp::from_millis(1), [1; 10]);
        let answer = json!({"key_id": key_id, "api_key": "aegis_the_key", "role": "viewer", "tenant": "default"});
        (201, answer.to_string())
    });
    let ended = Place::at(&server).run(&["key", "create", "--expires-in", "1h", "-o", "json"]);
    assert_eq!((ended.code, &ended.json()["api_key"]), (0, &json!("aegis_the_key")));
    assert!(ended.messages.contains("only time") && !ended.messages.contains("aegis_the_key"), "{ended:?}");
    let body = server.seen.lock().expect("log").first().expect("a request").1.clone();
    assert_eq!(serde_json::from_slice::<Value>(&body).expect("json"), json!({"expires_in_ms": 3_600_000}));
}

#[test]
fn a_hostile_label_cannot_draw_in_a_table() {
    let server = Server::start(|_| {
        let id = aegis_model::KeyId::generate(Timestamp::from_millis(1), [1; 10]);
        let key = json!({"id": id, "label": "x\u{1b}[2J\nkey_fake", "tenant": "default", "role": "admin",
            "created_at": "2026-11-20T12:00:00Z", "created_by": "system"});
        (200, json!({"items": [key]}).to_string())
    });
    let ended = Place::at(&server).run(&["key", "list"]);
    assert_eq!(ended.data.lines().count(), 2, "{ended:?}");
    assert!(!ended.data.contains('\u{1b}'));
}

#[test]
fn policy_tests_end_with_one_when_a_case_fails() {
    let decision = json!({"id": aegis_model::DecisionId::generate(Timestamp::from_millis(1), [1; 10]), "allowed": false,
        "class": "not_permitted", "policy_hash": "00", "reasons": [
            {"layer": "platform", "allowed": true, "class": "permitted", "policies": ["role-viewer"]},
            {"layer": "tenant", "allowed": false, "class": "not_permitted", "policies": []}]});
    let results =
        |passed: bool| json!({"passed": passed, "results": [{"name": "one", "passed": passed, "decision": decision}]});
    let (good, bad) = (results(true).to_string(), results(false).to_string());
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("cases.yaml");
    fs::write(&file, "cases:\n  - name: one\n    ask: {action: agent_list}\n    expect: deny\n").expect("written");
    for (answer, code, mark) in [(good, 0, "✓"), (bad, 1, "✗")] {
        let server = Server::start(move |_| (200, answer.clone()));
        let ended = Place::at(&server).run(&["policy", "test", path(&file)]);
        assert_eq!(ended.code, code, "{ended:?}");
        assert!(ended.data.contains(mark) && ended.data.contains("tenant: no rule permits it"), "{ended:?}");
    }
    for (text, part) in [("cases: [\n", "cases.yaml:"), ("cases: 3\n", "no test cases"), ("a: 1\n", "no test cases")] {
        fs::write(&file, text).expect("written");
        let ended = Place::default().run(&["policy", "test", path(&file)]);
        assert_eq!(ended.code, 2);
        assert!(ended.messages.contains(part), "{ended:?}");
    }
}

#[test]
fn without_a_home_the_verb_says_so_once_and_goes_on() {
    let server = Server::start(|_| (200, json!({"items": []}).to_string()));
    let ended = Place::at(&server).run(&["agent", "list"]);
    assert_eq!((ended.code, ended.messages.matches("HOME").count()), (0, 1));
    assert!(ended.data.contains("no agents"), "{ended:?}");
    let ended = Place::at(&server).run(&["agent", "list", "-o", "yaml"]);
    assert_eq!(ended.data, "items: []\n");
}

/// What a pipe is after its reader went away.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::Error::from(std::io::ErrorKind::BrokenPipe))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_went_away_is_no_failure() {
    for arguments in [&["aegis", "completions", "bash"][..], &["aegis", "--help"], &["aegis", "--version"]] {
        let messages = Sink::default();
        let terminal = Terminal {
            data: Box::new(Closed),
            messages: Box::new(messages.clone()),
            answers: Box::new(Cursor::new("")),
            is_interactive: false,
            colours_data: false,
            colours_messages: false,
            messages_are_read: false,
        };
        let code = aegis_cli::run(arguments.iter().map(Into::into).collect(), Environment::default(), terminal);
        assert_eq!((code, messages.0.lock().expect("sink").len()), (0, 0), "{arguments:?}");
    }
}

/// A ledger with a server in front of it.
struct Ledger {
    signer: Signer,
    entries: Vec<Vec<u8>>,
}

impl Ledger {
    fn of(count: u64) -> Self {
        let entries = (0..count).map(|position| entry_bytes(&entry(position)).expect("an entry").to_vec()).collect();
        Self { signer: Signer::from_seed("aegis/default", &[7; 32]).expect("a signer"), entries }
    }

    fn key(&self) -> String {
        self.signer.verifier().to_string()
    }

    fn checkpoint(&self, size: usize) -> String {
        let mut head = TreeHead::default();
        for entry in &self.entries[..size] {
            tree::append(&mut head, tree::leaf_hash(entry));
        }
        Checkpoint::of_head("aegis/default", &head).expect("a head").sign(&self.signer).expect("signed")
    }

    fn serve(self) -> Server {
        Server::start(move |line| (200, self.answer(line).to_string()))
    }

    fn answer(&self, line: &str) -> Value {
        let size = self.entries.len();
        if line.ends_with("/ledger/checkpoint") {
            let checkpoint = self.checkpoint(size);
            return json!({"checkpoint": checkpoint, "verifier_key": self.key(), "size": size, "root": ""});
        }
        let query = line.split_once('?').map_or("", |(_, query)| query);
        let number = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.parse::<usize>().ok());
        let limit = number("limit=").unwrap_or(50).min(500);
        let from = number("from=").unwrap_or(size.saturating_sub(limit));
        let items = (from..size).take(limit).map(|position| {
            let entry: Value = serde_json::from_slice(&self.entries[position]).expect("json");
            json!({"position": position, "entry": entry, "bytes": STANDARD.encode(&self.entries[position])})
        });
        json!({"items": items.collect::<Vec<_>>(), "size": size})
    }
}

fn entry(position: u64) -> Entry {
    let denied = position % 10 == 3;
    Entry {
        action: "agent_deploy".to_owned(),
        correlation_id: format!("cor-{position}").parse().expect("an id"),
        decision: Some(EntryDecision {
            allowed: !denied,
            id: format!("dec_{position}"),
            reason: if denied { ReasonClass::NotPermitted } else { ReasonClass::Permitted },
        }),
        isolation: None,
        kind: if denied { "denial" } else { "act" }.to_owned(),
        outcome_mac: None,
        policy_hash: Some("a1".repeat(32)),
        principal: "system".to_owned(),
        request_mac: None,
        subject: format!("agent/a-{position}"),
        tenant: "default".parse().expect("a name"),
        time: Timestamp::from_millis(1_700_000_000_000 + position),
    }
}

#[test]
fn an_export_verifies_offline_and_a_changed_one_does_not() {
    let ledger = Ledger::of(1_234);
    let (key, known) = (ledger.key(), ledger.checkpoint(700));
    let stranger = Signer::from_seed("aegis/default", &[8; 32]).expect("a signer").verifier().to_string();
    let server = ledger.serve();
    let directory = tempfile::tempdir().expect("a directory");
    let out = directory.path().join("export");
    let ended = Place::at(&server).run(&["audit", "export", "--out", path(&out)]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.messages.contains(&key), "{ended:?}");

    let offline = Place::default();
    let known_file = directory.path().join("known");
    fs::write(&known_file, known).expect("written");
    let ended = offline.run(&["audit", "verify", path(&out), "--key", &key, "--known", path(&known_file)]);
    assert_eq!((ended.code, ended.messages.as_str()), (0, ""), "{ended:?}");
    assert!(ended.data.contains("1234 entries") && ended.data.contains("checkpoint of 700"), "{ended:?}");

    let unpinned = offline.run(&["audit", "verify", path(&out), "--known", path(&known_file)]);
    assert!(unpinned.code == 0 && unpinned.messages.contains("no key was pinned"), "{unpinned:?}");
    assert_eq!(offline.run(&["audit", "verify", path(&out), "--key", &stranger]).code, 10);
    assert_eq!(offline.run(&["audit", "verify", path(&out), "--key", "nonsense"]).code, 2);
    assert_eq!(offline.run(&["audit", "verify", path(&directory.path().join("none"))]).code, 2);

    let bundle = out.join("tile/entries/003");
    let mut bytes = fs::read(&bundle).expect("a bundle");
    bytes[40] ^= 1;
    fs::write(&bundle, bytes).expect("written");
    let ended = offline.run(&["audit", "verify", path(&out), "--key", &key]);
    assert_eq!(ended.code, 10);
    assert!(ended.messages.contains("record 768"), "{ended:?}");
}

#[test]
fn an_export_that_is_broken_off_has_no_checkpoint_and_does_not_verify() {
    let ledger = Ledger::of(1_234);
    let key = ledger.key();
    let fault = serde_json::to_string(&Fault::new(Code::Denied, "gone").envelope("cor_1")).expect("json");
    let server = Server::start(move |line| {
        if line.contains("from=1000") { (403, fault.clone()) } else { (200, ledger.answer(line).to_string()) }
    });
    let directory = tempfile::tempdir().expect("a directory");
    let out = directory.path().join("export");
    assert_eq!(Place::at(&server).run(&["audit", "export", "--out", path(&out)]).code, 4);
    assert!(out.join("tile").is_dir() && !out.join("checkpoint").exists());
    assert_eq!(Place::default().run(&["audit", "verify", path(&out), "--key", &key]).code, 10);
    let again = Place::at(&server).run(&["audit", "export", "--out", path(&out)]);
    assert!(again.code == 2 && again.messages.contains("not empty"), "{again:?}");
}

#[test]
fn a_server_that_lies_about_its_entries_is_found_out() {
    let ledger = Ledger::of(20);
    let other = STANDARD.encode(entry_bytes(&entry(999)).expect("an entry"));
    let server = Server::start(move |line| {
        let mut answer = ledger.answer(line);
        if line.contains("entries") {
            answer["items"][7]["bytes"] = json!(other);
        }
        (200, answer.to_string())
    });
    let ended = Place::at(&server).run(&["audit", "verify"]);
    assert_eq!((ended.code, ended.data.as_str()), (10, ""), "{ended:?}");
}

#[test]
fn the_server_s_ledger_is_copied_and_verified_here() {
    let ledger = Ledger::of(513);
    let key = ledger.key();
    let ended = Place::at(&ledger.serve()).run(&["audit", "verify", "--key", &key, "-o", "json"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!((&ended.json()["size"], &ended.json()["pinned"]), (&json!(513), &json!(true)));
}

#[test]
fn the_newest_entries_are_last_and_denials_are_found_however_far_back() {
    let server = Ledger::of(1_234).serve();
    let positions = |arguments: &[&str]| -> Vec<u64> {
        let ended = Place::at(&server).run(&[&["audit", "list", "-o", "json"], arguments].concat());
        let items = ended.json()["items"].as_array().expect("items").clone();
        items.iter().map(|item| item["position"].as_u64().expect("a position")).collect()
    };
    assert_eq!(positions(&[]), (1_184..1_234).collect::<Vec<_>>());
    assert_eq!(positions(&["--limit", "3"]), [1_231, 1_232, 1_233]);
    assert_eq!(positions(&["--limit", "700"]), (534..1_234).collect::<Vec<_>>());
    assert_eq!(positions(&["--from", "0", "--limit", "2"]), [0, 1]);
    assert_eq!(positions(&["--from", "5000"]), [0_u64; 0]);
    assert_eq!(positions(&["--denials", "--limit", "2"]), [1_223, 1_233]);
    assert_eq!(positions(&["--denials", "--limit", "1000"]).len(), 124);
    let ended = Place::at(&server).run(&["audit", "list", "--limit", "1"]);
    assert!(ended.data.contains("2023-11-14 22:13:21Z") && ended.data.contains("denied"), "{ended:?}");
}

#[test]
fn a_proof_is_checked_offline_with_the_entry_s_bytes() {
    let ledger = Ledger::of(2);
    let key = ledger.key();
    let proof = aegis_ledger::TlogProof {
        position: 1,
        path: vec![tree::leaf_hash(&ledger.entries[0])],
        checkpoint: ledger.checkpoint(2),
    };
    let server = ledger.serve();
    let directory = tempfile::tempdir().expect("a directory");
    let (file, entry_file) = (directory.path().join("proof"), directory.path().join("entry"));
    fs::write(&file, proof.text()).expect("written");
    let shown = Place::at(&server).run(&["audit", "show", "1", "--bytes"]);
    fs::write(&entry_file, shown.data).expect("written");
    let arguments = ["audit", "proof", "--verify", path(&file), "--key", &key, "--entry", path(&entry_file)];
    let ended = Place::default().run(&arguments);
    assert!(ended.code == 0 && ended.data.contains("entry 1 is among the 2"), "{ended:?}");
    assert_eq!(Place::at(&server).run(&arguments[..6]).code, 0, "with the entry from the server");
    fs::write(&entry_file, "{}").expect("written");
    assert_eq!(Place::default().run(&arguments).code, 10);
    assert_eq!(Place::at(&server).run(&["audit", "show", "2"]).code, 3);
}
