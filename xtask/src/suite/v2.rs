//! The tests of process boxes on a kernel that has cgroup v2 only: built here, run in an emulated
//! machine, as root and as an ordinary user. Where that machine cannot be had, the suite is
//! skipped, and says why.

use std::path::PathBuf;

use cargo_metadata::Message;

use super::Outcome;
use crate::failure::Failure;
use crate::house::House;
use crate::process::{Call, say};
use crate::v2::{Errand, Machine, seen};

/// How many times slower the machine is, as far as the limits of tests go.
const PATIENCE: &str = "10";
/// How long the tests may take there.
const SECONDS: u32 = 360;

/// The package and its tests.
const PACKAGE: &str = "aegis-runtime";
const TESTS: &str = "process";

/// Runs the suite.
pub fn run(house: &House) -> Result<Outcome, Failure> {
    let seen = seen(&house.root).and_then(|()| seen(&house.target));
    let machine = match seen.and_then(|()| Machine::provide(house)) {
        Ok(machine) => machine,
        Err(failure) => {
            let reason = failure.with_causes();
            say(&format!("SKIPPED: {reason}"));
            return Ok(Outcome::Skipped { reason });
        }
    };
    machine.run(house, &errand(&build(house)?)).map(|()| Outcome::Passed)
}

/// Builds the tests; the program that they are.
fn build(house: &House) -> Result<PathBuf, Failure> {
    let call = Call::cargo(&house.root).with(["test", "--locked", "--package", PACKAGE, "--test", TESTS]);
    let told = call.with(["--no-run", "--message-format", "json-render-diagnostics"]).read()?;
    executable(&told).ok_or_else(|| Failure::Form {
        path: format!("cargo's messages on {PACKAGE}"),
        problem: format!("no program `{TESTS}` is named"),
    })
}

fn executable(told: &str) -> Option<PathBuf> {
    let mut messages = Message::parse_stream(told.as_bytes()).filter_map(Result::ok);
    messages.find_map(|message| match message {
        Message::CompilerArtifact(artifact) if artifact.target.name == TESTS => artifact.executable.map(Into::into),
        _ => None,
    })
}

/// One test at a time: the machine has two slow processors. Nothing may be skipped in it.
fn errand(program: &std::path::Path) -> Errand {
    let program = [&program.to_string_lossy(), "--test-threads", "1"].map(str::to_owned).to_vec();
    let variables = [("AEGIS_TEST_PATIENCE", PATIENCE), ("AEGIS_TEST_BOXES_REQUIRED", "yes")];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    Errand { program, variables, seconds: SECONDS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_in_what_cargo_tells() {
        let artifact = |name: &str, executable: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"p","manifest_path":"/m","target":{{"kind":["test"],
                "crate_types":["bin"],"name":"{name}","src_path":"/s","edition":"2024","doc":false,"doctest":false,
                "test":true}},"profile":{{"opt_level":"0","debuginfo":2,"debug_assertions":true,"overflow_checks":true,
                "test":true}},"features":[],"filenames":[],"executable":{executable},"fresh":true}}"#
            )
            .replace('\n', "")
        };
        let told = [artifact("other", r#""/other""#), artifact("process", r#""/target/process-1""#)].join("\n");
        assert_eq!(executable(&told), Some(PathBuf::from("/target/process-1")));
        assert_eq!(executable(&artifact("process", "null")), None);
        assert_eq!(executable(""), None);
    }

    #[test]
    fn the_tests_read_what_they_are_told() {
        let tests = include_str!("../../../crates/runtime/tests/process/main.rs");
        for (name, _) in errand(std::path::Path::new("/p")).variables {
            assert!(tests.contains(&format!("\"{name}\"")), "{name}");
        }
    }
}
