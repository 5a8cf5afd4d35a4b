//! `aegis secret delete`.

use aegis_model::SecretName;
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;

/// Delete a secret; its values are gone at once
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis secret delete github-token
  aegis secret delete github-token --yes")]
pub(crate) struct Arguments {
    /// The secret
    name: SecretName,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let name = &arguments.name;
    context.confirm(arguments.yes, &format!("delete secret `{name}`? its values are gone at once"))?;
    let client = context.client()?;
    context.wait(client.secret_delete(name))?;
    context.show(&json!({"name": name, "deleted": true}), |_| format!("secret `{name}` is deleted"))
}
