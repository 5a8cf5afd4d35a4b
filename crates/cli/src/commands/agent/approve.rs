//! `aegis agent approve`.

use aegis_model::AgentName;

use crate::context::Context;
use crate::failure::Failure;

/// Approve the grants that a version asks for
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis agent show github-triage --version 3
  aegis agent approve github-triage 3")]
pub(crate) struct Arguments {
    /// The agent
    name: AgentName,
    /// The version
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    version: u64,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let version = context.wait(client.version_approve(&arguments.name, arguments.version))?;
    context.show(&version, |_| format!("the grants of `{}` version {} hold", version.agent, version.version))
}
