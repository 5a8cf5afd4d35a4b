//! HMAC-SHA-256 and HKDF-SHA-256 as total functions: no input makes them fail, so no caller
//! has to decide what a missing key would mean.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The block of SHA-256. A shorter HMAC key is padded with zeros to this length; that is the
/// definition of HMAC, so it changes no result.
pub(crate) const BLOCK_LENGTH: usize = 64;

#[cfg(test)]
thread_local! {
    /// How many MACs this thread computed: equal work is how equal time is tested.
    pub(crate) static COUNT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// HMAC-SHA-256 over the parts, one after another. The caller makes sure that no two lists of
/// parts join to the same bytes.
pub(crate) fn hmac_sha256<const LENGTH: usize>(key: &[u8; LENGTH], parts: &[&[u8]]) -> [u8; 32] {
    const { assert!(LENGTH <= BLOCK_LENGTH, "a longer key would have to be hashed first") };
    #[cfg(test)]
    COUNT.set(COUNT.get() + 1);
    let mut block = Zeroizing::new([0_u8; BLOCK_LENGTH]);
    block.iter_mut().zip(key).for_each(|(place, byte)| *place = *byte);
    let mut mac = Hmac::<Sha256>::new((&*block).into());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// HKDF-SHA-256 (RFC 5869) for 32 bytes: extract, then the only round of expand that they
/// need. Written out because the general form can fail for long outputs, and a key derivation
/// must not have a path without a key.
pub(crate) fn hkdf_sha256<const LENGTH: usize>(salt: &[u8; LENGTH], secret: &[u8], purpose: &[u8]) -> [u8; 32] {
    let extracted = Zeroizing::new(hmac_sha256(salt, &[secret]));
    hmac_sha256(&extracted, &[purpose, &[1]])
}

/// The bytes in lower-case hexadecimal.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |value: u8| char::from(DIGITS[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// Reads what [`to_hex`] writes for 32 bytes; `None` for any other spelling, upper case too.
pub(crate) fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0_u8; 32];
    for (place, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = pair else { return None };
        *place = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hkdf::Hkdf;
    use proptest::prelude::*;

    #[test]
    fn hmac_agrees_with_rfc_4231() {
        let check = |mac: [u8; 32], expected: &str| assert_eq!(to_hex(&mac), expected);
        check(
            hmac_sha256(&[0x0b; 20], &[b"Hi There"]),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        );
        check(
            hmac_sha256(b"Jefe", &[b"what do ya want ", b"for nothing?"]),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        );
        check(
            hmac_sha256(&[0xaa; 20], &[&[0xdd; 50]]),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        );
    }

    #[test]
    fn hkdf_agrees_with_rfc_5869() {
        let salt: [u8; 13] = std::array::from_fn(|place| place as u8);
        let purpose: [u8; 10] = std::array::from_fn(|place| 0xf0 + place as u8);
        assert_eq!(
            to_hex(&hkdf_sha256(&salt, &[0x0b; 22], &purpose)),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
        );
        assert_eq!(
            to_hex(&hkdf_sha256(&[], &[0x0b; 22], &[])),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d"
        );
    }

    #[test]
    fn hexadecimal_has_one_spelling() {
        let text = "00ff".repeat(16);
        assert_eq!(from_hex(&text).map(|bytes| to_hex(&bytes)), Some(text.clone()));
        for bad in ["", "00", &text.to_uppercase(), &text.replace("ff", "fg"), &format!("{text}0"), &"é".repeat(32)] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn hkdf_agrees_with_the_general_form(salt: [u8; 32], secret: [u8; 32], purpose: Vec<u8>) {
            let mut expected = [0_u8; 32];
            Hkdf::<Sha256>::new(Some(&salt), &secret).expand(&purpose, &mut expected).unwrap();
            prop_assert_eq!(hkdf_sha256(&salt, &secret, &purpose), expected);
        }
    }
}
