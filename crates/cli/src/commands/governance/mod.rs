//! `aegis governance …`.

mod apply;
mod delete;
mod list;
mod show;

use crate::context::Context;
use crate::failure::Failure;

/// Governance records: when, how often and under which conditions an intent may be asked for
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  aegis governance apply refund.yaml")]
pub(crate) enum Verb {
    Apply(apply::Arguments),
    List(list::Arguments),
    Show(show::Arguments),
    Delete(delete::Arguments),
}

pub(crate) fn run(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Apply(arguments) => apply::run(context, &arguments),
        Verb::List(arguments) => list::run(context, &arguments),
        Verb::Show(arguments) => show::run(context, &arguments),
        Verb::Delete(arguments) => delete::run(context, &arguments),
    }
}
