//! `aegis endpoint list`.

use aegis_model::AgentName;
use aegis_model::agent::Endpoint;

use crate::commands::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, short_time};

/// List the endpoints of an agent
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis endpoint list github-triage")]
pub(crate) struct Arguments {
    /// The agent
    agent: AgentName,
    #[command(flatten)]
    limit: Limit,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let fetch = async |query| client.endpoint_list(&arguments.agent, &query).await;
    let page = context.wait(collect(arguments.limit, fetch))?;
    context.show(&page, |style| table(&page.items, style))
}

/// Endpoints in columns.
pub(super) fn table(endpoints: &[Endpoint], style: Style) -> String {
    let mut table = Table::new(&["ENDPOINT", "VERSION", "UPDATED"]);
    for endpoint in endpoints {
        table.row([endpoint.name.to_string(), endpoint.version.to_string(), short_time(endpoint.updated_at)]);
    }
    table.render(style, "no endpoints")
}
