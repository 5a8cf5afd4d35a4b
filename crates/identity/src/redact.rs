//! Takes API keys out of texts that are about to be logged or shown.
//!
//! A key is found by its prefix, in any mixture of cases, whole or cut off at its end. A key
//! that lost its prefix cannot be told from other letters and is not found.
//! Must not know: where the text goes.

use std::borrow::Cow;

use crate::key_text::{ID_LENGTH, PREFIX, id_of};

/// A run of so many letters after the prefix is a damaged key, whatever its form. Longer than
/// any name of ours that begins like a key, shorter than a key with a third of it missing.
const SUSPICIOUS_LENGTH: usize = 60;

/// A stretch of the text that looks like a key.
struct Found {
    start: usize,
    end: usize,
    shown: String,
}

/// The text with everything that looks like one of our keys replaced by `aegis_<id>_…`.
/// Borrows when there is nothing to replace.
pub fn redact(text: &str) -> Cow<'_, str> {
    let Some(first) = find(text, 0) else {
        return Cow::Borrowed(text);
    };
    let mut clean = String::with_capacity(text.len());
    let mut copied = 0;
    let mut next = Some(first);
    while let Some(found) = next {
        clean.push_str(text.get(copied..found.start).unwrap_or_default());
        clean.push_str(&found.shown);
        copied = found.end;
        next = find(text, copied);
    }
    clean.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(clean)
}

/// The first key after `from`, which is where the text begins or the last key ended. Looks for
/// underscores, because there are few.
fn find(text: &str, from: usize) -> Option<Found> {
    let mut at = from;
    loop {
        at += text.get(at..)?.find('_')? + 1;
        let start = at.checked_sub(PREFIX.len());
        let prefix = start.and_then(|start| text.get(start..at)).unwrap_or_default();
        if let (Some(start), true) = (start, prefix.eq_ignore_ascii_case(PREFIX)) {
            let run = word(text.get(at..)?);
            if let Some(shown) = shown(run) {
                return Some(Found { start, end: at + run.len(), shown });
            }
        }
    }
}

/// The letters, digits and underscores that the text begins with.
fn word(text: &str) -> &str {
    let length = text.bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
    text.get(..length).unwrap_or_default()
}

/// What to show instead of a prefix followed by `run`; `None` if that is no key.
fn shown(run: &str) -> Option<String> {
    let id = run.split_at_checked(ID_LENGTH).filter(|(_, rest)| rest.len() > 1 && rest.starts_with('_'));
    match id {
        Some((letters, _)) if id_of(letters).is_some() => Some(format!("{PREFIX}{letters}_…")),
        Some((letters, _)) if letters.bytes().all(|byte| byte.is_ascii_alphanumeric()) => Some(format!("{PREFIX}…")),
        _ => (run.len() >= SUSPICIOUS_LENGTH).then(|| format!("{PREFIX}…")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ApiKey;
    use aegis_model::{KeyId, Timestamp};
    use proptest::prelude::*;

    fn key(noise: u8) -> String {
        let id = KeyId::generate(Timestamp::from_millis(1_767_225_600_000), [noise; 10]);
        ApiKey::generate(id, [noise; 32]).reveal()
    }

    fn shown(key: &str) -> String {
        format!("{}_…", &key[..32])
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(redact(text), expected, "{text}");
    }

    #[test]
    fn a_key_is_replaced_wherever_it_stands() {
        let (one, two) = (key(1), key(2));
        check(&one, &shown(&one));
        check(&format!("{{\"api_key\":\"{one}\"}}"), &format!("{{\"api_key\":\"{}\"}}", shown(&one)));
        check(&format!("Bearer {one}\r\nX: é{two}é"), &format!("Bearer {}\r\nX: é{}é", shown(&one), shown(&two)));
        check(&format!("x{one}"), &format!("x{}", shown(&one)));
        check(&format!("{one},{one}"), &format!("{0},{0}", shown(&one)));
    }

    #[test]
    fn a_damaged_key_is_replaced_too() {
        let one = key(1);
        check(&one[..60], &shown(&one));
        check(&one[..34], &shown(&one));
        check(&format!("{one}{one}"), &shown(&one));
        check(&format!("aegis_{one}"), &format!("aegis_{}", "…"));
        check(&one.to_uppercase(), "aegis_…");
        check(&format!("Aegis_{}", &one[6..]), &shown(&one));
        check(&one.replacen("aegis_0", "aegis_", 1), "aegis_…");
        check(&format!("aegis_{}", &one[33..]), "aegis_…");
    }

    #[test]
    fn other_texts_stay_and_are_borrowed() {
        let id = &key(1)[..32];
        let others = [
            "",
            "_",
            "aegis",
            "aegis_",
            "AEGIS_API_KEY=",
            "aegis_http_request_duration_seconds_bucket",
            "key_01jd3v7q8z5x2m4k6n9p0r1s3t",
            id,
            "aegis-model",
            "ægis_00000000000000000000000000_0",
        ];
        for other in others {
            assert!(matches!(redact(other), Cow::Borrowed(same) if same == other), "{other}");
        }
    }

    #[test]
    fn redacting_twice_is_redacting_once() {
        let text = format!("{} {}", key(1), key(2));
        let once = redact(&text).into_owned();
        check(&once, &once);
    }

    proptest! {
        #[test]
        fn no_secret_survives(before in ".{0,20}", after in ".{0,20}", secret: [u8; 32]) {
            let id = KeyId::generate(Timestamp::from_millis(5), [0; 10]);
            let key = ApiKey::generate(id, secret).reveal();
            let clean = redact(&format!("{before}{key}{after}")).into_owned();
            prop_assert!(!clean.contains(&key[33..85]), "{}", clean);
        }

        #[test]
        fn every_text_without_a_key_stays(text in "[a-z_ é]{0,59}") {
            prop_assert_eq!(redact(&text), text.as_str());
        }
    }
}
