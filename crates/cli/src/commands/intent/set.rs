//! `aegis intent set`.

use aegis_model::api::IntentSet;
use aegis_model::manifest::Duration;
use aegis_model::{AgentName, EndpointName};

use super::name::IntentName;
use crate::context::Context;
use crate::failure::Failure;

/// Register an intent, or change which agent does it
///
/// Nobody may ask for it before a governance record says so: see `aegis governance apply`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis intent set billing/refund --agent refunds
  aegis intent set billing/refund --agent refunds --endpoint prod --timeout 30s")]
pub(crate) struct Arguments {
    /// The service and what it asks for
    #[arg(value_name = "SERVICE/INTENT")]
    name: IntentName,
    /// The agent that does it
    #[arg(long, value_name = "NAME")]
    agent: AgentName,
    /// The agent's endpoint, instead of `default`
    #[arg(long, value_name = "NAME")]
    endpoint: Option<EndpointName>,
    /// After how long it is ended, as `30s` or `5m`
    #[arg(long, value_name = "TIME")]
    timeout: Option<Duration>,
    /// What it is for
    #[arg(long, value_name = "TEXT", default_value = "")]
    description: String,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let wish = IntentSet {
        agent: arguments.agent.clone(),
        endpoint: arguments.endpoint.clone(),
        timeout_ms: arguments.timeout.map(|span| span.as_millis()),
        description: arguments.description.clone(),
    };
    let name = &arguments.name;
    let intent = context.wait(client.intent_set(&name.service, &name.intent, &wish))?;
    context.show(&intent, |_| format!("`{}` is done by agent `{}`", intent.id(), intent.agent))
}
