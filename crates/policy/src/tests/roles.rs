//! Roles, the wall between tenants, and what the three sets say together.

use aegis_model::decision::{PolicyLayer, ReasonClass};
use aegis_model::operation::ActionGroup;
use aegis_model::{Operation, Role};

use super::{House, agent, compiled, key, request, source, tenant, thing};
use crate::{ActionName, GrantAction, PolicySet, Request, Resource, ResourceType, Sets, Subject, SubjectKind, decide};
use ReasonClass::{EvaluationFailed, Forbidden, NotPermitted, Permitted};

fn on(operation: Operation) -> Resource {
    match ResourceType::from(operation.resource()) {
        ResourceType::Tenant => Resource::tenant(&tenant("acme")),
        kind => thing(kind, "one"),
    }
}

/// The table of who may do what, written out by hand.
fn may(role: Role, group: ActionGroup) -> bool {
    match role {
        Role::Viewer => matches!(group, ActionGroup::Read),
        Role::Operator => matches!(group, ActionGroup::Read | ActionGroup::Operate),
        Role::Admin => !matches!(group, ActionGroup::Platform | ActionGroup::Inside),
        Role::PlatformAdmin => group != ActionGroup::Inside,
    }
}

#[test]
fn each_role_may_exactly_what_its_groups_say() {
    let house = House::new();
    for role in Role::ALL {
        for operation in Operation::ALL {
            let asked = request(key(role), *operation, on(*operation));
            let expected = if may(role, operation.group()) { Permitted } else { NotPermitted };
            assert_eq!(house.class(&asked), expected, "{role:?} {operation:?}");
        }
    }
}

#[test]
fn nobody_acts_in_another_tenant_whatever_the_role_and_the_tenants_rules() {
    let house = House::new().with_tenant("permit (principal, action, resource);");
    for operation in Operation::ALL {
        let mut resource = on(*operation);
        resource.tenant = tenant("other");
        if resource.kind == ResourceType::Tenant {
            resource.id = "other".to_owned();
        }
        let asked = request(key(Role::PlatformAdmin), *operation, resource);
        assert_eq!(house.class(&asked), Forbidden, "{operation:?}");
    }
}

#[test]
fn a_tenant_belongs_to_itself_whatever_the_request_claims() {
    let resource = Resource { kind: ResourceType::Tenant, id: "other".to_owned(), tenant: tenant("acme") };
    assert_eq!(House::new().class(&request(key(Role::Admin), Operation::AgentList, resource)), Forbidden);
}

#[test]
fn another_tenants_thing_of_the_same_name_is_not_taken_for_ones_own() {
    let sources = [source("self", "permit (principal == Agent::\"x\", action, resource == Agent::\"x\");")];
    let house = House::new().with_grants(&sources);
    let mut asked = request(agent("x"), GrantAction::InvokeAgent, thing(ResourceType::Agent, "x"));
    assert_eq!(house.class(&asked), Permitted);
    asked.resource.tenant = tenant("other");
    assert_eq!(house.class(&asked), Forbidden);
}

#[test]
fn a_key_may_act_on_itself() {
    let mut asked = request(key(Role::Admin), Operation::KeyRevoke, thing(ResourceType::Key, "key-1"));
    assert_eq!(House::new().class(&asked), Permitted);
    asked.subject.role = Some(Role::Operator);
    assert_eq!(House::new().class(&asked), NotPermitted);
}

#[test]
fn an_agent_has_of_the_api_what_is_there_for_agents_even_with_a_role() {
    let house = House::new().with_grants(&[source("all", "permit (principal, action, resource);")]);
    for operation in Operation::ALL {
        let subject = Subject { role: Some(Role::PlatformAdmin), ..agent("triage") };
        let its_own = operation.group() == ActionGroup::Inside || *operation == Operation::IdentityView;
        let expected = if its_own { Permitted } else { NotPermitted };
        assert_eq!(house.class(&request(subject, *operation, on(*operation))), expected, "{operation:?}");
    }
}

#[test]
fn an_agent_without_a_set_of_grants_is_denied() {
    let house = House::new();
    let asked = request(agent("triage"), GrantAction::UseModel, thing(ResourceType::Model, "m"));
    let verdict = house.decide(&asked);
    assert!(!verdict.allowed);
    let said: Vec<_> = verdict.reasons.iter().map(|reason| (reason.layer, reason.allowed)).collect();
    assert_eq!(said, [(PolicyLayer::Platform, true), (PolicyLayer::Tenant, true), (PolicyLayer::Grants, false)]);
}

#[test]
fn a_principal_without_a_role_may_nothing() {
    let subject = Subject { role: None, ..key(Role::Admin) };
    assert_eq!(House::new().class(&request(subject, Operation::AgentList, on(Operation::AgentList))), NotPermitted);
}

#[test]
fn the_server_itself_acts_by_its_role() {
    let system = Subject { kind: SubjectKind::System, id: "system".to_owned(), ..key(Role::PlatformAdmin) };
    assert_eq!(House::new().class(&request(system, Operation::TenantCreate, on(Operation::TenantCreate))), Permitted);
}

#[test]
fn an_empty_set_denies_in_every_place() {
    let house = House::new().with_grants(&[source("all", "permit (principal, action, resource);")]);
    let asked = request(agent("triage"), GrantAction::UseModel, thing(ResourceType::Model, "m"));
    assert_eq!(house.class(&asked), Permitted);
    let empty = PolicyLayer::Platform;
    for layer in [empty, PolicyLayer::Tenant, PolicyLayer::Grants] {
        let nothing = PolicySet::empty(layer);
        let mut sets = house.sets();
        match layer {
            PolicyLayer::Platform => sets.platform = &nothing,
            PolicyLayer::Tenant => sets.tenant = &nothing,
            PolicyLayer::Grants | PolicyLayer::Governance => sets.grants = Some(&nothing),
        }
        assert_eq!(decide(&sets, &asked).class, NotPermitted, "{layer:?}");
    }
}

#[test]
fn a_set_in_the_wrong_place_denies() {
    let all = [source("all", "permit (principal, action, resource);")];
    let tenant = compiled(PolicyLayer::Tenant, &all);
    let sets = Sets { platform: &tenant, tenant: &tenant, grants: None };
    let asked = request(key(Role::Admin), Operation::AgentList, on(Operation::AgentList));
    assert_eq!(decide(&sets, &asked).class, EvaluationFailed);
}

#[test]
fn a_rule_that_looks_at_what_the_caller_forgot_denies() {
    let rule =
        "forbid (principal, action == Action::\"endpoint_set\", resource) when { context.endpoint == \"prod\" };";
    let house = House::new().with_tenant(rule);
    let mut asked = request(key(Role::Admin), Operation::EndpointSet, thing(ResourceType::Agent, "one"));
    assert_eq!(house.class(&asked), EvaluationFailed);
    asked.context.insert("endpoint".to_owned(), super::text("prod"));
    assert_eq!(house.class(&asked), Forbidden);
    asked.context.insert("endpoint".to_owned(), super::text("test"));
    assert_eq!(house.class(&asked), Permitted);
}

#[test]
fn the_hash_names_the_sets_the_answer_was_taken_from() {
    let asked = request(key(Role::Admin), Operation::AgentList, on(Operation::AgentList));
    let hash = |house: &House| house.decide(&asked).policy_hash;
    let plain = House::new();
    let narrowed = House::new().with_tenant("forbid (principal, action == Action::\"agent_delete\", resource);");
    let granted = House::new().with_grants(&[]);
    assert_eq!(hash(&plain), hash(&House::new()));
    assert_eq!(hash(&plain).len(), 64);
    assert_ne!(hash(&plain), hash(&narrowed));
    assert_ne!(hash(&plain), hash(&granted));
}

#[test]
fn a_request_reads_back_from_json() {
    let asked = request(agent("triage"), GrantAction::Connect, thing(ResourceType::Host, "a.example.com"));
    let json = serde_json::to_string(&asked).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&json).unwrap(), asked);
    assert!(serde_json::from_str::<ActionName>("\"no_such\"").is_err());
}
