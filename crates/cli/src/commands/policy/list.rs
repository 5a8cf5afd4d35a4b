//! `aegis policy list`.

use aegis_model::AgentName;
use aegis_model::api::{PolicyList, PolicyListQuery};

use super::draw_rule;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, clean, plural};

/// List the rules of the three policy sets
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis policy list
  aegis policy list --agent triage
  aegis policy list --output json")]
pub(crate) struct Arguments {
    /// Also the grants that this agent holds
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let query = PolicyListQuery { agent: arguments.agent.clone() };
    let policy = context.wait(client.policy_list(&query))?;
    context.show(&policy, |style| draw(&policy, style))
}

fn draw(policy: &PolicyList, style: Style) -> String {
    let rules = policy.items.iter().map(|rule| draw_rule(rule, style)).collect::<Vec<_>>().join("\n\n");
    let count = plural(policy.items.len() as u64, "rule");
    format!("{rules}\n\n{count}, policy hash {}", clean(&policy.policy_hash)).trim_start().to_owned()
}
