//! `aegis secret rotation set`.

use aegis_model::api::RotationSet;
use aegis_model::secret::SecretInfo;
use aegis_model::{AgentName, SecretName};

use crate::commands::duration::duration_ms;
use crate::commands::secret::due;
use crate::context::Context;
use crate::failure::Failure;

/// Choose the program that rotates a secret, at the version that `default` points to now
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis secret rotation set db-password --agent rotate-db
  aegis secret rotation set db-password --agent rotate-db --agent-version 3 --overlap 1h")]
pub(crate) struct Arguments {
    /// The secret
    name: SecretName,
    /// The agent that is the program
    #[arg(long, value_name = "AGENT")]
    agent: AgentName,
    /// The version of it; it stays that one whatever is deployed later
    #[arg(long, value_name = "NUMBER")]
    agent_version: Option<u64>,
    /// For how long the value before can still be read: `90s`, `15m`, `12h` or `7d`; 24 hours
    /// when absent
    #[arg(long, value_name = "TIME", value_parser = duration_ms)]
    overlap: Option<u64>,
}

pub(crate) fn run(context: &mut Context, arguments: Arguments) -> Result<(), Failure> {
    let Arguments { name, agent, agent_version, overlap } = arguments;
    let client = context.client()?;
    let wish = RotationSet { agent, agent_version, overlap_ms: overlap };
    let secret = context.wait(client.rotation_set(&name, &wish))?;
    context.show(&secret, |_| text(&secret))
}

fn text(secret: &SecretInfo) -> String {
    let program = secret.rotation.as_ref();
    let program = program.map(|program| format!("version {} of `{}`", program.agent_version, program.agent));
    format!("{} rotates secret `{}`, {}", program.unwrap_or_default(), secret.name, due(secret))
}
