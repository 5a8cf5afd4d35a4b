//! `aegis agent revoke`.

use aegis_model::AgentName;

use crate::context::Context;
use crate::failure::Failure;

/// Take the approval of a version's grants back; what it holds open by them is closed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis agent revoke github-triage 3
  aegis agent revoke github-triage 3 --yes")]
pub(crate) struct Arguments {
    /// The agent
    name: AgentName,
    /// The version
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    version: u64,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let Arguments { name, version, yes } = arguments;
    let question = format!("take the grants of `{name}` version {version} back? what it holds open by them is closed");
    context.confirm(*yes, &question)?;
    let client = context.client()?;
    let version = context.wait(client.version_revoke(name, *version))?;
    context.show(&version, |_| {
        format!("the grants of `{}` version {} do not hold any more", version.agent, version.version)
    })
}
