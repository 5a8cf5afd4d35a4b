//! Invocations of a compiled server in one live session, decided and recorded, with `wrk` on
//! the same machine; beside it a read over the same front, as the floor.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::http::{Load, Server, median, wrk};

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 3;
const AT_ONCE: &str = "-c64";
const MANIFEST: &str = r#"
apiVersion: aegis/v1
kind: Agent
metadata: {name: served}
spec:
  runtime: {isolation: process, command: ["/app/attacks", "agent", "http", "8080"], source: ./src, protocol: http}
  resources: {cpu: "2", memory: 64Mi, disk: 16Mi, pids: 256}
"#;

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
    deploy(program, (&server.address, &key), (home, MANIFEST))?;
    let script = home.join("invoke.lua");
    let body = r#"{"input":{"a":1},"session_id":"bench"}"#;
    let lua = format!(
        "wrk.method = 'POST'\nwrk.body = '{body}'\nwrk.headers['content-type'] = 'application/json'\nwrk.headers['x-api-key'] = '{key}'\n"
    );
    fs::write(&script, lua)?;
    let script = script.to_string_lossy().into_owned();
    let agent = format!("http://{}/api/v1/agents/served", server.address);
    let (mut reads, mut invocations) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        reads.push(wrk(&agent, Some(&key), &[AT_ONCE])?);
        invocations.push(wrk(&format!("{agent}/invocations"), None, &[AT_ONCE, "-s", &script])?);
    }
    println!("a compiled server in one live session, 64 at a time, decided and recorded");
    let (read, invocation) = (median(reads), median(invocations));
    shown("agent_view", read);
    shown("invocations", invocation);
    println!(
        "  {:.0} a second (bar 5,000); {:.1} reads in the time of one",
        invocation.rate,
        read.rate / invocation.rate
    );
    Ok(())
}

fn shown(what: &str, load: Load) {
    println!("  {what:<12} {:>9.0}/s  p50 {:>7.3} ms  p99 {:>7.3} ms", load.rate, load.p50_ms, load.p99_ms);
}

/// Deploys the program of attacks as an agent with that manifest.
pub fn deploy(program: &Path, (address, key): (&str, &str), (home, manifest): (&Path, &str)) -> Outcome<()> {
    let folder = home.join("served");
    fs::create_dir_all(folder.join("src"))?;
    fs::copy(aegis_programs::ATTACKS, folder.join("src/attacks"))?;
    fs::write(folder.join("agent.yaml"), manifest)?;
    let mut call = Command::new(program);
    call.args(["agent", "deploy"]).arg(&folder).env("AEGIS_URL", format!("http://{address}"));
    let output = call.env("AEGIS_API_KEY", key).stdin(Stdio::null()).output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}
