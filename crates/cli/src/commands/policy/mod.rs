//! `aegis policy …`.

mod apply;
mod denials;
mod diff;
mod explain;
mod files;
mod lines;
mod list;
mod replay;
mod rollback;
mod snippet;
mod test;

use aegis_model::api::PolicyRule;
use aegis_model::decision::LayerReason;
use aegis_model::policy::PolicyMode;
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, clean, clean_lines};

/// Policy: what is permitted, and why
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  aegis policy explain --action agent_delete --as-role operator")]
pub(crate) enum Verb {
    List(list::Arguments),
    Apply(apply::Arguments),
    Diff(diff::Arguments),
    Rollback(rollback::Arguments),
    Replay(replay::Arguments),
    Test(test::Arguments),
    Explain(explain::Arguments),
    Denials(denials::Arguments),
}

pub(crate) fn run(context: &mut Context, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::List(arguments) => list::run(context, &arguments),
        Verb::Apply(arguments) => apply::run(context, &arguments),
        Verb::Diff(arguments) => diff::run(context, &arguments),
        Verb::Rollback(arguments) => rollback::run(context, &arguments),
        Verb::Replay(arguments) => replay::run(context, &arguments),
        Verb::Test(arguments) => test::run(context, &arguments),
        Verb::Explain(arguments) => explain::run(context, &arguments),
        Verb::Denials(arguments) => denials::run(context, arguments),
    }
}

/// A word of the API as it is written there.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

/// A rule with its text below its name.
fn draw_rule(rule: &PolicyRule, style: Style) -> String {
    let agent = rule.agent.as_ref().map(|agent| format!(" (agent `{agent}`)")).unwrap_or_default();
    let name = style.strong(&clean(&format!("{}/{}", rule.layer.as_str(), rule.id)));
    let mode = match rule.mode {
        Some(PolicyMode::LogOnly) => style.warn(" LOG_ONLY"),
        _ => String::new(),
    };
    let text = clean_lines(rule.text.trim());
    let text = text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n");
    format!("  {name}{mode}{agent}\n{text}")
}

/// What one set said, in a sentence.
fn because(reason: &LayerReason) -> String {
    let rules = reason.policies.join(", ");
    match reason.class {
        _ if !reason.errors.is_empty() => format!("could not be evaluated: {}", reason.errors.join("; ")),
        _ if !rules.is_empty() => format!("by {rules}"),
        _ => "no rule permits it".to_owned(),
    }
}
