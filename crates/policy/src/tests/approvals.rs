//! Forbids that somebody may lift for one act.

use aegis_model::decision::{PolicyLayer, ReasonClass};
use aegis_model::{Operation, Role};

use super::{House, agent, compiled, key, request, source, thing};
use crate::{GrantAction, PolicySet, Request, ResourceType, Sets, ask, decide, explain};

const OWN: &str = "permit (principal, action, resource) when { resource.tenant == principal.tenant };";
const DELETES: &str =
    "@approval(\"The owner decides.\") forbid (principal, action == Action::\"agent_delete\", resource);";

fn delete(role: Role, agent: &str) -> Request {
    request(key(role), Operation::AgentDelete, thing(ResourceType::Agent, agent))
}

fn class_of(rules: &str, asked: &Request) -> ReasonClass {
    let house = House::new().with_tenant(rules);
    let verdict = decide(&house.sets(), asked);
    assert_eq!(verdict.allowed, verdict.class == ReasonClass::Permitted);
    verdict.class
}

#[test]
fn what_only_liftable_rules_forbid_needs_approval_and_is_denied_as_long() {
    let check = |rules: &str, asked: &Request, class| assert_eq!(class_of(rules, asked), class, "{rules}");
    check(DELETES, &delete(Role::Admin, "one"), ReasonClass::NeedsApproval);
    check(&format!("{DELETES} {DELETES}"), &delete(Role::Admin, "one"), ReasonClass::NeedsApproval);
    check(DELETES, &delete(Role::Operator, "one"), ReasonClass::NotPermitted);
    check(DELETES, &request(key(Role::Viewer), Operation::AgentList, tenant_of_mine()), ReasonClass::Permitted);
    let other = "forbid (principal, action, resource == Agent::\"one\");";
    check(&format!("{DELETES} {other}"), &delete(Role::Admin, "one"), ReasonClass::Forbidden);
    let failing = "forbid (principal, action == Action::\"agent_delete\", resource) when { context.now.toTime() > duration(\"1h\") };";
    check(&format!("{DELETES} {failing}"), &delete(Role::Admin, "one"), ReasonClass::EvaluationFailed);
}

fn tenant_of_mine() -> crate::Resource {
    crate::Resource::tenant(&super::tenant("acme"))
}

#[test]
fn without_the_liftable_rules_everything_else_still_counts() {
    let rules = format!("{DELETES} forbid (principal, action, resource == Agent::\"kept\");");
    let house = House::new().with_tenant(&rules);
    let approved = house.tenant.approved().expect("a rule that may be lifted");
    let sets = Sets { tenant: approved, ..house.sets() };
    assert!(decide(&sets, &delete(Role::Admin, "one")).allowed);
    assert_eq!(decide(&sets, &delete(Role::Admin, "kept")).class, ReasonClass::Forbidden);
    assert_eq!(decide(&sets, &delete(Role::Operator, "one")).class, ReasonClass::NotPermitted);
    assert!(compiled(PolicyLayer::Tenant, &[source("own", OWN)]).approved().is_none());
}

#[test]
fn about_what_leaves_a_box_nobody_can_be_asked() {
    let rules = "@approval(\"Never.\") forbid (principal, action == Action::\"use_model\", resource);";
    let asked = request(agent("triage"), GrantAction::UseModel, thing(ResourceType::Model, "gpt-5"));
    let set = compiled(PolicyLayer::Tenant, &[source("mine", &format!("{OWN} {rules}"))]);
    assert_eq!(ask(&set, &asked).class, ReasonClass::Forbidden);
    let house = House::new().with_tenant(rules);
    assert_eq!(decide(&house.sets(), &asked).class, ReasonClass::Forbidden);
}

#[test]
fn the_long_answer_tells_who_should_decide() {
    let house = House::new().with_tenant(DELETES);
    let found = explain(&house.sets(), &delete(Role::Admin, "one"));
    assert_eq!(found.class, ReasonClass::NeedsApproval);
    let layer = found.layers.iter().find(|layer| layer.layer == PolicyLayer::Tenant).expect("the tenant's set");
    assert_eq!((layer.class, layer.allowed), (ReasonClass::NeedsApproval, false));
    let sentences: Vec<_> = layer.determining.iter().filter_map(|rule| rule.approval.as_deref()).collect();
    assert_eq!(sentences, ["The owner decides."]);
    let id = &layer.determining[0].id;
    assert_eq!((house.tenant.approval_of(id), house.tenant.reason_of(id)), (Some("The owner decides."), None));
}

#[test]
fn an_approval_is_one_short_plain_sentence_on_a_forbid() {
    let refused = |rule: &str, why: &str| {
        let found = PolicySet::compile(PolicyLayer::Tenant, &[source("mine", rule)]).err().unwrap_or_default();
        assert!(found.len() == 1 && found[0].message.contains(why), "{rule} {found:?}");
    };
    refused("@approval(\"x\") permit (principal, action, resource);", "stands on a `forbid` only");
    let forbid = |annotation: &str| format!("{annotation} forbid (principal, action, resource);");
    refused(&forbid("@approval"), "the approval is empty");
    refused(&forbid("@approval(\" \")"), "the approval is empty");
    refused(&forbid(&format!("@approval(\"{}\")", "ä".repeat(201))), "the approval is longer");
    refused(&forbid("@approval(\"a\\nb\")"), "the approval holds a control");
    let longest = forbid(&format!("@approval(\"{}\")", "ä".repeat(200)));
    assert!(PolicySet::compile(PolicyLayer::Tenant, &[source("mine", &longest)]).is_ok());
}
