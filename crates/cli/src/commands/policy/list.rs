//! `aegis policy list`.

use aegis_model::api::PolicyList;

use super::draw_rule;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, clean, plural};

/// List the rules of the three policy sets
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis policy list
  aegis policy list --output json")]
pub(crate) struct Arguments {}

pub(crate) fn run(context: &mut Context, _: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let policy = context.wait(client.policy_list())?;
    context.show(&policy, |style| draw(&policy, style))
}

fn draw(policy: &PolicyList, style: Style) -> String {
    let rules = policy.items.iter().map(|rule| draw_rule(rule, style)).collect::<Vec<_>>().join("\n\n");
    let count = plural(policy.items.len() as u64, "rule");
    format!("{rules}\n\n{count}, policy hash {}", clean(&policy.policy_hash)).trim_start().to_owned()
}
