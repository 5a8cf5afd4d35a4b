//! `aegis secret rollback`.

use aegis_model::SecretName;

use super::in_use;
use crate::context::Context;
use crate::failure::Failure;

/// Go back to the value before the last rotation, while it can still be read
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis secret rollback github-token")]
pub(crate) struct Arguments {
    /// The secret
    name: SecretName,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let secret = context.wait(client.secret_rollback(&arguments.name))?;
    context.show(&secret, |_| in_use(&secret))
}
