//! The suites of `make test`, in the order that finds the cheap mistakes first, and the table
//! of seconds that each of them took.

mod schemathesis;
mod v2;

use crate::failure::Failure;
use crate::fuzz;
use crate::generated;
use crate::house::House;
use crate::machine::{self, C_COMPILER, CXX_COMPILER, NAMESPACES, PYTHON};
use crate::process::{Call, say, tell};
use crate::stopwatch::Stopwatch;
use crate::tidy;

/// How long each fuzz target runs as a part of the tests.
const FUZZ_SECONDS: u32 = 10;

/// A group of tests that passes or fails as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suite {
    /// The form of the sources.
    Format,
    /// The house rules.
    Tidy,
    /// The lints.
    Clippy,
    /// The generated files.
    Generated,
    /// Every test of every crate, the tests against the whole server included.
    Unit,
    /// The documentation of the crates, its links and its examples.
    Doc,
    /// Every fuzz target for a few seconds.
    Fuzz,
    /// A running server against its own description.
    Schemathesis,
    /// Boxes on a kernel that has cgroup v2 only.
    V2,
}

/// How a suite ended that found no mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// It passed.
    Passed,
    /// It was not run, because this machine cannot have what it needs.
    Skipped {
        /// What that is.
        reason: String,
    },
}

impl Suite {
    /// Every suite, in the order in which they run.
    pub const ALL: [Self; 9] = [
        Self::Format,
        Self::Tidy,
        Self::Clippy,
        Self::Generated,
        Self::Unit,
        Self::Doc,
        Self::Schemathesis,
        Self::Fuzz,
        Self::V2,
    ];

    /// The name on the command line and in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Format => "fmt",
            Self::Tidy => "tidy",
            Self::Clippy => "clippy",
            Self::Generated => "gen",
            Self::Unit => "unit",
            Self::Doc => "doc",
            Self::Fuzz => "fuzz",
            Self::Schemathesis => "schemathesis",
            Self::V2 => "v2",
        }
    }

    /// The suite of that name.
    pub fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name() == name)
    }

    fn run(self, house: &House) -> Result<Outcome, Failure> {
        let cargo = || Call::cargo(&house.root);
        let run = match self {
            Self::Format => cargo().with(["fmt", "--all", "--check"]).run(),
            Self::Tidy => tidy::run(house),
            Self::Clippy => cargo().with(CLIPPY).run(),
            Self::Generated => generated::check(house),
            Self::Unit => unit(house),
            Self::Doc => documentation(house),
            Self::Fuzz => fuzz::run(house, &[], FUZZ_SECONDS),
            Self::Schemathesis => schemathesis::run(house),
            Self::V2 => return v2::run(house),
        };
        run.map(|()| Outcome::Passed)
    }
}

const CLIPPY: [&str; 7] = ["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"];

/// Runs suites until one fails, and shows the table either way.
pub fn run(house: &House, only: &[Suite]) -> Result<(), Failure> {
    machine::provide(house, &[C_COMPILER, CXX_COMPILER, PYTHON, NAMESPACES])?;
    machine::provide_promtool(house)?;
    machine::provide(house, &machine::CLIENTS)?;
    let mut rows = Vec::new();
    let mut result = Ok(());
    for suite in Suite::ALL.into_iter().filter(|suite| only.is_empty() || only.contains(suite)) {
        say(&format!("== {}", suite.name()));
        let watch = Stopwatch::start();
        let outcome = suite.run(house);
        rows.push(Row { name: suite.name(), seconds: watch.seconds(), result: described(&outcome) });
        if let Err(source) = outcome {
            result = Err(Failure::Suite { name: suite.name(), source: Box::new(source) });
            break;
        }
    }
    tell(&table(&rows));
    result
}

/// Builds it with broken links as errors, and runs its examples.
fn documentation(house: &House) -> Result<(), Failure> {
    let cargo = || Call::cargo(&house.root).variable("RUSTDOCFLAGS", "-D warnings");
    cargo().with(["doc", "--locked", "--workspace", "--no-deps"]).run()?;
    cargo().with(["test", "--locked", "--workspace", "--doc", "--quiet"]).run()
}

/// cargo-nextest where it is there, the test runner that every toolchain has where it is not.
fn unit(house: &House) -> Result<(), Failure> {
    let cargo = || Call::cargo(&house.root);
    if cargo().with(["nextest", "--version"]).works() {
        return cargo().with(["nextest", "run", "--locked", "--workspace"]).run();
    }
    say("cargo-nextest is not installed: the same tests run under `cargo test`, somewhat slower");
    cargo().with(["test", "--locked", "--workspace", "--all-targets"]).run()
}

struct Row {
    name: &'static str,
    seconds: f64,
    result: String,
}

fn described(outcome: &Result<Outcome, Failure>) -> String {
    match outcome {
        Ok(Outcome::Passed) => "passed".to_owned(),
        Ok(Outcome::Skipped { reason }) => format!("SKIPPED: {reason}"),
        Err(_) => "FAILED".to_owned(),
    }
}

/// The table as CONTRIBUTING.md shows it.
fn table(rows: &[Row]) -> String {
    let line = |row: &Row| format!("| {:<12} | {:>7.1} | {} |\n", row.name, row.seconds, row.result);
    let lines: String = rows.iter().map(line).collect();
    let whole: f64 = rows.iter().map(|row| row.seconds).sum();
    format!("\n| suite        | seconds | result |\n|---|---:|---|\n{lines}| {:<12} | {whole:>7.1} |        |", "all")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suite_is_found_by_its_name() {
        for suite in Suite::ALL {
            assert_eq!(Suite::by_name(suite.name()), Some(suite));
        }
        assert_eq!(Suite::by_name("everything"), None);
    }

    #[test]
    fn the_table_names_what_failed_and_sums_the_seconds() {
        let row = |name, seconds, outcome| Row { name, seconds, result: described(&outcome) };
        let skipped = Outcome::Skipped { reason: "no network".to_owned() };
        let failed = Err(Failure::Untidy(1));
        let table =
            table(&[row("fmt", 1.25, Ok(Outcome::Passed)), row("v2", 0.0, Ok(skipped)), row("unit", 2.5, failed)]);
        for part in ["| fmt ", "passed", "| v2 ", "SKIPPED: no network", "| unit ", "FAILED", "3.8 |"] {
            assert!(table.contains(part), "{part} in {table}");
        }
    }
}
