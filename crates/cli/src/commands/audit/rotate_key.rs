//! `aegis audit rotate-key`.

use crate::context::Context;
use crate::failure::Failure;
use crate::output::clean_lines;

/// Sign checkpoints with a new key from now on; the one before signs along until the next time
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Whoever pinned the key before can go on with it until the next rotation: pin the new one by
then. Rotate twice to be rid of a key that somebody else has. Old checkpoints stay valid under
the keys that signed them.

Examples:
  aegis audit rotate-key
  aegis audit rotate-key --output json | jq -r .verifier_key")]
pub(crate) struct Arguments {}

pub(crate) fn run(context: &mut Context, _: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    context.wait(client.ledger_key_rotate())?;
    let head = context.wait(client.ledger_checkpoint())?;
    context.show(&head, |_| clean_lines(&head.verifier_key))?;
    context.tell("this is the new key to pin with `--key`");
    if let Some(previous) = &head.previous_verifier_key {
        context.tell(&format!("until the next rotation this one signs along: {}", clean_lines(previous)));
    }
    Ok(())
}
