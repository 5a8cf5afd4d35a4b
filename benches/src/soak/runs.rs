//! Many invocations of a whole server over HTTP, each in a box of its own, and then many
//! sessions that rest; and after each a look at what of them is left, and what they cost.
#![expect(clippy::print_stdout, reason = "a chore prints its figures")]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{Errand, Outcome, lock};
use crate::boxes::report;
use crate::http::Server;

/// What resting sessions may add to the server's memory.
const RESTING_KIB_MAX: u64 = 100 * 1024;
/// How many rest.
const RESTING: usize = 500;
/// What may have been added to descriptors when all is over: connections that are kept.
const DESCRIPTORS_KEPT: usize = 16;
const PATIENCE: Duration = Duration::from_secs(20);
const FAILURES_TOLD: usize = 5;
const CONFIGURATION: &str = "[http]\nkey_rate_per_second = 10000000\nkey_burst = 10000000\n";
const MANIFEST: &str = r#"
apiVersion: aegis/v1
kind: Agent
metadata: {name: soaked}
spec:
  runtime: {isolation: process, command: ["/app/attacks", "agent", "echo"], source: ./src}
  resources: {memory: 16Mi, disk: 4Mi, pids: 4, idle_timeout: 1h}
"#;

/// The whole.
pub fn run(errand: Errand) -> Outcome {
    let program = std::env::current_exe()?.with_file_name("aegis");
    if !program.exists() {
        return Err(format!("`{}` is missing: build it first", program.display()).into());
    }
    let home = tempfile::tempdir()?;
    fs::write(home.path().join("aegis.toml"), CONFIGURATION)?;
    let start = |home: &Path| Server::start(&program, home).map_err(|error| error.to_string());
    let mut server = start(home.path())?;
    let key = fs::read_to_string(home.path().join("data/admin.key"))?.trim().to_owned();
    crate::serve::deploy(&program, (&server.address, &key), (home.path(), MANIFEST))
        .map_err(|error| error.to_string())?;
    let soaked = soak(&server, &key, errand).and_then(|()| rest(&server, &key));
    server.stop().map_err(|error| error.to_string())?;
    soaked
}

/// Invokes so many times, so many at once.
fn soak(server: &Server, key: &str, errand: Errand) -> Outcome {
    let ask = |number: usize| -> Result<(), String> {
        let body = format!(r#"{{"input":{number}}}"#);
        let answer = post((&server.address, key), &body).map_err(|error| error.to_string())?;
        let expected = format!("\"output\":{number},");
        if answer.starts_with("HTTP/1.1 200") && answer.contains(&expected) { Ok(()) } else { Err(answer) }
    };
    ask(0)?;
    let before = Footprint::of(server)?;
    println!("soak: {} invocations, each in a box of its own, {} at a time", errand.count, errand.concurrency);
    let (begun, next) = (Instant::now(), AtomicUsize::new(0));
    let (took, failures) = (Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..errand.concurrency {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= errand.count {
                        return;
                    }
                    let begun = Instant::now();
                    match ask(number) {
                        Ok(()) => lock(&took).push(begun.elapsed()),
                        Err(problem) => lock(&failures).push(problem),
                    }
                }
            });
        }
    });
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "far below the numbers where it is lost")]
    let per_second = errand.count as f64 / seconds;
    println!("  in {seconds:.1} s, {per_second:.0} a second");
    report("from request to answer", &mut lock(&took));
    let failures = lock(&failures).clone();
    println!("  failures: {}", failures.len());
    failures.iter().take(FAILURES_TOLD).for_each(|failure| println!("    {failure}"));
    let left = before.settle(server)?;
    println!("  left: {}", left.as_deref().unwrap_or("nothing"));
    if failures.is_empty() && left.is_none() { Ok(()) } else { Err("they did not pass without a trace".into()) }
}

/// Begins sessions that then have nothing to do.
fn rest(server: &Server, key: &str) -> Outcome {
    let before = Footprint::of(server)?;
    for number in 0..RESTING {
        let answer = post((&server.address, key), &format!(r#"{{"input":1,"session_id":"rest-{number}"}}"#))?;
        if !answer.starts_with("HTTP/1.1 200") {
            return Err(answer.into());
        }
    }
    let now = Footprint::of(server)?;
    let added = now.resident_kib.saturating_sub(before.resident_kib);
    println!(
        "  {RESTING} sessions that rest: {} boxes, {:.1} MiB more memory of the server (bar 100)",
        now.boxes,
        added as f64 / 1024.0
    );
    if now.boxes < before.boxes + RESTING {
        return Err("not every session has its box".into());
    }
    if added <= RESTING_KIB_MAX { Ok(()) } else { Err("sessions that rest take too much".into()) }
}

/// What a server has of its machine, seen from outside.
#[derive(Debug)]
struct Footprint {
    resident_kib: u64,
    descriptors: usize,
    /// Guests, one for each box; dead ones that nobody waited for included.
    boxes: usize,
}

impl Footprint {
    fn of(server: &Server) -> Outcome<Self> {
        let proc = format!("/proc/{}", server.pid());
        Ok(Self {
            resident_kib: server.resident_kb().map_err(|error| error.to_string())?,
            descriptors: fs::read_dir(format!("{proc}/fd"))?.count(),
            boxes: children(server.pid())?,
        })
    }

    /// Waits until nothing is left beyond this, or patience is over; then what.
    fn settle(&self, server: &Server) -> Outcome<Option<String>> {
        let begun = Instant::now();
        loop {
            let now = Self::of(server)?;
            if now.boxes <= self.boxes && now.descriptors <= self.descriptors + DESCRIPTORS_KEPT {
                return Ok(None);
            }
            if begun.elapsed() > PATIENCE {
                return Ok(Some(format!("{now:?}, before {self:?}")));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The children of a process: guests of boxes, alive or not waited for.
fn children(pid: u32) -> Outcome<usize> {
    let mut found = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        found += fs::read_to_string(task.path().join("children")).unwrap_or_default().split_whitespace().count();
    }
    Ok(found)
}

fn post((address, key): (&str, &str), body: &str) -> Outcome<String> {
    let length = body.len();
    let head = format!("POST /api/v1/agents/soaked/invocations HTTP/1.1\r\nhost: {address}\r\nx-api-key: {key}\r\n");
    exchange(
        address,
        &format!("{head}content-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"),
    )
}

fn exchange(address: &str, request: &str) -> Outcome<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
