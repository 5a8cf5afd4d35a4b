//! `aegis tenant …`.

mod create;
mod delete;
mod list;

use crate::context::Context;
use crate::failure::Failure;

/// Tenants (platform admin)
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  aegis tenant create acme")]
pub(crate) enum Verb {
    Create(create::Arguments),
    List(list::Arguments),
    Delete(delete::Arguments),
}

pub(crate) fn run(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Create(arguments) => create::run(context, &arguments),
        Verb::List(arguments) => list::run(context, &arguments),
        Verb::Delete(arguments) => delete::run(context, &arguments),
    }
}
