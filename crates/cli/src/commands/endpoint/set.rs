//! `aegis endpoint set`.

use aegis_model::api::EndpointSet;
use aegis_model::{AgentName, EndpointName};

use crate::context::Context;
use crate::failure::Failure;

/// Point an endpoint to a version; it is created when it is not there
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis endpoint set github-triage prod 3")]
pub(crate) struct Arguments {
    /// The agent
    agent: AgentName,
    /// The endpoint
    name: EndpointName,
    /// The version
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    version: u64,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let to = EndpointSet { version: arguments.version };
    let endpoint = context.wait(client.endpoint_set(&arguments.agent, &arguments.name, &to))?;
    context.show(&endpoint, |_| {
        format!("endpoint `{}` of `{}` points to version {}", endpoint.name, endpoint.agent, endpoint.version)
    })
}
