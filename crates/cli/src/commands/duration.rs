//! Times as they are typed: a number and its unit.

/// Reads `90s`, `15m`, `12h` or `30d` as milliseconds.
pub(crate) fn duration_ms(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a time such as `90s`, `15m`, `12h` or `30d`");
    let unit_ms = match text.chars().last() {
        Some('s') => 1_000,
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        Some('d') => 86_400_000,
        _ => return Err(wrong()),
    };
    let number = text.get(..text.len() - 1).unwrap_or_default();
    let number: u64 = number.parse().ok().filter(|number| *number > 0).ok_or_else(wrong)?;
    number.checked_mul(unit_ms).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_their_unit() {
        for (text, ms) in [("90s", 90_000), ("15m", 900_000), ("12h", 43_200_000), ("30d", 2_592_000_000)] {
            assert_eq!(duration_ms(text), Ok(ms));
        }
        for bad in ["", "s", "0s", "-1s", "1.5h", "30", "1w", "1é", "99999999999999999d", " 1s"] {
            assert!(duration_ms(bad).is_err(), "{bad}");
        }
    }
}
