//! `aegis intent list`.

use aegis_model::intent::Intent;

use crate::commands::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, short_time};

/// List the intents
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis intent list")]
pub(crate) struct Arguments {
    #[command(flatten)]
    limit: Limit,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let page = context.wait(collect(arguments.limit, async |query| client.intent_list(&query).await))?;
    context.show(&page, |style| table(&page.items, style))
}

/// Intents in columns.
pub(super) fn table(intents: &[Intent], style: Style) -> String {
    let mut table = Table::new(&["INTENT", "AGENT", "ENDPOINT", "CHANGED", "DESCRIPTION"]);
    for intent in intents {
        let endpoint = intent.endpoint.as_ref().map_or("default", |endpoint| endpoint.as_str()).to_owned();
        let changed = short_time(intent.changed_at);
        table.row([intent.id(), intent.agent.to_string(), endpoint, changed, intent.description.clone()]);
    }
    table.render(style, "no intents")
}
