//! Governance records: each operator, hours, days and rates, what is answered, and that no text
//! of a record becomes a rule.

use aegis_model::decision::{PolicyLayer, ReasonClass};
use aegis_model::governance::{ConditionValue, GovernanceRecord, Operator};
use aegis_model::time::Weekday;
use aegis_model::{Role, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::{House, agent, compiled, key, source, tenant};
use crate::{
    IntentAsk, PolicySet, Request, Subject, SubjectKind, Verdict, decide, explain, governance_policies,
    governance_reason, intent_request,
};

/// A record for `billing/refund`, with more.
fn record(with: &Value) -> GovernanceRecord {
    let mut whole = json!({"service": "billing", "intent": "refund"});
    whole.as_object_mut().unwrap().extend(with.as_object().unwrap().clone());
    serde_json::from_value(whole).unwrap()
}

fn governance(records: &[GovernanceRecord]) -> PolicySet {
    compiled(PolicyLayer::Governance, &governance_policies(&tenant("acme"), records).unwrap())
}

fn governed(record: &GovernanceRecord) -> House {
    House { grants: Some(governance(std::slice::from_ref(record))), ..House::new() }
}

/// Monday at nine, nothing allowed before.
fn ask(context: &Value) -> IntentAsk<'_> {
    IntentAsk {
        subject: key(Role::Operator),
        service: "billing",
        intent: "refund",
        at: Timestamp::from_millis(0),
        local_hour: 9,
        local_weekday: Weekday::Monday,
        last_minute: 0,
        last_hour: 0,
        context,
    }
}

fn asked(context: &Value) -> Request {
    intent_request(ask(context)).unwrap()
}

fn condition(field: &str, operator: &str, value: &Value) -> Value {
    let mut condition = json!({"type": "context_check", "field": field, "operator": operator, "value": value});
    if value.is_null() {
        condition.as_object_mut().unwrap().remove("value");
    }
    condition
}

/// What a house with one condition about `a.b` says; it never fails to evaluate.
fn met(operator: &str, value: &Value, context: &Value) -> bool {
    let house = governed(&record(&json!({"conditions": [condition("a.b", operator, value)]})));
    let class = house.class(&asked(context));
    assert!(matches!(class, ReasonClass::Permitted | ReasonClass::Forbidden), "{operator} {value} {context} {class:?}");
    class == ReasonClass::Permitted
}

#[test]
fn each_operator_is_met_or_not_as_the_table_says() {
    // The operator and its value; fields that meet it, that do not, and that are of a wrong type.
    let table = [
        ("equals", json!("x"), json!(["x"]), json!(["X", "", "xx"]), json!([1, true, ["x"], {"c": "x"}])),
        ("equals", json!(1), json!([1, 1.0]), json!([2, -1, 1.0001]), json!(["1", true, [1]])),
        ("equals", json!(1.5), json!([1.5]), json!([1, 2, -1.5]), json!(["1.5", [1.5]])),
        ("equals", json!(true), json!([true]), json!([false]), json!(["true", 1])),
        ("not_equals", json!("x"), json!(["X", ""]), json!(["x"]), json!([1, true, ["y"]])),
        ("not_equals", json!(1), json!([2, 1.5]), json!([1, 1.0]), json!(["2", false])),
        ("not_equals", json!(true), json!([false]), json!([true]), json!(["false", 0])),
        (
            "contains",
            json!("b"),
            json!(["abc", "b", ["a", "b"]]),
            json!(["ac", "B", ["abc"], []]),
            json!([1, true, [1], ["b", 1]]),
        ),
        ("contains", json!(2), json!([[1, 2], [2.0]]), json!([[1, 22], []]), json!([2, "2", ["2"], true])),
        (
            "not_contains",
            json!("b"),
            json!(["ac", "", ["abc"], []]),
            json!(["abc", ["b"]]),
            json!([1, [1], ["a", 1], [["b"]]]),
        ),
        ("not_contains", json!(2), json!([[1], [2.5], []]), json!([[1, 2]]), json!([1, "1", ["1"]])),
        (
            "greater_than",
            json!(10),
            json!([11, 10.5, 1e18]),
            json!([10, 10.0, 9.9, -11]),
            json!(["11", true, [11], 1e300]),
        ),
        ("greater_or_equal", json!(10.5), json!([10.5, 11, 10.6]), json!([10, 10.4999, -11]), json!(["11", [11]])),
        ("less_than", json!(-0.5), json!([-1, -0.5001, -1e18]), json!([-0.5, 0, -0.4999]), json!(["-1", false])),
        ("less_or_equal", json!(10), json!([10, 10.0, 9.9, -1]), json!([10.0001, 11]), json!(["10", null])),
        ("in", json!(["x", "y"]), json!(["x", "y"]), json!(["z", "", "x,y"]), json!([1, ["x"], true])),
        ("in", json!([1, -2]), json!([1, -2, 1.0]), json!([2, 1.5]), json!(["1", [1]])),
        ("not_in", json!(["x", "y"]), json!(["z", ""]), json!(["x", "y"]), json!([1, ["z"], true])),
        ("not_in", json!([1, -2]), json!([2, 1.5]), json!([1, -2.0]), json!(["2", [2]])),
        ("starts_with", json!("ab"), json!(["ab", "abc"]), json!(["a", "cab", "Ab"]), json!([1, ["ab"]])),
        ("ends_with", json!("ab"), json!(["ab", "cab"]), json!(["b", "abc"]), json!([1, ["ab"]])),
        ("exists", Value::Null, json!(["", 0, false, [], {}, {"c": 1}, 1e300]), json!([null]), json!([])),
        ("not_exists", Value::Null, json!([null]), json!(["", 0, false, [], {}, {"c": null}]), json!([])),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for (operator, value, yes, no, wrong_type) in &table {
        seen.insert(*operator);
        let check = |fields: &Value, expected: bool| {
            for field in fields.as_array().unwrap() {
                assert_eq!(met(operator, value, &json!({"a": {"b": field}})), expected, "{field} {operator} {value}");
            }
        };
        check(yes, true);
        check(no, false);
        check(wrong_type, false);
        for missing in
            [json!({}), Value::Null, json!({"a": {}}), json!({"a": "x"}), json!({"a.b": "x"}), json!({"b": 1})]
        {
            assert_eq!(met(operator, value, &missing), *operator == "not_exists", "{missing} {operator} {value}");
        }
    }
    assert_eq!(seen.len(), Operator::ALL.len());
}

#[test]
fn the_greatest_and_least_numbers_can_be_compared() {
    for (operator, value, field, expected) in [
        ("equals", json!(i64::MIN), json!(i64::MIN), true),
        ("equals", json!(i64::MAX), json!(i64::MAX - 1), false),
        ("greater_than", json!(i64::MAX - 1), json!(i64::MAX), true),
        ("less_or_equal", json!(i64::MIN), json!(i64::MIN), true),
        ("less_than", json!(i64::MIN), json!(i64::MIN), false),
        ("in", json!([i64::MIN, i64::MAX]), json!(i64::MIN), true),
        ("greater_than", json!(0.5), json!(9_007_199_254_740_993_i64), true),
    ] {
        assert_eq!(met(operator, &value, &json!({"a": {"b": field}})), expected, "{field} {operator} {value}");
    }
}

/// The class and the sentence for a record and an ask.
fn answer(record: &GovernanceRecord, ask: IntentAsk<'_>) -> (bool, String) {
    let verdict = governed(record).decide(&intent_request(ask).unwrap());
    (verdict.allowed, governance_reason("billing", "refund", Some(record), &verdict))
}

#[test]
fn hours_and_days_are_those_in_the_records_zone() {
    let with =
        json!({"time_restrictions": {"allowed_hours": [9, 17, 0], "days": ["mon", "fri"], "timezone": "Asia/Tokyo"}});
    let record = record(&with);
    for hour in 0..24 {
        for day in Weekday::ALL {
            let asked = IntentAsk { local_hour: hour, local_weekday: day, ..ask(&Value::Null) };
            let inside = [9, 17, 0].contains(&hour) && matches!(day, Weekday::Monday | Weekday::Friday);
            let expected = if inside { "Request authorized" } else { "Request outside allowed time window" };
            assert_eq!(answer(&record, asked), (inside, expected.to_owned()), "{hour} {day:?}");
        }
    }
}

#[test]
fn a_rate_is_reached_by_as_many_as_were_allowed_before() {
    let record = record(&json!({"rate_limits": {"requests_per_minute": 3, "requests_per_hour": 10}}));
    for (last_minute, last_hour, allowed) in
        [(0, 0, true), (2, 9, true), (3, 3, false), (4, 4, false), (0, 10, false), (2, u64::MAX, false)]
    {
        let asked = IntentAsk { last_minute, last_hour, ..ask(&Value::Null) };
        let expected = if allowed { "Request authorized" } else { "Rate limit exceeded" };
        assert_eq!(answer(&record, asked), (allowed, expected.to_owned()), "{last_minute} {last_hour}");
    }
}

/// A record with every restriction.
fn everything() -> Value {
    let mut described = condition("user.role", "equals", &json!("admin"));
    described["description"] = json!("Only admins refund");
    json!({
        "description": "Money back",
        "time_restrictions": {"allowed_hours": [9], "days": ["mon"]},
        "rate_limits": {"requests_per_minute": 1, "requests_per_hour": 1},
        "conditions": [described, condition("amount", "less_than", &json!(100.5))],
    })
}

#[test]
fn of_several_reasons_the_first_is_told() {
    let record = record(&everything());
    let good = json!({"user": {"role": "admin"}, "amount": 100});
    let bad = json!({});
    let check = |ask: IntentAsk<'_>, expected: &str| assert_eq!(answer(&record, ask), (false, expected.to_owned()));
    let late = |context| IntentAsk { local_hour: 10, ..ask(context) };
    let often = |ask| IntentAsk { last_minute: 1, ..ask };
    let viewer = |ask| IntentAsk { subject: key(Role::Viewer), ..ask };
    check(viewer(often(late(&bad))), "Request outside allowed time window");
    check(viewer(IntentAsk { local_weekday: Weekday::Sunday, ..ask(&good) }), "Request outside allowed time window");
    check(viewer(often(ask(&bad))), "Rate limit exceeded");
    check(IntentAsk { last_hour: 1, ..ask(&good) }, "Rate limit exceeded");
    check(viewer(ask(&bad)), "Condition not met: Only admins refund");
    let costly = json!({"user": {"role": "admin"}, "amount": 100.5});
    check(ask(&costly), "Condition not met: amount less_than 100.5");
    check(viewer(ask(&good)), "Not permitted by policy");
    assert_eq!(answer(&record, ask(&good)), (true, "Request authorized".to_owned()));
    let disabled = GovernanceRecord { enabled: false, ..record.clone() };
    assert_eq!(answer(&disabled, often(late(&bad))), (false, "Policy is disabled".to_owned()));
}

#[test]
fn what_cannot_be_evaluated_is_an_error_and_a_no() {
    let record = record(&json!({"rate_limits": {"requests_per_minute": 1}}));
    let mut forgotten = asked(&Value::Null);
    forgotten.context.remove("last_minute");
    let verdict = governed(&record).decide(&forgotten);
    assert!(!verdict.allowed);
    assert_eq!(governance_reason("billing", "refund", Some(&record), &verdict), "Governance evaluation error");
}

#[test]
fn without_a_record_nobody_may() {
    let no_set = House::new().decide(&asked(&Value::Null));
    let other = GovernanceRecord { intent: "charge".to_owned(), ..record(&json!({})) };
    let no_record = governed(&other).decide(&asked(&Value::Null));
    for verdict in [no_set, no_record] {
        assert!(!verdict.allowed && verdict.class == ReasonClass::NotPermitted);
        let said = verdict.reasons.iter().find(|reason| reason.layer == PolicyLayer::Governance).unwrap();
        assert!(!said.allowed);
        let sentence = governance_reason("billing", "refund", None, &verdict);
        assert_eq!(sentence, "No policy defined for billing:refund");
    }
}

#[test]
fn the_third_set_is_of_the_layer_that_the_action_needs() {
    let all = [source("all", "permit (principal, action, resource);")];
    let fulfil = asked(&Value::Null);
    let grants = House { grants: Some(compiled(PolicyLayer::Grants, &all)), ..House::new() };
    assert_eq!(grants.class(&fulfil), ReasonClass::EvaluationFailed);
    let governance = House { grants: Some(compiled(PolicyLayer::Governance, &all)), ..House::new() };
    assert_eq!(governance.class(&fulfil), ReasonClass::Permitted);
    let view =
        super::request(key(Role::Admin), aegis_model::Operation::AgentList, crate::Resource::tenant(&tenant("acme")));
    assert_eq!(governance.class(&view), ReasonClass::EvaluationFailed);
    let model = super::thing(crate::ResourceType::Model, "m");
    let using = super::request(agent("triage"), crate::GrantAction::UseModel, model);
    assert_eq!(governance.class(&using), ReasonClass::EvaluationFailed);
}

#[test]
fn whoever_may_operate_may_fulfil_and_agents_may_not() {
    let house = governed(&record(&json!({})));
    let allowed =
        |subject: Subject| house.decide(&intent_request(IntentAsk { subject, ..ask(&Value::Null) }).unwrap()).allowed;
    for role in Role::ALL {
        for kind in [SubjectKind::Key, SubjectKind::User, SubjectKind::System] {
            assert_eq!(allowed(Subject { kind, ..key(role) }), role != Role::Viewer, "{kind:?} {role:?}");
        }
        assert!(!allowed(Subject { role: Some(role), ..agent("triage") }));
    }
    assert!(!allowed(Subject { tenant: tenant("other"), ..key(Role::PlatformAdmin) }));
}

#[test]
fn a_tenants_own_rules_narrow_what_governance_allows() {
    let rule = "forbid (principal, action == Action::\"fulfil\", resource in Tenant::\"acme\") \
                when { context.document.hasTag(\"amount\") && context.document.getTag(\"amount\") has number && \
                context.document.getTag(\"amount\").number.whole >= 5 && context.hour == 0 };";
    let house = House { grants: Some(governance(&[record(&json!({}))])), ..House::new().with_tenant(rule) };
    assert_eq!(house.class(&asked(&json!({"amount": 4.5}))), ReasonClass::Permitted);
    assert_eq!(house.class(&asked(&json!({"amount": "9"}))), ReasonClass::Permitted);
    assert_eq!(house.class(&asked(&json!({"amount": 5}))), ReasonClass::Forbidden);
    let verdict = house.decide(&asked(&json!({"amount": 5})));
    let sentence = governance_reason("billing", "refund", Some(&record(&json!({}))), &verdict);
    assert_eq!(sentence, "Not permitted by policy");
}

#[test]
fn every_rule_has_its_id_and_its_reason() {
    let record = record(&everything());
    let set = governance(&[record.clone(), GovernanceRecord { intent: "stop".to_owned(), enabled: false, ..record }]);
    let told: Vec<(&str, Option<&str>)> =
        set.sources().iter().map(|source| (source.id.as_str(), set.reason_of(&source.id))).collect();
    assert_eq!(
        told,
        [
            ("billing/refund", Some("Request authorized")),
            ("billing/refund/hours", Some("Request outside allowed time window")),
            ("billing/refund/days", Some("Request outside allowed time window")),
            ("billing/refund/minute", Some("Rate limit exceeded")),
            ("billing/refund/hour", Some("Rate limit exceeded")),
            ("billing/refund/condition-1", Some("Condition not met: Only admins refund")),
            ("billing/refund/condition-2", Some("Condition not met: amount less_than 100.5")),
            ("billing/stop", Some("Policy is disabled")),
        ]
    );
    let found = explain(&crate::Sets { grants: Some(&set), ..House::new().sets() }, &asked(&Value::Null));
    let layer = found.layers.iter().find(|layer| layer.layer == PolicyLayer::Governance).unwrap();
    let unmet: Vec<&str> = layer.determining.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(unmet, ["billing/refund/condition-1", "billing/refund/condition-2"]);
}

#[test]
fn problems_of_records_are_told_below_their_place() {
    let good = record(&json!({}));
    let bad = record(&json!({"conditions": [condition("a", "equal", &json!(1))]}));
    let found = governance_policies(&tenant("acme"), &[good.clone(), bad, good]).unwrap_err();
    let pointers: Vec<&str> = found.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(pointers, ["/1/conditions/0/operator", "/1/intent", "/2/intent"]);
}

#[test]
fn the_longest_record_compiles() {
    let long = "\u{10ffff}".repeat(256);
    let list: Vec<String> = (0..64).map(|index| format!("{index:02}{}", "\u{10ffff}".repeat(254))).collect();
    let numbers: Vec<i64> = (0..64).map(|index| i64::MIN + index).collect();
    let field = ["a"; 8].map(|name| name.repeat(63)).join(".");
    let kinds = [
        condition(&field, "not_contains", &json!(long)),
        condition(&field, "not_in", &json!(list)),
        condition(&field, "in", &json!(numbers)),
        condition(&field, "less_or_equal", &json!(-0.0001)),
    ];
    let conditions: Vec<Value> = kinds.iter().cycle().take(64).cloned().collect();
    let hours: Vec<i64> = (0..24).collect();
    let all = json!({
        "time_restrictions": {"allowed_hours": hours, "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
        "rate_limits": {"requests_per_minute": 1_000_000_000, "requests_per_hour": 1_000_000_000},
        "conditions": conditions,
    });
    assert_eq!(governance(&[record(&all)]).len(), 69);
}

/// What is said about a document that is not taken.
fn refused(document: &Value) -> String {
    intent_request(ask(document)).unwrap_err().to_string()
}

#[test]
fn a_document_has_bounds() {
    let fields = |count: usize| Value::Object((0..count).map(|index| (format!("f{index}"), json!(1))).collect());
    let deep = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!({"a": inner}));
    let taken = |document: Value| assert!(intent_request(ask(&document)).is_ok(), "{document}");
    taken(fields(64));
    taken(json!({"a": {"b": fields(64)}}));
    taken(deep(8));
    taken(json!({"a": "é".repeat(2048), "b": vec!["x"; 256]}));
    assert!(refused(&fields(65)).contains("more than 64 fields"));
    assert!(refused(&json!({"a": fields(32), "b": fields(33)})).starts_with("`/b/f"));
    let unnamed = Value::Object((0..65).map(|index| (format!("not a name {index}"), json!({}))).collect());
    assert!(refused(&unnamed).contains("more than 64 fields"));
    assert!(refused(&deep(9)).starts_with("`/a/a/a/a/a/a/a/a`"));
    assert!(refused(&json!({"a": {"b": "x".repeat(4097)}})).starts_with("`/a/b`"));
    assert!(refused(&json!({"a": ["x".repeat(4097), 1]})).contains("longer"));
    assert!(refused(&json!({"a": vec![1; 257]})).contains("256 entries"));
    for document in [json!([]), json!("a"), json!(1), json!(true)] {
        assert!(refused(&document).contains("not an object"));
    }
}

#[test]
fn a_request_about_an_intent_reads_back_from_json() {
    let document = json!({"t": "a", "n": -1.5, "f": true, "ts": ["a"], "ns": [1, 2.5], "e": [], "o": {"x": {}}});
    let asked = asked(&document);
    assert_eq!(asked.document.len(), 8);
    let json = serde_json::to_string(&asked).unwrap();
    assert_eq!(serde_json::from_str::<Request>(&json).unwrap(), asked);
}

/// Texts that try to end a literal, a pattern or a rule, and their parts, so that they meet.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            "\"",
            "\\",
            "*",
            "\\*",
            "\\u{2a}",
            "\n",
            "//",
            "\0",
            "é",
            "e\u{301}",
            "日",
            "\u{1f600}",
            "a",
            "b",
            ";",
            "}"
        ])
        .prop_map(str::to_owned),
        Just("\" || true || \"".to_owned()),
        Just("\") }; permit (principal, action, resource); //".to_owned()),
        any::<char>().prop_filter("refused when it is written", |letter| !turns(*letter)).prop_map(String::from),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

fn turns(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// What a condition about a text means, written plainly.
fn holds(operator: &str, value: &str, field: &str) -> bool {
    match operator {
        "equals" | "in" => field == value,
        "not_equals" | "not_in" => field != value,
        "contains" => field.contains(value),
        "not_contains" => !field.contains(value),
        "starts_with" => field.starts_with(value),
        _ => field.ends_with(value),
    }
}

/// What a condition about a number means, in ten-thousandths.
fn compares(operator: &str, value: i64, field: i64) -> bool {
    match operator {
        "equals" => field == value,
        "not_equals" => field != value,
        "greater_than" => field > value,
        "greater_or_equal" => field >= value,
        "less_than" => field < value,
        _ => field <= value,
    }
}

const OF_TEXTS: [&str; 8] =
    ["equals", "not_equals", "contains", "not_contains", "starts_with", "ends_with", "in", "not_in"];
const OF_NUMBERS: [&str; 6] =
    ["equals", "not_equals", "greater_than", "greater_or_equal", "less_than", "less_or_equal"];

/// A condition that is met by some of the documents of `documents`.
fn some_condition() -> impl Strategy<Value = Value> {
    let texts =
        (select(vec!["equals", "not_equals", "contains", "not_contains", "starts_with"]), select(vec!["x", "y"]));
    let numbers = (select(OF_NUMBERS.to_vec()), -1_i64..3);
    let field = select(vec!["a", "b", "a.b"]);
    let compared = prop_oneof![
        texts.prop_map(|(operator, value)| (operator, json!(value))),
        numbers.prop_map(|(operator, value)| (operator, json!(value))),
        select(vec!["exists", "not_exists"]).prop_map(|operator| (operator, Value::Null)),
        select(vec!["in", "not_in"]).prop_map(|operator| (operator, json!(["x", "z"]))),
    ];
    (field, compared).prop_map(|(field, (operator, value))| condition(field, operator, &value))
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf =
        select(vec![Value::Null, json!("x"), json!("xy"), json!(1), json!(1.5), json!(["x"]), json!([1]), json!(true)]);
    (leaf.clone(), leaf.clone(), prop::option::of(leaf)).prop_map(|(a, b, inner)| match inner {
        Some(inner) => json!({"a": {"b": inner}, "b": b}),
        None => json!({"a": a, "b": b}),
    })
}

/// One more restriction of a record.
fn restricted(mut record: GovernanceRecord, more: Value, way: u8) -> GovernanceRecord {
    let mut times = record.time_restrictions.take().unwrap_or_else(|| serde_json::from_value(json!({})).unwrap());
    let mut rates = record.rate_limits.take().unwrap_or_else(|| serde_json::from_value(json!({})).unwrap());
    match way {
        0 => times.allowed_hours = Some(vec![times.allowed_hours.map_or(9, |hours| hours[0])]),
        1 => times.days = Some(vec![times.days.map_or_else(|| "mon".to_owned(), |days| days[0].clone())]),
        2 => rates.requests_per_minute = Some(rates.requests_per_minute.map_or(2, |limit| limit.min(1))),
        3 => rates.requests_per_hour = Some(rates.requests_per_hour.map_or(2, |limit| limit.min(1))),
        4 => record.enabled = false,
        _ => record.conditions.push(serde_json::from_value(more).unwrap()),
    }
    GovernanceRecord { time_restrictions: Some(times), rate_limits: Some(rates), ..record }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_text_never_changes_what_a_condition_means(
        operator in select(OF_TEXTS.to_vec()), value in hostile(), (before, other, after) in (hostile(), hostile(), hostile()),
    ) {
        prop_assume!(!value.is_empty());
        let given = if operator.ends_with("in") { json!([value]) } else { json!(value) };
        let fields = [other, value.clone(), format!("{before}{value}"), format!("{value}{after}"), format!("{before}{value}{after}")];
        let house = governed(&record(&json!({"conditions": [condition("a.b", operator, &given)]})));
        for field in &fields {
            let allowed = house.decide(&asked(&json!({"a": {"b": field}}))).allowed;
            prop_assert_eq!(allowed, holds(operator, &value, field), "{:?} {} {:?}", field, operator, value);
            if operator == "contains" || operator == "not_contains" {
                let listed = house.decide(&asked(&json!({"a": {"b": [field, "other"]}}))).allowed;
                let within = *field == value || value == "other";
                prop_assert_eq!(listed, within == (operator == "contains"), "[{:?}] {} {:?}", field, operator, value);
            }
        }
    }

    #[test]
    fn numbers_compare_as_numbers(
        operator in select(OF_NUMBERS.to_vec()), value in -30_000_i64..30_000, near in -2_i64..3, far in any::<i32>(),
    ) {
        // Whole ones as JSON's integers, the others with a point.
        let written = |parts: i64| if parts % 10_000 == 0 { json!(parts / 10_000) } else { json!(parts as f64 / 1e4) };
        let house = governed(&record(&json!({"conditions": [condition("a", operator, &written(value))]})));
        for field in [value, value + near, value + near * 10_000, -value, i64::from(far)] {
            for document in [json!({"a": written(field)}), json!({"a": field as f64 / 1e4})] {
                let allowed = house.decide(&asked(&document)).allowed;
                prop_assert_eq!(allowed, compares(operator, value, field), "{} {} {}", document, operator, written(value));
            }
        }
    }

    #[test]
    fn one_more_restriction_never_allows_more(
        conditions in proptest::collection::vec(some_condition(), 0..3),
        hours in prop::option::of(select(vec![vec![9_i64, 10], vec![10, 9, 11]])),
        limit in prop::option::of(1_u64..4),
        (more, way) in (some_condition(), 0_u8..9),
        asks in proptest::collection::vec((documents(), 8_u8..12, select(Weekday::ALL.to_vec()), 0_u64..4), 1..8),
    ) {
        let mut with = json!({"conditions": conditions});
        if let Some(hours) = hours { with["time_restrictions"] = json!({"allowed_hours": hours}) }
        if let Some(limit) = limit { with["rate_limits"] = json!({"requests_per_minute": limit}) }
        let fewer = record(&with);
        let after = governed(&restricted(fewer.clone(), more, way));
        let before = governed(&fewer);
        for (document, local_hour, local_weekday, count) in &asks {
            let (last_minute, last_hour) = (*count, *count);
            let asked = IntentAsk { local_hour: *local_hour, local_weekday: *local_weekday, last_minute, last_hour, ..ask(document) };
            let asked = intent_request(asked).unwrap();
            prop_assert!(before.decide(&asked).allowed || !after.decide(&asked).allowed, "{:?}", asked);
        }
    }

    #[test]
    fn whatever_is_taken_compiles_and_says_its_reason(operator in select(Operator::ALL.to_vec()), value in hostile(), text in hostile()) {
        let mut with = condition("a", operator.as_str(), &json!(value));
        with["description"] = json!(text);
        for with in [with.clone(), condition("a", operator.as_str(), &json!([value, text])), condition("a", operator.as_str(), &Value::Null)] {
            let record = record(&json!({"conditions": [with]}));
            if record.check().is_err() { continue }
            let house = governed(&record);
            prop_assert_eq!(house.grants.as_ref().unwrap().len(), 2);
            let verdict: Verdict = decide(&house.sets(), &asked(&json!({"a": {}})));
            let unmet = format!("Condition not met: {}", record.conditions[0].told());
            let expected = if verdict.allowed { "Request authorized".to_owned() } else { unmet };
            prop_assert_eq!(governance_reason("billing", "refund", Some(&record), &verdict), expected);
            prop_assert!(verdict.class != ReasonClass::EvaluationFailed);
        }
    }
}

#[test]
fn the_kinds_of_values_are_those_of_the_table() {
    // A value that is read and that no operator takes would never be written.
    for value in [json!("a"), json!(1), json!(true), json!(["a"]), json!([1])] {
        let kind = ConditionValue::of(&value).unwrap().kind();
        let takes = |operator: &Operator| matches!(operator.takes(), aegis_model::governance::Takes::One(kinds) if kinds.contains(&kind));
        assert!(Operator::ALL.iter().any(takes), "{value}");
    }
}
