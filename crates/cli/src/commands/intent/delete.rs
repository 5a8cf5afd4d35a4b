//! `aegis intent delete`.

use serde_json::json;

use super::name::IntentName;
use crate::context::Context;
use crate::failure::Failure;

/// Forget an intent; its governance record and its agent stay
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis intent delete billing/refund")]
pub(crate) struct Arguments {
    /// The service and what it asks for
    #[arg(value_name = "SERVICE/INTENT")]
    name: IntentName,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let name = &arguments.name;
    let client = context.client()?;
    context.wait(client.intent_delete(&name.service, &name.intent))?;
    let answer = json!({"service": name.service, "intent": name.intent, "deleted": true});
    context.show(&answer, |_| format!("intent `{name}` is deleted"))
}
