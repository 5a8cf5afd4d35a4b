//! `aegis policy list`.

use aegis_model::AgentName;
use aegis_model::api::{Page, PolicyList, PolicyListQuery};
use aegis_model::policy::{PolicyRevision, PolicyRevisionInfo};

use super::draw_rule;
use crate::commands::listing::{Limit, collect};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, clean, clean_lines, plural};

/// List the rules of the three policy sets, or the revisions of the tenant's own
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis policy list
  aegis policy list --agent triage
  aegis policy list --revisions
  aegis policy list --revision 3 --output yaml")]
pub(crate) struct Arguments {
    /// Also the grants that this agent holds
    #[arg(long, value_name = "NAME")]
    agent: Option<AgentName>,
    /// List who put which revision of the tenant's policies in force, when and why
    #[arg(long, conflicts_with_all = ["agent", "revision"])]
    revisions: bool,
    /// Show the policies of this revision; as YAML, it can be applied again
    #[arg(long, value_name = "N", conflicts_with = "agent")]
    revision: Option<u64>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    if arguments.revisions {
        let all = collect(Limit { limit: None }, async |page| client.policy_revision_list(&page).await);
        let revisions = context.wait(all)?;
        return context.show(&revisions, |style| draw_revisions(&revisions, style));
    }
    if let Some(number) = arguments.revision {
        let revision = context.wait(client.policy_revision_view(number))?;
        return context.show(&revision, |style| draw_revision(&revision, style));
    }
    let query = PolicyListQuery { agent: arguments.agent.clone() };
    let policy = context.wait(client.policy_list(&query))?;
    context.show(&policy, |style| draw(&policy, style))
}

fn draw_revisions(revisions: &Page<PolicyRevisionInfo>, style: Style) -> String {
    let mut table = Table::new(&["REVISION", "APPLIED", "AUTHOR", "POLICIES", "LOG_ONLY", "REASON"]);
    for revision in &revisions.items {
        let repeats = revision.repeats.map(|earlier| format!("(as {earlier}) ")).unwrap_or_default();
        table.row([
            revision.revision.to_string(),
            revision.applied_at.map(|at| at.to_string()).unwrap_or_default(),
            revision.author.clone(),
            revision.policies.to_string(),
            revision.log_only.to_string(),
            format!("{repeats}{}", revision.reason),
        ]);
    }
    table.render(style, "nothing but what a tenant begins with")
}

fn draw_revision(revision: &PolicyRevision, style: Style) -> String {
    let heading = format!("revision {} by {}", revision.revision, revision.author);
    let reason = if revision.reason.is_empty() { String::new() } else { format!(": {}", revision.reason) };
    let one = |policy: &aegis_model::policy::Policy| {
        let text = clean_lines(policy.text.trim());
        let text = text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n");
        format!("  {} {}\n{text}", style.strong(policy.name.as_str()), style.faint(policy.mode.as_str()))
    };
    let policies: Vec<String> = revision.policies.iter().map(one).collect();
    format!("{}\n\n{}", clean(&format!("{heading}{reason}")), policies.join("\n\n"))
}

fn draw(policy: &PolicyList, style: Style) -> String {
    let rules = policy.items.iter().map(|rule| draw_rule(rule, style)).collect::<Vec<_>>().join("\n\n");
    let count = plural(policy.items.len() as u64, "rule");
    let marks = format!("{count}, revision {}, policy hash {}", policy.revision, clean(&policy.policy_hash));
    format!("{rules}\n\n{marks}").trim_start_matches('\n').to_owned()
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
            mode: None,
            missing: None,
        };
        let policy = PolicyList { items: vec![rule("a"), rule("b")], revision: 3, policy_hash: "00".to_owned() };
        let text = draw(&policy, Style { colour: false });
        assert_eq!(text, "  tenant/a\n    permit;\n\n  tenant/b\n    permit;\n\n2 rules, revision 3, policy hash 00");
        let nothing = PolicyList { items: Vec::new(), revision: 0, policy_hash: "00".to_owned() };
        assert_eq!(draw(&nothing, Style { colour: false }), "0 rules, revision 0, policy hash 00");
    }
}
