//! `aegis run logs`.

use aegis_model::RunId;

use crate::commands::session::logs::show;
use crate::context::Context;
use crate::failure::Failure;

/// Show what the agent wrote to its log during a run
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis run logs run_01jd9v3c4m5n6p7q8r9s0t1v2w
  aegis run logs -f run_01jd9v3c4m5n6p7q8r9s0t1v2w")]
pub(crate) struct Arguments {
    /// The run
    id: RunId,
    /// Go on until the run has ended
    #[arg(long, short)]
    follow: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let Arguments { id, follow } = arguments;
    let run = context.wait(client.run_view(id))?;
    show(context, (&client, &run.session_id, Some(id.clone())), async || {
        Ok(!follow || client.run_view(id).await?.state.is_terminal())
    })
}
