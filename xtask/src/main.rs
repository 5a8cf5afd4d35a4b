//! The chores of the house as one program: `cargo xtask tidy`, `test`, `gen`, `build`, `up`,
//! `bench`, `soak`, `fuzz`, `frameworks`, `v2`. The Makefile and the CI call nothing else.
//!
//! Owns how the repository is checked, tested and built. Must not know the rooms' code: it
//! depends on none of them, so that it builds in seconds on a cold machine.

mod clients;
mod demo;
mod failure;
mod frameworks;
mod fuzz;
mod generated;
mod house;
mod machine;
mod process;
mod release;
mod server;
mod stopwatch;
mod suite;
mod tidy;
mod v2;
mod verb;

use std::process::ExitCode;

use failure::Failure;
use house::House;
use verb::Verb;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = Verb::parse(&arguments).and_then(|verb| perform(&verb));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            process::say(&format!("error: {}", failure.with_causes()));
            ExitCode::from(failure.exit_code())
        }
    }
}

fn perform(verb: &Verb) -> Result<(), Failure> {
    if matches!(verb, Verb::Help) {
        process::tell(verb::HELP);
        return Ok(());
    }
    let house = House::find()?;
    match verb {
        Verb::Help => Ok(()),
        Verb::Tidy => tidy::run(&house),
        Verb::Test { only } => suite::run(&house, only),
        Verb::Generate { check: true } => generated::check(&house),
        Verb::Generate { check: false } => generated::write(&house),
        Verb::Build => release::build(&house).map(drop),
        Verb::Up { rest } => release::up(&house, rest),
        Verb::Demo { url, data } => demo::run(&house, url, data),
        Verb::Bench { rest } => release::bench(&house, rest),
        Verb::Soak { rest } => release::soak(&house, rest),
        Verb::Fuzz { targets, seconds } => fuzz::run(&house, targets, *seconds),
        Verb::Frameworks => frameworks::run(&house),
        Verb::V2(errand) => v2::run(&house, errand),
    }
}
