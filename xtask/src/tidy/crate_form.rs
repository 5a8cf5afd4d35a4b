//! The form of a crate and of a Rust file: shared lints, shared metadata, and a first line
//! that says what the file owns.

use serde::Deserialize;

use super::Problem;
use super::layers::Package;
use super::tree::{TextFile, Tree};

#[derive(Deserialize)]
struct Manifest {
    lints: Option<Shared>,
    package: Option<PackageTable>,
}

#[derive(Deserialize)]
struct Shared {
    #[serde(default)]
    workspace: bool,
}

#[derive(Deserialize)]
struct PackageTable {
    license: Option<toml::Value>,
    #[serde(rename = "rust-version")]
    rust_version: Option<toml::Value>,
}

/// Checks the manifest of a crate.
pub fn check(tree: &Tree, package: &Package) -> Vec<Problem> {
    let path = format!("{}/Cargo.toml", package.folder);
    match tree.toml::<Manifest>(&path) {
        Ok(manifest) => manifest_problems(&manifest).into_iter().map(|text| Problem::new(&path, text)).collect(),
        Err(failure) => vec![Problem::new(path, failure.to_string())],
    }
}

fn manifest_problems(manifest: &Manifest) -> Vec<String> {
    let mut problems = Vec::new();
    if !manifest.lints.as_ref().is_some_and(|lints| lints.workspace) {
        problems.push("needs `[lints]` with `workspace = true`".to_owned());
    }
    let package = manifest.package.as_ref();
    let keys = [
        ("license", package.and_then(|package| package.license.as_ref())),
        ("rust-version", package.and_then(|package| package.rust_version.as_ref())),
    ];
    for (key, value) in keys {
        let shared = value.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool);
        if shared != Some(true) {
            problems.push(format!("needs `{key}.workspace = true`"));
        }
    }
    problems
}

/// Checks the first line of a Rust file.
pub fn header(file: &TextFile) -> Option<Problem> {
    let said = file.text.lines().next().is_some_and(|line| line.starts_with("//! ") && line.len() > 8);
    (!said).then(|| Problem::at_line(file, 1, "begins with `//!`: what it owns and what it must not know"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "[package]\nlicense.workspace = true\nrust-version.workspace = true\n[lints]\nworkspace = true\n";

    #[track_caller]
    fn check_manifest(text: &str, expected: &[&str]) {
        let package = Package { name: "aegis-x".to_owned(), folder: "crates/x".to_owned(), uses: Vec::new() };
        let problems = check(&Tree::of(&[("crates/x/Cargo.toml", text)]), &package);
        assert_eq!(problems.len(), expected.len(), "{problems:?}");
        for (problem, expected) in problems.iter().zip(expected) {
            assert!(problem.to_string().contains(expected), "{problem}");
        }
    }

    #[test]
    fn a_crate_shares_the_lints_and_the_metadata() {
        check_manifest(GOOD, &[]);
        check_manifest(&GOOD.replace("[lints]\nworkspace = true", ""), &["needs `[lints]`"]);
        check_manifest(&GOOD.replace("[lints]\nworkspace = true", "[lints]\nworkspace = false"), &["needs `[lints]`"]);
        check_manifest(&GOOD.replace("license.workspace = true", "license = \"MIT\""), &["license.workspace"]);
        check_manifest("not toml", &["is not as it should be"]);
    }

    #[test]
    fn a_file_says_what_it_owns() {
        assert!(header(&TextFile::new("a.rs", "//! The words.\n")).is_none());
        for text in ["", "use a;\n", "// The words.\n", "//!\n", "//! A.\n", "\n//! The words.\n"] {
            assert!(header(&TextFile::new("a.rs", text)).is_some(), "{text:?}");
        }
    }
}
