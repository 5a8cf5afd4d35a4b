//! The debt list: limits that are broken on record, each with its exact number. It may only
//! shrink: an entry must equal what is measured, and goes when the limit is kept.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::measure::Measures;
use super::{Counts, Problem};

/// Production lines of a file.
pub const FILE_LINES_MAX: usize = 500;
/// Lines of a function's body.
pub const FUNCTION_LINES_MAX: usize = 70;
/// Arguments of a function.
pub const ARGUMENTS_MAX: usize = 5;

/// `docs/debt.toml`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debt {
    /// `path = lines`.
    #[serde(default)]
    pub file_lines: Counts,
    /// `path::function = lines`.
    #[serde(default)]
    pub function_lines: Counts,
    /// `path::function = arguments`.
    #[serde(default)]
    pub function_arguments: Counts,
    /// Outside crates that are in the binary in more than one major version.
    #[serde(default)]
    pub duplicate_majors: BTreeMap<String, DuplicateDebt>,
}

/// An outside crate that is in the binary more than once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DuplicateDebt {
    /// The majors, smallest first.
    pub majors: Vec<String>,
    /// Who holds the old one back.
    pub why: String,
}

/// Compares what was measured with the limits and the debt.
pub fn settle(measures: &Measures, debt: &Debt) -> Vec<Problem> {
    let mut problems = compare("production lines", FILE_LINES_MAX, &measures.file_lines, &debt.file_lines);
    problems.extend(compare("lines", FUNCTION_LINES_MAX, &measures.function_lines, &debt.function_lines));
    problems.extend(compare("arguments", ARGUMENTS_MAX, &measures.function_arguments, &debt.function_arguments));
    problems
}

fn compare(unit: &str, limit: usize, measured: &Counts, recorded: &Counts) -> Vec<Problem> {
    let over = measured.iter().filter(|(_, count)| **count > limit);
    let grown = over.filter_map(|(place, count)| {
        let message = match recorded.get(place) {
            None => format!("{count} {unit}, {limit} are allowed: cut where a name appears"),
            Some(entry) if entry < count => format!("grew from {entry} to {count} {unit}: debt may only shrink"),
            Some(entry) if entry > count => format!("shrank to {count} {unit}: lower its entry in docs/debt.toml"),
            Some(_) => return None,
        };
        Some(Problem::new(place, message))
    });
    let paid = recorded.keys().filter(|place| measured.get(*place).is_none_or(|count| *count <= limit));
    let paid = paid.map(|place| Problem::new("docs/debt.toml", format!("`{place}` is paid off: remove its entry")));
    grown.chain(paid).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(measured: usize, recorded: Option<usize>, expected: Option<&str>) {
        let measured = Counts::from([("a.rs".to_owned(), measured)]);
        let recorded = recorded.map(|count| ("a.rs".to_owned(), count)).into_iter().collect();
        let problems = compare("lines", 10, &measured, &recorded);
        match (expected, problems.as_slice()) {
            (None, []) => {}
            (Some(expected), [problem]) => assert!(problem.to_string().contains(expected), "{problem}"),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_limit_holds_unless_the_exact_number_is_on_record() {
        check(10, None, None);
        check(11, None, Some("11 lines, 10 are allowed"));
        check(11, Some(11), None);
    }

    #[test]
    fn debt_may_only_shrink_and_must_say_so() {
        check(12, Some(11), Some("grew from 11 to 12"));
        check(11, Some(12), Some("lower its entry"));
        check(10, Some(12), Some("`a.rs` is paid off"));
    }

    #[test]
    fn debt_on_a_file_that_is_gone_is_a_problem() {
        let recorded = Counts::from([("gone.rs".to_owned(), 600)]);
        assert_eq!(compare("lines", 10, &Counts::new(), &recorded).len(), 1);
    }
}
