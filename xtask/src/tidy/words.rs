//! Words that must not stand in the repository: hosts of package registries, paths of one
//! machine, and notes to do something later.
//!
//! This file is the only one that spells them, so it is the only one not checked.

use super::Problem;
use super::tree::TextFile;

const OWN_PATH: &str = "xtask/src/tidy/words.rs";

/// Files that a package manager writes; they name where a package came from.
const LOCK_FILES: [&str; 4] = ["Cargo.lock", "package-lock.json", "pnpm-lock.yaml", "uv.lock"];

const REGISTRY_HOSTS: [&str; 8] = [
    "crates.io",
    "files.pythonhosted.org",
    "proxy.golang.org",
    "pypi.org",
    "pythonhosted.org",
    "registry.npmjs.org",
    "registry.yarnpkg.com",
    "rubygems.org",
];

const MACHINE_PATHS: [&str; 4] = ["/work/", "/root/", "/Users/", "/home/runner/"];

const LATER_WORDS: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// Checks every line of a file.
pub fn check(file: &TextFile) -> Vec<Problem> {
    if file.path == OWN_PATH || LOCK_FILES.contains(&file.name()) {
        return Vec::new();
    }
    let lines = file.text.lines().enumerate();
    lines.flat_map(|(index, line)| problems_of(line).map(move |text| Problem::at_line(file, index + 1, text))).collect()
}

fn problems_of(line: &str) -> impl Iterator<Item = String> {
    let lower = line.to_lowercase();
    let hosts = REGISTRY_HOSTS.iter().filter(move |host| stands_alone(&lower, host));
    let paths = MACHINE_PATHS.iter().filter(|path| begins_somewhere(line, path));
    let later = LATER_WORDS.iter().filter(|word| stands_alone(line, word));
    hosts
        .map(|host| format!("`{host}`: a package registry is named in lock files only"))
        .chain(paths.map(|path| format!("`{path}` is a path of one machine")))
        .chain(later.map(|word| format!("`{word}`: do it now, or open an issue")))
}

/// Whether `word` is in `line` with no letter or digit beside it.
fn stands_alone(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(start, found)| {
        let before = line.get(..start).unwrap_or_default().chars().next_back();
        let after = line.get(start + found.len()..).unwrap_or_default().chars().next();
        !before.is_some_and(char::is_alphanumeric) && !after.is_some_and(char::is_alphanumeric)
    })
}

/// Whether a path in `line` begins with `start`: `a/work/b` is somebody else's.
fn begins_somewhere(line: &str, start: &str) -> bool {
    line.match_indices(start).any(|(index, _)| {
        let before = line.get(..index).unwrap_or_default().chars().next_back();
        !before.is_some_and(|letter| letter.is_alphanumeric() || "-_.~/}*".contains(letter))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_line(line: &str, count: usize) {
        let problems = check(&TextFile::new("docs/a.md", line));
        assert_eq!(problems.len(), count, "{line}: {problems:?}");
    }

    #[test]
    fn registries_are_named_in_lock_files_only() {
        check_line("see https://crates.io/crates/serde", 1);
        check_line("PyPI.org", 1);
        check_line("index-url = https://registry.npmjs.org", 1);
        check_line("statistics.crates.iowa", 0);
        for name in LOCK_FILES {
            assert!(check(&TextFile::new(name, "https://registry.npmjs.org/x")).is_empty(), "{name}");
        }
        assert_eq!(check(&TextFile::new("docs/Cargo.locks", "https://crates.io")).len(), 1);
    }

    #[test]
    fn paths_of_one_machine_are_refused() {
        check_line("cd /work/main", 1);
        check_line("`/root/.cargo`", 1);
        check_line("/workspace is the agent's", 0);
        check_line("/rootless", 0);
        check_line("~/work/x, ${HOME}/work/x, **/root/x and ../work/x", 0);
        check_line("target/work/x and https://example.org/work/x", 0);
    }

    #[test]
    fn nothing_is_left_for_later() {
        check_line("// TODO: tidy up", 1);
        check_line("# FIXME", 1);
        check_line("todo lists, TODOS and METHODS", 0);
    }

    #[test]
    fn the_line_is_told() {
        let problems = check(&TextFile::new("a.py", "a\nb # TODO\n"));
        assert!(problems[0].to_string().starts_with("a.py:2: "), "{}", problems[0]);
    }
}
