//! Licences of everything the shipped binary is built from, against the list in `deny.toml`,
//! which cargo-deny reads as well: one list for both.

use serde::Deserialize;

use super::Problem;
use super::dependencies::Shipped;

/// What we need of `deny.toml`.
#[derive(Debug, Deserialize)]
pub struct Deny {
    licenses: Allowed,
}

#[derive(Debug, Deserialize)]
struct Allowed {
    allow: Vec<String>,
}

/// Checks the licence of every package, our own included.
pub fn check(shipped: &[Shipped], deny: &Deny) -> Vec<Problem> {
    let wrong = shipped.iter().filter(|package| !permits(&package.licence, &deny.licenses.allow));
    let problem = |package: &Shipped| {
        let text =
            format!("`{} {}` is under `{}`, which is not allowed", package.name, package.version, package.licence);
        Problem::new("deny.toml", text)
    };
    wrong.map(problem).collect()
}

/// Whether an SPDX expression can be satisfied with allowed licences only. Old manifests
/// write `/` for `OR`. What cannot be read is not permitted.
fn permits(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    reader.any_of() == Some(true) && reader.words.is_empty()
}

struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn skip(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.next();
        }
        found
    }

    fn any_of(&mut self) -> Option<bool> {
        let mut permitted = self.all_of()?;
        while self.skip("OR") {
            permitted |= self.all_of()?;
        }
        Some(permitted)
    }

    fn all_of(&mut self) -> Option<bool> {
        let mut permitted = self.one()?;
        while self.skip("AND") {
            permitted &= self.one()?;
        }
        Some(permitted)
    }

    fn one(&mut self) -> Option<bool> {
        if self.skip("(") {
            let permitted = self.any_of()?;
            return self.skip(")").then_some(permitted);
        }
        let name = self.next()?;
        let name = if self.skip("WITH") { format!("{name} WITH {}", self.next()?) } else { name.to_owned() };
        Some(self.allowed.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_expression(expression: &str, expected: bool) {
        let allowed = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "Unicode-3.0"].map(str::to_owned);
        assert_eq!(permits(expression, &allowed), expected, "{expression}");
    }

    #[test]
    fn one_of_several_is_enough_and_all_of_several_are_needed() {
        check_expression("MIT", true);
        check_expression("GPL-3.0", false);
        check_expression("GPL-3.0 OR MIT", true);
        check_expression("GPL-3.0/MIT", true);
        check_expression("MIT AND GPL-3.0", false);
        check_expression("(MIT OR GPL-3.0) AND Unicode-3.0", true);
        check_expression("(MIT OR Apache-2.0) AND GPL-3.0", false);
        check_expression("GPL-3.0 OR MIT AND Unicode-3.0", true);
        check_expression("Apache-2.0 WITH LLVM-exception", true);
        check_expression("MIT WITH LLVM-exception", false);
    }

    #[test]
    fn what_cannot_be_read_is_not_permitted() {
        for text in ["", "nothing", "MIT MIT", "MIT OR", "(MIT", "MIT)", "OR MIT", "MIT WITH", "mit"] {
            check_expression(text, false);
        }
    }
}
