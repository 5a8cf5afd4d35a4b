//! `aegis audit …`.

mod checkpoint;
mod data_dir;
mod export;
mod list;
mod proof;
mod rotate_key;
mod show;
mod verify;

use crate::context::Context;
use crate::failure::Failure;

/// The ledger: what was decided and done, and the proof of it
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  aegis audit verify")]
pub(crate) enum Verb {
    List(list::Arguments),
    Show(show::Arguments),
    Verify(verify::Arguments),
    Proof(proof::Arguments),
    Export(export::Arguments),
    Checkpoint(checkpoint::Arguments),
    RotateKey(rotate_key::Arguments),
}

pub(crate) fn run(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List(arguments) => list::run(context, &arguments),
        Verb::Show(arguments) => show::run(context, &arguments),
        Verb::Verify(arguments) => verify::run(context, &arguments),
        Verb::Proof(arguments) => proof::run(context, &arguments),
        Verb::Export(arguments) => export::run(context, &arguments),
        Verb::Checkpoint(arguments) => checkpoint::run(context, &arguments),
        Verb::RotateKey(arguments) => rotate_key::run(context, &arguments),
    }
}
