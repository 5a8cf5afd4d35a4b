//! `aegis governance delete`.

use serde_json::json;

use crate::commands::intent::name::IntentName;
use crate::context::Context;
use crate::failure::Failure;

/// Delete the record that governs an intent; nobody may ask for it then
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis governance delete billing/refund")]
pub(crate) struct Arguments {
    /// The service and what it asks for
    #[arg(value_name = "SERVICE/INTENT")]
    name: IntentName,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let name = &arguments.name;
    let client = context.client()?;
    context.wait(client.governance_delete(&name.service, &name.intent))?;
    let answer = json!({"service": name.service, "intent": name.intent, "deleted": true});
    context.show(&answer, |_| format!("`{name}` is not governed any more: nobody may ask for it"))
}
