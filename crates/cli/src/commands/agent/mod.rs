//! `aegis agent …`.

mod approve;
mod delete;
mod deploy;
mod list;
mod revoke;
mod show;
mod validate;
mod versions;

use crate::context::Context;
use crate::failure::Failure;

/// Agents and their versions
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  aegis agent deploy ./triage")]
pub(crate) enum Verb {
    Validate(validate::Arguments),
    Deploy(deploy::Arguments),
    List(list::Arguments),
    Show(show::Arguments),
    Versions(versions::Arguments),
    Approve(approve::Arguments),
    Revoke(revoke::Arguments),
    Delete(delete::Arguments),
}

pub(crate) fn run(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Validate(arguments) => validate::run(context, &arguments),
        Verb::Deploy(arguments) => deploy::run(context, &arguments),
        Verb::List(arguments) => list::run(context, &arguments),
        Verb::Show(arguments) => show::run(context, &arguments),
        Verb::Versions(arguments) => versions::run(context, &arguments),
        Verb::Approve(arguments) => approve::run(context, &arguments),
        Verb::Revoke(arguments) => revoke::run(context, &arguments),
        Verb::Delete(arguments) => delete::run(context, &arguments),
    }
}
