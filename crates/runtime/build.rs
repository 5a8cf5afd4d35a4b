//! Builds the guest and says where it is, so that it is embedded.

#[path = "static_program.rs"]
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
    for part in ["crates/guest/src", "crates/guest/Cargo.toml", "crates/door/src", "Cargo.lock"] {
        println!("cargo:rerun-if-changed={}", root.join(part).display());
    }
    println!("cargo:rerun-if-changed=static_program.rs");
    match static_program::build(&root, "aegis-guest", "aegis-guest") {
        Ok(guest) => {
            println!("cargo:rustc-env=AEGIS_GUEST={}", guest.display());
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
