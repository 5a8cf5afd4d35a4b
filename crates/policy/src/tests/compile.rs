//! Which texts become a set, and what is said about those that do not.

use aegis_model::decision::PolicyLayer;

use proptest::prelude::*;

use super::{compiled, source};
use crate::{PolicySet, PolicySource};

/// The problems of one text as `line:column message`.
fn problems(text: &str) -> Vec<String> {
    match PolicySet::compile(PolicyLayer::Tenant, &[source("mine", text)]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems
            .into_iter()
            .map(|problem| {
                assert_eq!(problem.id, "mine");
                format!("{}:{} {}", problem.line, problem.column, problem.message)
            })
            .collect(),
    }
}

/// Checks that the text is refused at the place, for a reason that contains `why`.
fn refused(text: &str, place: &str, why: &str) {
    let found = problems(text);
    assert!(found.iter().any(|problem| problem.starts_with(place) && problem.contains(why)), "{text}\n{found:#?}");
}

#[test]
fn a_problem_is_told_with_its_place() {
    refused("permit (principal, action, resource)", "1:", "unexpected end of input");
    refused("// ä\npermit (principal,\n  action == Action::\"agnt_view\", resource);", "", "agent_view");
    refused("permit (principal, action, resource)\nwhen { principal.nme == \"x\" };", "2:8", "nme");
    refused("@note(\"é\") permit (principal, action, resource) when { principal.nme == \"x\" };", "1:56", "nme");
    refused("permit (principal, action == Action::\"agent_view\", resource) when { context.port == 1 };", "1:", "port");
    refused("permit (principal in Role::\"boss\", action, resource);", "1:", "boss");
    refused("permit (principal == Person::\"x\", action, resource);", "1:", "Person");
    refused("permit (principal == ?principal, action, resource);", "1:1", "template");
    refused("permit (principal, action, resource) when { 1 + true };", "1:", "");
}

#[test]
fn a_rule_that_can_never_apply_is_refused() {
    refused("forbid (principal is Agent, action == Action::\"connect\", resource is Tool);", "1:", "");
    refused("forbid (principal, action, resource) when { false };", "1:", "");
    refused("forbid (principal is Key, action == Action::\"connect\", resource);", "1:", "");
}

#[test]
fn a_rule_looks_no_further_than_what_a_request_carries() {
    refused("forbid (principal, action, resource) when { principal.tenant.name == \"acme\" };", "1:", "");
    refused("forbid (principal, action, resource) when { Agent::\"x\".name == \"x\" };", "1:", "");
}

#[test]
fn letters_that_hide_what_a_rule_means_are_refused() {
    refused("forbid (principal, action, resource) when { resource.name == \"a\u{202e}b\" };", "1:", "");
    assert_eq!(
        problems("forbid (principal, action, resource) when { resource.name == \"日本\" };"),
        Vec::<String>::new()
    );
}

#[test]
fn several_rules_of_a_source_are_named_behind_it() {
    let text = "permit (principal, action, resource); @id(\"stop\") forbid (principal, action, resource); \
                permit (principal, action, resource);";
    let set = compiled(PolicyLayer::Tenant, &[source("mine", text), source("yours", "// nothing\n")]);
    let names: Vec<String> = set.rules().iter().map(|rule| rule.policy.id().to_string()).collect();
    assert_eq!(names, ["mine/1", "mine/stop", "mine/3"]);
}

#[test]
fn eleven_rules_keep_their_order() {
    let text = "permit (principal, action, resource);\n".repeat(11);
    let set = compiled(PolicyLayer::Tenant, &[source("m", &text)]);
    let names: Vec<String> = set.rules().iter().map(|rule| rule.policy.id().to_string()).collect();
    assert_eq!(names, (1..=11).map(|number| format!("m/{number}")).collect::<Vec<_>>());
}

#[test]
fn an_id_is_used_once() {
    let rule = "permit (principal, action, resource);";
    let twice = PolicySet::compile(PolicyLayer::Tenant, &[source("a", rule), source("a", rule)]).unwrap_err();
    assert!(twice.iter().any(|problem| problem.message.contains("twice")), "{twice:?}");
    let sneaky = [source("a", &format!("{rule}{rule}")), source("a/2", rule)];
    let clash = PolicySet::compile(PolicyLayer::Tenant, &sneaky).unwrap_err();
    assert_eq!(clash.iter().map(|problem| problem.id.as_str()).collect::<Vec<_>>(), ["a/2"]);
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_and_nothing_breaks() {
    refused(&" ".repeat(300 * 1024), "1:1", "longer");
    for (open, close) in
        [("(", ")"), ("!(", ")"), ("[", "]"), ("{a: ", "}"), ("if true then ", " else false"), ("-(", ")")]
    {
        for times in [33, 300, 9_000] {
            let (open, close) = (open.repeat(times), close.repeat(times));
            let text = format!("permit (principal, action, resource) when {{ {open}true{close} }};");
            assert!(!in_little_room(move || problems(&text)).is_empty(), "{times}");
        }
    }
}

/// Half of what a server's thread has; running out of it would end the process.
fn in_little_room<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(1024 * 1024).spawn(act).unwrap().join().unwrap()
}

#[test]
fn what_nests_as_deep_as_it_may_is_still_checked() {
    for (open, inner, close, times) in [
        ("(", "1", ")", 30),
        ("", "principal", ".contains(1)", 250),
        ("", "1", " + 1", 250),
        ("if true then ", "1", " else 1", 8),
    ] {
        let (open, close) = (open.repeat(times), close.repeat(times));
        let text = format!("permit (principal, action, resource) when {{ {open}{inner}{close} }};");
        let found = in_little_room(move || problems(&text));
        assert!(found.iter().any(|problem| problem.contains("unexpected type")), "{times} {found:?}");
    }
}

#[test]
fn every_problem_of_every_source_is_told() {
    let sources =
        [source("a", "permit"), source("b", "permit (principal, action, resource);"), source("c", "nonsense")];
    let found = PolicySet::compile(PolicyLayer::Tenant, &sources).unwrap_err();
    let ids: std::collections::BTreeSet<&str> = found.iter().map(|problem| problem.id.as_str()).collect();
    assert_eq!(ids.into_iter().collect::<Vec<_>>(), ["a", "c"]);
}

#[test]
fn the_hash_follows_the_content_and_not_the_order() {
    let rule = |id: &str, text: &str| PolicySource { id: id.to_owned(), text: text.to_owned() };
    let permit = "permit (principal, action, resource);";
    let forbid = "forbid (principal, action, resource);";
    let hash = |layer, sources: &[PolicySource]| compiled(layer, sources).hash();
    let one = hash(PolicyLayer::Tenant, &[rule("a", permit), rule("b", forbid)]);
    assert_eq!(one, hash(PolicyLayer::Tenant, &[rule("b", forbid), rule("a", permit)]));
    assert_ne!(one, hash(PolicyLayer::Tenant, &[rule("a", forbid), rule("b", permit)]));
    assert_ne!(one, hash(PolicyLayer::Platform, &[rule("a", permit), rule("b", forbid)]));
    assert_ne!(one, hash(PolicyLayer::Tenant, &[rule("a", permit)]));
    assert_eq!(PolicySet::empty(PolicyLayer::Tenant).hash(), hash(PolicyLayer::Tenant, &[]));
}

/// Pieces of rules, whole and broken, in any order and number.
fn pieces() -> impl Strategy<Value = String> {
    let piece = proptest::sample::select(vec![
        "permit (principal, action, resource)",
        "when { ",
        "unless {",
        " }",
        ";",
        "(",
        ")",
        "[",
        "]",
        "{a: ",
        "!(",
        "-(",
        "\"",
        "\\",
        "\\\"",
        "//",
        "\n",
        "\r",
        "if true then ",
        " else ",
        "principal.name",
        ".tenant",
        " && ",
        " || ",
        " + ",
        "1",
        "true",
        " has a",
        " like \"*\"",
        ".contains(",
        "@id(\"x\")",
        "\u{202e}",
        "Agent::\"x\"",
        "::",
        "?principal",
        " in ",
        " is Agent",
        "/",
        "*",
        "\0",
    ]);
    let run = (piece, prop_oneof![8 => Just(1_usize), 1 => Just(300), 1 => Just(5_000)]);
    proptest::collection::vec(run, 0..12)
        .prop_map(|runs| runs.iter().map(|(piece, times)| piece.repeat(*times)).collect())
}

proptest! {
    #[test]
    fn no_text_breaks_the_compiler(before in pieces(), inside in pieces()) {
        for text in [before, format!("permit (principal, action, resource) when {{ {inside} }};")] {
            in_little_room(move || drop(PolicySet::compile(PolicyLayer::Tenant, &[source("x", &text)])));
        }
    }
}
