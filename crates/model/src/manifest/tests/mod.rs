//! Tests of the manifest: messages word for word, both forms, hostile texts, properties.

mod hostile;
mod messages;
mod older_form;
mod properties;
mod sample;

use super::{ManifestProblem, Parsed, parse};

/// The manifest that a text describes; every problem is shown if it is not valid.
fn valid(text: &str) -> Parsed {
    match parse(text.as_bytes()) {
        Ok(parsed) => parsed,
        Err(problems) => panic!("{}\n{text}", lines(&problems)),
    }
}

/// The problems of a text that must have some.
fn problems(text: &[u8]) -> Vec<ManifestProblem> {
    match parse(text) {
        Ok(_) => panic!("no problem found in {}", String::from_utf8_lossy(text)),
        Err(problems) => problems,
    }
}

/// The problems as a person sees them, each with its pointer.
fn lines(problems: &[ManifestProblem]) -> String {
    problems.iter().map(|problem| format!("{problem} @ {}", problem.pointer)).collect::<Vec<_>>().join("\n")
}
