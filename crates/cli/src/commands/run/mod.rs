//! `aegis run …`.

mod cancel;
mod list;
mod logs;
mod retry;
mod show;

use crate::context::Context;
use crate::failure::Failure;

/// Runs: what agents were given to do, and what became of it
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  aegis run list --agent triage")]
pub(crate) enum Verb {
    List(list::Arguments),
    Show(show::Arguments),
    Logs(logs::Arguments),
    Cancel(cancel::Arguments),
    Retry(retry::Arguments),
}

pub(crate) fn run(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List(arguments) => list::run(context, arguments),
        Verb::Show(arguments) => show::run(context, &arguments),
        Verb::Logs(arguments) => logs::run(context, &arguments),
        Verb::Cancel(arguments) => cancel::run(context, &arguments),
        Verb::Retry(arguments) => retry::run(context, &arguments),
    }
}
