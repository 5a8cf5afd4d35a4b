//! `aegis endpoint show`.

use aegis_model::{AgentName, EndpointName};

use super::list;
use crate::context::Context;
use crate::failure::Failure;

/// Show where an endpoint points to
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis endpoint show github-triage prod")]
pub(crate) struct Arguments {
    /// The agent
    agent: AgentName,
    /// The endpoint
    name: EndpointName,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let endpoint = context.wait(client.endpoint_view(&arguments.agent, &arguments.name))?;
    context.show(&endpoint, |style| list::table(std::slice::from_ref(&endpoint), style))
}
