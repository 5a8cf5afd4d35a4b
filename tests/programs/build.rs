//! Builds the programs that tests put into boxes, so that they need nothing of the box.

#[path = "../../crates/runtime/static_program.rs"]
mod static_program;

use std::path::Path;
use std::process::ExitCode;

#[expect(clippy::print_stderr, reason = "this is how a build script talks to cargo")]
fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
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
