//! The house rules as programs. Each rule is a function from text to problems, so that its
//! tests can show it failing; this file only reads the repository and joins the answers.
//!
//! Must not know what the rooms do. Lists that people change live in `docs/layers.toml`,
//! `docs/debt.toml` and `deny.toml`, not here.

mod code_map;
mod crate_form;
mod debt;
mod dependencies;
mod layers;
mod licences;
mod links;
mod measure;
mod names;
mod strict;
mod tokens;
mod tree;
mod words;

use std::collections::BTreeMap;
use std::fmt;

use crate::failure::Failure;
use crate::house::House;
use crate::process;
use crate::stopwatch::Stopwatch;
use debt::Debt;
use layers::Layers;
use measure::Measures;
use tree::{TextFile, Tree};

/// A broken rule: where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    place: String,
    message: String,
}

impl Problem {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }

    fn at_line(file: &TextFile, line: usize, message: impl Into<String>) -> Self {
        Self::new(format!("{}:{line}", file.path), message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// Checks every rule, prints what is broken, and fails if anything is.
pub fn run(house: &House) -> Result<(), Failure> {
    let watch = Stopwatch::start();
    let tree = Tree::read(&house.root)?;
    let mut problems = check(house, &tree)?;
    problems.sort();
    problems.dedup();
    for problem in &problems {
        process::tell(&problem.to_string());
    }
    if problems.is_empty() {
        process::say(&format!("tidy: {} files are in order ({:.1} s)", tree.files().len(), watch.seconds()));
        return Ok(());
    }
    Err(Failure::Untidy(problems.len()))
}

fn check(house: &House, tree: &Tree) -> Result<Vec<Problem>, Failure> {
    let layers: Layers = tree.toml("docs/layers.toml")?;
    let debt: Debt = tree.toml("docs/debt.toml")?;
    let packages = layers::packages(&house.metadata, &house.root);
    let shipped = dependencies::shipped(house)?;
    let mut problems = layers::check(&layers, &packages);
    problems.extend(dependencies::check(&shipped, &debt.duplicate_majors));
    problems.extend(licences::check(&shipped, &tree.toml("deny.toml")?));
    problems.extend(packages.iter().flat_map(|package| crate_form::check(tree, package)));
    problems.extend(strict::check(&layers, tree));
    problems.extend(check_files(tree, &debt));
    problems.extend(code_map::check(tree, &packages));
    Ok(problems)
}

fn check_files(tree: &Tree, debt: &Debt) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut measures = Measures::default();
    for file in tree.files() {
        problems.extend(words::check(file));
        problems.extend(names::check_path(file));
        match file.extension() {
            "rs" => problems.extend(check_rust(file, &mut measures)),
            "md" => problems.extend(links::check(file, tree)),
            _ => {}
        }
    }
    problems.extend(debt::settle(&measures, debt));
    problems
}

fn check_rust(file: &TextFile, measures: &mut Measures) -> Vec<Problem> {
    let parsed = match syn::parse_file(&file.text) {
        Ok(parsed) => parsed,
        Err(error) => {
            let line = error.span().start().line;
            return vec![Problem::at_line(file, line, format!("does not parse: {error}"))];
        }
    };
    measures.add(file, &parsed);
    let mut problems = names::check_modules(file, &parsed);
    problems.extend(crate_form::header(file));
    problems.extend(tokens::check(file));
    problems
}

/// Numbers by what they were measured on: a path, or a path and a function.
type Counts = BTreeMap<String, usize>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_rust_is_a_problem_with_its_line() {
        let file = TextFile::new("crates/x/src/lib.rs", "//! Fine.\nfn (\n");
        let problems = check_rust(&file, &mut Measures::default());
        assert_eq!(problems.len(), 1);
        assert!(problems[0].to_string().starts_with("crates/x/src/lib.rs:2: does not parse"), "{}", problems[0]);
    }
}
