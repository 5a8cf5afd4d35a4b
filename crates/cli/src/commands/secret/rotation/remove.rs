//! `aegis secret rotation remove`.

use aegis_model::SecretName;
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;

/// Have no program rotate a secret any more; a value that was proposed and not used is gone
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis secret rotation remove db-password")]
pub(crate) struct Arguments {
    /// The secret
    name: SecretName,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    context.wait(client.rotation_remove(&arguments.name))?;
    let answer = json!({"name": arguments.name, "rotation": null});
    context.show(&answer, |_| format!("no program rotates secret `{}`", arguments.name))
}
