//! `aegis endpoint delete`.

use aegis_model::{AgentName, EndpointName};
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;

/// Delete an endpoint; the version it points to stays
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis endpoint delete github-triage canary")]
pub(crate) struct Arguments {
    /// The agent
    agent: AgentName,
    /// The endpoint
    name: EndpointName,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let (agent, name) = (&arguments.agent, &arguments.name);
    let client = context.client()?;
    context.wait(client.endpoint_delete(agent, name))?;
    let answer = json!({"agent": agent, "name": name, "deleted": true});
    context.show(&answer, |_| format!("endpoint `{name}` of `{agent}` is deleted"))
}
