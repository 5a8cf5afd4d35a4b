//! `aegis key …`.

mod create;
mod list;
mod revoke;
mod rotate_identity;

use crate::context::Context;
use crate::failure::Failure;

/// API keys
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  aegis key create --role operator --label ci")]
pub(crate) enum Verb {
    Create(create::Arguments),
    List(list::Arguments),
    Revoke(revoke::Arguments),
    RotateIdentity(rotate_identity::Arguments),
}

pub(crate) fn run(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Create(arguments) => create::run(context, &arguments),
        Verb::List(arguments) => list::run(context, &arguments),
        Verb::Revoke(arguments) => revoke::run(context, &arguments),
        Verb::RotateIdentity(arguments) => rotate_identity::run(context, &arguments),
    }
}
