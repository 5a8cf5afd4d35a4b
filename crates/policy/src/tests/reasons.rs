//! What a rule says to whoever is refused by it.

use aegis_model::decision::PolicyLayer;
use aegis_model::{Operation, Role};

use super::{House, compiled, key, request, source, thing};
use crate::{PolicyProblem, PolicySet, ResourceType, explain};

#[test]
fn a_rules_reason_is_known_by_its_id() {
    let text = "@reason(\"Deploys rest on Fridays: \\\"ask\\\" Ünal.\") forbid (principal, action, resource);\n\
                permit (principal, action, resource); @id(\"x\") @reason(\"x\") forbid (principal, action, resource);";
    let set = compiled(
        PolicyLayer::Tenant,
        &[source("mine", text), source("other", "permit (principal, action, resource);")],
    );
    assert_eq!(set.reason_of("mine/1"), Some("Deploys rest on Fridays: \"ask\" Ünal."));
    assert_eq!(set.reason_of("mine/x"), Some("x"));
    for without in ["mine/2", "other", "nothing", ""] {
        assert_eq!(set.reason_of(without), None, "{without}");
    }
}

#[test]
fn the_long_answer_tells_the_reason_of_each_rule() {
    let house = House::new()
        .with_tenant("@reason(\"Agents stay.\") forbid (principal, action == Action::\"agent_delete\", resource);");
    let asked = request(key(Role::Admin), Operation::AgentDelete, thing(ResourceType::Agent, "one"));
    let found = explain(&house.sets(), &asked);
    let reasons = |layer: PolicyLayer| {
        let layer = found.layers.iter().find(|each| each.layer == layer).unwrap();
        layer.determining.iter().map(|rule| rule.reason.clone()).collect::<Vec<_>>()
    };
    assert_eq!(reasons(PolicyLayer::Tenant), [Some("Agents stay.".to_owned())]);
    assert_eq!(reasons(PolicyLayer::Platform), [None]);
}

/// What is said about a second rule that carries this annotation.
fn problems(annotation: &str) -> Vec<PolicyProblem> {
    let text = format!(
        "permit (principal, action, resource) when {{ resource.name != \";\" }}; // one; two\n  {annotation} forbid (principal, action, resource);"
    );
    PolicySet::compile(PolicyLayer::Tenant, &[source("mine", &text)]).err().unwrap_or_default()
}

#[test]
fn a_reason_is_one_short_plain_sentence() {
    let refused = |annotation: &str, why: &str| {
        let found = problems(annotation);
        assert!(found.len() == 1 && found[0].message.contains(why), "{annotation} {found:?}");
        assert_eq!((found[0].id.as_str(), found[0].line, found[0].column), ("mine", 2, 3), "{annotation}");
    };
    refused("@reason(\"\")", "empty");
    refused("@reason(\"  \")", "empty");
    refused("@reason", "empty");
    refused(&format!("@reason(\"{}\")", "ä".repeat(201)), "longer");
    for letter in ["\\n", "\\0", "\\u{7f}", "\\u{85}", "\\u{202e}", "\\u{2066}", "\\u{200f}"] {
        refused(&format!("@reason(\"a{letter}b\")"), "control");
    }
    for taken in [
        format!("@reason(\"{}\")", "ä".repeat(200)),
        "@reason(\"日本 mixed кир\")".to_owned(),
        "@note(\"\")".to_owned(),
    ] {
        assert_eq!(problems(&taken), Vec::new(), "{taken}");
    }
}
