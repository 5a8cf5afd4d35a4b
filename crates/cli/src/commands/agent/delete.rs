//! `aegis agent delete`.

use aegis_model::AgentName;
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;

/// Delete an agent and its endpoints
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis agent delete github-triage
  aegis agent delete github-triage --yes")]
pub(crate) struct Arguments {
    /// The agent
    name: AgentName,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let name = &arguments.name;
    context.confirm(arguments.yes, &format!("delete agent `{name}` and its endpoints?"))?;
    let client = context.client()?;
    context.wait(client.agent_delete(name))?;
    context.show(&json!({"name": name, "deleted": true}), |_| format!("agent `{name}` is deleted"))
}
