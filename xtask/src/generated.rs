//! Files that are generated from the code and committed: OpenAPI, schemas, the error table,
//! the reference of the command line. The example `generate` of the command line's crate
//! writes them below a folder; here they are compared with, or copied to, the repository.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::house::House;
use crate::process::{Call, say, tell};

/// Writes every generated file.
pub fn write(house: &House) -> Result<(), Failure> {
    let folder = generate(house)?;
    for path in files(&folder)? {
        let (from, to) = (folder.join(&path), house.root.join(&path));
        if same(&from, &to)? {
            continue;
        }
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent).map_err(Failure::file(parent))?;
        }
        std::fs::copy(&from, &to).map_err(Failure::file(&to))?;
        say(&format!("wrote {}", path.display()));
    }
    Ok(())
}

/// Says which generated files are not what the code generates now.
pub fn check(house: &House) -> Result<(), Failure> {
    let folder = generate(house)?;
    let drifted = drifted(&folder, &house.root)?;
    for path in &drifted {
        tell(&format!("{}: is not what the code generates", path.display()));
    }
    if drifted.is_empty() { Ok(()) } else { Err(Failure::Drift(drifted.len())) }
}

/// Runs the generator into a fresh folder.
fn generate(house: &House) -> Result<PathBuf, Failure> {
    let folder = house.scratch("generated")?;
    let call = Call::cargo(&house.root);
    let call = call.with(["run", "--locked", "--quiet", "--package", "aegis-cli", "--example", "generate", "--"]);
    call.with([&folder]).run()?;
    Ok(folder)
}

fn drifted(generated: &Path, committed: &Path) -> Result<Vec<PathBuf>, Failure> {
    let paths = files(generated)?;
    if paths.is_empty() {
        let problem = "the generator wrote nothing".to_owned();
        return Err(Failure::Form { path: generated.display().to_string(), problem });
    }
    let mut drifted = Vec::new();
    for path in paths {
        if !same(&generated.join(&path), &committed.join(&path))? {
            drifted.push(path);
        }
    }
    Ok(drifted)
}

fn same(generated: &Path, committed: &Path) -> Result<bool, Failure> {
    let wanted = std::fs::read(generated).map_err(Failure::file(generated))?;
    match std::fs::read(committed) {
        Ok(found) => Ok(found == wanted),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(Failure::file(committed)(error)),
    }
}

/// Every file below a folder, from the folder, in order.
fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(inner) = open.pop() {
        let place = folder.join(&inner);
        for entry in std::fs::read_dir(&place).map_err(Failure::file(&place))? {
            let entry = entry.map_err(Failure::file(&place))?;
            let path = inner.join(entry.file_name());
            if entry.path().is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder with these files.
    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("temporary folder");
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("folder");
            std::fs::write(path, text).expect("file");
        }
        folder
    }

    #[track_caller]
    fn check_drift(generated: &[(&str, &str)], committed: &[(&str, &str)], expected: &[&str]) {
        let (generated, committed) = (folder(generated), folder(committed));
        let drifted = drifted(generated.path(), committed.path()).expect("compared");
        assert_eq!(drifted, expected.iter().map(PathBuf::from).collect::<Vec<_>>());
    }

    #[test]
    fn a_file_that_changed_or_is_missing_has_drifted() {
        check_drift(&[("a.json", "1"), ("docs/b.md", "2")], &[("a.json", "1"), ("docs/b.md", "2"), ("c", "")], &[]);
        check_drift(&[("a.json", "1"), ("docs/b.md", "2")], &[("a.json", "1"), ("docs/b.md", "3")], &["docs/b.md"]);
        check_drift(&[("a.json", "1"), ("docs/b.md", "2")], &[], &["a.json", "docs/b.md"]);
    }

    #[test]
    fn a_generator_that_writes_nothing_is_no_success() {
        assert!(drifted(folder(&[]).path(), folder(&[]).path()).is_err());
    }
}
