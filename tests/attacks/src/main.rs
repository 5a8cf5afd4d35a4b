//! The binary `attacks`: a program that is put into a box and tries to get out of it, or to hurt its host.
//! Owns the command line. Must not know what any attack or agent does.

mod agents;
mod attack;
mod channels;
mod credentials;
mod door;
mod errno;
mod files;
mod kernel;
mod process;
mod runner;
mod scratch;
mod sys;
mod walk;

use attack::Attack;
use std::io::Write as _;
use std::process::ExitCode;

/// What `attacks` answers when it is called in a way it does not know.
const USAGE: &str = "usage: attacks list | run all | run NAME... | agent NAME [ARGS]";

/// Every attack, in the order of `attacks list`.
fn attacks() -> impl Iterator<Item = &'static Attack> {
    [kernel::TABLES, files::TABLES, channels::TABLES, credentials::TABLES, door::TABLES]
        .into_iter()
        .flat_map(|tables| tables.iter().copied().flatten())
}

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => list(),
        ["run", names @ ..] if !names.is_empty() => run(names),
        ["agent", name, rest @ ..] => agents::run(name, rest),
        // What `memfd-exec` and `setuid-copy` execute to learn what the new program may do.
        ["confined"] => answer(process::is_confined()),
        ["identity", user, group] => answer(process::has_identity(user, group)),
        _ => complain(USAGE),
    }
}

fn list() -> ExitCode {
    attacks().for_each(|attack| say(&attack.describe().to_string()));
    ExitCode::SUCCESS
}

fn run(names: &[&str]) -> ExitCode {
    let unknown = names.iter().find(|name| **name != "all" && !attacks().any(|attack| attack.name == **name));
    if let Some(name) = unknown {
        return complain(&format!("no attack is called `{name}`"));
    }
    let chosen = attacks().filter(|attack| names.contains(&"all") || names.contains(&attack.name));
    let mut all_held = true;
    for attack in chosen {
        let outcome = runner::run(attack);
        all_held &= outcome.held;
        say(&attack.report(&outcome).to_string());
    }
    answer(all_held)
}

fn answer(good: bool) -> ExitCode {
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Writes one line to standard output; a reader that went away is no reason to stop.
fn say(line: &str) {
    _ = writeln!(std::io::stdout().lock(), "{line}");
}

fn complain(line: &str) -> ExitCode {
    _ = writeln!(std::io::stderr().lock(), "{line}");
    ExitCode::from(2)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    #[test]
    fn every_attack_has_its_own_name() {
        let names: Vec<&str> = super::attacks().map(|attack| attack.name).collect();
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), distinct.len());
    }
}
