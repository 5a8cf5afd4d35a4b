//! What is wrong with a manifest, and where. Must not know: how it was found.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::secret_look;
use super::units::UnitError;
use crate::error::{Code, Fault};

/// One thing that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ManifestProblem {
    /// The field, as a JSON pointer; empty for the manifest as a whole.
    pub pointer: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// One sentence.
    pub message: String,
    /// What may have been meant, or what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
}

impl fmt::Display for ManifestProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)?;
        self.suggestion.as_ref().map_or(Ok(()), |suggestion| write!(f, " ({suggestion})"))
    }
}

/// More problems than these are counted, not listed.
pub const PROBLEMS_MAX: usize = 50;

/// A place in the text, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    /// Where every text begins.
    pub(super) const START: Self = Self { line: 1, column: 1 };

    /// A problem at this place.
    pub(super) fn problem(self, pointer: &str, message: impl Into<String>) -> ManifestProblem {
        let (line, column) = (self.line, self.column);
        ManifestProblem { pointer: pointer.to_owned(), line, column, message: message.into(), suggestion: None }
    }
}

impl ManifestProblem {
    /// Adds what to do.
    pub(super) fn advise(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    /// Adds what may have been meant, unless that would repeat a secret.
    pub(super) fn meant(self, meant: &str) -> Self {
        match secret_look::reason(meant) {
            None => self.advise(format!("did you mean `{meant}`?")),
            Some(_) => self,
        }
    }

    /// The problem that a text of a certain form has, at a place.
    pub(super) fn of_unit(place: Place, pointer: &str, error: UnitError) -> Self {
        let problem = place.problem(pointer, error.message);
        match error.suggestion {
            Some(meant) => problem.meant(&meant),
            None => problem,
        }
    }
}

/// The pointer of a field below `pointer`.
pub(super) fn child(pointer: &str, name: impl fmt::Display) -> String {
    let name = name.to_string().replace('~', "~0").replace('/', "~1");
    format!("{pointer}/{name}")
}

/// Sorts by place, drops repetitions and keeps the first [`PROBLEMS_MAX`].
pub(super) fn arrange(mut problems: Vec<ManifestProblem>) -> Vec<ManifestProblem> {
    problems
        .sort_by(|a, b| (a.line, a.column, &a.pointer, &a.message).cmp(&(b.line, b.column, &b.pointer, &b.message)));
    problems.dedup();
    let hidden = problems.len().saturating_sub(PROBLEMS_MAX);
    problems.truncate(PROBLEMS_MAX);
    if hidden > 0
        && let Some(last) = problems.last()
    {
        let place = Place { line: last.line, column: last.column };
        let more = place.problem("", format!("{hidden} more problems are not shown"));
        problems.push(more);
    }
    problems
}

impl From<Vec<ManifestProblem>> for Fault {
    fn from(problems: Vec<ManifestProblem>) -> Self {
        let first = problems.first().cloned().unwrap_or_else(|| Place::START.problem("", "the manifest is not valid"));
        let message = match problems.len() {
            0 | 1 => first.to_string(),
            count => format!("{first}; and {} more", count - 1),
        };
        let listed = problems.iter().map(|problem| serde_json::to_value(problem).unwrap_or(Value::Null));
        Fault::new(Code::ManifestInvalid, message)
            .at(&first.pointer)
            .with("line", first.line)
            .with("column", first.column)
            .with("problems", listed.collect::<Vec<Value>>())
    }
}
