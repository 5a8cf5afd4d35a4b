//! The front: requests per second of an authenticated, decided, counted and rate-limited
//! read, with `wrk` on the same machine; what that adds to a bare answer of the same server;
//! and the server's size: program, memory at rest, time from start to ready.

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 3;
const STARTS: usize = 11;
const FRONT_AT_ONCE: &str = "-c32";

/// Runs the benchmark.
pub fn run() -> Outcome<()> {
    let program = std::env::current_exe()?.with_file_name("aegis");
    if !program.exists() {
        return Err(
            format!("`{}` is missing: build it with `cargo build --release -p aegis-cli`", program.display()).into()
        );
    }
    let home = tempfile::tempdir()?;
    fs::write(home.path().join("aegis.toml"), "[http]\nkey_rate_per_second = 10000000\nkey_burst = 10000000\n")?;
    say(&format!("program {:.1} MB", fs::metadata(&program)?.len() as f64 / 1e6))?;
    starts(&program, home.path())?;
    let mut server = Server::start(&program, home.path())?;
    let measured = measure(&server, home.path());
    server.child.kill()?;
    server.child.wait()?;
    measured
}

fn measure(server: &Server, home: &Path) -> Outcome<()> {
    let key = fs::read_to_string(home.join("data/admin.key"))?;
    let key = key.trim();
    deploy(&server.address, key)?;
    std::thread::sleep(Duration::from_secs(1));
    say(&format!("memory at rest {:.1} MB", server.resident_kb()? as f64 / 1e3))?;
    let (mut bare, mut full) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(wrk(&format!("http://{}/health/live", server.address), None, &[FRONT_AT_ONCE])?);
        full.push(wrk(&format!("http://{}/api/v1/agents/bench", server.address), Some(key), &[FRONT_AT_ONCE])?);
    }
    let (bare, full) = (median(bare), median(full));
    say(&format!("bare answer        {:>9.0}/s  p50 {:>7.3} ms  p99 {:>7.3} ms", bare.rate, bare.p50_ms, bare.p99_ms))?;
    say(&format!("agent_view         {:>9.0}/s  p50 {:>7.3} ms  p99 {:>7.3} ms", full.rate, full.p50_ms, full.p99_ms))?;
    say(&format!(
        "added              ratio {:.2}  p50 {:+.3} ms  p99 {:+.3} ms",
        full.rate / bare.rate,
        full.p50_ms - bare.p50_ms,
        full.p99_ms - bare.p99_ms
    ))?;
    say(&format!("memory under load {:.1} MB", server.resident_kb()? as f64 / 1e3))
}

/// Times from start to `ready`, on data that is there already.
fn starts(program: &Path, home: &Path) -> Outcome<()> {
    let mut took_ms = Vec::new();
    for _ in 0..STARTS {
        let began = Instant::now();
        let mut server = Server::start(program, home)?;
        took_ms.push(began.elapsed().as_secs_f64() * 1e3);
        server.child.kill()?;
        server.child.wait()?;
    }
    say(&format!("first start to ready {:.0} ms", took_ms.remove(0)))?;
    took_ms.sort_by(f64::total_cmp);
    let middle = took_ms.get(took_ms.len() / 2).copied().unwrap_or_default();
    say(&format!("start to ready {middle:.0} ms (median of {})", took_ms.len()))
}

/// A server process.
pub struct Server {
    child: Child,
    /// Where it is.
    pub address: String,
}

impl Server {
    /// Starts it with its data in `home`.
    pub fn start(program: &Path, home: &Path) -> Outcome<Self> {
        let mut child = Command::new(program)
            .args(["up", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0", "--data-dir"])
            .arg(home.join("data"))
            .env("HOME", home)
            .env("AEGIS_CONFIG", home.join("aegis.toml"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut line = String::new();
        let out = child.stdout.as_mut().ok_or("no output")?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().strip_prefix("ready http://").ok_or("the server did not become ready")?.to_owned();
        Ok(Self { child, address })
    }

    /// Ends it, boxes and all.
    pub fn stop(&mut self) -> Outcome<()> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        self.child.wait()?;
        Ok(())
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Memory of the process.
    pub fn resident_kb(&self) -> Outcome<u64> {
        let status = fs::read_to_string(PathBuf::from(format!("/proc/{}/status", self.child.id())))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }
}

fn deploy(address: &str, key: &str) -> Outcome<()> {
    let body = r#"{"apiVersion":"aegis/v1","kind":"Agent","metadata":{"name":"bench"},"spec":{"runtime":{"isolation":"process","command":["cat"]}}}"#;
    let mut stream = TcpStream::connect(address)?;
    write!(
        stream,
        "POST /api/v1/agents HTTP/1.1\r\nhost: localhost\r\nx-api-key: {key}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 201") { Ok(()) } else { Err(answer.into()) }
}

/// What a server carried.
#[derive(Clone, Copy, Default)]
pub struct Load {
    /// Requests per second.
    pub rate: f64,
    /// The middle of the times they took.
    pub p50_ms: f64,
    /// What all but one of a hundred took at most.
    pub p99_ms: f64,
}

/// Asks for five seconds, with more arguments of `wrk`.
pub fn wrk(url: &str, key: Option<&str>, arguments: &[&str]) -> Outcome<Load> {
    let mut command = Command::new("wrk");
    command.args(["-t2", "-d5s", "--latency"]).args(arguments);
    if let Some(key) = key {
        command.args(["-H", &format!("X-API-Key: {key}")]);
    }
    let output = command.arg(url).output().map_err(|error| format!("`wrk` cannot be started: {error}"))?;
    let text = String::from_utf8(output.stdout)?;
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        return Err(text.into());
    }
    let after = |label: &str| text.lines().find_map(|line| line.trim().strip_prefix(label)).map(str::trim);
    let rate = after("Requests/sec:").ok_or("no rate")?.parse()?;
    Ok(Load { rate, p50_ms: milliseconds(after("50%"))?, p99_ms: milliseconds(after("99%"))? })
}

fn milliseconds(text: Option<&str>) -> Outcome<f64> {
    let text = text.ok_or("no latency")?;
    let units = [("us", 1e-3), ("ms", 1.0), ("s", 1e3)];
    let read = units.iter().find_map(|(unit, factor)| Some(text.strip_suffix(unit)?.parse::<f64>().ok()? * factor));
    read.ok_or_else(|| format!("`{text}` is no time").into())
}

/// The one in the middle.
pub fn median(mut loads: Vec<Load>) -> Load {
    loads.sort_by(|one, other| one.rate.total_cmp(&other.rate));
    loads.get(loads.len() / 2).copied().unwrap_or_default()
}

fn say(line: &str) -> Outcome<()> {
    Ok(writeln!(std::io::stdout().lock(), "{line}")?)
}
