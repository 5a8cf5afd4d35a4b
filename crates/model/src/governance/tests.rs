//! Which records are taken, and what is said about those that are not.

use serde_json::{Value, json};

use super::*;
use crate::time::Weekday;

fn record(with: Value) -> Result<GovernanceRecord, serde_json::Error> {
    let mut whole = json!({"service": "billing", "intent": "refund"});
    let (Some(whole_map), Some(with)) = (whole.as_object_mut(), with.as_object()) else { panic!("not objects") };
    whole_map.extend(with.clone());
    serde_json::from_value(whole)
}

/// What is wrong, as `pointer: message`.
fn problems(with: Value) -> Vec<String> {
    match record(with.clone()).unwrap_or_else(|error| panic!("{with}: {error}")).check() {
        Ok(()) => Vec::new(),
        Err(problems) => problems.iter().map(|found| format!("{}: {}", found.pointer, found.message)).collect(),
    }
}

fn taken(with: Value) {
    assert_eq!(problems(with.clone()), Vec::<String>::new(), "{with}");
}

fn refused(with: Value, pointer: &str, why: &str) {
    let found = problems(with.clone());
    let named = found.len() == 1 && found[0].starts_with(&format!("{pointer}: ")) && found[0].contains(why);
    assert!(named, "{with}\n{found:#?}");
}

fn check(operator: &str, value: Value) -> Value {
    json!({"conditions": [{"type": "context_check", "field": "user.id", "operator": operator, "value": value}]})
}

#[test]
fn a_record_reads_back_and_leaves_out_what_it_may() {
    let plain = record(json!({})).unwrap();
    assert!(plain.enabled && plain.conditions.is_empty() && plain.id() == "billing/refund");
    assert_eq!(
        serde_json::to_value(&plain).unwrap(),
        json!({"service": "billing", "intent": "refund", "enabled": true})
    );
    let full = json!({
        "service": "billing", "intent": "refund", "enabled": false, "description": "Money back",
        "time_restrictions": {"allowed_hours": [9, 23, 0], "days": ["mon", "sun"], "timezone": "Europe/Berlin"},
        "rate_limits": {"requests_per_minute": 5, "requests_per_hour": 100},
        "conditions": [{
            "type": "context_check", "field": "user.id", "operator": "equals", "value": "u-1", "description": "Only Ada"
        }],
    });
    let read: GovernanceRecord = serde_json::from_value(full.clone()).unwrap();
    assert_eq!(read.check(), Ok(()));
    assert_eq!(serde_json::to_value(&read).unwrap(), full);
    let zone = record(json!({"time_restrictions": {}})).unwrap().time_restrictions.unwrap();
    assert_eq!((zone.timezone.as_str(), zone.days, zone.allowed_hours), ("UTC", None, None));
}

#[test]
fn fields_that_nobody_knows_are_errors() {
    for with in [
        json!({"enable": true}),
        json!({"time_restrictions": {"hours": [1]}}),
        json!({"rate_limits": {"requests_per_day": 1}}),
        json!({"conditions": [{"type": "context_check", "field": "a", "operator": "exists", "not": true}]}),
        json!({"conditions": [{"type": "header_check", "field": "a", "operator": "exists"}]}),
        json!({"enabled": "yes"}),
        json!({"rate_limits": {"requests_per_minute": -1}}),
    ] {
        assert!(record(with.clone()).is_err(), "{with}");
    }
}

#[test]
fn names_are_plain() {
    for name in ["a", "0", "a_b.c-d", &"a".repeat(63)] {
        taken(json!({"service": name, "intent": name}));
    }
    for name in ["", "A", "_a", ".a", "-a", "a/b", "a b", "ä", "a\n", &"a".repeat(64)] {
        refused(json!({"service": name}), "/service", "is not a name");
        refused(json!({"intent": name}), "/intent", "is not a name");
    }
}

#[test]
fn times_are_hours_and_days_of_a_zone() {
    let times = |with: Value| json!({"time_restrictions": with});
    let all: Vec<i64> = (0..24).collect();
    taken(times(json!({"allowed_hours": all, "days": Weekday::ALL.map(Weekday::as_str)})));
    for hour in [24, -1, 99] {
        refused(times(json!({"allowed_hours": [1, hour]})), "/time_restrictions/allowed_hours/1", "not an hour");
    }
    refused(times(json!({"allowed_hours": [1, 2, 1]})), "/time_restrictions/allowed_hours/2", "twice");
    refused(times(json!({"allowed_hours": []})), "/time_restrictions/allowed_hours", "leave it out");
    refused(times(json!({"days": []})), "/time_restrictions/days", "leave it out");
    refused(times(json!({"days": ["mon", "mon"]})), "/time_restrictions/days/1", "twice");
    for (day, meant) in [("Mon", "mon"), ("monday", "mon"), ("Wednesday", "wed"), ("tus", "tue"), ("SUN", "sun")] {
        refused(times(json!({"days": [day]})), "/time_restrictions/days/0", &format!("did you mean `{meant}`?"));
    }
    refused(times(json!({"days": ["noday"]})), "/time_restrictions/days/0", "there is no day");
    for zone in ["UTC", "Europe/Berlin", "America/Port-au-Prince", "Etc/GMT+5", "America/Argentina/Buenos_Aires"] {
        taken(times(json!({"timezone": zone})));
    }
    for zone in ["", "Europe Berlin", "Europe/Berlin\n", "é", "../../etc", &"a".repeat(65)] {
        refused(times(json!({"timezone": zone})), "/time_restrictions/timezone", "not a time zone");
    }
}

#[test]
fn limits_allow_something() {
    let limits = |with: Value| json!({"rate_limits": with});
    taken(limits(json!({})));
    taken(limits(json!({"requests_per_minute": 1, "requests_per_hour": LIMIT_MAX})));
    for name in ["requests_per_minute", "requests_per_hour"] {
        refused(limits(json!({name: 0})), &format!("/rate_limits/{name}"), "allows nothing");
        refused(limits(json!({name: LIMIT_MAX + 1})), &format!("/rate_limits/{name}"), "above");
    }
}

#[test]
fn each_operator_takes_its_values_and_no_others() {
    let values = [
        (ValueKind::Text, json!("a")),
        (ValueKind::Number, json!(1)),
        (ValueKind::Number, json!(-1.25)),
        (ValueKind::Boolean, json!(false)),
        (ValueKind::Texts, json!(["a", "b"])),
        (ValueKind::Numbers, json!([1, -2])),
    ];
    for operator in Operator::ALL {
        let name = operator.as_str();
        assert_eq!(Operator::by_name(name), Some(*operator));
        for (kind, value) in &values {
            match operator.takes() {
                Takes::One(kinds) if kinds.contains(kind) => taken(check(name, value.clone())),
                _ => refused(check(name, value.clone()), "/conditions/0/value", "take"),
            }
        }
        let none = json!({"conditions": [{"type": "context_check", "field": "a", "operator": name}]});
        match operator.takes() {
            Takes::Nothing => taken(none),
            Takes::One(_) => refused(none, "/conditions/0/value", "takes a value"),
        }
    }
    taken(check("exists", json!(true)));
}

#[test]
fn values_of_no_form_are_refused() {
    for value in [json!(0.12345), json!(1e300), json!(u64::MAX), json!({"a": 1})] {
        refused(check("equals", value), "/conditions/0/value", "four digits");
    }
    for value in [json!([]), json!([1, "a"]), json!([1.5]), json!([true]), json!([["a"]])] {
        refused(check("in", value), "/conditions/0/value", "all of one type");
    }
    taken(check("equals", json!(0.1234)));
    taken(check("equals", json!(i64::MIN)));
    for operator in ["contains", "not_contains", "starts_with", "ends_with"] {
        refused(check(operator, json!("")), "/conditions/0/value", "in every text");
    }
    taken(check("equals", json!("")));
}

#[test]
fn an_unknown_operator_is_told_with_what_was_meant() {
    for (given, meant) in [
        ("equal", "equals"),
        ("Equals", "equals"),
        ("greater-than", "greater_than"),
        ("notEquals", "not_equals"),
        (">=", "greater_or_equal"),
        ("==", "equals"),
        ("startswith", "starts_with"),
    ] {
        refused(check(given, json!(1)), "/conditions/0/operator", &format!("did you mean `{meant}`?"));
    }
    refused(check("matches", json!("a")), "/conditions/0/operator", "there is no operator `matches`");
}

#[test]
fn fields_are_paths_of_names() {
    let on = |field: &str| json!({"conditions": [{"type": "context_check", "field": field, "operator": "exists"}]});
    for field in ["a", "_", "user.id", "A-b_9", "a.b.c.d.e.f.g.h", &"a".repeat(63)] {
        taken(on(field));
    }
    for field in
        ["", ".", "a.", ".a", "a..b", "1a", "-a", "a b", "a[0]", "ä", "a\"b", "a.b.c.d.e.f.g.h.i", &"a".repeat(64)]
    {
        refused(on(field), "/conditions/0/field", "is not a field");
    }
}

#[test]
fn what_is_too_long_or_hides_something_is_refused() {
    for (text, why) in [("", "empty"), ("a\nb", "control"), ("a\u{202e}b", "control"), (&*"é".repeat(201), "longer")] {
        refused(json!({"description": text}), "/description", why);
        let with = json!({"conditions": [
            {"type": "context_check", "field": "a", "operator": "exists"},
            {"type": "context_check", "field": "a", "operator": "exists", "description": text}
        ]});
        refused(with, "/conditions/1/description", why);
    }
    taken(json!({"description": "é".repeat(200)}));
    refused(check("equals", json!("a".repeat(257))), "/conditions/0/value", "longer");
    refused(check("in", json!(["b", "a".repeat(257)])), "/conditions/0/value/1", "longer");
    refused(check("in", json!(vec![1; 65])), "/conditions/0/value", "more than 64");
    refused(check("equals", json!("a\u{2066}b")), "/conditions/0/value", "direction");
    taken(check("equals", json!("quotes \" ' \\ * \n\t\0 日本")));
    taken(check("in", json!(vec!["é".repeat(256); 64])));
    let condition = json!({"type": "context_check", "field": "a", "operator": "exists"});
    taken(json!({"conditions": vec![condition.clone(); 64]}));
    refused(json!({"conditions": vec![condition; 65]}), "/conditions", "more than 64");
}

#[test]
fn every_problem_is_told() {
    let found = problems(json!({
        "service": "", "intent": "", "description": "", "time_restrictions": {"allowed_hours": [24, 24]},
        "rate_limits": {"requests_per_hour": 0},
        "conditions": [{"type": "context_check", "field": "", "operator": "", "description": ""}],
    }));
    assert_eq!(found.len(), 9, "{found:#?}");
}

#[test]
fn a_condition_is_told_by_its_description_or_by_what_it_compares() {
    let told = |operator: &str, value: Value| record(check(operator, value)).unwrap().conditions[0].told();
    assert_eq!(told("equals", json!("admin")), "user.id equals admin");
    assert_eq!(told("less_than", json!(1.5)), "user.id less_than 1.5");
    assert_eq!(told("in", json!(["a", "b"])), "user.id in [\"a\",\"b\"]");
    assert_eq!(told("equals", json!("a\nb\u{7f}")), "user.id equals a b ");
    assert!(told("equals", json!("a".repeat(256))).len() == DESCRIPTION_LENGTH_MAX);
    let mut condition = record(check("exists", Value::Null)).unwrap().conditions[0].clone();
    assert_eq!(condition.told(), "user.id exists");
    condition.description = Some("Somebody must be named".to_owned());
    assert_eq!(condition.told(), "Somebody must be named");
}

#[test]
fn numbers_are_the_same_however_they_are_written() {
    let number =
        |text: &str| Number::of(&serde_json::from_str(text).unwrap()).map(|read| (read.whole, read.billionths));
    for (text, expected) in [
        ("1", Some((1, 0))),
        ("1.0", Some((1, 0))),
        ("1e2", Some((100, 0))),
        ("-0.0", Some((0, 0))),
        ("0.1", Some((0, 100_000_000))),
        ("-0.1", Some((-1, 900_000_000))),
        ("-1.25", Some((-2, 750_000_000))),
        ("0.30000000000000004", Some((0, 300_000_000))),
        ("0.9999999999", Some((1, 0))),
        ("-0.9999999999", Some((-1, 0))),
        ("1e-12", Some((0, 0))),
        ("9223372036854775807", Some((i64::MAX, 0))),
        ("-9223372036854775808", Some((i64::MIN, 0))),
        ("9223372036854775808", None),
        ("18446744073709551615", None),
        ("1e19", None),
        ("1e300", None),
        ("-1e300", None),
    ] {
        assert_eq!(number(text), expected, "{text}");
    }
}

#[test]
fn numbers_keep_their_order() {
    let texts = ["-1e18", "-2", "-1.5", "-1.4999", "-1", "-0.0001", "0", "0.0001", "0.5", "1", "1.0001", "2", "1e18"];
    let numbers: Vec<Number> =
        texts.iter().map(|text| Number::of(&serde_json::from_str(text).unwrap()).unwrap()).collect();
    assert!(numbers.is_sorted() && numbers.windows(2).all(|two| two[0] != two[1]), "{numbers:?}");
}
