//! The sentence that a rule may carry for whoever is refused by it: `@reason("…")`.
//! Must not know who reads it.

use aegis_model::governance::stays_on_its_line;
use cedar_policy::Policy;

/// The annotation.
const REASON: &str = "reason";
/// Longest sentence, in characters.
const LENGTH_MAX: usize = 200;
/// The sentence that the rule carries.
pub(crate) fn of(rule: &Policy) -> Option<&str> {
    rule.annotation(REASON)
}

/// Why the rule's sentence is none.
pub(crate) fn problem(rule: &Policy) -> Option<&'static str> {
    let reason = of(rule)?;
    if reason.trim().is_empty() {
        Some("the reason is empty")
    } else if reason.chars().count() > LENGTH_MAX {
        Some("the reason is longer than 200 characters")
    } else if !stays_on_its_line(reason) {
        Some("the reason holds a control character")
    } else {
        None
    }
}
