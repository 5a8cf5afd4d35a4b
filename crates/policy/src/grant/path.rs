//! Conditions on paths. Whoever asks has normalised the path; where a wildcard would let
//! through what another reader might take for a way out, it is denied.
//! Must not know what a path belongs to.

use super::writer::{Written, refuse};
use crate::quote::{literal, pattern, prefix_pattern};

/// What no path below a prefix may hold, because another reader might take it for a way out.
const DOTTED: &[&str] = &["*//*", "*/./*", "*/../*", "*/.", "*/.."];
/// The same, written so that only some readers see it.
const HIDDEN: &[&str] = &[
    "*%2e*", "*%2E*", "*%5c*", "*%5C*", "*%25*", "*%00*", "*%2f..*", "*%2F..*", "*..%2f*", "*..%2F*", "*/..;*",
    "*/.;*", "*\\*",
];
/// A slash within a segment.
const SLASHES: &[&str] = &["*%2f*", "*%2F*"];

fn unless_like(patterns: &[&str]) -> String {
    patterns.iter().map(|doubtful| format!(" && !(context.path like {})", pattern(doubtful))).collect()
}

/// The condition for a directory and everything below it.
pub(super) fn below_condition(path: &str) -> String {
    let below = prefix_pattern(&format!("{path}/"));
    format!("(context.path == {} || (context.path like {below}{}))", literal(path), unless_like(DOTTED))
}

/// The condition for one granted path of a URL.
pub(super) fn url_condition(path: &str) -> Written<String> {
    if !path.starts_with('/') {
        return refuse("/paths", "a path begins with `/`");
    }
    if !path.contains('*') {
        return Ok(format!("context.path == {}", literal(path)));
    }
    let hidden = format!("{}{}", unless_like(DOTTED), unless_like(HIDDEN));
    match path.strip_suffix("/**") {
        Some(prefix) if !prefix.contains('*') => {
            Ok(format!("(context.path like {}{hidden})", prefix_pattern(&format!("{prefix}/"))))
        }
        // With no more slashes than the pattern has, a star cannot reach over a segment.
        None if !path.contains("**") => Ok(format!(
            "(context.path like {} && !(context.path like {}){hidden}{})",
            pattern(path),
            pattern(&format!("{}*", "*/".repeat(path.matches('/').count() + 1))),
            unless_like(SLASHES)
        )),
        _ => refuse("/paths", "`**` can stand only last, behind segments without `*`"),
    }
}
