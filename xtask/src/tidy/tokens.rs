//! Rules about single attributes, found in the tokens so that macros hide nothing.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::Problem;
use super::tree::TextFile;

/// Checks every attribute of a file.
pub fn check(file: &TextFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Ok(tokens) = file.text.parse::<TokenStream>() {
        walk(file, tokens, &mut problems);
    }
    problems
}

fn walk(file: &TextFile, tokens: TokenStream, problems: &mut Vec<Problem>) {
    let mut after_hash = false;
    for token in tokens {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => after_hash = true,
            TokenTree::Punct(mark) if mark.as_char() == '!' && after_hash => {}
            TokenTree::Group(group) => {
                if after_hash && group.delimiter() == Delimiter::Bracket {
                    let message = attribute_problem(group.stream());
                    let line = group.span_open().start().line;
                    problems.extend(message.map(|message| Problem::at_line(file, line, message)));
                }
                after_hash = false;
                walk(file, group.stream(), problems);
            }
            _ => after_hash = false,
        }
    }
}

fn attribute_problem(tokens: TokenStream) -> Option<&'static str> {
    let words = words(tokens);
    let has = |wanted: &str| words.iter().any(|word| word == wanted);
    match words.first()?.as_str() {
        "allow" => Some("silence a lint with `#[expect(lint, reason = \"…\")]`: it says when it is no longer needed"),
        "expect" if !has("reason") => Some("an `#[expect]` needs its `reason = \"…\"`"),
        "ignore" => Some("no test is ignored: skip by a named check at run time and say so"),
        "cfg_attr" if has("allow") || has("ignore") => Some("no `allow` and no `ignore`, under a condition neither"),
        _ => None,
    }
}

/// The identifiers of an attribute, in order. What `doc = "…"` says is a literal, so it is none.
fn words(tokens: TokenStream) -> Vec<String> {
    let mut words = Vec::new();
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => words.push(ident.to_string()),
            TokenTree::Group(group) => words.extend(self::words(group.stream())),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_text(text: &str, expected: &[&str]) {
        let problems: Vec<String> = check(&TextFile::new("a.rs", text)).iter().map(Problem::to_string).collect();
        assert_eq!(problems.len(), expected.len(), "{text}: {problems:?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.contains(expected), "{problem}");
        }
    }

    #[test]
    fn silenced_lints_say_why() {
        check_text("#[allow(dead_code)] fn f() {}", &["silence a lint"]);
        check_text("#![allow(dead_code)]", &["silence a lint"]);
        check_text("#[expect(dead_code)] fn f() {}", &["needs its `reason"]);
        check_text("#[expect(dead_code, reason = \"used by C\")] fn f() {}", &[]);
    }

    #[test]
    fn macros_and_conditions_hide_nothing() {
        check_text("macro_rules! m { () => { #[allow(dead_code)] fn f() {} } }", &["silence a lint"]);
        check_text("#[cfg_attr(debug_assertions, allow(dead_code))] fn f() {}", &["under a condition"]);
        check_text("mod m {\n fn g() {\n #[allow(unused)] let a = 1; } }", &["a.rs:3: silence a lint"]);
    }

    #[test]
    fn no_test_is_ignored() {
        check_text("#[test]\n#[ignore]\nfn f() {}", &["a.rs:2: no test is ignored"]);
        check_text("#[test]\n#[ignore = \"slow\"]\nfn f() {}", &["no test is ignored"]);
    }

    #[test]
    fn text_that_speaks_of_attributes_is_not_one() {
        check_text("/// Says `#[allow(x)]`.\nconst A: &str = \"#[ignore]\";\nconst B: [u8; 1] = [1];", &[]);
    }
}
