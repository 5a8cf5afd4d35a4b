//! `aegis intent …`.

mod delete;
mod list;
pub(crate) mod name;
mod set;
mod show;

use crate::context::Context;
use crate::failure::Failure;

/// Intents: what services may ask for, and which agent does it
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  aegis intent set billing/refund --agent refunds")]
pub(crate) enum Verb {
    Set(set::Arguments),
    List(list::Arguments),
    Show(show::Arguments),
    Delete(delete::Arguments),
}

pub(crate) fn run(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Set(arguments) => set::run(context, &arguments),
        Verb::List(arguments) => list::run(context, &arguments),
        Verb::Show(arguments) => show::run(context, &arguments),
        Verb::Delete(arguments) => delete::run(context, &arguments),
    }
}
