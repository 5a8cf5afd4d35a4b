//! The fuzz targets: built by the stable compiler with the coverage that libFuzzer wants, and
//! run for a while each. The package `fuzz` stands outside the workspace because every crate
//! it uses is built in another way. Inputs in `fuzz/seeds` are committed; what the fuzzer
//! learns on a machine stays in `fuzz/corpus`, what it breaks in `fuzz/artifacts`.

use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;

use crate::failure::Failure;
use crate::house::House;
use crate::machine::{self, CXX_COMPILER};
use crate::process::{Call, say};

/// Memory a target may use.
const MEMORY_MAX_MB: u32 = 1024;

/// Edge counters and comparisons, as cargo-fuzz asks for them; without the address sanitizer,
/// which only a nightly compiler links and safe code does not need.
const COVERAGE: [&str; 6] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];

/// Runs the named targets, or all of them.
pub fn run(house: &House, names: &[String], seconds: u32) -> Result<(), Failure> {
    machine::provide(house, &[CXX_COMPILER])?;
    let folder = house.root.join("fuzz");
    let targets = targets(&folder)?;
    if let Some(unknown) = names.iter().find(|name| !targets.contains(name)) {
        return Err(Failure::Usage(format!("`{unknown}` is no fuzz target; there are {}", targets.join(", "))));
    }
    let built = build(house, &folder)?;
    for target in targets.iter().filter(|target| names.is_empty() || names.contains(target)) {
        fuzz(house, &built.join(target), target, seconds)?;
    }
    Ok(())
}

fn targets(folder: &Path) -> Result<Vec<String>, Failure> {
    let mut command = MetadataCommand::new();
    command.manifest_path(folder.join("Cargo.toml")).no_deps();
    let metadata = command.exec().map_err(|error| Failure::Metadata(Box::new(error)))?;
    let targets = metadata.packages.iter().flat_map(|package| &package.targets);
    Ok(targets.filter(|target| target.is_bin()).map(|target| target.name.clone()).collect())
}

/// Builds every target; returns where they are.
fn build(house: &House, folder: &Path) -> Result<PathBuf, Failure> {
    let place = house.target.join("fuzz");
    // A named target keeps the flags away from build scripts and macros, which lack the runtime.
    let triple = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let call = Call::cargo(folder).variable("RUSTFLAGS", COVERAGE.join(" "));
    let call = call.with(["build", "--locked", "--release", "--bins", "--target", &triple, "--target-dir"]);
    call.with([&place]).run()?;
    Ok(place.join(triple).join("release"))
}

fn fuzz(house: &House, program: &Path, target: &str, seconds: u32) -> Result<(), Failure> {
    say(&format!("fuzzing `{target}` for {seconds} s"));
    let [corpus, artifacts, seeds] = ["corpus", "artifacts", "seeds"].map(|name| format!("{name}/{target}"));
    for name in [&corpus, &artifacts, &seeds] {
        let folder = house.root.join("fuzz").join(name);
        std::fs::create_dir_all(&folder).map_err(Failure::file(&folder))?;
    }
    let call = Call::new(program, &house.root.join("fuzz"));
    let call = call.with([format!("-max_total_time={seconds}"), format!("-rss_limit_mb={MEMORY_MAX_MB}")]);
    let call = call.with([format!("-artifact_prefix={artifacts}/"), "-print_final_stats=1".to_owned()]);
    call.with([corpus, seeds]).run()
}
