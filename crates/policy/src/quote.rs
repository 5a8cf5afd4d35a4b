//! Writing a text into a policy so that it stays a text.
//!
//! Only letters, digits and a few harmless marks are written as they are, every other
//! character as `\u{…}`. A star needs `\*` in a pattern: there `\u{2a}` would be a wildcard.

/// The text as a string literal.
pub(crate) fn literal(text: &str) -> String {
    format!("\"{}\"", escaped(text, "\\u{2a}"))
}

/// The text as a pattern in which every star matches any text.
pub(crate) fn pattern(text: &str) -> String {
    format!("\"{}\"", escaped(text, "*"))
}

/// The text itself, and whatever stands behind it, as a pattern.
pub(crate) fn prefix_pattern(text: &str) -> String {
    format!("\"{}*\"", escaped(text, "\\*"))
}

/// The text itself, and whatever stands before it, as a pattern.
pub(crate) fn suffix_pattern(text: &str) -> String {
    format!("\"*{}\"", escaped(text, "\\*"))
}

/// The text itself, and whatever stands before and behind it, as a pattern.
pub(crate) fn inner_pattern(text: &str) -> String {
    format!("\"*{}*\"", escaped(text, "\\*"))
}

/// Several texts as a set of string literals.
pub(crate) fn literal_set<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let literals: Vec<String> = texts.into_iter().map(literal).collect();
    format!("[{}]", literals.join(", "))
}

fn escaped(text: &str, star: &str) -> String {
    let mut written = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '*' => written.push_str(star),
            plain if plain.is_ascii_alphanumeric() || "-_./:@ {}".contains(plain) => written.push(plain),
            other => written.push_str(&format!("\\u{{{:x}}}", u32::from(other))),
        }
    }
    written
}
