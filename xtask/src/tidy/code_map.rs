//! The code map in ARCHITECTURE.md: every crate is on it, and it names no crate that is not
//! there. A crate is named by its folder in backticks, as `crates/model`.

use std::collections::BTreeSet;

use super::Problem;
use super::layers::Package;
use super::tree::Tree;

const PATH: &str = "ARCHITECTURE.md";

/// Folders that hold crates.
const CRATE_FOLDERS: [&str; 1] = ["crates"];

/// Checks the map against the workspace; nothing if there is no ARCHITECTURE.md.
pub fn check(tree: &Tree, packages: &[Package]) -> Vec<Problem> {
    let Some(file) = tree.file(PATH) else {
        return Vec::new();
    };
    let Some(map) = section(&file.text) else {
        return vec![Problem::new(PATH, "has no heading with `code map` in it")];
    };
    let named = folders(map);
    let real: BTreeSet<&str> = packages.iter().map(|package| package.folder.as_str()).collect();
    let missing = real.iter().filter(|folder| !named.contains(**folder));
    let missing = missing.map(|folder| Problem::new(PATH, format!("the code map does not name `{folder}`")));
    let crates = named.iter().filter(|folder| CRATE_FOLDERS.iter().any(|parent| is_child(folder, parent)));
    let gone = crates.filter(|folder| !real.contains(*folder));
    let gone = gone.map(|folder| Problem::new(PATH, format!("the code map names `{folder}`, which is no crate")));
    missing.chain(gone).collect()
}

fn is_child(folder: &str, parent: &str) -> bool {
    folder.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/') && rest.matches('/').count() == 1)
}

/// The text below the heading of the map, up to the next heading of its level or above.
fn section(text: &str) -> Option<&str> {
    let level = |line: &str| line.bytes().take_while(|byte| *byte == b'#').count();
    let heading = text.lines().find(|line| level(line) > 0 && line.to_lowercase().contains("code map"))?;
    let start = text.find(heading)? + heading.len();
    let rest = text.get(start..)?;
    let next = rest.lines().find(|line| (1..=level(heading)).contains(&level(line)));
    let end = next.and_then(|line| rest.find(&format!("\n{line}"))).unwrap_or(rest.len());
    rest.get(..end)
}

/// Everything in backticks, without a slash at its end.
fn folders(map: &str) -> BTreeSet<&str> {
    map.split('`').skip(1).step_by(2).map(|word| word.trim_end_matches('/')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(folder: &str) -> Package {
        Package { name: folder.to_owned(), folder: folder.to_owned(), uses: Vec::new() }
    }

    #[track_caller]
    fn check_map(text: &str, expected: &[&str]) {
        let packages = [package("crates/model"), package("sdk/rust")];
        let problems = check(&Tree::of(&[(PATH, text)]), &packages);
        assert_eq!(problems.len(), expected.len(), "{text}: {problems:?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.to_string().contains(expected), "{problem}");
        }
    }

    #[test]
    fn every_crate_is_on_the_map() {
        check_map("# Aegis\n## Code map\n| `crates/model/` | words |\n| `sdk/rust` | client |\n", &[]);
        check_map("## Code map\n`crates/model`\n", &["does not name `sdk/rust`"]);
    }

    #[test]
    fn the_map_names_no_crate_that_is_gone() {
        let map = "## The code map\n`crates/model` `sdk/rust` `crates/ghost` `crates/model/src/id.rs` `docs`\n";
        check_map(map, &["names `crates/ghost`"]);
    }

    #[test]
    fn other_sections_do_not_count() {
        check_map("## Code map\n`crates/model`\n## Later\n`sdk/rust` `crates/ghost`\n", &["does not name `sdk/rust`"]);
        check_map("# Aegis\n", &["no heading"]);
    }

    #[test]
    fn without_the_document_there_is_nothing_to_check() {
        assert!(check(&Tree::default(), &[package("crates/model")]).is_empty());
    }
}
