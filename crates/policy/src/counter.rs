//! Whether a tenant's counters are well declared, before rules may look at them.
//! Must not know how anything is counted.

use std::collections::BTreeSet;

use aegis_model::counter::{COUNTERS_MAX, Counter, WINDOW_MAX_MS};
use serde::Serialize;

use crate::action::ActionName;

/// The shortest window.
const WINDOW_MIN_MS: u64 = 1_000;
/// Longest name.
const NAME_BYTES_MAX: usize = 63;

/// Why a counter cannot be declared like this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("counter `{counter}`: {message}")]
pub struct CounterProblem {
    /// What the counter is called.
    pub counter: String,
    /// What is wrong.
    pub message: String,
}

/// Checks all declarations.
///
/// # Errors
/// Every problem of every counter.
pub(crate) fn check(counters: &[Counter]) -> Result<(), Vec<CounterProblem>> {
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for (index, counter) in counters.iter().enumerate() {
        let mut found = problems_of(counter);
        if !used.insert(counter.name.as_str()) {
            found.push("the name is used twice".to_owned());
        }
        if index == COUNTERS_MAX {
            found.push(format!("there are more than {COUNTERS_MAX} counters"));
        }
        problems.extend(found.into_iter().map(|message| CounterProblem { counter: shown(&counter.name), message }));
    }
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

fn problems_of(counter: &Counter) -> Vec<String> {
    let mut problems = Vec::new();
    if !is_name(&counter.name) {
        problems.push(format!("the name {FORM}"));
    }
    problems.extend(action_problems(&counter.actions));
    if counter.per.iter().collect::<BTreeSet<_>>().len() != counter.per.len() {
        problems.push("it tells apart by the same thing twice".to_owned());
    }
    if counter.sum.as_deref().is_some_and(|sum| !is_name(sum)) {
        problems.push(format!("the circumstance that is added up {FORM}"));
    }
    if counter.window.is_some_and(|window| !(WINDOW_MIN_MS..=WINDOW_MAX_MS).contains(&window.as_millis())) {
        problems.push("the window is not between 1s and 31d".to_owned());
    }
    problems
}

const FORM: &str = "is not a lower-case letter and then at most 62 lower-case letters, digits and `_`";

fn action_problems(actions: &[String]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    if actions.is_empty() {
        problems.push("it counts no action".to_owned());
    }
    for action in actions {
        if ActionName::by_name(action).is_none() {
            problems.push(format!("there is no action `{}`", shown(action)));
        }
        if !used.insert(action) {
            problems.push(format!("the action `{}` is named twice", shown(action)));
        }
    }
    problems
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= NAME_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(plain)
}

/// The beginning of a text that may be anything.
fn shown(text: &str) -> String {
    text.chars().take(NAME_BYTES_MAX).flat_map(char::escape_debug).collect()
}
