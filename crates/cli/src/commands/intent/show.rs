//! `aegis intent show`.

use super::list;
use super::name::IntentName;
use crate::context::Context;
use crate::failure::Failure;

/// Show which agent does an intent
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis intent show billing/refund")]
pub(crate) struct Arguments {
    /// The service and what it asks for
    #[arg(value_name = "SERVICE/INTENT")]
    name: IntentName,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let intent = context.wait(client.intent_view(&arguments.name.service, &arguments.name.intent))?;
    context.show(&intent, |style| list::table(std::slice::from_ref(&intent), style))
}
