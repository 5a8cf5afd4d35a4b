//! `aegis agent versions`.

use aegis_model::AgentName;
use aegis_model::agent::GrantState;
use aegis_model::api::VersionView;

use crate::commands::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, short_time, size};

/// List the versions of an agent, newest first
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis agent versions github-triage
  aegis agent versions github-triage --limit 5")]
pub(crate) struct Arguments {
    /// The agent
    name: AgentName,
    #[command(flatten)]
    limit: Limit,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let fetch = async |query| client.version_list(&arguments.name, &query).await;
    let page = context.wait(collect(arguments.limit, fetch))?;
    context.show(&page, |style| table(&page.items, style))
}

fn table(versions: &[VersionView], style: Style) -> String {
    let mut table = Table::new(&["VERSION", "DEPLOYED", "BY", "BUNDLE", "GRANTS"]);
    for version in versions {
        let bundle = version.bundle.as_ref().map(|bundle| size(bundle.size_bytes)).unwrap_or_default();
        let (number, grants) = (version.version.to_string(), version.grants.as_str().to_owned());
        table.row([number, short_time(version.created_at), version.deployed_by.clone(), bundle, grants]);
        table.paint_last(if version.grants == GrantState::Pending { Style::warn } else { Style::good });
    }
    table.render(style, "no versions")
}
