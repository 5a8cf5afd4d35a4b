//! The release binary: building it to `bin/aegis`, starting it, and the benchmarks, which are
//! built the same way.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::house::House;
use crate::machine::{self, C_COMPILER};
use crate::process::{Call, say};

/// Where `up` keeps its data unless told otherwise.
const DATA_FOLDER: &str = ".aegis";

/// Builds `bin/aegis`, wherever the target directory is.
pub fn build(house: &House) -> Result<PathBuf, Failure> {
    machine::provide(house, &[C_COMPILER])?;
    let call = Call::cargo(&house.root);
    call.with(["build", "--locked", "--release", "--package", "aegis-cli", "--bin", "aegis"]).run()?;
    let built = house.target.join("release").join("aegis");
    let folder = house.root.join("bin");
    std::fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    // Written beside and renamed: a running server keeps its file, and nobody sees half a one.
    let (next, binary) = (folder.join("aegis.next"), folder.join("aegis"));
    std::fs::copy(&built, &next).map_err(Failure::file(&built))?;
    std::fs::rename(&next, &binary).map_err(Failure::file(&binary))?;
    say("built bin/aegis");
    Ok(binary)
}

/// Installs what is missing, builds, and becomes `aegis up`.
pub fn up(house: &House, rest: &[String]) -> Result<(), Failure> {
    let binary = build(house)?;
    let mut call = Call::new(binary, &house.root).with(["up"]);
    let named = rest.iter().any(|word| word == "--data-dir" || word.starts_with("--data-dir="));
    if !named {
        call = call.with(["--data-dir", DATA_FOLDER]);
    }
    Err(call.with(rest).become_it())
}

/// Runs benchmarks, by name or all.
pub fn bench(house: &House, rest: &[String]) -> Result<(), Failure> {
    machine::provide(house, &[C_COMPILER])?;
    let call = Call::cargo(&house.root);
    call.with(["run", "--locked", "--release", "--package", "aegis-benches", "--"]).with(rest).run()
}
