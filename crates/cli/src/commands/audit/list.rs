//! `aegis audit list`.

use aegis_model::api::{EntriesQuery, LedgerItem, LedgerItems, PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX};
use aegis_model::ledger::EntryDecision;
use aegis_sdk::{Client, ClientError};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, short_time};

/// What is kept of entries that were refused.
const DENIAL: &str = "denial";

/// List ledger entries, newest last
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis audit list
  aegis audit list --denials --limit 20
  aegis audit list --from 0 --output json")]
pub(crate) struct Arguments {
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = PAGE_LIMIT_DEFAULT, value_parser = at_least_one)]
    limit: usize,
    /// From this position on; the newest when absent
    #[arg(long, value_name = "POSITION")]
    from: Option<u64>,
    /// Only what was refused
    #[arg(long)]
    denials: bool,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| format!("`{text}` is not a number from 1 on"))
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let denials = arguments.denials;
    let keep = |item: &LedgerItem| !denials || item.entry.kind == DENIAL;
    let limit = arguments.limit;
    let items = match arguments.from {
        Some(from) => context.wait(onward(&client, from, limit, keep))?,
        None => context.wait(newest(&client, limit, keep))?,
    };
    context.show(&items, |style| table(&items.items, style))
}

/// The number of entries in the ledger.
async fn size(client: &Client) -> Result<u64, ClientError> {
    let query = EntriesQuery { from: None, limit: Some(1) };
    Ok(client.ledger_entries(&query).await?.size)
}

/// The first entries from `from` on that are kept.
async fn onward(
    client: &Client,
    from: u64,
    limit: usize,
    keep: impl Fn(&LedgerItem) -> bool,
) -> Result<LedgerItems, ClientError> {
    let size = size(client).await?;
    let mut kept = LedgerItems { items: Vec::new(), size };
    let mut next = from;
    while next < size && kept.items.len() < limit {
        let until = next.saturating_add(PAGE_LIMIT_MAX as u64).min(size);
        kept.items.extend(span(client, next, until).await?.into_iter().filter(&keep));
        next = until;
    }
    kept.items.truncate(limit);
    Ok(kept)
}

/// The last entries that are kept, oldest first.
async fn newest(client: &Client, limit: usize, keep: impl Fn(&LedgerItem) -> bool) -> Result<LedgerItems, ClientError> {
    let size = size(client).await?;
    let (mut kept, mut oldest) = (Vec::new(), size);
    while oldest > 0 && kept.len() < limit {
        let from = oldest.saturating_sub(PAGE_LIMIT_MAX.min(limit.max(PAGE_LIMIT_DEFAULT)) as u64);
        let items = span(client, from, oldest).await?;
        kept.extend(items.into_iter().rev().filter(&keep));
        oldest = from;
    }
    kept.truncate(limit);
    kept.reverse();
    Ok(LedgerItems { items: kept, size })
}

/// The entries of a span of at most one page, also when the server gives it in parts.
async fn span(client: &Client, from: u64, until: u64) -> Result<Vec<LedgerItem>, ClientError> {
    let mut items: Vec<LedgerItem> = Vec::new();
    let mut next = from;
    while next < until {
        let query = EntriesQuery { from: Some(next), limit: u32::try_from(until - next).ok() };
        let part = client.ledger_entries(&query).await?.items;
        let Some(last) = part.last().map(|item| item.position).filter(|position| *position >= next) else {
            break;
        };
        items.extend(part.into_iter().filter(|item| (next..until).contains(&item.position)));
        next = last.saturating_add(1);
    }
    Ok(items)
}

fn table(items: &[LedgerItem], style: Style) -> String {
    let mut table = Table::new(&["POSITION", "TIME", "KIND", "PRINCIPAL", "ACTION", "SUBJECT", "DECISION"]);
    for LedgerItem { position, entry, .. } in items {
        let (time, kind) = (short_time(entry.time), entry.kind.clone());
        let (principal, action, subject) = (entry.principal.clone(), entry.action.clone(), entry.subject.clone());
        table.row([position.to_string(), time, kind, principal, action, subject, decision(entry.decision.as_ref())]);
        match entry.decision.as_ref().map(|decision| decision.allowed) {
            Some(true) => table.paint_last(Style::good),
            Some(false) => table.paint_last(Style::bad),
            None => {}
        }
    }
    table.render(style, "no entries")
}

/// A decision in one word.
pub(super) fn decision(decision: Option<&EntryDecision>) -> String {
    match decision {
        None => String::new(),
        Some(decision) if decision.allowed => "allowed".to_owned(),
        Some(_) => "denied".to_owned(),
    }
}
