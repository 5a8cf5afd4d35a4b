//! Sizes of production code: lines of files, lines and arguments of functions.
//!
//! Items under `#[cfg(test)]` and files that hold tests only are left out. Comments count in
//! a file, because they have to be read too; in a function only code does, as clippy counts.

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::Counts;
use super::tree::TextFile;

/// What was measured, by place.
#[derive(Debug, Default)]
pub struct Measures {
    /// Production lines by path.
    pub file_lines: Counts,
    /// Lines of code by path and function.
    pub function_lines: Counts,
    /// Arguments by path and function.
    pub function_arguments: Counts,
}

impl Measures {
    /// Measures one more file.
    pub fn add(&mut self, file: &TextFile, parsed: &syn::File) {
        if file.is_test() {
            return;
        }
        let mut visitor = Visitor { file, lines: file.text.lines().collect(), tests: Vec::new(), measures: self };
        visitor.visit_file(parsed);
        let tests = visitor.tests;
        let production = visitor.lines.iter().enumerate().filter(|(index, line)| {
            let inside = tests.iter().any(|(first, last)| (*first..=*last).contains(&(index + 1)));
            !line.trim().is_empty() && !inside
        });
        let count = production.count();
        self.file_lines.insert(file.path.clone(), count);
    }
}

struct Visitor<'a> {
    file: &'a TextFile,
    lines: Vec<&'a str>,
    /// First and last line of every item that is for tests only.
    tests: Vec<(usize, usize)>,
    measures: &'a mut Measures,
}

impl Visitor<'_> {
    fn place(&self, name: &syn::Ident) -> String {
        format!("{}::{name}", self.file.path)
    }

    fn keep_lines(&mut self, name: &syn::Ident, body: Span) {
        let (first, last) = (body.start().line, body.end().line);
        let inside = self.lines.iter().take(last.saturating_sub(1)).skip(first);
        let code = inside.map(|line| line.trim()).filter(|line| !line.is_empty() && !line.starts_with("//"));
        let (count, place) = (code.count(), self.place(name));
        let kept = self.measures.function_lines.entry(place).or_default();
        *kept = count.max(*kept);
    }

    fn keep_arguments(&mut self, signature: &syn::Signature) {
        let place = self.place(&signature.ident);
        let kept = self.measures.function_arguments.entry(place).or_default();
        *kept = signature.inputs.len().max(*kept);
    }
}

impl<'ast> Visit<'ast> for Visitor<'_> {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if attributes(item).iter().any(is_cfg_test) {
            let span = item.span();
            self.tests.push((span.start().line, span.end().line));
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.keep_lines(&function.sig.ident, function.block.span());
        self.keep_arguments(&function.sig);
        visit::visit_item_fn(self, function);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        // Who implements a trait cannot choose its arguments; the trait itself is measured.
        let arguments_are_ours = item.trait_.is_none();
        let functions = item.items.iter().filter_map(|item| match item {
            syn::ImplItem::Fn(function) => Some(function),
            _ => None,
        });
        for function in functions {
            if function.attrs.iter().any(is_cfg_test) {
                let span = function.span();
                self.tests.push((span.start().line, span.end().line));
                continue;
            }
            self.keep_lines(&function.sig.ident, function.block.span());
            if arguments_are_ours {
                self.keep_arguments(&function.sig);
            }
            visit::visit_block(self, &function.block);
        }
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        self.keep_arguments(&function.sig);
        if let Some(block) = &function.default {
            self.keep_lines(&function.sig.ident, block.span());
        }
        visit::visit_trait_item_fn(self, function);
    }
}

/// Exactly `#[cfg(test)]`: code under `any(test, …)` is production code as well.
pub fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|ident| ident == "test")
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    use syn::Item;
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::ExternCrate(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::ForeignMod(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measure(path: &str, text: &str) -> Measures {
        let mut measures = Measures::default();
        measures.add(&TextFile::new(path, text), &syn::parse_file(text).expect("rust"));
        measures
    }

    #[track_caller]
    fn check(counts: &Counts, place: &str, expected: usize) {
        assert_eq!(counts.get(place), Some(&expected), "{place}");
    }

    #[test]
    fn tests_and_blank_lines_are_no_production_lines() {
        let text = "//! Says.\n\nconst A: u8 = 1;\n#[cfg(test)]\nmod tests {\n    fn long() {}\n\n}\n";
        check(&measure("a.rs", text).file_lines, "a.rs", 2);
    }

    #[test]
    fn production_code_after_the_tests_is_counted() {
        let text = "#[cfg(test)]\nmod tests {}\nconst A: u8 = 1;\nconst B: u8 = 1;\n";
        check(&measure("a.rs", text).file_lines, "a.rs", 2);
    }

    #[test]
    fn code_for_tests_or_for_a_feature_is_production_code() {
        let text = "#[cfg(any(test, feature = \"x\"))]\nmod a {\n}\n#[cfg(not(test))]\nmod b {\n}\n";
        check(&measure("a.rs", text).file_lines, "a.rs", 6);
        check(&measure("a.rs", "#[cfg(unix)]\nmod a {\n}\n").file_lines, "a.rs", 3);
    }

    #[test]
    fn a_file_of_tests_is_not_measured() {
        assert!(measure("crates/x/tests/a.rs", "fn f(a: u8) {}").function_arguments.is_empty());
    }

    #[test]
    fn functions_are_measured_wherever_they_are() {
        let text = "fn free() {\n    a();\n\n    // why\n    b();\n}\nstruct S;\nimpl S {\n    fn own(&self) {\n        a();\n    }\n}\ntrait T {\n    fn given(&self) {\n        a();\n    }\n}\nmod m {\n    fn inner() {\n        a();\n        a();\n        a();\n    }\n}\n";
        let measures = measure("a.rs", text);
        check(&measures.function_lines, "a.rs::free", 2);
        check(&measures.function_lines, "a.rs::own", 1);
        check(&measures.function_lines, "a.rs::given", 1);
        check(&measures.function_lines, "a.rs::inner", 3);
    }

    #[test]
    fn the_receiver_is_an_argument() {
        let measures = measure("a.rs", "struct S;\nimpl S { fn own(&self, a: u8, b: u8) {} }\nfn free(a: u8) {}\n");
        check(&measures.function_arguments, "a.rs::own", 3);
        check(&measures.function_arguments, "a.rs::free", 1);
    }

    #[test]
    fn arguments_that_a_trait_asks_for_are_counted_at_the_trait() {
        let measures = measure("a.rs", "trait T { fn f(&self, a: u8); }\nimpl T for u8 { fn f(&self, a: u8) {} }\n");
        check(&measures.function_arguments, "a.rs::f", 2);
        let foreign = measure("a.rs", "impl T for u8 { fn f(&self, a: u8) {} }\n");
        assert!(foreign.function_arguments.is_empty() && foreign.function_lines.contains_key("a.rs::f"));
    }
}
