//! Counters: which declarations are taken, what rules see of them, and that they are part of a
//! set.

use aegis_model::counter::{COUNTERS_MAX, Counter, CounterKey, WINDOW_MAX_MS};
use aegis_model::decision::{PolicyLayer, ReasonClass};
use aegis_model::manifest::Duration;
use aegis_model::{Operation, Role};

use super::{House, compiled, key, request, source, thing};
use crate::{CounterProblem, PolicySet, PolicySource, Request, ResourceType, SetProblem, default_tenant_policies};
use ReasonClass::{EvaluationFailed, Forbidden, Permitted};

fn counter(name: &str) -> Counter {
    Counter {
        name: name.to_owned(),
        actions: vec!["agent_invoke".to_owned()],
        per: Vec::new(),
        sum: None,
        window: Some(Duration::from_millis(60_000)),
    }
}

fn sources(rule: &str) -> Vec<PolicySource> {
    let mut sources = default_tenant_policies();
    sources.push(source("own", rule));
    sources
}

fn tenant_set(rule: &str, counters: &[Counter]) -> Result<PolicySet, Vec<String>> {
    PolicySet::compile_with(PolicyLayer::Tenant, &sources(rule), counters)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn invoke(counts: &[(&str, i64)]) -> Request {
    let mut asked = request(key(Role::Operator), Operation::AgentInvoke, thing(ResourceType::Agent, "one"));
    asked.counts = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    asked
}

const AT_MOST_TEN: &str = "forbid (principal, action, resource) unless { context.counts.calls < 10 };";

#[test]
fn rules_see_how_far_a_counter_has_come() {
    let tenant = tenant_set(AT_MOST_TEN, &[counter("calls"), counter("spent")]).unwrap();
    assert!(tenant.looks_at().counters && !tenant.looks_at().time);
    let house = House { tenant, ..House::new() };
    let check = |counts: &[(&str, i64)], expected| assert_eq!(house.class(&invoke(counts)), expected, "{counts:?}");
    check(&[("calls", 9), ("spent", 99)], Permitted);
    check(&[("calls", 10)], Forbidden);
    check(&[("calls", i64::MAX)], Forbidden);
    check(&[("spent", 1)], EvaluationFailed);
    check(&[], EvaluationFailed);
}

#[test]
fn a_set_that_looks_at_no_counter_does_not_miss_them() {
    let tenant = tenant_set("forbid (principal is Agent, action, resource);", &[counter("calls")]).unwrap();
    let house = House { tenant, ..House::new() };
    assert_eq!(house.class(&invoke(&[])), Permitted);
}

#[test]
fn nothing_in_the_context_can_stand_for_a_counter() {
    let house = House { tenant: tenant_set(AT_MOST_TEN, &[counter("calls")]).unwrap(), ..House::new() };
    let mut asked = invoke(&[("calls", 10)]);
    asked.context.insert("counts".to_owned(), crate::ContextValue::Long(1));
    assert_eq!(house.class(&asked), EvaluationFailed);
}

#[test]
fn only_declared_counters_can_be_looked_at_and_the_place_is_told() {
    let misspelt =
        tenant_set("forbid (principal, action, resource)\nwhen { context.counts.cals > 1 };", &[counter("calls")]);
    let problems = misspelt.unwrap_err();
    assert!(
        problems
            .iter()
            .any(|problem| problem.starts_with("policy `own`, line 2, column 8") && problem.contains("cals")),
        "{problems:?}"
    );
    let undeclared = tenant_set(AT_MOST_TEN, &[]).unwrap_err();
    assert!(undeclared.iter().any(|problem| problem.contains("counts")), "{undeclared:?}");
    let as_text =
        tenant_set("forbid (principal, action, resource) when { context.counts.calls == \"1\" };", &[counter("calls")]);
    assert!(as_text.is_err());
}

#[test]
fn a_counter_may_be_called_like_a_word_of_cedar() {
    for name in ["if", "in", "has", "permit", "context", "principal", "x", "a_1"] {
        let rule = format!("forbid (principal, action, resource) when {{ context.counts[\"{name}\"] > 1 }};");
        let house = House { tenant: tenant_set(&rule, &[counter(name)]).unwrap(), ..House::new() };
        assert_eq!(house.class(&invoke(&[(name, 2)])), Forbidden, "{name}");
        assert_eq!(house.class(&invoke(&[(name, 1)])), Permitted, "{name}");
    }
}

/// What is said about one declaration.
fn refused(counter: Counter) -> Vec<String> {
    match PolicySet::compile_with(PolicyLayer::Tenant, &default_tenant_policies(), &[counter]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn declarations_are_checked_one_by_one() {
    let check = |counter: Counter, why: &str| {
        let found = refused(counter.clone());
        assert!(found.len() == 1 && found[0].contains(why), "{counter:?}: {found:?}");
    };
    let plain = || counter("calls");
    for name in ["", "Calls", "1a", "_a", "a-b", "a b", "ä", "a\"", &"a".repeat(64)] {
        check(counter(name), "the name is not");
    }
    check(Counter { actions: Vec::new(), ..plain() }, "counts no action");
    check(Counter { actions: vec!["agent_invok".to_owned()], ..plain() }, "no action `agent_invok`");
    check(Counter { actions: vec!["read".to_owned()], ..plain() }, "no action `read`");
    check(Counter { actions: vec!["connect".to_owned(); 2], ..plain() }, "named twice");
    check(Counter { per: vec![CounterKey::Session; 2], ..plain() }, "twice");
    check(Counter { sum: Some("a.b".to_owned()), ..plain() }, "added up");
    for ms in [0, 999, WINDOW_MAX_MS + 1] {
        check(Counter { window: Some(Duration::from_millis(ms)), ..plain() }, "window");
    }
}

#[test]
fn declarations_at_the_limits_are_taken() {
    let plain = || counter("calls");
    let per = vec![CounterKey::Principal, CounterKey::Resource, CounterKey::Session];
    let actions = vec!["connect".to_owned(), "agent_invoke".to_owned()];
    for counter in [
        counter(&"a".repeat(63)),
        Counter { window: None, ..plain() },
        Counter { window: Some(Duration::from_millis(1_000)), ..plain() },
        Counter { window: Some(Duration::from_millis(WINDOW_MAX_MS)), ..plain() },
        Counter { sum: Some("port".to_owned()), per, actions, ..plain() },
    ] {
        assert_eq!(refused(counter.clone()), Vec::<String>::new(), "{counter:?}");
    }
}

#[test]
fn there_are_at_most_so_many_counters_and_each_name_is_used_once() {
    let named = |count: usize| (0..count).map(|index| counter(&format!("c{index}"))).collect::<Vec<_>>();
    assert!(tenant_set("permit (principal, action, resource);", &named(COUNTERS_MAX)).is_ok());
    let many = tenant_set("permit (principal, action, resource);", &named(COUNTERS_MAX + 3)).unwrap_err();
    assert_eq!(many.len(), 1, "{many:?}");
    let twice = PolicySet::compile_with(PolicyLayer::Tenant, &[], &[counter("a"), counter("a")]).unwrap_err();
    let expected = CounterProblem { counter: "a".to_owned(), message: "the name is used twice".to_owned() };
    assert_eq!(twice, [SetProblem::Counter(expected)]);
}

#[test]
fn counters_are_part_of_the_set_and_of_its_hash() {
    let rule = "permit (principal, action, resource);";
    let hash = |counters: &[Counter]| tenant_set(rule, counters).unwrap().hash();
    let (a, b) = (counter("a"), counter("b"));
    assert_eq!(hash(&[]), compiled(PolicyLayer::Tenant, &sources(rule)).hash());
    assert_eq!(hash(&[a.clone(), b.clone()]), hash(&[b.clone(), a.clone()]));
    let others = [
        vec![],
        vec![a.clone()],
        vec![b.clone()],
        vec![Counter { window: None, ..a.clone() }],
        vec![Counter { window: Some(Duration::from_millis(61_000)), ..a.clone() }],
        vec![Counter { per: vec![CounterKey::Session], ..a.clone() }],
        vec![Counter { sum: Some("port".to_owned()), ..a.clone() }],
        vec![Counter { actions: vec!["connect".to_owned()], ..a.clone() }],
    ];
    let hashes: std::collections::BTreeSet<[u8; 32]> = others.iter().map(|counters| hash(counters)).collect();
    assert_eq!(hashes.len(), others.len());
    let set = tenant_set(rule, &[b.clone(), a.clone()]).unwrap();
    assert_eq!(set.counters(), [b, a]);
}

#[test]
fn the_hash_of_a_set_without_counters_is_what_it_was() {
    let hash = compiled(PolicyLayer::Tenant, &[source("a", "permit (principal, action, resource);")]).hash();
    let written: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(written, "c0f008d101ed10643e593d16a0634d3acc625e370add818441297c5b57da9626");
}
