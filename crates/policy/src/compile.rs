//! From text to checked rules. Every rule must parse, fit the schema strictly, and be able to
//! apply to something: a rule that can never apply is a mistake that would go unnoticed.
//! Must not know how rules are laid out or evaluated.

use std::collections::BTreeSet;

use cedar_policy::ffi::DetailedError;
use cedar_policy::{Policy, PolicyId, PolicySet, ValidationMode, ValidationWarning, Validator};
use serde::Serialize;

use crate::set::PolicySource;
use crate::{nesting, reason};

/// Longest text of one source: enough for hundreds of rules, and short enough that checking it
/// holds nobody up.
const TEXT_BYTES_MAX: usize = 256 * 1024;
/// How far a rule may look: at attributes of principal and resource, not at theirs in turn.
const ATTRIBUTE_DEPTH_MAX: u32 = 1;
/// Longest id of a source.
const ID_BYTES_MAX: usize = 256;

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("policy `{id}`, line {line}, column {column}: {message}")]
pub struct PolicyProblem {
    /// The source.
    pub id: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Checks all sources against the validator's schema.
///
/// # Errors
/// Every problem of every source.
pub(crate) fn rules_of(sources: &[PolicySource], validator: &Validator) -> Result<Vec<Policy>, Vec<PolicyProblem>> {
    let mut rules = Vec::new();
    let mut problems = Vec::new();
    let mut used = BTreeSet::new();
    for source in sources {
        let checked = check_form(source).and_then(|()| checked_rules(source, validator));
        match checked {
            Ok(checked) => rules.extend(checked),
            Err(found) => problems.extend(found),
        }
        if !used.insert(source.id.as_str()) {
            problems.push(at_start(source, "the id is used twice"));
        }
    }
    let mut names = BTreeSet::new();
    for rule in &rules {
        let name: &str = rule.id().as_ref();
        if !names.insert(name) {
            problems.push(PolicyProblem { id: name.to_owned(), line: 1, column: 1, message: TWICE.to_owned() });
        }
    }
    if problems.is_empty() { Ok(rules) } else { Err(problems) }
}

const TWICE: &str = "two rules would have this id";

fn check_form(source: &PolicySource) -> Result<(), Vec<PolicyProblem>> {
    let problem = match (source.id.len(), source.text.len()) {
        (0, _) => "the id is empty",
        (length, _) if length > ID_BYTES_MAX => "the id is longer than 256 bytes",
        (_, length) if length > TEXT_BYTES_MAX => "the text is longer than 256 KiB",
        _ => match nesting::problem(&source.text) {
            None => return Ok(()),
            Some((offset, message)) => return Err(vec![at(source, offset, message.to_owned())]),
        },
    };
    Err(vec![at_start(source, problem)])
}

fn checked_rules(source: &PolicySource, validator: &Validator) -> Result<Vec<Policy>, Vec<PolicyProblem>> {
    let set: PolicySet = source.text.parse().map_err(|errors: cedar_policy::ParseErrors| {
        errors.iter().map(|error| located(source, DetailedError::from(error))).collect::<Vec<_>>()
    })?;
    if set.templates().next().is_some() {
        return Err(vec![at_start(source, "templates are not supported; write the principal or resource out")]);
    }
    validated(source, &set, validator)?;
    let policies = in_order(&set);
    reasoned(source, &policies)?;
    Ok(named(source, &policies))
}

fn validated(source: &PolicySource, set: &PolicySet, validator: &Validator) -> Result<(), Vec<PolicyProblem>> {
    let result = validator.validate_with_level(set, ValidationMode::Strict, ATTRIBUTE_DEPTH_MAX);
    let errors = result.validation_errors().map(|error| located(source, DetailedError::from(error)));
    // A text may be in any script; every other warning hides what a rule means.
    let misleading = |warning: &&ValidationWarning| !matches!(warning, ValidationWarning::MixedScriptString(_));
    let warnings = result.validation_warnings().filter(misleading);
    let warnings = warnings.map(|warning| located(source, DetailedError::from(warning)));
    let problems: Vec<PolicyProblem> = errors.chain(warnings).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// The rules as they stand in the text.
fn in_order(set: &PolicySet) -> Vec<&Policy> {
    let mut policies: Vec<&Policy> = set.policies().collect();
    policies.sort_by_key(|policy| place(policy));
    policies
}

/// Every reason, and every approval, is a sentence for people.
fn reasoned(source: &PolicySource, policies: &[&Policy]) -> Result<(), Vec<PolicyProblem>> {
    let problem = |(index, policy): (usize, &&Policy)| {
        let message = reason::problem(policy)?;
        Some(at(source, nesting::rule_start(&source.text, index), message))
    };
    let problems: Vec<PolicyProblem> = policies.iter().enumerate().filter_map(problem).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems) }
}

/// A source's only rule has the source's id; several have their number or `@id` behind it.
fn named(source: &PolicySource, policies: &[&Policy]) -> Vec<Policy> {
    let alone = policies.len() == 1;
    let name = |(index, policy): (usize, &&Policy)| {
        let own = policy.annotation("id").map_or_else(|| (index + 1).to_string(), str::to_owned);
        let name = if alone { source.id.clone() } else { format!("{}/{own}", source.id) };
        policy.new_id(PolicyId::new(name))
    };
    policies.iter().enumerate().map(name).collect()
}

/// Cedar numbers the rules of a text `policy0`, `policy1`, ….
fn place(policy: &Policy) -> u64 {
    let name: &str = policy.id().as_ref();
    name.trim_start_matches("policy").parse().unwrap_or(u64::MAX)
}

fn at_start(source: &PolicySource, message: &str) -> PolicyProblem {
    let id: String = source.id.chars().take(ID_BYTES_MAX).collect();
    PolicyProblem { id, line: 1, column: 1, message: message.to_owned() }
}

fn located(source: &PolicySource, error: DetailedError) -> PolicyProblem {
    let offset = error.source_locations.first().map_or(0, |label| label.loc.start);
    let message = match error.help {
        Some(help) => format!("{} ({help})", error.message),
        None => error.message,
    };
    at(source, offset, without_number(&message).replace('\n', " "))
}

/// Cedar names a rule by its number in the text, which tells nobody anything.
fn without_number(message: &str) -> &str {
    let rest = message.strip_prefix("for policy `policy").and_then(|rest| rest.split_once("`, "));
    rest.map_or(message, |(_, rest)| rest)
}

fn at(source: &PolicySource, offset: usize, message: String) -> PolicyProblem {
    let before = source.text.get(..offset).unwrap_or("");
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    PolicyProblem { id: source.id.clone(), line, column, message }
}
