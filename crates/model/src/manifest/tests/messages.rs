//! What is said about a mistake: place, pointer, sentence and suggestion, word for word.

use super::sample::FULL;
use super::{lines, problems, valid};
use crate::error::{Code, Fault};

/// Cases of the form described in their file.
const CASES: &str = include_str!("messages.txt");

/// The characters that a case writes as escapes.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(char) = rest.next() {
        match (char, rest.clone().next()) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('\\')) => out.push('\\'),
            ('\\', Some('u')) => {
                out.push('\u{202e}');
                rest.nth(4);
                continue;
            }
            _ => {
                out.push(char);
                continue;
            }
        }
        rest.next();
    }
    out
}

/// Replaces a part of the full manifest and compares everything that is said about it.
fn check(case: &str) {
    let part = |mark: &str| case.lines().find_map(|line| line.strip_prefix(mark)).map(unescaped);
    let (Some(old), Some(new)) = (part("- "), part("+ ").or(case.contains("\n+").then(String::new))) else {
        panic!("not a case: {case}");
    };
    assert_eq!(FULL.matches(&old).count(), 1, "`{old}` must be there once");
    let text = FULL.replace(&old, &new);
    let expected: Vec<&str> = case.lines().filter_map(|line| line.strip_prefix("= ")).collect();
    if expected.is_empty() {
        valid(&text);
        return;
    }
    let found = lines(&problems(text.as_bytes()));
    assert_eq!(found.lines().map(str::trim_end).collect::<Vec<_>>(), expected, "{case}");
}

#[test]
fn mistakes_are_told_word_for_word() {
    let cases: Vec<&str> = CASES.split("\n\n").filter(|block| block.starts_with("- ")).collect();
    assert!(cases.len() > 120, "{}", cases.len());
    cases.into_iter().for_each(check);
}

#[test]
fn every_problem_of_a_manifest_is_told_at_once() {
    let text = FULL.replace("kind: Agent", "kind: Robot").replace("cpu: 500m", "cpus: 1").replace("8h", "1s");
    let found = problems(text.as_bytes());
    let pointers: Vec<&str> = found.iter().map(|problem| problem.pointer.as_str()).collect();
    assert_eq!(pointers, ["/kind", "/spec/resources/cpus"]);
    let text = FULL.replace("8h", "1s").replace("on_exceeded: pause", "on_exceeded: never");
    assert_eq!(problems(text.as_bytes()).len(), 3, "the parts are judged on their own");
}

#[test]
fn a_fault_carries_the_first_place_and_every_problem() {
    let fault = Fault::from(problems(FULL.replace("kind: Agent", "kind: Robot").replace("cpu:", "cpus:").as_bytes()));
    assert_eq!(fault.code(), Code::ManifestInvalid);
    assert_eq!(fault.message(), "line 2, column 7: `kind` must be `Agent`, found `Robot`; and 1 more");
    assert_eq!(fault.details().get("pointer"), Some(&"/kind".into()));
    assert_eq!(fault.details().get("line"), Some(&2.into()));
    assert_eq!(fault.details().get("column"), Some(&7.into()));
    let listed = fault.details().get("problems").and_then(|problems| problems.as_array()).map(Vec::len);
    assert_eq!(listed, Some(2));
}

#[test]
fn a_flood_of_problems_is_cut_and_counted() {
    let fields: String = (0..3_000).map(|number| format!("  unknown{number}: 1\n")).collect();
    let found = problems(format!("{FULL}{fields}").as_bytes());
    assert_eq!(found.len(), super::super::PROBLEMS_MAX + 1);
    assert_eq!(found.last().map(|problem| problem.message.as_str()), Some("2950 more problems are not shown"));
}
