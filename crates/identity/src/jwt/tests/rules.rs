//! Rules lead from claims to a tenant and a role, or to nothing.

use aegis_model::Role;
use serde_json::{Value, json};

use super::issuers::{ISSUER, claims_with, header, signed, verify};
use crate::jwt::{Algorithm, ClaimPath, ClaimPathError, ClaimRules, Claims};

fn claims(changes: &Value) -> Claims {
    verify(&signed(Algorithm::EdDsa, &header(Algorithm::EdDsa).to_string(), &claims_with(changes))).unwrap()
}

fn rules(rules: &Value) -> ClaimRules {
    serde_json::from_value(rules.clone()).unwrap_or_else(|error| panic!("{rules}: {error}"))
}

/// Whether one test holds for the claims.
fn holds(test: &Value, changes: &Value) -> bool {
    let rule = json!([{ "issuer": ISSUER, "when": [test], "tenant": "acme", "role": "viewer" }]);
    rules(&rule).grant(&claims(changes)).is_some()
}

#[test]
fn the_first_fitting_rule_decides_and_without_one_nothing_is_granted() {
    let rules = rules(&json!([
        { "issuer": "https://other.example", "tenant": "other", "role": "platform-admin" },
        {
            "issuer": ISSUER, "tenant": "acme", "role": "admin",
            "when": [
                { "equals": { "claim": "department", "value": "security" } },
                { "scope_word": { "claim": "scope", "word": "aegis.admin" } },
            ],
        },
        {
            "issuer": ISSUER, "tenant": "acme", "role": "viewer",
            "when": [{ "contains": { "claim": "realm_access.roles", "value": "aegis" } }],
        },
    ]));
    let grant =
        |changes: Value| rules.grant(&claims(&changes)).map(|grant| (grant.tenant.to_string(), grant.role, grant.rule));
    assert_eq!(grant(json!({})), None);
    assert_eq!(grant(json!({ "department": "security" })), None, "every test has to hold");
    let admin =
        json!({ "department": "security", "scope": "openid aegis.admin", "realm_access": { "roles": ["aegis"] } });
    assert_eq!(grant(admin), Some(("acme".to_owned(), Role::Admin, 1)));
    let viewer = json!({ "department": "sales", "scope": "aegis.admin", "realm_access": { "roles": ["x", "aegis"] } });
    assert_eq!(grant(viewer), Some(("acme".to_owned(), Role::Viewer, 2)));
    assert_eq!(ClaimRules::default().grant(&claims(&json!({}))), None);
}

#[test]
fn a_value_is_equal_only_in_its_own_type() {
    let equals = |value: Value, changes: Value| holds(&json!({ "equals": { "claim": "a", "value": value } }), &changes);
    assert!(equals(json!("x"), json!({ "a": "x" })));
    assert!(equals(json!(true), json!({ "a": true })));
    assert!(equals(json!(7), json!({ "a": 7 })));
    for other in [json!("X"), json!("x "), json!(["x"]), json!({ "x": 1 }), json!(1)] {
        assert!(!equals(json!("x"), json!({ "a": other })), "{other}");
    }
    assert!(!equals(json!(true), json!({ "a": "true" })));
    assert!(!equals(json!(7), json!({ "a": "7" })));
    assert!(!equals(json!(7), json!({ "a": 7.0 })));
    assert!(!equals(json!("x"), json!({ "b": "x" })));
}

#[test]
fn a_list_contains_whole_texts() {
    let contains = |changes: Value| holds(&json!({ "contains": { "claim": "groups", "value": "ops" } }), &changes);
    assert!(contains(json!({ "groups": ["dev", "ops"] })));
    for other in [json!("ops"), json!(["ops2"]), json!([["ops"]]), json!([]), json!({ "ops": true }), json!("dev ops")]
    {
        assert!(!contains(json!({ "groups": other })), "{other}");
    }
}

#[test]
fn a_scope_is_a_list_of_whole_words() {
    let scope =
        |word: &str, changes: Value| holds(&json!({ "scope_word": { "claim": "scope", "word": word } }), &changes);
    assert!(scope("write", json!({ "scope": "read write" })));
    assert!(scope("read", json!({ "scope": "read" })));
    for other in
        [json!("rewrite"), json!("write:all"), json!("WRITE"), json!(["write"]), json!("read,write"), json!("")]
    {
        assert!(!scope("write", json!({ "scope": other })), "{other}");
    }
    assert!(!scope("", json!({ "scope": "read  write" })));
    assert!(!scope("read write", json!({ "scope": "read write" })));
}

#[test]
fn a_path_leads_through_objects_only() {
    let at = |path: &str, changes: Value| holds(&json!({ "equals": { "claim": path, "value": 1 } }), &changes);
    assert!(at("a.b.c", json!({ "a": { "b": { "c": 1 } } })));
    assert!(!at("a.b.c", json!({ "a": { "b": [1] } })));
    assert!(!at("a.0", json!({ "a": [1] })));
    assert!(!at("a.b", json!({ "a.b": 1 })), "a point always leads into an object");
    assert!(at("https://example.com/a.b", json!({ "https://example.com/a.b": 1 })));
    for bad in ["", ".", "a.", ".a", "a..b", &"a".repeat(257)] {
        assert_eq!(ClaimPath::try_from(bad.to_owned()), Err(ClaimPathError), "{bad}");
    }
}

#[test]
fn rules_read_back_and_misspelt_ones_are_refused() {
    let good = json!([{
        "issuer": ISSUER, "tenant": "acme", "role": "operator",
        "when": [{ "equals": { "claim": "a.b", "value": true } }],
    }]);
    assert_eq!(serde_json::to_value(rules(&good)).unwrap(), good);
    for bad in [
        json!([{ "tenant": "acme", "role": "viewer" }]),
        json!([{ "issuer": ISSUER, "tenant": "acme" }]),
        json!([{ "issuer": ISSUER, "tenant": "ACME", "role": "viewer" }]),
        json!([{ "issuer": ISSUER, "tenant": "acme", "role": "root" }]),
        json!([{ "issuer": ISSUER, "tenant": "acme", "role": "viewer", "wen": [] }]),
        json!([{ "issuer": ISSUER, "tenant": "acme", "role": "viewer", "when": [{ "is": { "claim": "a" } }] }]),
        json!([{ "issuer": ISSUER, "tenant": "acme", "role": "viewer", "when": [{ "equals": { "claim": "a." , "value": 1 } }] }]),
        json!([{ "issuer": ISSUER, "tenant": "acme", "role": "viewer", "when": [{ "equals": { "claim": "a", "value": [1] } }] }]),
    ] {
        assert!(serde_json::from_value::<ClaimRules>(bad.clone()).is_err(), "{bad}");
    }
}
