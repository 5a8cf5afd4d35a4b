//! Rules about the time: what they see, and that nothing is made which no rule looks at.

use aegis_model::decision::{PolicyLayer, ReasonClass};
use aegis_model::{Operation, Role};
use cedar_policy::{Policy, PolicyId};

use super::{House, compiled, key, request, source, thing};
use crate::facts::Facts;
use crate::looks::Looks;
use crate::{PolicySet, Request, ResourceType};
use ReasonClass::{EvaluationFailed, Forbidden, Permitted};

fn view(at: Option<&str>) -> Request {
    let mut asked = request(key(Role::Viewer), Operation::AgentView, thing(ResourceType::Agent, "one"));
    asked.at = at.map(|at| at.parse().unwrap());
    asked
}

/// What a house whose tenant forbids by this condition says at a moment.
fn class(condition: &str, at: Option<&str>) -> ReasonClass {
    House::new().with_tenant(&format!("forbid (principal, action, resource) when {{ {condition} }};")).class(&view(at))
}

#[test]
fn rules_see_the_hour_the_weekday_and_the_moment_in_utc() {
    let monday_morning = Some("2026-02-02T09:59:59.999Z");
    let check = |condition: &str, expected| assert_eq!(class(condition, monday_morning), expected, "{condition}");
    check("context.hour == 9", Forbidden);
    check("context.hour == 10", Permitted);
    check("context.weekday == \"mon\"", Forbidden);
    check("[\"sat\", \"sun\"].contains(context.weekday)", Permitted);
    check("context.now == datetime(\"2026-02-02T09:59:59.999Z\")", Forbidden);
    check("context.now < datetime(\"2026-02-02T10:00:00Z\")", Forbidden);
    check("context.now >= datetime(\"2026-02-02T10:00:00Z\")", Permitted);
    check("context.now.toDate() == datetime(\"2026-02-02\")", Forbidden);
}

#[test]
fn a_rule_that_looks_at_a_time_that_is_not_given_denies() {
    for condition in ["context.hour == 9", "context.weekday == \"mon\"", "context.now < datetime(\"2000-01-01\")"] {
        assert_eq!(class(condition, None), EvaluationFailed, "{condition}");
    }
}

#[test]
fn the_last_moment_that_can_be_named_can_be_judged() {
    assert_eq!(class("context.now > datetime(\"9999-12-31\")", Some("9999-12-31T23:59:59.999Z")), Forbidden);
    assert_eq!(class("context.now < datetime(\"1970-01-02\")", Some("1970-01-01T00:00:00Z")), Forbidden);
}

#[test]
fn nothing_in_the_context_can_stand_for_the_time() {
    let house = House::new().with_tenant("forbid (principal, action, resource) when { context.hour < 6 };");
    let mut asked = view(Some("2026-02-02T03:00:00Z"));
    asked.context.insert("hour".to_owned(), crate::ContextValue::Long(12));
    assert_eq!(house.class(&asked), EvaluationFailed);
}

#[test]
fn a_set_knows_what_its_rules_look_at() {
    let looks = |condition: &str| {
        let rule = format!("permit (principal, action, resource) {condition};");
        let policy = Policy::parse(Some(PolicyId::new("r")), &rule).unwrap();
        let looks = PolicySet::lay_out(PolicyLayer::Tenant, &[], &[], vec![policy]).unwrap().looks_at();
        (looks.time, looks.counters)
    };
    let check = |condition: &str, expected| assert_eq!(looks(condition), expected, "{condition}");
    check("", (false, false));
    check("when { context.port == 443 && principal.name == \"now\" }", (false, false));
    check("when { context has port }", (false, false));
    check("when { resource.hour == 1 }", (false, false));
    check("when { context.request.now == 1 }", (false, false));
    check("when { context.hour < 6 }", (true, false));
    check("unless { true || context[\"weekday\"] == \"mon\" }", (true, false));
    check("when { [1, if context has now then 1 else 2].contains(1) }", (true, false));
    check("when { {a: context.now} == {a: 1} }", (true, false));
    check("when { context.counts.spent < 3 }", (false, true));
    check("when { context has counts.spent }", (false, true));
    check("when { principal has \"counts\" }", (false, false));
    check("when { true } unless { context.counts == {} } when { context.hour == 1 }", (true, true));
    check("when { context == {} }", (true, true));
    check("when { resource.with == {context: context} }", (true, true));
    check("when { (if true then context else context).port == 1 }", (true, true));
}

#[test]
fn sets_look_together_at_what_any_of_them_looks_at() {
    let set = |layer, text: &str| compiled(layer, &[source("own", text)]);
    let platform = set(PolicyLayer::Platform, "permit (principal, action, resource);");
    let tenant = set(PolicyLayer::Tenant, "permit (principal, action, resource) when { context.hour > 6 };");
    let none = Looks { time: false, counters: false };
    assert_eq!((platform.looks_at(), tenant.looks_at()), (none, Looks { time: true, counters: false }));
    let sets = crate::Sets { platform: &platform, tenant: &tenant, grants: None };
    assert_eq!(sets.look_at(), Looks { time: true, counters: false });
    assert_eq!(PolicySet::empty(PolicyLayer::Tenant).looks_at(), none);
}

#[test]
fn what_no_rule_looks_at_is_not_made() {
    let mut asked = view(Some("2026-02-02T03:00:00Z"));
    asked.counts.insert("spent".to_owned(), 3);
    let made = |time, counters| {
        let facts = Facts::of(&asked, Looks { time, counters }).unwrap();
        let context = facts.request.context().unwrap();
        let has = |name: &str| context.get(name).is_some();
        (has("now") && has("hour") && has("weekday"), has("counts"))
    };
    for (time, counters) in [(false, false), (true, false), (false, true), (true, true)] {
        assert_eq!(made(time, counters), (time, counters));
    }
}

#[test]
fn a_moment_reads_back_from_json_and_may_be_left_out() {
    for asked in [view(None), view(Some("2026-02-02T03:00:00Z"))] {
        let json = serde_json::to_value(&asked).unwrap();
        assert_eq!(json.get("at").is_some(), asked.at.is_some());
        assert_eq!(serde_json::from_value::<Request>(json).unwrap(), asked);
    }
}
