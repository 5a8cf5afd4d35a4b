//! Logging in from the command line at an issuer of tokens: how it goes, how it does not come
//! about, how it is renewed, and how it ends.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use it::TestServer;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::issuer::{Issuer, Say, key};

/// Somebody with a command line of their own.
struct Person {
    home: TempDir,
    url: String,
}

/// What a command said and ended with.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let ended = Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
        // Every token of the issuer is one of the two.
        for said in [&ended.out, &ended.err] {
            assert!(!said.contains("secret") && !said.contains("eyJ"), "a token is told: {said}");
        }
        ended
    }
}

impl Person {
    fn of(server: &TestServer) -> Self {
        Self { home: tempfile::tempdir().unwrap(), url: format!("http://{}", server.address) }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(it::program());
        command.args(arguments).env_clear().env("HOME", self.home.path()).env("AEGIS_URL", &self.url);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    #[track_caller]
    fn check(&self, arguments: &[&str], code: i32) -> Ended {
        let ended = Ended::from(self.command(arguments).output().unwrap());
        assert_eq!(ended.code, Some(code), "aegis {arguments:?}\n{}{}", ended.out, ended.err);
        ended
    }

    #[track_caller]
    fn login(&self, issuer: &Issuer, code: i32) -> Ended {
        self.check(&["login", "--issuer", &issuer.address, "--client-id", "cli"], code)
    }

    fn file(&self) -> PathBuf {
        self.home.path().join(".config/aegis/logins.toml")
    }

    fn kept(&self) -> String {
        fs::read_to_string(self.file()).unwrap_or_default()
    }
}

#[test]
fn somebody_logs_in_in_a_browser_and_goes_on_under_that_name() {
    let issuer = Issuer::start(&key(1));
    let server = issuer.server();
    let person = Person::of(&server);
    person.check(&["agent", "list"], 4);
    issuer.change(|book| book.says = [Say::Word("authorization_pending"); 2].into());
    let ended = person.login(&issuer, 0);
    for part in ["WDJB-MJHT", "/activate\n", "/activate?user_code=WDJB-MJHT", "Ctrl-C"] {
        assert!(ended.err.contains(part) && !ended.out.contains(part), "{part}: {}", ended.err);
    }
    let name = format!("user/spiffe://house.example/agent/ops@{}", issuer.address);
    assert!(ended.out.contains(&name) && ended.out.contains("renews itself"), "{}", ended.out);
    assert_eq!(issuer.grants("urn").len(), 3, "twice not yet, then yes");
    let form = &issuer.asked("/device")[0].form;
    assert_eq!(form, "client_id=cli&scope=openid+offline_access");

    assert_eq!(fs::metadata(person.file()).unwrap().permissions().mode() & 0o777, 0o600);
    fs::write(person.home.path().join("agent.yaml"), it::manifest("by-login")).unwrap();
    let manifest = person.home.path().join("agent.yaml");
    person.check(&["agent", "deploy", manifest.to_str().unwrap()], 0);
    assert!(server.admin("GET", "/api/v1/ledger/entries?limit=200", "").text.contains(&name));
    person.check(&["key", "list"], 4);

    // Next time nothing has to be said.
    let ended = person.check(&["login", "--output", "json"], 0);
    let told: Value = serde_json::from_str(&ended.out).unwrap();
    let expected = (&json!("access"), &json!(true), &json!(name), &json!(issuer.address));
    assert_eq!((&told["token"], &told["renews_itself"], &told["principal"], &told["issuer"]), expected);
    let warned = Ended::from(person.command(&["login"]).env("AEGIS_API_KEY", &server.admin).output().unwrap());
    assert!(warned.err.contains("AEGIS_API_KEY is set"), "{}", warned.err);
}

#[test]
fn a_token_goes_to_no_other_server_and_not_in_the_clear() {
    let issuer = Issuer::start(&key(1));
    let server = issuer.server();
    let person = Person::of(&server);
    person.login(&issuer, 0);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", other.local_addr().unwrap());
    let listening = std::thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        let mut asked = [0; 4096];
        let length = stream.read(&mut asked).unwrap();
        stream.write_all(b"HTTP/1.1 401 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        String::from_utf8_lossy(&asked[..length]).to_lowercase()
    });
    person.check(&["agent", "list", "--url", &address], 4);
    let asked = listening.join().unwrap();
    assert!(asked.starts_with("get /api/v1/agents") && !asked.contains("authorization"), "{asked}");
    let open = "http://aegis.example:7700";
    let ended = person.check(&["login", "--url", open, "--issuer", &issuer.address, "--client-id", "cli"], 2);
    assert!(ended.err.contains("plain http"), "{}", ended.err);
    // Nor when somebody changes the file.
    let kept = person.kept().replace(&person.url, open);
    fs::write(person.file(), kept).unwrap();
    let ended = person.check(&["agent", "list", "--url", open], 2);
    assert!(ended.err.contains("plain http"), "{}", ended.err);
}

#[test]
fn the_token_that_the_server_takes_is_found_out_by_asking() {
    let issuer = Issuer::start(&key(1));
    let server = issuer.server();
    let person = Person::of(&server);
    let kind = |person: &Person| {
        let login = ["login", "--issuer", &issuer.address, "--client-id", "cli", "--output", "json"];
        serde_json::from_str::<Value>(&person.check(&login, 0).out).unwrap()["token"].clone()
    };
    issuer.change(|book| (book.access_for, book.id_for) = (None, Some("aegis")));
    assert_eq!(kind(&person), "id", "nobody can read the access token");
    issuer.change(|book| (book.access_for, book.id_for) = (Some("others"), Some("aegis")));
    assert_eq!(kind(&person), "id", "the access token is for others");
    issuer.change(|book| (book.access_for, book.id_for) = (Some("aegis"), Some("aegis")));
    assert_eq!(kind(&person), "access");
    person.check(&["agent", "list"], 0);
}

#[test]
fn an_issuer_that_wants_patience_gets_it() {
    let issuer = Issuer::start(&key(1));
    let server = issuer.server();
    issuer.change(|book| book.says = [Say::Nothing, Say::Word("slow_down")].into());
    Person::of(&server).login(&issuer, 0);
    let asked = issuer.grants("urn");
    let between = |one: usize| asked[one + 1].at.duration_since(asked[one].at);
    assert_eq!(asked.len(), 3);
    assert!(between(0) >= Duration::from_secs(1), "after trouble: {:?}", between(0));
    assert!(between(1) >= Duration::from_secs(5), "after `slow_down`: {:?}", between(1));
}

#[test]
fn a_login_that_does_not_come_about_leaves_nothing() {
    let issuer = Issuer::start(&key(1));
    let server = issuer.server();
    let person = Person::of(&server);
    let check = |code: i32, why: &str| {
        let ended = person.login(&issuer, code);
        assert!(ended.err.contains(why) && ended.out.is_empty(), "{why}: {}", ended.err);
        assert!(!ended.err.contains('\u{1b}') && person.kept().is_empty(), "{}", ended.err);
    };
    for (say, code, why) in [
        (Say::Word("access_denied"), 4, "refused at the issuer"),
        (Say::Word("expired_token"), 7, "ran out"),
        (Say::Word("invalid_client"), 2, "check the client id"),
        (Say::Redirect, 10, "redirects to"),
        (Say::Endless, 10, "longer than"),
    ] {
        issuer.change(|book| book.says = [say].into());
        check(code, why);
    }
    assert!(issuer.asked("/elsewhere").is_empty(), "a redirect was followed");

    issuer.change(|book| book.says = [Say::Word("authorization_pending"); 100].into());
    issuer.change(|book| book.code_lifetime_s = 1);
    check(7, "ran out");
    issuer.change(|book| (book.says, book.code_lifetime_s) = ([].into(), 600));

    let far = "http://login.example/token";
    for (more, code, why) in [
        (json!({"issuer": "https://login.example"}), 2, "it says that it is `https://login.example`"),
        (json!({"device_authorization_endpoint": null}), 2, "offers no login on another device"),
        (json!({"token_endpoint": far}), 10, far),
        (json!({"device_authorization_endpoint": far}), 10, far),
        (json!({"revocation_endpoint": "http://u:p@127.0.0.1/"}), 10, "must not be sent"),
    ] {
        issuer.change(|book| book.more = more);
        check(code, why);
    }
}

#[test]
fn a_login_that_the_server_does_not_take_is_not_kept_and_says_what_to_configure() {
    let issuer = Issuer::start(&key(1));
    let server = issuer.server();
    let person = Person::of(&server);
    let check = |why: &[&str]| {
        let ended = person.login(&issuer, 4);
        why.iter().for_each(|why| assert!(ended.err.contains(why), "{why}: {}", ended.err));
        assert!(person.kept().is_empty());
        assert_eq!(issuer.book.lock().unwrap().refresh, None, "it is ended at the issuer");
    };
    issuer.change(|book| book.access_for = Some("others"));
    check(&["auth.issuers", &issuer.address, "\"cli\" or \"others\"", "audiences"]);
    issuer.change(|book| (book.access_for, book.who) = (Some("aegis"), "stranger"));
    check(&["no rule", "agent/stranger"]);
    issuer.change(|book| (book.access_for, book.id_for) = (None, None));
    check(&["no token that a server can read", "--audience"]);
}

#[test]
fn nobody_is_sent_to_a_browser_for_a_server_that_is_not_there() {
    let issuer = Issuer::start(&key(1));
    let person = Person { home: tempfile::tempdir().unwrap(), url: "http://127.0.0.1:1".to_owned() };
    person.login(&issuer, 6);
    assert!(issuer.asked("/device").is_empty());
    let ended = person.check(&["login"], 2);
    assert!(ended.err.contains("no issuer is known"), "{}", ended.err);
    let server = issuer.server();
    let away = Issuer::away();
    Person::of(&server).login(&away, 6);
}

#[test]
fn whoever_gives_up_is_let_go_at_once() {
    let issuer = Issuer::start(&key(1));
    let server = issuer.server();
    let person = Person::of(&server);
    issuer.change(|book| book.says = vec![Say::Word("authorization_pending"); 10_000].into());
    let mut child = person.command(&["login", "--issuer", &issuer.address, "--client-id", "cli"]).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    assert!(said.any(|line| line.contains("Waiting for you")));
    while issuer.grants("urn").is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let begun = Instant::now();
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::INT).unwrap();
    assert!(said.any(|line| line.contains("login given up: nothing was changed")));
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(person.kept().is_empty());
}

#[test]
fn a_login_renews_itself_and_says_when_it_has_ended() {
    let issuer = Issuer::start(&key(1));
    let server = issuer.server();
    let person = Person::of(&server);
    issuer.change(|book| book.access_lifetime_s = 0);
    person.login(&issuer, 0);
    let mut kept = person.kept();
    for number in 1..=2 {
        person.check(&["agent", "list"], 0);
        assert_eq!(issuer.grants("refresh_token").len(), number);
        let now = person.kept();
        let refresh = issuer.book.lock().unwrap().refresh.clone().unwrap();
        assert!(now != kept && now.contains(&refresh), "the new refresh token is kept");
        kept = now;
    }
    assert_eq!(fs::metadata(person.file()).unwrap().permissions().mode() & 0o777, 0o600);
    // An issuer that is busy ends nothing.
    issuer.change(|book| book.more = json!({"issuer": "https://other.example"}));
    person.check(&["agent", "list"], 2);
    issuer.change(|book| (book.more, book.access_lifetime_s) = (json!({}), 600));
    person.check(&["agent", "list"], 0);
    person.check(&["agent", "list"], 0);
    assert_eq!(issuer.grants("refresh_token").len(), 3, "a token that is good is not renewed");

    issuer.change(|book| book.access_lifetime_s = 0);
    person.check(&["login"], 0);
    issuer.change(|book| book.refresh = None);
    // A profile's key does not step in for somebody whose login has ended.
    let profile = format!("url = \"{}\"\napi_key = \"{}\"\n", person.url, server.admin);
    let path = person.file().with_file_name("profile.toml");
    fs::write(&path, profile).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for _ in 0..2 {
        let ended = person.check(&["agent", "list"], 4);
        assert!(ended.err.contains("has ended") && ended.err.contains("aegis login"), "{}", ended.err);
    }
    assert_eq!(issuer.grants("refresh_token").len(), 4, "an ended login is not tried again");
    person.check(&["logout"], 0);
    person.check(&["key", "list"], 0);
}

#[test]
fn commands_at_once_renew_a_login_once() {
    let issuer = Issuer::start(&key(1));
    let server = issuer.server();
    let person = Person::of(&server);
    issuer.change(|book| book.access_lifetime_s = 0);
    person.login(&issuer, 0);
    issuer.change(|book| book.access_lifetime_s = 600);
    let started: Vec<_> = (0..4).map(|_| person.command(&["agent", "list"]).spawn().unwrap()).collect();
    for child in started {
        let ended = Ended::from(child.wait_with_output().unwrap());
        assert_eq!(ended.code, Some(0), "{}", ended.err);
    }
    assert_eq!(issuer.grants("refresh_token").len(), 1);
    person.check(&["agent", "list"], 0);
}

#[test]
fn whoever_logs_out_is_forgotten_here_and_at_the_issuer() {
    let issuer = Issuer::start(&key(1));
    let server = issuer.server();
    let person = Person::of(&server);
    let ended = person.check(&["logout", "--output", "json"], 0);
    assert_eq!(serde_json::from_str::<Value>(&ended.out).unwrap()["was_logged_in"], false);
    person.login(&issuer, 0);
    let ended = person.check(&["logout", "--output", "json"], 0);
    let told: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&told["was_logged_in"], &told["ended_at_issuer"]), (&json!(true), &json!(true)), "{told}");
    let revoked = issuer.asked("/revoke");
    assert!(revoked.len() == 1 && revoked[0].form.contains("token=refresh-secret"), "{revoked:?}");
    assert!(!person.kept().contains("secret") && !person.kept().contains("eyJ"), "{}", person.kept());
    person.check(&["agent", "list"], 4);

    person.check(&["login"], 0);
    issuer.change(|book| book.more = json!({"revocation_endpoint": null}));
    let ended = person.check(&["logout"], 0);
    assert!(ended.err.contains("no way to end a login"), "{}", ended.err);
    person.check(&["login"], 0);
    issuer.change(|book| book.more = json!({"issuer": "https://other.example"}));
    let ended = person.check(&["logout"], 0);
    assert!(ended.err.contains("not ended at the issuer"), "{}", ended.err);
    assert!(!person.kept().contains("secret"), "{}", person.kept());
    person.check(&["agent", "list"], 4);
}
