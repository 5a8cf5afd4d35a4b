//! Builds a program of this workspace that needs nothing of the machine it runs on. Shared
//! by the build scripts that embed one; a build of its own, as everything else is linked
//! dynamically.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Programs are for the machine they are built on.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Builds `package` of the workspace at `root` and returns its only program `name`.
#[expect(clippy::disallowed_methods, reason = "a build script is told by variables and runs cargo")]
pub fn build(root: &Path, package: &str, name: &str) -> Result<PathBuf, String> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?).join("static");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--locked", "--release", "--quiet", "--package", package, "--target", TARGET]);
    command.arg("--manifest-path").arg(root.join("Cargo.toml")).arg("--target-dir").arg(&out);
    // Whoever builds the whole may wrap the compiler or instrument the code; this program has
    // to be the same every time.
    for (name, _) in env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("CARGO_FEATURE_") || name.starts_with("CARGO_PROFILE_") || name.contains("RUSTFLAGS") {
            command.env_remove(name);
        }
    }
    command.env_remove("RUSTC_WORKSPACE_WRAPPER").env_remove("RUSTC_WRAPPER").env_remove("CARGO_TARGET_DIR");
    command.env("CARGO_ENCODED_RUSTFLAGS", "-Ctarget-feature=+crt-static");
    for (key, value) in
        [("PANIC", "abort"), ("OPT_LEVEL", "s"), ("LTO", "fat"), ("CODEGEN_UNITS", "1"), ("STRIP", "symbols")]
    {
        command.env(format!("CARGO_PROFILE_RELEASE_{key}"), value);
    }
    let status = command.status().map_err(|error| format!("cargo does not start: {error}"))?;
    if !status.success() {
        return Err(format!("`{package}` does not build as a static program for {TARGET}"));
    }
    Ok(out.join(TARGET).join("release").join(name))
}
