//! The time of a signature, `20150830T123600Z`. Must not know: the clock.

use aegis_model::Timestamp;

/// Reads the time; `None` for every other spelling.
pub(super) fn parse(text: &str) -> Option<Timestamp> {
    if text.len() != 16 || !text.is_ascii() {
        return None;
    }
    let (date, clock) = text.split_once('T')?;
    let (year, rest) = date.split_at_checked(4)?;
    let (month, day) = rest.split_at_checked(2)?;
    let (hour, rest) = clock.split_at_checked(2)?;
    let (minute, second) = rest.split_at_checked(2)?;
    format!("{year}-{month}-{day}T{hour}:{minute}:{second}").parse().ok()
}

/// Writes the time; what is finer than a second is cut off.
pub(super) fn format(at: Timestamp) -> String {
    let text = at.to_string();
    let whole = text.split('.').next().unwrap_or_default();
    whole.chars().filter(|letter| !matches!(letter, '-' | ':')).chain(['Z']).collect()
}

/// The day alone, `20150830`.
pub(super) fn day(at: Timestamp) -> String {
    format(at).chars().take(8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_time_reads_and_writes() {
        let at = parse("20150830T123600Z").unwrap();
        assert_eq!(at.to_string(), "2015-08-30T12:36:00.000Z");
        assert_eq!((format(at.plus_ms(999)), day(at)), ("20150830T123600Z".to_owned(), "20150830".to_owned()));
    }

    #[test]
    fn other_spellings_are_no_time() {
        let others = [
            "",
            "20150830T123600",
            "20150830t123600Z",
            "20150830T123600z",
            "2015-08-30T12:36:00Z",
            "20150230T123600Z",
            "20150830T246000Z",
            "20150830T123660Z",
            "20150830T12360.Z",
            "2015083TT123600Z",
            "+2150830T123600Z",
            "19690830T123600Z",
            " 0150830T123600Z",
            "20150830T1236000",
            "ሴ0150830T1236Z",
        ];
        for other in others {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn every_second_reads_back(second in 0..253_402_300_799_u64) {
            let at = Timestamp::from_millis(second * 1_000);
            prop_assert_eq!(parse(&format(at)), Some(at));
        }
    }
}
