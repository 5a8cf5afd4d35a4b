//! `aegis session kill`.

use aegis_model::SessionId;
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;

/// End a session: everything in its box is dead when this returns
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis session kill ada")]
pub(crate) struct Arguments {
    /// The session
    id: SessionId,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    context.wait(client.session_end(&arguments.id))?;
    let answer = json!({"id": arguments.id, "killed": true});
    context.show(&answer, |_| format!("session `{}` is dead", arguments.id))
}
