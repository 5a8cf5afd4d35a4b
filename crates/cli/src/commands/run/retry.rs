//! `aegis run retry`.

use aegis_model::RunId;

use crate::commands::invoke::follow;
use crate::context::Context;
use crate::failure::Failure;

/// Do again what a run did not succeed in: a new run of the same version with the same input
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis run retry run_01jd9v3c4m5n6p7q8r9s0t1v2w
  aegis run retry run_01jd9v3c4m5n6p7q8r9s0t1v2w --async")]
pub(crate) struct Arguments {
    /// The run
    id: RunId,
    /// Do not wait; print the new run's id
    #[arg(long = "async", id = "background")]
    background: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let begun = context.wait(client.run_retry(&arguments.id))?;
    if arguments.background {
        return context.show(&begun, |_| begun.run_id.to_string());
    }
    context.tell(&format!("run {}", begun.run_id));
    let events = context.wait(client.run_events(&begun.run_id, 0))?;
    follow(context, events).map(drop)
}
