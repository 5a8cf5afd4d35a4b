//! `aegis governance list`.

use aegis_model::governance::GovernanceRecord;

use crate::commands::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table};

/// List the governance records
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis governance list
  aegis governance list --output yaml")]
pub(crate) struct Arguments {
    #[command(flatten)]
    limit: Limit,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let page = context.wait(collect(arguments.limit, async |query| client.governance_list(&query).await))?;
    context.show(&page, |style| table(&page.items, style))
}

/// Records in columns.
pub(super) fn table(records: &[GovernanceRecord], style: Style) -> String {
    let mut table = Table::new(&["INTENT", "ENABLED", "WHEN", "HOW OFTEN", "CONDITIONS"]);
    for record in records {
        let enabled = if record.enabled { "yes" } else { "no" };
        let conditions: Vec<String> = record.conditions.iter().map(|condition| condition.told()).collect();
        table.row([record.id(), enabled.to_owned(), when(record), how_often(record), conditions.join("; ")]);
    }
    table.render(style, "no governance records: nobody may ask for anything")
}

fn when(record: &GovernanceRecord) -> String {
    let Some(times) = &record.time_restrictions else { return "always".to_owned() };
    let hours = times.allowed_hours.as_ref().map(|hours| {
        let hours: Vec<String> = hours.iter().map(i64::to_string).collect();
        format!("hours {}", hours.join(","))
    });
    let days = times.days.as_ref().map(|days| days.join(","));
    let parts: Vec<String> = days.into_iter().chain(hours).collect();
    if parts.is_empty() { "always".to_owned() } else { format!("{} {}", parts.join(" "), times.timezone) }
}

fn how_often(record: &GovernanceRecord) -> String {
    let limits = record.rate_limits.as_ref();
    let minute = limits.and_then(|limits| limits.requests_per_minute).map(|limit| format!("{limit}/min"));
    let hour = limits.and_then(|limits| limits.requests_per_hour).map(|limit| format!("{limit}/h"));
    let parts: Vec<String> = minute.into_iter().chain(hour).collect();
    if parts.is_empty() { "without limit".to_owned() } else { parts.join(" ") }
}
