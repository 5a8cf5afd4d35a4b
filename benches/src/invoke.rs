//! Invocations over HTTP, decided and recorded: cold against `bwrap`, from a pool against one
//! durable write, Python from a pool against Python by hand. Rounds of all in turn.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::boxes::{bwrap, report};
use crate::http::Server;

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 200;
/// For a pool to be filled again, and a box to be cleared away, outside the samples.
const PAUSE: Duration = Duration::from_millis(40);
const PYTHON: &str = "import json, sys\nprint(json.dumps({'hello': json.load(sys.stdin)}))\n";

/// The whole.
pub fn run() -> Outcome<()> {
    let program = std::env::current_exe()?.with_file_name("aegis");
    if !program.exists() {
        return Err(format!("`{}` is missing: build it first", program.display()).into());
    }
    let home = tempfile::tempdir()?;
    fs::write(home.path().join("aegis.toml"), "[http]\nkey_rate_per_second = 10000000\nkey_burst = 10000000\n")?;
    let mut server = Server::start(&program, home.path())?;
    let measured = measure(&program, &server, home.path());
    server.stop()?;
    measured
}

fn measure(program: &Path, server: &Server, home: &Path) -> Outcome<()> {
    let key = fs::read_to_string(home.join("data/admin.key"))?.trim().to_owned();
    let compiled = r#"["/app/attacks", "agent", "answer"]"#;
    let python = r#"["python3", "agent.py"]"#;
    let agents = [("noop", compiled, 0), ("noop-warm", compiled, 4), ("python", python, 0), ("python-warm", python, 4)];
    for (name, command, warm) in agents {
        deploy(program, (&server.address, &key), home, (name, command, warm))?;
    }
    std::thread::sleep(Duration::from_secs(1));
    let mut line = Line::open(&server.address, &key)?;
    let by_hand = home.join("by-hand.py");
    fs::write(&by_hand, PYTHON)?;
    let mut samples: [Vec<Duration>; 7] = Default::default();
    for round in 0..ROUNDS {
        // Every other round the other way round.
        let mut order: Vec<usize> = (0..samples.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for which in order {
            let took = match which {
                0 => bwrap(&["true"])?,
                1 => line.invoke("noop")?,
                2 => line.invoke("noop-warm")?,
                3 => line.post("/api/v1/keys", "{}", 201)?,
                4 => python_by_hand(&by_hand)?,
                5 => line.invoke("python")?,
                _ => line.invoke("python-warm")?,
            };
            samples[which].push(took);
            std::thread::sleep(PAUSE);
        }
    }
    let [bwrap, cold, warm, commit, hand, python_cold, python_warm] = &mut samples;
    println!("invocations over HTTP, decided and recorded: {ROUNDS} rounds; milliseconds");
    let bwrap = report("bwrap … true", bwrap);
    let cold = report("cold, compiled", cold);
    let commit = report("one durable write (key_create)", commit);
    let warm = report("from a pool, compiled", warm);
    let hand = report("python3 by hand", hand);
    report("cold, Python", python_cold);
    let python_warm = report("from a pool, Python", python_warm);
    println!("  cold to bwrap: {:.2} (bar 1.3)", cold / bwrap);
    println!("  from a pool, beyond one durable write: {:.2} ms (bar 2)", warm - commit);
    println!("  Python from a pool to Python by hand: {:.2} (bar 0.2)", python_warm / hand);
    Ok(())
}

fn deploy(
    program: &Path,
    (address, key): (&str, &str),
    home: &Path,
    (name, command, warm): (&str, &str, usize),
) -> Outcome<()> {
    let folder = home.join("agents").join(name);
    let source = folder.join("src");
    fs::create_dir_all(&source)?;
    fs::copy(aegis_programs::ATTACKS, source.join("attacks"))?;
    fs::write(source.join("agent.py"), PYTHON)?;
    let pool = if warm > 0 { format!("  pool: {{warm: {warm}}}\n") } else { String::new() };
    let manifest = format!(
        "apiVersion: aegis/v1\nkind: Agent\nmetadata: {{name: {name}}}\nspec:\n  runtime: {{isolation: process, command: {command}, source: ./src}}\n  resources: {{memory: 64Mi, disk: 16Mi}}\n{pool}"
    );
    fs::write(folder.join("agent.yaml"), manifest)?;
    deploy_folder(program, (address, key), &folder)
}

/// Deploys an agent from its folder.
pub fn deploy_folder(program: &Path, (address, key): (&str, &str), folder: &Path) -> Outcome<()> {
    let url = format!("http://{address}");
    let mut call = Command::new(program);
    call.args(["agent", "deploy"]).arg(folder).env("AEGIS_URL", url).env("AEGIS_API_KEY", key);
    let output = call.stdin(Stdio::null()).output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}

fn python_by_hand(program: &Path) -> Outcome<Duration> {
    let begun = Instant::now();
    let mut child =
        Command::new("/usr/bin/python3").arg(program).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    child.stdin.take().ok_or("no stdin")?.write_all(b"{}")?;
    let output = child.wait_with_output()?;
    if output.status.success() { Ok(begun.elapsed()) } else { Err("python3 failed".into()) }
}

/// A connection that is kept.
pub struct Line {
    stream: BufReader<TcpStream>,
    address: String,
    key: String,
}

impl Line {
    /// To that server, with that key.
    pub fn open(address: &str, key: &str) -> Outcome<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), address: address.to_owned(), key: key.to_owned() })
    }

    fn invoke(&mut self, agent: &str) -> Outcome<Duration> {
        self.post(&format!("/api/v1/agents/{agent}/invocations"), r#"{"input":{}}"#, 200)
    }

    fn post(&mut self, path: &str, body: &str, expected: u16) -> Outcome<Duration> {
        let begun = Instant::now();
        self.ask(path, body, expected)?;
        Ok(begun.elapsed())
    }

    /// What is answered to a POST.
    pub fn ask(&mut self, path: &str, body: &str, expected: u16) -> Outcome<Vec<u8>> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\nx-api-key: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            self.key,
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let (mut status, mut length) = (0, 0);
        loop {
            let mut head = String::new();
            self.stream.read_line(&mut head)?;
            if let Some(rest) = head.strip_prefix("HTTP/1.1 ") {
                status = rest.get(..3).unwrap_or_default().parse()?;
            }
            if let Some(number) = head.to_ascii_lowercase().strip_prefix("content-length:") {
                length = number.trim().parse()?;
            }
            if head.trim().is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        if status == expected { Ok(answer) } else { Err(String::from_utf8_lossy(&answer).into()) }
    }
}
