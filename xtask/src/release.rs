//! The release binary: building it to `bin/aegis`, starting it, and the benchmarks, which are
//! built the same way.

use std::path::PathBuf;

use crate::failure::Failure;
use crate::house::House;
use crate::machine::{self, C_COMPILER, NAMESPACES};
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

/// Where `aegis up` serves unless told otherwise.
const LISTEN: &str = "127.0.0.1:7700";

/// Installs what is missing, builds, starts the demonstration, and becomes `aegis up`.
pub fn up(house: &House, rest: &[String]) -> Result<(), Failure> {
    let binary = build(house)?;
    let data = option(rest, "--data-dir");
    let own = data.is_none().then_some(["--data-dir", DATA_FOLDER]);
    let address = option(rest, "--listen").unwrap_or(LISTEN);
    // A port that the system chooses is known to nobody beforehand.
    if !address.ends_with(":0") {
        let itself = std::env::current_exe().map_err(Failure::file(&house.root))?;
        let url = format!("http://{address}");
        Call::new(itself, &house.root).with(["demo", &url, data.unwrap_or(DATA_FOLDER)]).leave()?;
    }
    Err(Call::new(binary, &house.root).with(["up"]).with(own.into_iter().flatten()).with(rest).become_it())
}

/// The value of `name`, given as two words or as one.
fn option<'a>(words: &'a [String], name: &str) -> Option<&'a str> {
    let together = words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let apart = words.iter().position(|word| word == name).and_then(|place| words.get(place + 1));
    together.or(apart.map(String::as_str))
}

/// Runs benchmarks, by name or all.
pub fn bench(house: &House, rest: &[String]) -> Result<(), Failure> {
    machine::provide(house, &[C_COMPILER, NAMESPACES])?;
    machine::provide(house, &machine::PROXIES)?;
    // Some of them start a server of their own.
    Call::cargo(&house.root).with(["build", "--locked", "--release", "--package", "aegis-cli"]).run()?;
    let call = Call::cargo(&house.root);
    call.with(["run", "--locked", "--release", "--package", "aegis-benches", "--"]).with(rest).run()
}

/// Makes many of something, and looks that nothing is left.
pub fn soak(house: &House, rest: &[String]) -> Result<(), Failure> {
    bench(house, &[&["soak".to_owned()], rest].concat())
}
