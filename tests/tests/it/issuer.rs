//! An issuer of tokens (OIDC) on loopback, with a real signature under its tokens: says where
//! its keys are and which, lets people log in on another device as a test has written it down,
//! renews logins with refresh tokens that count once, and ends them.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use aegis_identity::jwt::{SpiffeId, Workload, WorkloadKey};
use aegis_model::Timestamp;
use it::TestServer;
use serde_json::{Value, json};

/// What a question whether somebody has logged in is answered with.
#[derive(Clone, Copy, Debug)]
pub enum Say {
    Word(&'static str),
    Nothing,
    Redirect,
    Endless,
}

/// A question that was asked: where, with what, when.
#[derive(Clone, Debug)]
pub struct Asked {
    pub path: String,
    pub form: String,
    pub at: Instant,
}

/// What an issuer goes by; tests change it.
pub struct Book {
    pub keys: Value,
    /// The name in its document.
    pub name: String,
    /// More for its document; what is null is left out of it.
    pub more: Value,
    /// What the next questions are answered with, before the login is finished.
    pub says: VecDeque<Say>,
    /// Who logs in.
    pub who: &'static str,
    /// For whom the access token is; one that nobody can read, when absent.
    pub access_for: Option<&'static str>,
    /// For whom the id token is; none, when absent.
    pub id_for: Option<&'static str>,
    /// For how long the answer says that the access token is good.
    pub access_lifetime_s: u64,
    /// For how long a code is.
    pub code_lifetime_s: u64,
    /// The refresh token that counts; none when the login is over.
    pub refresh: Option<String>,
    pub asked: Vec<Asked>,
}

/// An issuer.
pub struct Issuer {
    pub address: String,
    pub book: Arc<Mutex<Book>>,
}

pub fn key(seed: u8) -> WorkloadKey {
    WorkloadKey::from_seed(&[seed; 32]).unwrap()
}

impl Issuer {
    /// An issuer that signs with that key.
    pub fn start(key: &WorkloadKey) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let book = Arc::new(Mutex::new(book(&address, WorkloadKey::public_set(&[key]))));
        let (name, shared) = (address.clone(), Arc::clone(&book));
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                serve(stream, &name, &shared);
            }
        });
        Self { address, book }
    }

    /// One that is not there.
    pub fn away() -> Self {
        let address = "http://127.0.0.1:1".to_owned();
        let book = Arc::new(Mutex::new(book(&address, Value::Null)));
        Self { address, book }
    }

    /// A server that believes this issuer.
    pub fn server(&self) -> TestServer {
        let rules = r#"[
            {when = [{equals = {claim = "sub", value = "spiffe://house.example/agent/ops"}}], tenant = "default", role = "operator"},
            {when = [{equals = {claim = "sub", value = "spiffe://house.example/agent/looks"}}], tenant = "default", role = "viewer"},
        ]"#;
        let rules: String = rules.lines().map(str::trim).collect();
        TestServer::start_with(&format!(
            "[[auth.issuers]]\nissuer = \"{}\"\naudiences = [\"aegis\"]\nrules = {rules}\n",
            self.address
        ))
    }

    pub fn token(&self, key: &WorkloadKey, who: &str, change: impl Fn(&mut Workload<'_>)) -> String {
        token((&self.address, key), who, change)
    }

    /// The questions at that path.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        self.book.lock().unwrap().asked.iter().filter(|asked| asked.path == path).cloned().collect()
    }

    /// The questions for tokens of that kind.
    pub fn grants(&self, kind: &str) -> Vec<Asked> {
        self.asked("/token").into_iter().filter(|asked| asked.form.contains(&format!("grant_type={kind}"))).collect()
    }

    pub fn change(&self, change: impl FnOnce(&mut Book)) {
        change(&mut self.book.lock().unwrap());
    }
}

fn book(address: &str, keys: Value) -> Book {
    Book {
        keys,
        name: address.to_owned(),
        more: json!({}),
        says: VecDeque::new(),
        who: "ops",
        access_for: Some("aegis"),
        id_for: Some("cli"),
        access_lifetime_s: 600,
        code_lifetime_s: 600,
        refresh: None,
        asked: Vec::new(),
    }
}

fn token((issuer, key): (&str, &WorkloadKey), who: &str, change: impl Fn(&mut Workload<'_>)) -> String {
    let subject = SpiffeId::new("house.example", &["agent", who]).unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let mut workload = Workload {
        issuer,
        subject: &subject,
        audience: "aegis",
        token_id: "t",
        issued_at: Timestamp::from_millis(u64::try_from(now).unwrap()),
        lifetime_s: 600,
    };
    change(&mut workload);
    key.sign(&workload).unwrap()
}

fn serve(mut stream: TcpStream, name: &str, book: &Mutex<Book>) {
    let Some((path, form)) = question(&mut stream) else { return };
    let mut book = book.lock().unwrap();
    book.asked.push(Asked { path: path.clone(), form: form.clone(), at: Instant::now() });
    let (status, body) = match path.as_str() {
        "/.well-known/openid-configuration" => (200, document(name, &book)),
        "/device" => (200, begun(name, &book)),
        "/token" if form.contains("grant_type=refresh_token") => renewed(name, &mut book, &form),
        "/token" => match book.says.pop_front() {
            None => (200, tokens(name, &mut book)),
            Some(Say::Word(word)) => (400, json!({"error": word, "error_description": "because\u{1b}[31m"})),
            Some(Say::Nothing) => return,
            Some(Say::Redirect) => (302, Value::Null),
            Some(Say::Endless) => (200, json!({"access_token": "x".repeat(600_000)})),
        },
        "/revoke" => {
            book.refresh = None;
            (200, json!({}))
        }
        _ => (200, book.keys.clone()),
    };
    let body = body.to_string();
    let head = format!(
        "HTTP/1.1 {status} X\r\nlocation: {name}/elsewhere\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
}

/// Where was asked, and with what.
fn question(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut read = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let length = stream.read(&mut piece).ok().filter(|length| *length > 0)?;
        read.extend_from_slice(&piece[..length]);
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length:").and_then(|length| length.trim().parse().ok())
        });
        if body.len() >= length.unwrap_or(0) {
            return Some((head.split(' ').nth(1)?.to_owned(), body.to_owned()));
        }
    }
}

fn document(address: &str, book: &Book) -> Value {
    let mut document = json!({
        "issuer": book.name,
        "jwks_uri": format!("{address}/keys"),
        "token_endpoint": format!("{address}/token"),
        "device_authorization_endpoint": format!("{address}/device"),
        "revocation_endpoint": format!("{address}/revoke"),
        "scopes_supported": ["openid", "offline_access"],
    });
    for (name, value) in book.more.as_object().unwrap() {
        document[name] = value.clone();
    }
    document.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    document
}

fn begun(address: &str, book: &Book) -> Value {
    json!({
        "device_code": "device-code-secret",
        "user_code": "WDJB-MJHT",
        "verification_uri": format!("{address}/activate"),
        "verification_uri_complete": format!("{address}/activate?user_code=WDJB-MJHT"),
        "expires_in": book.code_lifetime_s,
        "interval": 0,
    })
}

/// New tokens; the refresh token before does not count any more.
fn tokens(address: &str, book: &mut Book) -> Value {
    let number = book.asked.len();
    let signed = |audience: &'static str| token((address, &key(1)), book.who, |workload| workload.audience = audience);
    let answer = json!({
        "token_type": "Bearer",
        "access_token": book.access_for.map_or_else(|| format!("opaque-secret-{number}"), signed),
        "id_token": book.id_for.map(signed),
        "refresh_token": format!("refresh-secret-{number}"),
        "expires_in": book.access_lifetime_s,
    });
    book.refresh = Some(format!("refresh-secret-{number}"));
    answer
}

/// Renews a login. A refresh token that was used before ends it: somebody has copied it.
fn renewed(address: &str, book: &mut Book, form: &str) -> (u16, Value) {
    let counts = book.refresh.take().is_some_and(|token| form.contains(&format!("refresh_token={token}&")));
    match counts {
        true => (200, tokens(address, book)),
        false => (400, json!({"error": "invalid_grant"})),
    }
}
