//! The text form of an API key:
//!
//! ```text
//! aegis_01jd3v7q8z5x2m4k6n9p0r1s3t_<52 letters of secret>_<8 letters of checksum>
//! └─┬──┘└───────────┬────────────┘
//! prefix      the key's id without `key_`
//! ```
//!
//! 94 characters of `[a-z0-9_]`: a double click selects it whole, secret scanners match it by
//! `aegis_[0-9a-hjkmnp-tv-z]{26}_[0-9a-hjkmnp-tv-z]{52}_[0-9a-hjkmnp-tv-z]{8}`, and the
//! checksum tells a typing error from an unknown key before anything is looked up.
//! Must not know: how a key is stored or compared.

use aegis_model::KeyId;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What every API key begins with.
pub(crate) const PREFIX: &str = "aegis_";
/// Letters of the id in a key.
pub(crate) const ID_LENGTH: usize = 26;
/// Letters that spell 256 bits; the last one carries a single bit.
const SECRET_LENGTH: usize = 52;
/// Letters of the checksum, 40 bits.
const CHECKSUM_LENGTH: usize = 8;
/// Characters in front of the underscore of the checksum.
const BODY_LENGTH: usize = PREFIX.len() + ID_LENGTH + 1 + SECRET_LENGTH;
/// Characters of a whole key.
pub(crate) const TEXT_LENGTH: usize = BODY_LENGTH + 1 + CHECKSUM_LENGTH;
/// Lower-case Crockford base 32, the same letters as in ids.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// Why a text is not an API key. Never holds any part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyParseError {
    /// It begins otherwise.
    #[error("an API key begins with `aegis_`")]
    Prefix,
    /// Something is missing or too much.
    #[error("an API key has 94 characters, this text has another length")]
    Length,
    /// A character was mistyped.
    #[error("the checksum of the API key does not match: a character is wrong")]
    Checksum,
    /// The checksum fits, but nobody writes keys like this.
    #[error("the text does not have the form of an API key")]
    Form,
}

/// Writes a key as text. The buffer never grows, so no copy of the secret stays behind.
pub(crate) fn write(id: &KeyId, secret: &[u8; 32]) -> String {
    let mut text = String::with_capacity(TEXT_LENGTH);
    text.push_str(PREFIX);
    text.push_str(id_letters(id));
    text.push('_');
    push_base32(&mut text, secret);
    let checksum = checksum(&text);
    text.push('_');
    push_base32(&mut text, &checksum);
    text
}

/// Reads a key. Strict: there is exactly one text for a key.
pub(crate) fn read(text: &str) -> Result<(KeyId, Zeroizing<[u8; 32]>), KeyParseError> {
    if !text.starts_with(PREFIX) {
        return Err(KeyParseError::Prefix);
    }
    if text.len() != TEXT_LENGTH {
        return Err(KeyParseError::Length);
    }
    let (body, rest) = text.split_at_checked(BODY_LENGTH).ok_or(KeyParseError::Form)?;
    let given = rest.strip_prefix('_').ok_or(KeyParseError::Form)?;
    let mut expected = String::with_capacity(CHECKSUM_LENGTH);
    push_base32(&mut expected, &checksum(body));
    if given != expected {
        return Err(KeyParseError::Checksum);
    }
    read_body(body).ok_or(KeyParseError::Form)
}

/// Reads what stands in front of the checksum.
fn read_body(body: &str) -> Option<(KeyId, Zeroizing<[u8; 32]>)> {
    let (id, rest) = body.strip_prefix(PREFIX)?.split_at_checked(ID_LENGTH)?;
    let secret = read_secret(rest.strip_prefix('_')?)?;
    Some((id_of(id)?, secret))
}

/// The id that these letters of a key stand for.
pub(crate) fn id_of(letters: &str) -> Option<KeyId> {
    KeyId::try_from(format!("{}{letters}", KeyId::PREFIX)).ok()
}

/// The letters of an id, without `key_`.
pub(crate) fn id_letters(id: &KeyId) -> &str {
    id.as_str().strip_prefix(KeyId::PREFIX).unwrap_or_default()
}

/// The first 40 bits of SHA-256 over everything in front of the checksum.
fn checksum(body: &str) -> [u8; 5] {
    let digest: [u8; 32] = Sha256::digest(body).into();
    let [first, second, third, fourth, fifth, ..] = digest;
    [first, second, third, fourth, fifth]
}

/// Appends the bytes as base 32, most significant bit first, filled up with zero bits.
fn push_base32(text: &mut String, bytes: &[u8]) {
    let (mut pending, mut bits) = (0_u16, 0_u32);
    let mut push = |value: u16| text.push(char::from(ALPHABET[usize::from(value & 31)]));
    for byte in bytes {
        pending = (pending << 8) | u16::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            push(pending >> bits);
        }
        pending &= (1 << bits) - 1;
    }
    if bits > 0 {
        push(pending << (5 - bits));
    }
}

/// Reads 256 bits, if these are exactly the letters that spell them.
fn read_secret(letters: &str) -> Option<Zeroizing<[u8; 32]>> {
    if letters.len() != SECRET_LENGTH {
        return None;
    }
    let mut secret = Zeroizing::new([0_u8; 32]);
    let mut places = secret.iter_mut();
    let (mut pending, mut bits) = (0_u16, 0_u32);
    for letter in letters.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        pending = (pending << 5) | u16::try_from(value).ok()?;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            *places.next()? = u8::try_from((pending >> bits) & 0xFF).ok()?;
            pending &= (1 << bits) - 1;
        }
    }
    (pending == 0).then_some(secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aegis_model::Timestamp;
    use proptest::prelude::*;

    fn sample_id() -> KeyId {
        KeyId::generate(Timestamp::from_millis(1_767_225_600_000), [7; 10])
    }

    /// A body with a checksum that fits, however wrong the body is.
    fn with_checksum(body: &str) -> String {
        let mut text = format!("{body}_");
        push_base32(&mut text, &checksum(body));
        text
    }

    fn check_refused(text: &str, expected: KeyParseError) {
        assert_eq!(read(text).map(|(id, _)| id), Err(expected), "{text}");
    }

    #[test]
    fn a_key_reads_back_and_has_the_promised_form() {
        let secret: [u8; 32] = std::array::from_fn(|place| place as u8);
        let text = write(&sample_id(), &secret);
        assert_eq!(
            text,
            "aegis_01kdvdna000w3ge1r70w3ge1r7_000g40r40m30e209185gr38e1w8124gk2gahc5rr34d1p70x3rfg_fd22kv6m"
        );
        assert_eq!(text.len(), TEXT_LENGTH);
        assert!(text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'));
        let (id, read_secret) = read(&text).unwrap();
        assert_eq!((id, *read_secret), (sample_id(), secret));
    }

    #[test]
    fn base_32_agrees_with_known_texts() {
        let check = |bytes: &[u8], expected: &str| {
            let mut text = String::new();
            push_base32(&mut text, bytes);
            assert_eq!(text, expected);
        };
        check(b"", "");
        check(b"f", "cr");
        check(b"fo", "csqg");
        check(b"foo", "csqpy");
        check(b"foob", "csqpyrg");
        check(b"fooba", "csqpyrk1");
        check(b"foobar", "csqpyrk1e8");
    }

    #[test]
    fn what_is_no_key_is_refused_by_name() {
        let good = write(&sample_id(), &[0xA5; 32]);
        check_refused("", KeyParseError::Prefix);
        check_refused("sk-0123", KeyParseError::Prefix);
        check_refused(&good.replacen("aegis_", "Aegis_", 1), KeyParseError::Prefix);
        check_refused(&format!(" {good}"), KeyParseError::Prefix);
        check_refused("aegis_", KeyParseError::Length);
        check_refused(&format!("{good}\n"), KeyParseError::Length);
        check_refused(&good[..93], KeyParseError::Length);
        check_refused(&format!("aegis_{}", "é".repeat(44)), KeyParseError::Form);
        check_refused(&good.to_uppercase().replacen("AEGIS_", "aegis_", 1), KeyParseError::Checksum);
    }

    #[test]
    fn a_fitting_checksum_does_not_excuse_a_wrong_form() {
        let id = id_letters(&sample_id()).to_owned();
        let secret = "0".repeat(SECRET_LENGTH);
        assert!(read(&with_checksum(&format!("aegis_{id}_{secret}"))).is_ok());
        let upper = "A".repeat(SECRET_LENGTH);
        let loose_bits = format!("{}1", "0".repeat(SECRET_LENGTH - 1));
        check_refused(&with_checksum(&format!("aegis_{id}_{upper}")), KeyParseError::Form);
        check_refused(&with_checksum(&format!("aegis_{id}_{loose_bits}")), KeyParseError::Form);
        check_refused(&with_checksum(&format!("aegis_{id}0{secret}")), KeyParseError::Form);
        check_refused(&with_checksum(&format!("aegis_{}_{secret}", "u".repeat(ID_LENGTH))), KeyParseError::Form);
    }

    #[test]
    fn every_single_typing_error_is_noticed() {
        let good = write(&sample_id(), &std::array::from_fn(|place| 255 - place as u8));
        for place in PREFIX.len()..TEXT_LENGTH {
            for letter in ALPHABET.iter().chain(b"_ A") {
                let mut typed = good.clone().into_bytes();
                typed[place] = *letter;
                let typed = String::from_utf8(typed).unwrap();
                assert_eq!(read(&typed).is_ok(), typed == good, "{typed}");
            }
        }
    }

    #[test]
    fn no_message_repeats_a_part_of_the_text() {
        let text = format!("aegis_{}", "s3cret".repeat(14));
        let message = read(&text).map(|_| ()).unwrap_err().to_string();
        assert!(!message.contains("s3cret"), "{message}");
    }

    proptest! {
        #[test]
        fn every_key_reads_back(at in 0..1_u64 << 48, noise: [u8; 10], secret: [u8; 32]) {
            let id = KeyId::generate(Timestamp::from_millis(at), noise);
            let (read_id, read_secret) = read(&write(&id, &secret)).unwrap();
            prop_assert_eq!((read_id, *read_secret), (id, secret));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in ".*") {
            let _ = read(&text);
            let _ = read(&format!("aegis_{text}"));
            let _ = read(&with_checksum(&format!("aegis_{text}")));
        }

        #[test]
        fn whatever_is_accepted_is_the_only_text_of_its_key(body in "aegis_[0-9a-z]{26}_[0-9a-z]{52}") {
            let text = with_checksum(&body);
            if let Ok((id, secret)) = read(&text) {
                prop_assert_eq!(write(&id, &secret), text);
            }
        }
    }
}
