//! `aegis key revoke`.

use aegis_model::KeyId;
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;

/// Revoke an API key at once
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis key revoke key_01hzy3v8k4m5n6p7q8r9s0t1v2")]
pub(crate) struct Arguments {
    /// The key's id, as `aegis key list` shows it
    id: KeyId,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    context.wait(client.key_revoke(&arguments.id))?;
    let answer = json!({"key_id": arguments.id, "revoked": true});
    context.show(&answer, |_| format!("key `{}` is revoked", arguments.id))
}
