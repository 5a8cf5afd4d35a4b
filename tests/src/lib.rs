//! The world of an integration test: a real server process of its own, on ports and in a
//! directory of its own, spoken to over real HTTP. Nothing is shared, nothing is left behind.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test world ends the test when it cannot be made"
)]

pub mod runs;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long any single answer may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server process with its directory.
pub struct TestServer {
    child: Child,
    /// `127.0.0.1:PORT` of the API.
    pub address: String,
    /// The first admin's key.
    pub admin: String,
    home: TempDir,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// The body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON, `null` when it is not.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The code of the error envelope, empty when there is none.
    pub fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or("").to_owned()
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The `aegis` program that was built beside this test.
pub fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("aegis");
    assert!(program.exists(), "`{}` is missing: run `cargo build -p aegis-cli` first", program.display());
    program
}

/// Starts `aegis up` in `data` and waits until it says ready; gives what it said instead, if
/// it ends.
pub fn start(data: &Path, home: &Path, config: &str) -> Result<(Child, String), Output> {
    let file = home.join("aegis.toml");
    fs::write(&file, config).unwrap();
    let mut child = Command::new(program())
        .args(["up", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data-dir"])
        .arg(data)
        .env_clear()
        .env("HOME", home)
        .env("AEGIS_CONFIG", &file)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::from(fs::File::create(home.join("log")).unwrap()))
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    match line.trim().strip_prefix("ready http://") {
        Some(address) => Ok((child, address.to_owned())),
        None => {
            let status = child.wait().unwrap();
            let stderr = fs::read(home.join("log")).unwrap();
            Err(Output { status, stdout: line.into_bytes(), stderr })
        }
    }
}

impl TestServer {
    /// A fresh server with the defaults.
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// A fresh server with this configuration file.
    pub fn start_with(config: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), config)
    }

    /// A fresh server in that directory.
    pub fn start_in(home: TempDir, config: &str) -> Self {
        let data = &home.path().join("data");
        let (child, address) = match start(data, home.path(), config) {
            Ok(started) => started,
            Err(output) => panic!("the server did not start: {}", String::from_utf8_lossy(&output.stderr)),
        };
        let admin = fs::read_to_string(data.join("admin.key")).unwrap().trim().to_owned();
        Self { child, address, admin, home }
    }

    /// The data directory.
    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    /// A place for the test's own files.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// What the server logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap()
    }

    /// The process.
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Ends the process with SIGKILL and starts another one on the same data.
    pub fn kill_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.restart();
    }

    /// Starts another process on the same data, after the first has ended.
    pub fn restart(&mut self) {
        match start(&self.data(), self.home.path(), "") {
            Ok((child, address)) => (self.child, self.address) = (child, address),
            Err(output) => panic!("the server did not start again: {}", String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// Asks the process to stop and waits for its end.
    pub fn stop(&mut self) -> i32 {
        rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM).unwrap();
        self.child.wait().unwrap().code().unwrap_or(-1)
    }

    /// Waits for the process to end.
    pub fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// A request as the first admin.
    pub fn admin(&self, method: &str, path: &str, body: &str) -> Answer {
        self.call(method, path, &[("x-api-key", &self.admin)], body)
    }

    /// A request with a key.
    pub fn with_key(&self, key: &str, method: &str, path: &str, body: &str) -> Answer {
        self.call(method, path, &[("x-api-key", key)], body)
    }

    /// A request. A body is sent as JSON unless a header says otherwise.
    pub fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        self.call_bytes(method, path, headers, body.as_bytes())
    }

    /// A request with any body.
    pub fn call_bytes(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        let has = |name: &str| headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        if !has("host") {
            let _ = write!(head, "host: {}\r\n", self.address);
        }
        if !has("content-type") && !body.is_empty() {
            head.push_str("content-type: application/json\r\n");
        }
        if !has("content-length") {
            let _ = write!(head, "content-length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        self.raw(&[head.as_bytes(), body].concat())
    }

    /// Everything the metrics listener says.
    pub fn metrics(&self) -> String {
        let log = self.log();
        let (_, rest) = log.split_once("\"metrics\":\"http://").unwrap();
        let address = rest.split(['/', '"']).next().unwrap();
        let request = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        exchange(address, request.as_bytes()).text
    }

    /// Bytes as they are, and whatever comes back until the connection ends.
    pub fn raw(&self, bytes: &[u8]) -> Answer {
        exchange(&self.address, bytes)
    }

    /// A new key of the admin's tenant.
    pub fn key(&self, role: &str) -> String {
        let made = self.admin("POST", "/api/v1/keys", &format!(r#"{{"role":"{role}"}}"#));
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["api_key"].as_str().unwrap().to_owned()
    }

    /// A new tenant with an admin's key.
    pub fn tenant(&self, name: &str) -> String {
        let made = self.admin("POST", "/api/v1/tenants", &format!(r#"{{"id":"{name}"}}"#));
        assert_eq!(made.status, 201, "{}", made.text);
        let made = self.admin("POST", "/api/v1/keys", &format!(r#"{{"role":"admin","tenant":"{name}"}}"#));
        assert_eq!(made.status, 201, "{}", made.text);
        made.json()["api_key"].as_str().unwrap().to_owned()
    }

    /// Deploys an agent that needs no code.
    pub fn deploy(&self, key: &str, name: &str) -> Answer {
        self.with_key(key, "POST", "/api/v1/agents", &manifest(name))
    }

    /// Runs the command line against this server as the first admin.
    pub fn aegis(&self, arguments: &[&str]) -> Output {
        self.aegis_as(&self.admin, arguments)
    }

    /// Runs the command line against this server with that credential.
    pub fn aegis_as(&self, credential: &str, arguments: &[&str]) -> Output {
        Command::new(program())
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("AEGIS_URL", format!("http://{}", self.address))
            .env("AEGIS_API_KEY", credential)
            .current_dir(self.home.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

impl Drop for TestServer {
    /// Asks it to stop, so that nothing of its boxes stays on the machine; at last without asking.
    fn drop(&mut self) {
        for tick in 0..200 {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            if tick % 100 == 0 {
                let _ = rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A manifest of an agent that needs no code.
pub fn manifest(name: &str) -> String {
    format!(
        r#"{{"apiVersion":"aegis/v1","kind":"Agent","metadata":{{"name":"{name}"}},"spec":{{"runtime":{{"isolation":"process","command":["cat"]}}}}}}"#
    )
}

/// Sends bytes to an address and reads until the connection ends.
fn exchange(address: &str, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(bytes);
    let mut received = Vec::new();
    let _ = stream.read_to_end(&mut received);
    answer(&received)
}

/// Takes a response apart. Everything empty when nothing came.
fn answer(received: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(received);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok()).unwrap_or(0);
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    Answer { status, headers, text: body.to_owned() }
}

/// Every file below a directory, with its bytes; images of disks are left out by their size.
pub fn files_below(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            let kind = entry.file_type().unwrap();
            if kind.is_dir() {
                waiting.push(entry.path());
            } else if kind.is_file() && entry.metadata().unwrap().len() < 64 << 20 {
                found.push((entry.path(), fs::read(entry.path()).unwrap()));
            }
        }
    }
    found
}
