//! Duplicate majors: an outside crate that is in the binary twice costs size, build time and
//! a second set of defects. Those that others force on us are on record in `docs/debt.toml`.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::semver::Version;

use super::Problem;
use super::debt::DuplicateDebt;
use crate::failure::Failure;
use crate::house::{House, PLATFORM};
use crate::process::Call;

/// The crate whose binary we ship.
const SHIPPED: &str = "aegis-cli";

/// A package that the shipped binary is built from.
#[derive(Debug, PartialEq, Eq)]
pub struct Shipped {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// Its licence, as an SPDX expression; empty if it names none.
    pub licence: String,
}

/// Every package that the shipped binary is built from, macros included, tests and build
/// scripts not. `cargo tree` is asked because `cargo metadata` also lists optional packages
/// that no feature turns on.
pub fn shipped(house: &House) -> Result<Vec<Shipped>, Failure> {
    let call = Call::cargo(&house.root).with(["tree", "--locked", "--edges", "normal", "--prefix", "none"]);
    let call = call.with(["--package", SHIPPED, "--target", PLATFORM, "--format", "{p}\t{l}"]);
    let text = call.read()?;
    text.lines().map(|line| package(line).ok_or_else(|| unreadable(line))).collect()
}

fn unreadable(line: &str) -> Failure {
    Failure::Form { path: "cargo tree".to_owned(), problem: format!("`{line}` is no package") }
}

/// Reads `name v1.2.3 (where or what)<tab>licence (*)`.
fn package(line: &str) -> Option<Shipped> {
    let (package, licence) = line.split_once('\t')?;
    let mut words = package.split_whitespace();
    let (name, version) = (words.next()?.to_owned(), words.next()?.strip_prefix('v')?.parse().ok()?);
    let licence = licence.trim_end_matches("(*)").trim().to_owned();
    Some(Shipped { name, version, licence })
}

/// Checks the graph of the shipped binary.
pub fn check(shipped: &[Shipped], debt: &BTreeMap<String, DuplicateDebt>) -> Vec<Problem> {
    let mut majors: BTreeMap<String, BTreeSet<(u64, u64)>> = BTreeMap::new();
    for Shipped { name, version, .. } in shipped {
        let major = if version.major == 0 { (0, version.minor) } else { (version.major, 0) };
        majors.entry(name.clone()).or_default().insert(major);
    }
    settle(&majors, debt)
}

fn settle(majors: &BTreeMap<String, BTreeSet<(u64, u64)>>, debt: &BTreeMap<String, DuplicateDebt>) -> Vec<Problem> {
    let written = |majors: &BTreeSet<(u64, u64)>| majors.iter().copied().map(spelled).collect::<Vec<_>>();
    let found = majors.iter().filter(|(_, majors)| majors.len() > 1);
    let found: BTreeMap<&str, Vec<String>> = found.map(|(name, majors)| (name.as_str(), written(majors))).collect();
    let new = found.iter().filter_map(|(name, majors)| {
        let recorded = debt.get(*name).is_some_and(|debt| &debt.majors == majors);
        let text = format!("`{name}` is in the binary as {}; agree on one, or record why not", majors.join(" and "));
        (!recorded).then(|| Problem::new("docs/debt.toml", text))
    });
    let paid = debt.keys().filter(|name| !found.contains_key(name.as_str()));
    let paid = paid.map(|name| Problem::new("docs/debt.toml", format!("`{name}` is there once: remove its entry")));
    let silent = debt.iter().filter(|(_, debt)| debt.why.trim().is_empty());
    let silent = silent.map(|(name, _)| Problem::new("docs/debt.toml", format!("`{name}` does not say why")));
    new.chain(paid).chain(silent).collect()
}

fn spelled((major, minor): (u64, u64)) -> String {
    if major == 0 { format!("0.{minor}") } else { major.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_debt(majors: &[(u64, u64)], recorded: Option<&[&str]>, expected: Option<&str>) {
        let majors = BTreeMap::from([("syn".to_owned(), majors.iter().copied().collect())]);
        let entry = |majors: &[&str]| DuplicateDebt {
            majors: majors.iter().map(|text| (*text).to_owned()).collect(),
            why: "an old macro".to_owned(),
        };
        let debt = recorded.map(|majors| ("syn".to_owned(), entry(majors))).into_iter().collect();
        let problems = settle(&majors, &debt);
        match (expected, problems.as_slice()) {
            (None, []) => {}
            (Some(expected), [problem]) => assert!(problem.to_string().contains(expected), "{problem}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_line_of_the_tree_is_read() {
        let read = package("ring v0.17.14\tApache-2.0 AND ISC (*)").expect("a package");
        assert_eq!((read.name.as_str(), read.version.minor, read.licence.as_str()), ("ring", 17, "Apache-2.0 AND ISC"));
        assert_eq!(package("x v1.0.0 (proc-macro)\t").expect("a package").licence, "");
        assert_eq!(package("x 1.0.0\tMIT"), None);
        assert_eq!(package(""), None);
    }

    #[test]
    fn majors_are_told_apart_as_cargo_does() {
        let packages = ["a v1.2.0\tMIT", "a v1.9.0\tMIT", "b v0.2.1\tMIT", "b v0.3.0\tMIT"];
        let packages: Vec<Shipped> = packages.iter().filter_map(|line| package(line)).collect();
        let problems = check(&packages, &BTreeMap::new());
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert!(problems[0].to_string().contains("`b` is in the binary as 0.2 and 0.3"), "{}", problems[0]);
    }

    #[test]
    fn a_crate_is_there_once_or_on_record() {
        check_debt(&[(2, 0)], None, None);
        check_debt(&[(2, 0), (3, 0)], None, Some("as 2 and 3"));
        check_debt(&[(2, 0), (3, 0)], Some(&["2", "3"]), None);
        check_debt(&[(0, 2), (0, 4)], None, Some("as 0.2 and 0.4"));
    }

    #[test]
    fn the_record_may_only_shrink() {
        check_debt(&[(1, 0), (2, 0), (3, 0)], Some(&["2", "3"]), Some("as 1 and 2 and 3"));
        check_debt(&[(2, 0), (3, 0)], Some(&["1", "2", "3"]), Some("as 2 and 3"));
        check_debt(&[(3, 0)], Some(&["2", "3"]), Some("is there once"));
    }
}
