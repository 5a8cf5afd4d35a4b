//! `aegis agent list`.

use aegis_model::api::AgentView;

use crate::commands::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, short_time};

/// List the agents
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis agent list
  aegis agent list --output json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    limit: Limit,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let page = context.wait(collect(arguments.limit, async |query| client.agent_list(&query).await))?;
    context.show(&page, |style| table(&page.items, style))
}

fn table(agents: &[AgentView], style: Style) -> String {
    let mut table = Table::new(&["NAME", "VERSION", "CREATED", "UPDATED"]);
    for agent in agents {
        let (created, updated) = (short_time(agent.created_at), short_time(agent.updated_at));
        table.row([agent.name.to_string(), agent.latest_version.to_string(), created, updated]);
    }
    table.render(style, "no agents; deploy one with `aegis agent deploy`")
}
