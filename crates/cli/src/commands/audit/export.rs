//! `aegis audit export`.

use std::path::PathBuf;

use crate::context::Context;
use crate::export;
use crate::failure::Failure;
use crate::output::clean;

/// Copy the ledger into a directory that verifies offline
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis audit export --out ledger-2026-11
  aegis audit verify ledger-2026-11 --key 'aegis/default+0a1b2c3d+AQID'")]
pub(crate) struct Arguments {
    /// A directory that is empty or not there yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let head = export::export(context, &client, &arguments.out)?;
    context.show(&head, |_| format!("ledger of size {} in `{}`", head.size, arguments.out.display()))?;
    context.tell(&format!("key to pin with `--key`: {}", clean(&head.verifier_key)));
    Ok(())
}
