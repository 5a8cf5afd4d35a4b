//! `aegis session …`.

mod copy;
mod exec;
mod kill;
mod list;
pub(crate) mod logs;
mod show;

use crate::context::Context;
use crate::failure::Failure;

/// Sessions: conversations with agents, each with a box of its own
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  aegis session list")]
pub(crate) enum Verb {
    List(list::Arguments),
    Show(show::Arguments),
    Logs(logs::Arguments),
    Exec(exec::Arguments),
    #[command(name = "cp")]
    Copy(copy::Arguments),
    Kill(kill::Arguments),
}

pub(crate) fn run(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List(arguments) => list::run(context, arguments),
        Verb::Show(arguments) => show::run(context, &arguments),
        Verb::Logs(arguments) => logs::run(context, &arguments),
        Verb::Exec(arguments) => exec::run(context, &arguments),
        Verb::Copy(arguments) => copy::run(context, &arguments),
        Verb::Kill(arguments) => kill::run(context, &arguments),
    }
}
