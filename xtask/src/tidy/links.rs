//! Links between Markdown files of the repository: the file must be there, and the heading
//! as well where one is named. Addresses outside are not fetched.

use std::collections::BTreeSet;

use super::Problem;
use super::tree::{TextFile, Tree};

/// Checks every link of a Markdown file.
pub fn check(file: &TextFile, tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in prose(&file.text) {
        for target in targets(&line) {
            let problem = problem_of(file, tree, target);
            problems.extend(problem.map(|text| Problem::at_line(file, number, format!("the link `{target}` {text}"))));
        }
    }
    problems
}

fn problem_of(file: &TextFile, tree: &Tree, target: &str) -> Option<&'static str> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = target.split_once('#').map_or((target, None), |(path, heading)| (path, Some(heading)));
    if path.starts_with('/') {
        return Some("is absolute; write it from the file that holds it");
    }
    let Some(path) = resolve(&file.path, path) else {
        return Some("leads out of the repository");
    };
    if !tree.exists(&path) {
        return Some("leads nowhere");
    }
    let heading = heading?;
    let known = tree.file(&path).is_none_or(|file| file.extension() != "md" || anchors(&file.text).contains(heading));
    (!known).then_some("names a heading that is not there")
}

/// The path of `target` from the root, as seen from the file at `from`.
fn resolve(from: &str, target: &str) -> Option<String> {
    if target.is_empty() {
        return Some(from.to_owned());
    }
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Numbered lines outside fenced code, without the code spans in them.
pub fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        (!fenced).then(|| (index + 1, without_code(line)))
    })
}

fn without_code(line: &str) -> String {
    let pieces: Vec<&str> = line.split('`').collect();
    let closed = pieces.len() % 2 == 1;
    let outside = pieces.iter().enumerate().filter(|(index, _)| !closed || index % 2 == 0);
    outside.map(|(_, piece)| *piece).collect::<Vec<_>>().join("`")
}

/// Targets of `[text](target)` and `[name]: target`.
fn targets(line: &str) -> Vec<&str> {
    let inline = line.match_indices("](").filter_map(|(index, mark)| {
        let rest = line.get(index + mark.len()..)?;
        rest.get(..rest.find(')')?)
    });
    let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target);
    let whole = inline.chain(definition);
    whole.filter_map(|target| target.split_whitespace().next()).map(|target| target.trim_matches(['<', '>'])).collect()
}

/// What the headings of a file are called in links.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let headings = text.lines().filter(|line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced && line.starts_with('#')
    });
    headings.map(|line| anchor(line.trim_start_matches('#').trim())).collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase();
    let kept = kept.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_link(line: &str, expected: Option<&str>) {
        let tree = Tree::of(&[
            ("README.md", "# Aegis\n## What it is, and why\n```\n# no heading\n```\n"),
            ("docs/adr/0001-a.md", line),
            ("docs/layers.toml", ""),
        ]);
        let problems = check(tree.file("docs/adr/0001-a.md").expect("entered"), &tree);
        match (expected, problems.as_slice()) {
            (None, []) => {}
            (Some(expected), [problem]) => assert!(problem.to_string().contains(expected), "{problem}"),
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn a_link_to_a_file_must_resolve() {
        check_link("[a](../layers.toml) and [b](../../README.md)", None);
        check_link("[a](..) and [b](0001-a.md)", None);
        check_link("[a](layers.toml)", Some("leads nowhere"));
        check_link("![a](./picture.png \"title\")", Some("leads nowhere"));
        check_link("[a](../../../etc/passwd)", Some("leads out"));
        check_link("[a](/docs/layers.toml)", Some("is absolute"));
        check_link("[a]: ../gone.md", Some("leads nowhere"));
    }

    #[test]
    fn a_link_to_a_heading_must_resolve() {
        check_link("[a](../../README.md#what-it-is-and-why)", None);
        check_link("[a](../../README.md#what-it-was)", Some("heading"));
        check_link("[a](../../README.md#no-heading)", Some("heading"));
        check_link("# One two\n[a](#one-two)", None);
        check_link("# One two\n[a](#two)", Some("heading"));
    }

    #[test]
    fn addresses_and_code_are_left_alone() {
        check_link("[a](https://example.org/x) [b](mailto:a@example.org)", None);
        check_link("`[a](gone.md)`", None);
        check_link("```\n[a](gone.md)\n```", None);
        check_link("`code` [a](gone.md) `code`", Some("leads nowhere"));
    }
}
