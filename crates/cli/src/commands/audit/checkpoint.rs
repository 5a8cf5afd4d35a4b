//! `aegis audit checkpoint`.

use crate::context::Context;
use crate::failure::Failure;
use crate::output::clean_lines;

/// Sign and show the head of the ledger; keep it elsewhere to notice truncation and forks
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis audit checkpoint > known.checkpoint
  aegis audit checkpoint --output json")]
pub(crate) struct Arguments {}

pub(crate) fn run(context: &mut Context, _: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let head = context.wait(client.ledger_checkpoint())?;
    context.show(&head, |_| clean_lines(&head.checkpoint))?;
    context.tell(&format!("key to pin with `--key`: {}", clean_lines(&head.verifier_key)));
    Ok(())
}
