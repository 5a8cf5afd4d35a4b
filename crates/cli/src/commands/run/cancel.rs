//! `aegis run cancel`.

use aegis_model::RunId;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::clean;

/// Stop a run; one that has ended stays as it is
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis run cancel run_01jd9v3c4m5n6p7q8r9s0t1v2w")]
pub(crate) struct Arguments {
    /// The run
    id: RunId,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let run = context.wait(client.run_cancel(&arguments.id))?;
    context.show(&run, |_| clean(&format!("{} is {}", run.id, run.state.as_str())))
}
