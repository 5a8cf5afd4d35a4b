//! The text files of the repository, read once. What `.gitignore` names is not part of it.
//!
//! git itself is not asked: an archive of the sources is checked like a clone. Only the plain
//! patterns that our `.gitignore` uses are understood, any other is an error.

use std::collections::BTreeSet;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::failure::Failure;

/// Larger files are data, not text that somebody wrote.
const TEXT_SIZE_MAX_BYTES: u64 = 2 * 1024 * 1024;

/// A text file.
#[derive(Debug)]
pub struct TextFile {
    /// From the root of the repository, with `/`.
    pub path: String,
    /// What is in it.
    pub text: String,
}

impl TextFile {
    /// A file as it would be read.
    #[cfg(test)]
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// What follows the last dot of the name.
    pub fn extension(&self) -> &str {
        self.name().rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    /// The last part of the path.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    /// The name without its extension.
    pub fn stem(&self) -> &str {
        self.name().split('.').next().unwrap_or_default()
    }

    /// Whether the file holds tests only, by where it is.
    pub fn is_test(&self) -> bool {
        self.name() == "tests.rs" || self.path.split('/').rev().skip(1).any(|folder| folder == "tests")
    }
}

/// Every text file, and the names of all the others.
#[derive(Debug, Default)]
pub struct Tree {
    files: Vec<TextFile>,
    paths: BTreeSet<String>,
}

impl Tree {
    /// Reads the repository.
    pub fn read(root: &Path) -> Result<Self, Failure> {
        let path = root.join(".gitignore");
        let text = std::fs::read_to_string(&path).map_err(Failure::file(&path))?;
        let ignored = Ignored::parse(&text)?;
        let mut tree = Self::default();
        tree.walk(root, "", &ignored)?;
        tree.files.sort_by(|left, right| left.path.cmp(&right.path));
        Ok(tree)
    }

    /// A tree of these files, for tests of rules that look at more than one.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut tree = Self::default();
        for (path, text) in files {
            tree.enter(path);
            tree.files.push(TextFile::new(path, text));
        }
        tree
    }

    /// The text files, by path.
    pub fn files(&self) -> &[TextFile] {
        &self.files
    }

    /// The text file at `path`.
    pub fn file(&self, path: &str) -> Option<&TextFile> {
        self.files.iter().find(|file| file.path == path)
    }

    /// Whether there is a file or a folder at `path`.
    pub fn exists(&self, path: &str) -> bool {
        path.is_empty() || self.paths.contains(path)
    }

    /// A TOML file of ours in its form.
    pub fn toml<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let wrong = |problem: String| Failure::Form { path: path.to_owned(), problem };
        let file = self.file(path).ok_or_else(|| wrong("there is no such file".to_owned()))?;
        toml::from_str(&file.text).map_err(|error| wrong(error.to_string()))
    }

    fn enter(&mut self, path: &str) {
        let parents = path.match_indices('/').filter_map(|(end, _)| path.get(..end));
        self.paths.extend(parents.map(str::to_owned));
        self.paths.insert(path.to_owned());
    }

    fn walk(&mut self, folder: &Path, prefix: &str, ignored: &Ignored) -> Result<(), Failure> {
        let entries = std::fs::read_dir(folder).map_err(Failure::file(folder))?;
        for entry in entries {
            let entry = entry.map_err(Failure::file(folder))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = format!("{prefix}{name}");
            if name == ".git" || ignored.covers(&path) {
                continue;
            }
            let kind = entry.file_type().map_err(Failure::file(&entry.path()))?;
            if kind.is_dir() {
                self.walk(&entry.path(), &format!("{path}/"), ignored)?;
            } else {
                self.add(&entry, path)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, entry: &std::fs::DirEntry, path: String) -> Result<(), Failure> {
        self.enter(&path);
        let place = entry.path();
        let metadata = entry.metadata().map_err(Failure::file(&place))?;
        if !metadata.is_file() || metadata.len() > TEXT_SIZE_MAX_BYTES {
            return Ok(());
        }
        let bytes = std::fs::read(&place).map_err(Failure::file(&place))?;
        if let Ok(text) = String::from_utf8(bytes) {
            self.files.push(TextFile { path, text });
        }
        Ok(())
    }
}

/// What `.gitignore` names: `/path` from the root, `name` anywhere, `*.end` anywhere.
#[derive(Debug, Default)]
struct Ignored {
    paths: Vec<String>,
    names: Vec<String>,
    ends: Vec<String>,
}

impl Ignored {
    fn parse(text: &str) -> Result<Self, Failure> {
        let mut ignored = Self::default();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let pattern = line.trim_end_matches('/');
            let (list, rest) = match (pattern.strip_prefix('/'), pattern.strip_prefix('*')) {
                (Some(path), _) => (&mut ignored.paths, path),
                (None, Some(end)) => (&mut ignored.ends, end),
                (None, None) => (&mut ignored.names, pattern),
            };
            let slash_inside_name = rest.contains('/') && !pattern.starts_with('/');
            if rest.is_empty() || slash_inside_name || rest.contains(['*', '?', '[', '!']) {
                let problem =
                    format!("the pattern `{line}` is more than tidy understands; use `/path`, `name` or `*.end`");
                return Err(Failure::Form { path: ".gitignore".to_owned(), problem });
            }
            list.push(rest.to_owned());
        }
        Ok(ignored)
    }

    fn covers(&self, path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or_default();
        self.paths.iter().any(|ignored| ignored == path)
            || self.names.iter().any(|ignored| ignored == name)
            || self.ends.iter().any(|end| name.ends_with(end.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_not_part_of_the_tree() {
        let ignored = Ignored::parse("# made\n/target\nnode_modules/\n*.profraw\n/fuzz/corpus\n").expect("plain");
        for path in ["target", "console/node_modules", "crates/x/a.profraw", "fuzz/corpus"] {
            assert!(ignored.covers(path), "{path}");
        }
        for path in ["crates/target", "corpus", "src/profraw.rs"] {
            assert!(!ignored.covers(path), "{path}");
        }
    }

    #[test]
    fn a_pattern_that_is_not_understood_is_refused() {
        for pattern in ["!keep", "a/*/b", "docs/x", "*", "[ab]", "/"] {
            assert!(Ignored::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn folders_exist_where_their_files_do() {
        let tree = Tree::of(&[("docs/adr/0001-a.md", "")]);
        assert!(tree.exists("docs") && tree.exists("docs/adr") && tree.exists("docs/adr/0001-a.md"));
        assert!(!tree.exists("docs/ad") && !tree.exists("adr"));
    }

    #[test]
    fn a_form_with_an_unknown_field_is_refused_by_name() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Form {}
        let tree = Tree::of(&[("a.toml", "surprise = 1")]);
        let message = tree.toml::<Form>("a.toml").expect_err("unknown field").to_string();
        assert!(message.contains("a.toml") && message.contains("surprise"), "{message}");
        assert!(tree.toml::<Form>("b.toml").is_err());
    }

    #[test]
    fn tests_are_known_by_their_place() {
        for (path, expected) in [
            ("tests/src/lib.rs", true),
            ("crates/x/tests/a.rs", true),
            ("crates/x/src/tests.rs", true),
            ("crates/x/src/lib.rs", false),
            ("crates/tests.rs/src/lib.rs", false),
        ] {
            assert_eq!(TextFile::new(path, "").is_test(), expected, "{path}");
        }
    }
}
