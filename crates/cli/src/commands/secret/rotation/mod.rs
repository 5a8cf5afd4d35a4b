//! `aegis secret rotation …`.

mod remove;
mod set;
mod start;

use crate::context::Context;
use crate::failure::Failure;

/// Have a program rotate a secret whenever that is due
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "\
The program is an agent that reads one document. It is run in a box that may do nothing else,
proposes a new value there, and is asked in a second box whether the value works. Only then the
value is used; the one before can be read for a while.

Example:
  aegis secret rotation set db-password --agent rotate-db")]
pub(crate) enum Verb {
    Set(set::Arguments),
    Start(start::Arguments),
    Remove(remove::Arguments),
}

pub(crate) fn run(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Set(arguments) => set::run(context, arguments),
        Verb::Start(arguments) => start::run(context, &arguments),
        Verb::Remove(arguments) => remove::run(context, &arguments),
    }
}
