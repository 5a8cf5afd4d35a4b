//! `aegis key …`.

mod create;
mod list;
mod passphrase;
mod revoke;
mod rotate_encryption;
mod rotate_identity;

use crate::context::Context;
use crate::failure::Failure;

/// API keys, and the keys under which a server seals
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  aegis key create --role operator --label ci")]
pub(crate) enum Verb {
    Create(create::Arguments),
    List(list::Arguments),
    Revoke(revoke::Arguments),
    RotateIdentity(rotate_identity::Arguments),
    RotateEncryption(rotate_encryption::Arguments),
    Passphrase(passphrase::Arguments),
}

pub(crate) fn run(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Create(arguments) => create::run(context, &arguments),
        Verb::List(arguments) => list::run(context, &arguments),
        Verb::Revoke(arguments) => revoke::run(context, &arguments),
        Verb::RotateIdentity(arguments) => rotate_identity::run(context, &arguments),
        Verb::RotateEncryption(arguments) => rotate_encryption::run(context, &arguments),
        Verb::Passphrase(arguments) => passphrase::run(context, &arguments),
    }
}
