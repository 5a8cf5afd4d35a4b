//! `aegis policy diff`.

use std::path::PathBuf;

use aegis_model::api::{PolicyDiff, PolicyDifference, PolicyDraftSet};
use aegis_model::policy::{Policy, PolicyChange, PolicyRevision};

use super::files;
use super::lines::{Line, differences};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, clean, clean_lines};

/// Check policies, and show what they would change about those in force
///
/// Nothing is changed. With `--revision`, an earlier revision takes the place of the files.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis policy diff policies/
  aegis policy diff --revision 3")]
pub(crate) struct Arguments {
    /// Files or directories, as for `apply`
    #[arg(value_name = "PATH", required_unless_present = "revision", conflicts_with = "revision")]
    paths: Vec<PathBuf>,
    /// Compare this revision with what is in force
    #[arg(long, value_name = "N")]
    revision: Option<u64>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let diff = match arguments.revision {
        Some(number) => {
            let PolicyRevision { policies, counters, .. } = context.wait(client.policy_revision_view(number))?;
            context.wait(client.policy_diff(&PolicyDraftSet { policies, counters }))?
        }
        None => {
            let files = files::read(context, &arguments.paths)?;
            let diff = context.wait(client.policy_diff(&files.draft));
            diff.map_err(|error| files.explained(context, error))?
        }
    };
    context.show(&diff, |style| draw(&diff, style))
}

fn draw(diff: &PolicyDiff, style: Style) -> String {
    let mut parts: Vec<String> = diff.policies.iter().map(|policy| one(policy, style)).collect();
    if diff.counters_change {
        parts.push("the counters differ".to_owned());
    }
    if parts.is_empty() {
        return format!("no difference to revision {}, which is in force", diff.revision);
    }
    parts.join("\n\n")
}

fn one(policy: &PolicyDifference, style: Style) -> String {
    let mode = |policy: &Option<Policy>| policy.as_ref().map_or("", |policy| policy.mode.as_str());
    let how = match policy.change {
        PolicyChange::Added => style.good(&format!("added, {}", mode(&policy.to))),
        PolicyChange::Removed => style.bad("removed"),
        PolicyChange::Changed | PolicyChange::ModeChanged if mode(&policy.from) != mode(&policy.to) => {
            style.warn(&format!("{} → {}", mode(&policy.from), mode(&policy.to)))
        }
        PolicyChange::Changed | PolicyChange::ModeChanged => style.warn("changed"),
    };
    let text = |policy: &Option<Policy>| policy.as_ref().map(|policy| clean_lines(&policy.text)).unwrap_or_default();
    let (from, to) = (text(&policy.from), text(&policy.to));
    let lines = differences(&from, &to).into_iter().map(|line| match line {
        Line::Same(text) => format!("    {text}"),
        Line::Gone(text) => style.bad(&format!("  - {text}")),
        Line::New(text) => style.good(&format!("  + {text}")),
        Line::Cut(count) => style.faint(&format!("    … {count} lines that stay")),
    });
    let lines: Vec<String> = lines.collect();
    format!("{} {how}\n{}", style.strong(&clean(&policy.name)), lines.join("\n")).trim_end().to_owned()
}
