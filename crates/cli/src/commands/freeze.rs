//! `aegis freeze`: the kill switch.

use aegis_model::api::FreezeRequest;
use aegis_model::freeze::{Freeze, FreezeTarget};

use super::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, clean, short_time};

/// Stop all work of everything, a tenant, an agent or a key; without a target, list what is frozen
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis freeze agent/github-triage --reason 'writes to the wrong repository'
  aegis freeze all
  aegis freeze")]
pub(crate) struct Arguments {
    /// `all`, `tenant/NAME`, `agent/NAME` or `key/ID`
    target: Option<FreezeTarget>,
    /// Why, for those who find it frozen
    #[arg(long, default_value = "", value_name = "TEXT", requires = "target")]
    reason: String,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let Some(target) = arguments.target.clone() else {
        let everything = Limit { limit: None };
        let page = context.wait(collect(everything, async |query| client.freeze_list(&query).await))?;
        return context.show(&page, |style| table(&page.items, style));
    };
    let request = FreezeRequest { target, reason: arguments.reason.clone() };
    let freeze = context.wait(client.freeze_set(&request))?;
    context.show(&freeze, |_| clean(&format!("{} is frozen", freeze.target)))?;
    context.tell(&format!("lift it with `aegis thaw {}`", freeze.target));
    Ok(())
}

fn table(freezes: &[Freeze], style: Style) -> String {
    let mut table = Table::new(&["TARGET", "SINCE", "BY", "REASON"]);
    for freeze in freezes {
        table.row([
            freeze.target.to_string(),
            short_time(freeze.frozen_at),
            freeze.frozen_by.clone(),
            freeze.reason.clone(),
        ]);
    }
    table.render(style, "nothing is frozen")
}
