//! Small pieces of text: made harmless, measured, shortened.

use aegis_model::Timestamp;

/// Text from elsewhere on one line, unable to draw on the terminal or to reorder what is read.
pub(crate) fn clean(text: &str) -> String {
    text.chars()
        .map(|letter| if is_hostile(letter) { letter.escape_unicode().to_string() } else { letter.into() })
        .collect()
}

/// Text from elsewhere that may have several lines.
pub(crate) fn clean_lines(text: &str) -> String {
    text.lines().map(|line| clean(&line.replace('\t', "    "))).collect::<Vec<_>>().join("\n")
}

/// Control characters, and those that change the direction of what follows or cannot be seen.
fn is_hostile(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// How many columns of a terminal a text takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// How many columns a letter takes: none when it combines with the one before, two for
/// the wide scripts and pictures.
fn columns(letter: char) -> usize {
    match letter {
        '\u{300}'..='\u{36f}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{303e}'
        | '\u{3041}'..='\u{33ff}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{a000}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1f64f}'
        | '\u{1f680}'..='\u{1f6ff}'
        | '\u{1f900}'..='\u{1f9ff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

/// A moment to the second, in UTC.
pub(crate) fn short_time(at: Timestamp) -> String {
    at.to_string().get(..19).unwrap_or_default().replace('T', " ") + "Z"
}

/// A number of bytes for people.
pub(crate) fn size(bytes: u64) -> String {
    const STEPS: [(&str, u64); 3] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    let step = STEPS.iter().find(|(_, unit_bytes)| bytes >= *unit_bytes);
    step.map_or_else(
        || plural(bytes, "byte"),
        |(unit, unit_bytes)| {
            let tenths = (u128::from(bytes) * 10 / u128::from(*unit_bytes)) as u64;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        },
    )
}

/// `1 file`, `2 files`.
pub(crate) fn plural(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_made_visible() {
        assert_eq!(clean("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(clean("a\nb\tc"), "a\\u{a}b\\u{9}c");
        assert_eq!(clean("user\u{202e}nimda"), "user\\u{202e}nimda");
        assert_eq!(clean("grün 東京 👍"), "grün 東京 👍");
        assert_eq!(clean_lines("a\n\tb\u{7}"), "a\n    b\\u{7}");
    }

    #[test]
    fn widths_are_those_of_a_terminal() {
        for (text, columns) in [("", 0), ("abc", 3), ("grün", 4), ("東京", 4), ("e\u{301}", 1), ("👍", 2), ("한", 2)]
        {
            assert_eq!(width(text), columns, "{text}");
        }
    }

    #[test]
    fn sizes_and_times_are_short() {
        for (bytes, shown) in
            [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1_000, "1.0 kB"), (1_550_000, "1.5 MB")]
        {
            assert_eq!(size(bytes), shown);
        }
        assert_eq!(size(u64::MAX), "18446744073.7 GB");
        assert_eq!(short_time(Timestamp::from_millis(951_782_400_123)), "2000-02-29 00:00:00Z");
    }
}
