//! The benchmarks. Each compares in one run, against a floor or a named peer; beside them the
//! soak, which compares nothing. Owns only the choice of which to run: one line per benchmark.
#![expect(clippy::disallowed_methods, reason = "a benchmark measures time, and writes to a directory of its own")]

mod boxes;
mod commits;
mod decide;
mod egress;
mod histories;
mod http;
mod invoke;
mod keys;
mod ledger;
mod neighbours;
mod reads;
mod secrets;
mod serve;
mod soak;

use std::error::Error;
use std::process::ExitCode;

type Benchmark = (&'static str, fn() -> Result<(), Box<dyn Error>>);

const BENCHMARKS: &[Benchmark] = &[
    ("boxes", boxes::run),
    ("commits", commits::run),
    ("decide", decide::run),
    ("egress", egress::run),
    ("histories", histories::run),
    ("http", http::run),
    ("invoke", invoke::run),
    ("keys", keys::run),
    ("ledger", ledger::run),
    ("neighbours", neighbours::run),
    ("reads", reads::run),
    ("secrets", secrets::run),
    ("serve", serve::run),
];

fn main() -> ExitCode {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let Some((word, rest)) = asked.split_first()
        && word == "soak"
    {
        return soak::run(rest).map_or_else(|error| failed(&format!("soak: {error}")), |()| ExitCode::SUCCESS);
    }
    let known = |name: &String| BENCHMARKS.iter().any(|(benchmark, _)| benchmark == name);
    if !asked.iter().all(known) {
        let names: Vec<&str> = BENCHMARKS.iter().map(|(name, _)| *name).collect();
        return failed(&format!("usage: aegis-benches [{}]… or soak", names.join("|")));
    }
    let chosen = BENCHMARKS.iter().filter(|(name, _)| asked.is_empty() || asked.iter().any(|one| one == name));
    for (name, run) in chosen {
        if let Err(error) = run() {
            return failed(&format!("{name}: {error}"));
        }
    }
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "a chore talks to whoever started it")]
fn failed(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
