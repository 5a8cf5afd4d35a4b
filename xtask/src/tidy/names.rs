//! Names that say nothing: files and modules must be named by what they own.

use syn::visit::{self, Visit};

use super::Problem;
use super::tree::TextFile;

const EMPTY_NAMES: [&str; 9] =
    ["common", "helper", "helpers", "manager", "managers", "misc", "util", "utilities", "utils"];

const MESSAGE: &str = "says nothing: name it by what it owns";

/// Checks the names of a Rust file and of the folders it is in.
pub fn check_path(file: &TextFile) -> Option<Problem> {
    let folders = file.path.split('/').rev().skip(1);
    let name = folders.chain([file.stem()]).find(|name| EMPTY_NAMES.contains(name))?;
    (file.extension() == "rs").then(|| Problem::new(&file.path, format!("`{name}` {MESSAGE}")))
}

/// Checks the modules that a file declares.
pub fn check_modules(file: &TextFile, parsed: &syn::File) -> Vec<Problem> {
    let mut visitor = Modules { file, problems: Vec::new() };
    visitor.visit_file(parsed);
    visitor.problems
}

struct Modules<'a> {
    file: &'a TextFile,
    problems: Vec<Problem>,
}

impl<'ast> Visit<'ast> for Modules<'_> {
    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let name = module.ident.to_string();
        let line = module.ident.span().start().line;
        if EMPTY_NAMES.contains(&name.as_str()) {
            self.problems.push(Problem::at_line(self.file, line, format!("`{name}` {MESSAGE}")));
        }
        let for_tests = module.attrs.iter().any(super::measure::is_cfg_test);
        if name == "tests" && !for_tests && !self.file.is_test() {
            self.problems.push(Problem::at_line(self.file, line, "`tests` needs `#[cfg(test)]`"));
        }
        visit::visit_item_mod(self, module);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modules(text: &str) -> Vec<Problem> {
        check_modules(&TextFile::new("a.rs", text), &syn::parse_file(text).expect("rust"))
    }

    #[test]
    fn a_file_or_folder_that_says_nothing_is_refused() {
        for path in ["crates/x/src/utils.rs", "crates/x/src/helpers/mod.rs", "crates/common/src/lib.rs"] {
            assert!(check_path(&TextFile::new(path, "")).is_some(), "{path}");
        }
        for path in ["crates/x/src/utilisation.rs", "docs/misc.md", "crates/x/src/lib.rs"] {
            assert!(check_path(&TextFile::new(path, "")).is_none(), "{path}");
        }
    }

    #[test]
    fn a_module_that_says_nothing_is_refused_wherever_it_is() {
        assert_eq!(modules("mod misc;").len(), 1);
        assert_eq!(modules("mod a { mod b {\n pub mod manager {} } }").len(), 1);
        assert!(modules("mod session;").is_empty());
    }

    #[test]
    fn production_code_cannot_hide_in_a_module_called_tests() {
        assert_eq!(modules("mod tests;").len(), 1);
        assert_eq!(modules("#[cfg(any(test, unix))] mod tests;").len(), 1);
        assert!(modules("#[cfg(test)] mod tests;").is_empty());
    }
}
