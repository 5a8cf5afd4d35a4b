//! `aegis governance show`.

use crate::commands::intent::name::IntentName;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{clean_lines, to_yaml};

/// Show the record that governs an intent, in a form that can be applied again
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis governance show billing/refund > refund.yaml")]
pub(crate) struct Arguments {
    /// The service and what it asks for
    #[arg(value_name = "SERVICE/INTENT")]
    name: IntentName,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let record = context.wait(client.governance_view(&arguments.name.service, &arguments.name.intent))?;
    let value = serde_json::to_value(&record).map_err(|error| Failure::internal(error.to_string()))?;
    context.show(&record, |_| clean_lines(to_yaml(&value).trim_end()))
}
