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
    for part in ["tests/attacks", "tests/load", "Cargo.lock", "crates/runtime/static_program.rs"] {
        println!("cargo:rerun-if-changed={}", root.join(part).display());
    }
    for (package, name, variable) in
        [("aegis-attacks", "attacks", "AEGIS_ATTACKS"), ("aegis-load", "load", "AEGIS_LOAD")]
    {
        match static_program::build(&root, package, name) {
            Ok(program) => println!("cargo:rustc-env={variable}={}", program.display()),
            Err(problem) => {
                eprintln!("{problem}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
