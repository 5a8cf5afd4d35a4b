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
    format!("{rules}\n\n{count}, policy hash {}", clean(&policy.policy_hash)).trim_start_matches('\n').to_owned()
}

#[cfg(test)]
mod tests {
    use aegis_model::api::PolicyRule;
    use aegis_model::decision::PolicyLayer;

    use super::*;

    #[test]
    fn every_rule_stands_as_far_in_as_the_first() {
        let rule = |id: &str| PolicyRule {
            layer: PolicyLayer::Tenant,
            id: id.to_owned(),
            text: "permit;".to_owned(),
            agent: None,
            missing: None,
        };
        let policy = PolicyList { items: vec![rule("a"), rule("b")], policy_hash: "00".to_owned() };
        let text = draw(&policy, Style { colour: false });
        assert_eq!(text, "  tenant/a\n    permit;\n\n  tenant/b\n    permit;\n\n2 rules, policy hash 00");
        let nothing = PolicyList { items: Vec::new(), policy_hash: "00".to_owned() };
        assert_eq!(draw(&nothing, Style { colour: false }), "0 rules, policy hash 00");
    }
}
