//! `aegis policy replay`.

use std::path::PathBuf;

use aegis_model::Timestamp;
use aegis_model::api::{PolicyDraft, PolicyReplay, PolicyReplayed};

use super::{files, word};
use crate::commands::duration;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, clean, plural};

/// Put decisions of the past to policies that are not in force yet
///
/// Lists each decision that would have come out differently: of acts of the API that change
/// something, of refusals, and of what agents wanted to reach. Ends with 1 when there is one.
/// Decisions are kept for 30 days.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis policy replay policies/
  aegis policy replay policies/ --last 7d --limit 50000")]
pub(crate) struct Arguments {
    /// Files or directories, as for `apply`
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Only decisions of this last while, such as `24h` or `7d`
    #[arg(long, value_name = "DURATION", value_parser = duration::duration_ms)]
    last: Option<u64>,
    /// At most so many decisions, the newest
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=50_000))]
    limit: u32,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let files = files::read(context, &arguments.paths)?;
    let client = context.client()?;
    let since = arguments.last.map(since);
    let draft = PolicyDraft::Set(files.draft.clone());
    let wish = PolicyReplay { draft, since, limit: Some(arguments.limit) };
    let replayed = context.wait(client.policy_replay(&wish)).map_err(|failure| files.explained(context, failure))?;
    context.show(&replayed, |style| draw(&replayed, style))?;
    if replayed.changed == 0 { Ok(()) } else { Err(Failure::Said(1)) }
}

fn since(last_ms: u64) -> Timestamp {
    Timestamp::from_millis(crate::clock::now().as_millis().saturating_sub(last_ms))
}

fn draw(replayed: &PolicyReplayed, style: Style) -> String {
    let mut table = Table::new(&["WOULD", "TIME", "WHO", "ACTION", "ON", "BY"]);
    for change in &replayed.changes {
        let would = if change.would_be_allowed { "be allowed" } else { "be denied" };
        let by = match change.policies.as_slice() {
            [] => word(&change.class),
            rules => rules.join(", "),
        };
        let (principal, resource) = (change.principal.clone(), change.resource.clone());
        table.row([would.to_owned(), change.at.to_string(), principal, change.action.clone(), resource, by]);
        table.paint_first(if change.would_be_allowed { Style::good } else { Style::bad });
    }
    let shown = if replayed.changes.is_empty() { String::new() } else { table.render(style, "") + "\n" };
    let since = replayed.oldest.map(|oldest| format!(" since {oldest}")).unwrap_or_default();
    let examined = plural(replayed.examined, "decision");
    let skipped = match replayed.skipped {
        0 => String::new(),
        count => format!("; {count} could not be judged again"),
    };
    format!("{shown}{}", clean(&format!("would change {} of {examined}{since}{skipped}", replayed.changed)))
}
