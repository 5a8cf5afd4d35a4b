//! `aegis audit show`.

use aegis_model::api::{EntriesQuery, LedgerItem};

use crate::context::Context;
use crate::export;
use crate::failure::Failure;
use crate::output::to_yaml;

/// Show a ledger entry
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis audit show 17
  aegis audit show 17 --bytes > entry")]
pub(crate) struct Arguments {
    /// Its position, from 0
    position: u64,
    /// Write exactly the bytes that the ledger holds, and nothing else
    #[arg(long)]
    bytes: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let item = fetch(context, arguments.position)?;
    if arguments.bytes {
        let bytes = export::entry_bytes(&item)?;
        return context.terminal.write(&bytes);
    }
    context.show(&item, |_| {
        let entry = serde_json::to_value(&item.entry).map(|entry| to_yaml(&entry)).unwrap_or_default();
        format!("position: {}\n{entry}", item.position)
    })
}

/// The entry at a position.
pub(super) fn fetch(context: &mut Context, position: u64) -> Result<LedgerItem, Failure> {
    let client = context.client()?;
    let query = EntriesQuery { from: Some(position), limit: Some(1) };
    let found = context.wait(client.ledger_entries(&query))?;
    let size = found.size;
    let item = found.items.into_iter().find(|item| item.position == position);
    item.ok_or_else(|| Failure::not_found(format!("there is no entry {position}: the ledger has {size}")))
}
