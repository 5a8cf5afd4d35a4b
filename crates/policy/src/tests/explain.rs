//! The long answer names the rules that decided, and what would unlock.

use aegis_model::decision::PolicyLayer;
use aegis_model::{Operation, Role};

use super::{House, agent, key, request, thing};
use crate::{Explanation, GrantAction, Missing, ResourceType, explain};

fn layer(explanation: &Explanation, layer: PolicyLayer) -> &crate::LayerExplanation {
    explanation.layers.iter().find(|each| each.layer == layer).unwrap()
}

#[test]
fn an_allowed_act_names_the_permits_with_their_text() {
    let asked = request(key(Role::Operator), Operation::AgentView, thing(ResourceType::Agent, "one"));
    let explanation = explain(&House::new().sets(), &asked);
    assert!(explanation.allowed);
    let platform = layer(&explanation, PolicyLayer::Platform);
    assert_eq!(platform.determining.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["role-operator"]);
    assert!(platform.determining.iter().all(|rule| rule.text.contains("Role::\"operator\"")));
    assert!(platform.nearest.is_empty());
}

#[test]
fn a_role_that_is_too_weak_is_told_which_roles_would_do() {
    let asked = request(key(Role::Viewer), Operation::EndpointSet, thing(ResourceType::Agent, "one"));
    let explanation = explain(&House::new().sets(), &asked);
    let near: Vec<(Missing, &str)> = layer(&explanation, PolicyLayer::Platform)
        .nearest
        .iter()
        .map(|near| (near.missing, near.rule.id.as_str()))
        .collect();
    assert_eq!(near, [(Missing::Principal, "role-admin"), (Missing::Principal, "role-platform-admin")]);
}

#[test]
fn a_grant_whose_condition_is_not_met_comes_before_one_for_another_host() {
    let grant = |id: &str, host: &str, port: u16| {
        let text = format!(
            "permit (principal == Agent::\"t\", action == Action::\"connect\", resource == Host::\"{host}\") \
             when {{ context.port == {port} }};"
        );
        super::source(id, &text)
    };
    let house = House::new().with_grants(&[grant("a", "b.example.com", 443), grant("b", "a.example.com", 8443)]);
    let mut asked = request(agent("t"), GrantAction::Connect, thing(ResourceType::Host, "a.example.com"));
    asked.context.insert("port".to_owned(), crate::ContextValue::Long(443));
    let explanation = explain(&house.sets(), &asked);
    let near: Vec<(Missing, &str)> = layer(&explanation, PolicyLayer::Grants)
        .nearest
        .iter()
        .map(|near| (near.missing, near.rule.id.as_str()))
        .collect();
    assert_eq!(near, [(Missing::Condition, "b"), (Missing::Resource, "a")]);
}

#[test]
fn a_forbidden_act_names_the_forbid_and_no_way_around_it() {
    let house = House::new().with_tenant("forbid (principal, action == Action::\"agent_delete\", resource);");
    let asked = request(key(Role::Admin), Operation::AgentDelete, thing(ResourceType::Agent, "one"));
    let explanation = explain(&house.sets(), &asked);
    let tenant = layer(&explanation, PolicyLayer::Tenant);
    assert_eq!(tenant.determining.iter().map(|rule| rule.id.as_str()).collect::<Vec<_>>(), ["own"]);
    assert!(tenant.nearest.is_empty() && !explanation.allowed);
}
