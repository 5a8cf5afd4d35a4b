//! `aegis policy explain`.

use std::collections::BTreeMap;

use aegis_model::api::{PolicyAsk, PolicyExplanation, PolicyResource, PolicyRule, PolicySubject};
use aegis_model::{AgentName, Role, Timestamp};
use serde_json::Value;

use super::{because, draw_rule, word};
use crate::commands::role;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Style, Table, clean};

/// Say whether an act would be allowed, and why; nothing is done
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis policy explain --action agent_delete --as-role operator --resource Agent/github-triage
  aegis policy explain --action connect --as-agent github-triage --resource Host/api.github.com --context port=443 \
--context protocol=http --context websocket=false")]
pub(crate) struct Arguments {
    /// An operation such as `agent_deploy`, or a grant's action such as `connect`
    #[arg(long)]
    action: String,
    /// As a holder of a key with this role; you yourself when absent
    #[arg(long, value_name = "ROLE", value_parser = role::parser(), conflicts_with = "as_agent")]
    as_role: Option<Role>,
    /// As an agent
    #[arg(long, value_name = "NAME")]
    as_agent: Option<AgentName>,
    /// On what; your tenant when absent
    #[arg(long, value_name = "TYPE/ID", value_parser = resource)]
    resource: Option<PolicyResource>,
    /// A circumstance: `port=443`, `path=/repos`, `encrypted=true`, `labels=["a"]`
    #[arg(long, value_name = "NAME=VALUE", value_parser = circumstance)]
    context: Vec<(String, Value)>,
    /// At this time, such as `2026-11-22T06:30:00Z`; now when absent
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// With a counter of the tenant at this number; as it is when absent
    #[arg(long, value_name = "NAME=N", value_parser = count)]
    count: Vec<(String, i64)>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let client = context.client()?;
    let explanation = context.wait(client.policy_explain(&ask(arguments)))?;
    context.show(&explanation, |style| draw(&explanation, style))
}

fn ask(arguments: &Arguments) -> PolicyAsk {
    let role = arguments.as_role.map(|role| PolicySubject::Key { role, id: None });
    let agent = arguments.as_agent.clone().map(|name| PolicySubject::Agent { name, version: None });
    PolicyAsk {
        subject: role.or(agent),
        action: arguments.action.clone(),
        resource: arguments.resource.clone(),
        context: arguments.context.iter().cloned().collect::<BTreeMap<_, _>>(),
        at: arguments.at,
        counts: arguments.count.iter().cloned().collect(),
    }
}

fn count(text: &str) -> Result<(String, i64), String> {
    let read = text.split_once('=').and_then(|(name, number)| Some((name.to_owned(), number.parse().ok()?)));
    read.ok_or_else(|| format!("`{text}` is not of the form `NAME=3`"))
}

fn resource(text: &str) -> Result<PolicyResource, String> {
    match text.split_once('/') {
        Some((kind, id)) if !kind.is_empty() && !id.is_empty() => {
            Ok(PolicyResource { kind: kind.to_owned(), id: id.to_owned() })
        }
        _ => Err(format!("`{text}` is not of the form `Agent/NAME`")),
    }
}

/// A name and a value: what reads as JSON is taken as such, everything else as text.
fn circumstance(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not of the form `NAME=VALUE`"))?;
    if name.is_empty() {
        return Err(format!("`{text}` has no name"));
    }
    let read = serde_json::from_str(value).ok().filter(|value: &Value| !value.is_null() && !value.is_object());
    Ok((name.to_owned(), read.unwrap_or_else(|| Value::String(value.to_owned()))))
}

fn draw(explanation: &PolicyExplanation, style: Style) -> String {
    let decision = &explanation.decision;
    let answer = if decision.allowed { style.good("allowed") } else { style.bad("denied") };
    let mut text = format!("{answer} ({})\n\n", clean(&word(&decision.class)));
    let mut table = Table::new(&["SET", "SAYS", "WHY"]);
    for reason in &decision.reasons {
        let says = if reason.allowed { "allow" } else { "deny" };
        table.row([reason.layer.as_str().to_owned(), says.to_owned(), because(reason)]);
    }
    text.push_str(&table.render(style, "no set was asked"));
    text.push_str(&rules("decided by:", &decisive(explanation), style));
    text.push_str(&rules("what would permit it, if its conditions held:", &explanation.nearest, style));
    let marks = format!("decision {}, policy hash {}", decision.id, decision.policy_hash);
    text + "\n\n" + &style.faint(&clean(&marks))
}

/// The rules of the sets that said what came out: of a no, only those that said no.
fn decisive(explanation: &PolicyExplanation) -> Vec<PolicyRule> {
    let decision = &explanation.decision;
    let same = |rule: &&PolicyRule| {
        decision.reasons.iter().any(|reason| reason.layer == rule.layer && reason.allowed == decision.allowed)
    };
    explanation.determining.iter().filter(same).cloned().collect()
}

fn rules(heading: &str, rules: &[PolicyRule], style: Style) -> String {
    if rules.is_empty() {
        return String::new();
    }
    let drawn = rules.iter().map(|rule| draw_rule(rule, style)).collect::<Vec<_>>().join("\n");
    format!("\n\n{heading}\n{drawn}")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn circumstances_keep_their_kind() {
        for (text, expected) in [
            ("port=443", json!(443)),
            ("ok=true", json!(true)),
            ("path=/repos/a=b", json!("/repos/a=b")),
            ("list=[\"a\"]", json!(["a"])),
            ("quoted=\"443\"", json!("443")),
            ("empty=", json!("")),
            ("nothing=null", json!("null")),
        ] {
            assert_eq!(circumstance(text).expect(text).1, expected);
        }
        assert!(circumstance("port").is_err() && circumstance("=1").is_err());
    }

    #[test]
    fn a_resource_has_a_type_and_an_id() {
        assert_eq!(resource("Host/a/b").expect("resource").id, "a/b");
        assert!(resource("Host").is_err() && resource("/x").is_err() && resource("Host/").is_err());
    }
}
