//! Slicing never changes an answer: generated sets and requests, sliced against Cedar itself.
//! The sets are not validated, so that conditions may fail while they are evaluated. Unsliced,
//! time and counters are always told; sliced, only where a rule looks at them.

use aegis_model::Role;
use aegis_model::decision::{PolicyLayer, ReasonClass};
use cedar_policy::{Policy, PolicyId};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::{request, tenant};
use crate::decide::{Sets, decide};
use crate::reference::{Unsliced, UnslicedSets, decide_unsliced};
use crate::{ActionName, ContextValue, FieldValue, PolicySet, Request, Resource, ResourceType, Subject, SubjectKind};

const PRINCIPALS: &[&str] = &[
    "principal",
    "principal is Key",
    "principal is Agent",
    "principal is System",
    "principal == Key::\"one\"",
    "principal == Agent::\"one\"",
    "principal == Agent::\"b/one\"",
    "principal == Tenant::\"a\"",
    "principal in Key::\"one\"",
    "principal in Tenant::\"a\"",
    "principal in Tenant::\"b\"",
    "principal in Role::\"viewer\"",
    "principal in Role::\"admin\"",
    "principal is Key in Tenant::\"a\"",
    "principal is Agent in Tenant::\"a\"",
    "principal is Agent in Role::\"admin\"",
    "principal is Key in Role::\"admin\"",
    "principal is Key in Key::\"one\"",
    "principal == Role::\"admin\"",
];
const ACTIONS: &[&str] = &[
    "action",
    "action == Action::\"agent_view\"",
    "action == Action::\"connect\"",
    "action == Action::\"read\"",
    "action in Action::\"read\"",
    "action in Action::\"grant\"",
    "action in Action::\"agent_view\"",
    "action in [Action::\"read\", Action::\"operate\"]",
    "action in [Action::\"connect\", Action::\"call_tool\"]",
    "action == Action::\"fulfil\"",
    "action in [Action::\"intent\", Action::\"read\"]",
    "action in [Action::\"agent_view\", Action::\"read\"]",
    "action in []",
    "action == Action::\"nothing\"",
];
const RESOURCES: &[&str] = &[
    "resource",
    "resource is Agent",
    "resource is Host",
    "resource is Key",
    "resource == Agent::\"one\"",
    "resource == Intent::\"one\"",
    "resource is Intent",
    "resource == Agent::\"b/one\"",
    "resource == Host::\"x.example.com\"",
    "resource in Domain::\"example.com\"",
    "resource in Domain::\"com\"",
    "resource in Tenant::\"a\"",
    "resource in Tenant::\"b\"",
    "resource == Tenant::\"a\"",
    "resource is Host in Domain::\"example.com\"",
    "resource is Agent in Tenant::\"a\"",
    "resource is Agent in Domain::\"com\"",
    "resource in Toolset::\"mcp:s\"",
    "resource == Domain::\"com\"",
    "resource in Host::\"x.example.com\"",
    "resource in Key::\"one\"",
    "resource is Tool in Toolset::\"mcp:s\"",
];
/// Some hold, some do not, and some fail, each for some requests only.
const CONDITIONS: &[&str] = &[
    "",
    "when { true }",
    "when { false }",
    "unless { true }",
    "when { context.port == 443 }",
    "when { context has port }",
    "unless { context has port && context.port > 100 }",
    "when { context.port + 9223372036854775807 > 0 }",
    "when { principal.name == \"one\" }",
    "when { resource.tenant == principal.tenant }",
    "when { principal.nothing }",
    "when { resource in principal.tenant }",
    "when { Agent::\"missing\".name == \"x\" }",
    "when { principal in Role::\"admin\" }",
    "when { principal == resource }",
    "when { action in Action::\"read\" }",
    "when { context.tags.contains(\"x\") }",
    "when { resource.name like \"*one*\" }",
    "when { 1 == \"x\" || context.port }",
    "when { context.hour < 12 }",
    "unless { context has hour && context.hour < 12 }",
    "when { context.weekday == \"mon\" }",
    "when { context.now < datetime(\"2026-02-02T12:00:00Z\") }",
    "unless { context has now.nothing }",
    "when { context.counts.spent > 3 }",
    "when { context has counts && context.counts has spent && context.counts.spent > 3 }",
    "when { context has counts.spent }",
    "when { context.counts.spent + context.counts.calls < 9 }",
    "when { {a: context} == {a: context} }",
    "when { context.document.hasTag(\"one\") && context.document.getTag(\"one\").text == \"x\" }",
    "unless { context has document && context.document.hasTag(\"one\") }",
    "unless { context == {} }",
];
const CONTEXT: &[&str] = &["port", "tags"];

fn rule() -> impl Strategy<Value = String> {
    // The first of each list, which demands nothing, often enough that rules do meet requests.
    let often = |list: &'static [&'static str], times| prop_oneof![times => Just(list[0]), 4 => select(list)];
    let effect = select(vec!["permit", "permit", "permit", "forbid"]);
    (effect, often(PRINCIPALS, 4), often(ACTIONS, 4), often(RESOURCES, 4), often(CONDITIONS, 12)).prop_map(
        |(effect, principal, action, resource, condition)| {
            format!("{effect} ({principal}, {action}, {resource}) {condition};")
        },
    )
}

fn rules() -> impl Strategy<Value = Vec<String>> {
    vec(rule(), 0..24)
}

fn asked() -> impl Strategy<Value = Request> {
    let subject = (
        select(vec![SubjectKind::Key, SubjectKind::User, SubjectKind::Agent, SubjectKind::System]),
        select(vec!["one", "two"]),
    );
    let role = select(vec![None, Some(Role::Viewer), Some(Role::Admin)]);
    let actions = ["agent_view", "agent_deploy", "connect", "call_tool", "key_revoke", "use_model", "fulfil"];
    let action = select(actions.map(|name| ActionName::by_name(name).unwrap()).to_vec());
    let names = vec!["one", "two", "x.example.com", "X.example.com", "a", "b", "mcp:s/t", "b/one"];
    let resource = (select(ResourceType::ALL.to_vec()), select(names), select(vec!["a", "b"]));
    let port = prop::option::of(select(vec![1_i64, 443]));
    let moments = ["2026-02-02T09:00:00Z", "2026-02-02T15:00:00Z", "2026-02-07T09:00:00Z"];
    let at = prop::option::of(select(moments.map(|at| at.parse().unwrap()).to_vec()));
    let counts = btree_map(select(vec!["spent", "calls"]).prop_map(str::to_owned), select(vec![0, 4, i64::MAX]), 0..3);
    (subject, role, action, resource, (port, any::<bool>()), (at, counts)).prop_map(
        |(subject, role, action, resource, (port, tagged), (at, counts))| {
            let subject = Subject { kind: subject.0, id: subject.1.to_owned(), tenant: tenant("a"), role };
            let resource = Resource { kind: resource.0, id: resource.1.to_owned(), tenant: tenant(resource.2) };
            let mut asked = Request { at, counts, ..request(subject, action, resource) };
            if tagged {
                asked.document.insert("one".to_owned(), FieldValue::Text("x".to_owned()));
            }
            let values = [port.map(ContextValue::Long), tagged.then(|| ContextValue::TextSet(["x".to_owned()].into()))];
            for (name, value) in CONTEXT.iter().zip(values) {
                asked.context.extend(value.map(|value| ((*name).to_owned(), value)));
            }
            asked
        },
    )
}

/// Lays out rules that were not validated.
fn laid_out(layer: PolicyLayer, rules: &[String]) -> PolicySet {
    let parse =
        |(index, rule): (usize, &String)| Policy::parse(Some(PolicyId::new(format!("r{index}"))), rule).unwrap();
    PolicySet::lay_out(layer, &[], &[], rules.iter().enumerate().map(parse).collect()).unwrap()
}

struct Three {
    platform: PolicySet,
    tenant: PolicySet,
    grants: PolicySet,
    governance: PolicySet,
}

impl Three {
    fn new(platform: &[String], tenant: &[String], grants: &[String]) -> Self {
        Self {
            platform: laid_out(PolicyLayer::Platform, platform),
            tenant: laid_out(PolicyLayer::Tenant, tenant),
            grants: laid_out(PolicyLayer::Grants, grants),
            governance: laid_out(PolicyLayer::Governance, grants),
        }
    }

    /// The third set is of the layer that the action needs.
    fn sets(&self, asked: &Request) -> Sets<'_> {
        let third = if matches!(asked.action, ActionName::Intent(_)) { &self.governance } else { &self.grants };
        Sets { platform: &self.platform, tenant: &self.tenant, grants: Some(third) }
    }

    fn allowed(&self, asked: &Request) -> bool {
        decide(&self.sets(asked), asked).allowed
    }
}

proptest! {
    #[test]
    fn slicing_never_changes_an_answer(platform in rules(), tenant in rules(), grants in rules(), asked in vec(asked(), 6)) {
        let three = Three::new(&platform, &tenant, &grants);
        let whole = [&three.platform, &three.tenant, &three.grants].map(|set| Unsliced::of(set).unwrap());
        let [platform, tenant, grants] = &whole;
        for asked in &asked {
            let sets = three.sets(asked);
            let unsliced = UnslicedSets { sets, platform, tenant, grants: Some(grants) };
            prop_assert_eq!(decide(&sets, asked), decide_unsliced(&unsliced, asked), "{:?}", asked);
        }
    }

    #[test]
    fn one_more_forbid_never_allows_more(rules in rules(), forbid in rule(), place in 0_usize..3, asked in vec(asked(), 6)) {
        let before = [rules.clone(), rules.clone(), rules];
        let mut after = before.clone();
        after[place].push(forbid.replacen("permit", "forbid", 1));
        let [before, after] = [before, after].map(|sets| Three::new(&sets[0], &sets[1], &sets[2]));
        for asked in &asked {
            prop_assert!(before.allowed(asked) || !after.allowed(asked), "{:?}", asked);
        }
    }

    #[test]
    fn a_permit_in_one_set_never_overrides_another_sets_no(rules in rules(), no in 0_usize..3, asked in vec(asked(), 6)) {
        let all = vec!["permit (principal, action, resource);".to_owned()];
        let mut sets = [all.clone(), all.clone(), all];
        sets[no] = rules;
        let three = Three::new(&sets[0], &sets[1], &sets[2]);
        for asked in &asked {
            let verdict = decide(&three.sets(asked), asked);
            // Grants are not asked about the API's operations.
            let (allowed, class) = verdict.reasons.get(no).map_or((true, ReasonClass::Permitted), |said| (said.allowed, said.class));
            prop_assert_eq!((verdict.allowed, verdict.class), (allowed, class), "{:?}", asked);
        }
    }

    #[test]
    fn a_rule_that_failed_is_a_no(rules in rules(), asked in vec(asked(), 6)) {
        let mut failing = rules.clone();
        failing.push("permit (principal, action, resource) when { principal.nothing };".to_owned());
        let all = vec!["permit (principal, action, resource);".to_owned()];
        let three = Three::new(&all, &failing, &all);
        for asked in &asked {
            prop_assert_eq!(decide(&three.sets(asked), asked).class, ReasonClass::EvaluationFailed);
        }
    }
}

#[test]
fn the_generator_reaches_every_class_and_many_buckets() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut classes = std::collections::BTreeMap::new();
    let mut buckets = 0;
    for _ in 0..300 {
        let rules = rules().new_tree(&mut runner).unwrap().current();
        let asked = asked().new_tree(&mut runner).unwrap().current();
        let set = laid_out(PolicyLayer::Tenant, &rules);
        buckets = buckets.max(set.slices().buckets());
        let class = crate::reference::ask_one(&set, &asked).unwrap().class;
        *classes.entry(format!("{class:?}")).or_insert(0) += 1;
    }
    assert_eq!(classes.len(), 4, "{classes:?}");
    assert!(classes.values().all(|count| *count >= 10) && buckets >= 15, "{classes:?}, {buckets} buckets");
}
