//! A load generator for CONNECT proxies and the servers it measures them against, in one program.
//!
//! Owns the choice of the subcommand, the exit code and where the report goes; must not know how
//! any measurement is made.
#![expect(clippy::disallowed_methods, reason = "it measures time, and holds connections for a while")]

mod bytes;
mod connects;
mod dial;
mod gather;
mod hello;
mod idle;
mod options;
mod pings;
mod report;
mod serve;
mod socket;

use std::error::Error;
use std::io::Write;
use std::process::ExitCode;

use options::Options;
use report::Report;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What everything that can end a whole run returns.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: load SUBCOMMAND key=value ...
  connects proxy=ADDR:PORT[,...] target=HOST:PORT[,...] count=N concurrency=C [threads=1] [direct=1] [hello=NAME] [reset=1] [timeout_s=10]
  bytes    proxy=... target=... seconds=S streams=K direction=down|up|both [threads=1] [direct=1] [hello=NAME] [timeout_s=10]
  pings    proxy=... target=... count=N [concurrency=1] [direct=1] [hello=NAME] [timeout_s=10]
  idle     proxy=... count=N hold_s=S stage=silent|half-head|half-hello [target=...] [concurrency=256] [timeout_s=10]
  slow     proxy=... target=... count=N hold_s=S [direct=1] [hello=NAME] [drip=hello] [concurrency=256] [timeout_s=10]
  serve    listen=ADDR:PORT kind=echo|sink|source [threads=2] [reset=1]";

fn main() -> ExitCode {
    match run() {
        Ok(report) => finish(&report),
        Err(error) => {
            complain(&error.to_string());
            ExitCode::FAILURE
        }
    }
}

/// Writes a line to standard error; a closed standard error is no reason to stop measuring.
pub fn complain(text: &str) {
    drop(writeln!(std::io::stderr(), "load: {text}"));
}

fn run() -> Outcome<Report> {
    let mut words = std::env::args().skip(1);
    let subcommand = words.next().ok_or(USAGE)?;
    let options = Options::parse(words)?;
    raise_file_limit()?;
    match subcommand.as_str() {
        "connects" => connects::run(options),
        "bytes" => bytes::run(options),
        "pings" => pings::run(options),
        "idle" => idle::run_idle(options),
        "slow" => idle::run_slow(options),
        "serve" => serve::run(options),
        _ => Err(USAGE.into()),
    }
}

fn raise_file_limit() -> Outcome<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}

fn finish(report: &Report) -> ExitCode {
    match writeln!(std::io::stdout(), "{}", report.line()) {
        Ok(()) if report.is_worth_something() => ExitCode::SUCCESS,
        Ok(()) | Err(_) => ExitCode::FAILURE,
    }
}
