//! Builds the programs that tests put into boxes, so that they need nothing of the box.

#[path = "../../crates/runtime/static_program.rs"]
mod static_program;

use std::path::Path;
use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "this is how a build script talks to cargo")]
fn main() -> ExitCode {
    // Where cargo runs a build script, not where it was compiled: a target directory may be shared.
    let root = match Path::new("../..").canonicalize() {
        Ok(root) => root,
        Err(error) => {
            eprintln!("the workspace cannot be found: {error}");
            return ExitCode::FAILURE;
        }
    };
    for part in ["tests/attacks/src", "tests/attacks/Cargo.toml", "Cargo.lock", "crates/runtime/static_program.rs"] {
        println!("cargo:rerun-if-changed={}", root.join(part).display());
    }
    match static_program::build(&root, "aegis-attacks", "attacks") {
        Ok(program) => {
            println!("cargo:rustc-env=AEGIS_ATTACKS={}", program.display());
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
