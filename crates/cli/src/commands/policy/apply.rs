//! `aegis policy apply`.

use std::path::PathBuf;

use aegis_model::api::{PolicyApply, PolicyDiff};
use aegis_model::policy::{PolicyChange, PolicyRevisionInfo};

use super::files;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, clean, plural};

/// Put policies in force in place of the tenant's own
///
/// A file `NAME.cedar` is the policy `NAME`; `NAME.log-only.cedar` is only reported on, and does
/// not count. A file of YAML or JSON holds `policies` (each with `name`, `mode` and `text`) and
/// `counters`. A directory stands for all such files in it. What is in force and in none of the
/// files is taken out of force. All of it holds at once, or nothing does.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis policy apply policies/ --reason 'nobody deletes agents in production'
  aegis policy apply own-tenant.cedar no-prod.log-only.cedar
  aegis policy diff policies/                 # only say what would change")]
pub(crate) struct Arguments {
    /// Files or directories; `-` for stdin, in YAML or JSON
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Why, for whoever reads the revisions later
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Do not ask before policies are taken out of force
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let files = files::read(context, &arguments.paths)?;
    let client = context.client()?;
    let diff = context.wait(client.policy_diff(&files.draft));
    let diff = diff.map_err(|error| files.explained(context, error))?;
    if diff.policies.is_empty() && !diff.counters_change {
        context.tell(&format!("nothing to change: revision {} is in force", diff.revision));
        return Ok(());
    }
    let removed: Vec<&str> = names(&diff, PolicyChange::Removed).collect();
    if !removed.is_empty() {
        let what = plural(removed.len() as u64, "policy");
        context.confirm(
            arguments.yes,
            &clean(&format!("this takes {what} out of force: {}. Go on?", removed.join(", "))),
        )?;
    }
    let wish = PolicyApply {
        policies: files.draft.policies.clone(),
        counters: files.draft.counters.clone(),
        reason: arguments.reason.clone(),
        expected_revision: Some(diff.revision),
    };
    let applied = context.wait(client.policy_apply(&wish));
    let applied = applied.map_err(|error| files.explained(context, error))?;
    context.show(&applied, |style| draw(&applied, &diff, style))
}

fn names(diff: &PolicyDiff, change: PolicyChange) -> impl Iterator<Item = &str> {
    diff.policies.iter().filter(move |policy| policy.change == change).map(|policy| policy.name.as_str())
}

fn draw(applied: &PolicyRevisionInfo, diff: &PolicyDiff, style: Style) -> String {
    let kinds = [
        (PolicyChange::Added, "added"),
        (PolicyChange::Changed, "changed"),
        (PolicyChange::ModeChanged, "with another mode"),
        (PolicyChange::Removed, "removed"),
    ];
    let counted = kinds.into_iter().filter_map(|(change, word)| match names(diff, change).count() {
        0 => None,
        count => Some(format!("{count} {word}")),
    });
    let mut parts: Vec<String> = counted.collect();
    if diff.counters_change {
        parts.push("other counters".to_owned());
    }
    let revision = style.good(&format!("revision {}", applied.revision));
    format!("{revision} is in force: {}", parts.join(", "))
}
