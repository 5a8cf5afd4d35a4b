//! `aegis thaw`: lifts a freeze.

use aegis_model::api::ThawRequest;
use aegis_model::freeze::FreezeTarget;
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;

/// Lift a freeze
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis thaw agent/github-triage
  aegis thaw all")]
pub(crate) struct Arguments {
    /// `all`, `tenant/NAME`, `agent/NAME` or `key/ID`
    target: FreezeTarget,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    context.wait(client.freeze_lift(&ThawRequest { target: arguments.target.clone() }))?;
    let answer = json!({"target": arguments.target, "frozen": false});
    context.show(&answer, |_| format!("{} is thawed", arguments.target))
}
