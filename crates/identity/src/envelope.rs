//! The sealed envelope: XChaCha20-Poly1305 with the nonce in front.
//!
//! ```text
//! version (1 byte) ‖ nonce (24) ‖ ciphertext ‖ tag (16)
//! ```
//!
//! The version is authenticated together with the caller's additional data. Nonces are long
//! enough to be drawn at random. Must not know: where the key comes from or what is sealed.

use chacha20poly1305::aead::AeadInOut;
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use zeroize::Zeroizing;

/// The only form there is so far.
const VERSION: u8 = 1;
const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;
/// Bytes in front of the ciphertext.
const HEAD_LENGTH: usize = 1 + NONCE_LENGTH;

/// Why sealed bytes were not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// They are shorter than an empty envelope.
    #[error("the sealed bytes are too short to be an envelope")]
    TooShort,
    /// They were sealed by a later release.
    #[error("the sealed bytes have the unknown version `{0}`")]
    Version(u8),
    /// Altered, sealed under another key, or sealed for another place.
    #[error("the sealed bytes were altered, or belong to another key or another place")]
    Forged,
}

/// Seals `plain`. Only memory that no machine has, 256 GiB of it in one piece, cannot be
/// sealed; the answer is then an empty text, which nothing opens.
pub(crate) fn seal(key: &[u8; 32], nonce: [u8; NONCE_LENGTH], aad: &[u8], plain: &[u8]) -> Vec<u8> {
    // INVARIANT: the buffer has its final size from the start, so that growing leaves no copy
    // of the plain text behind.
    let mut sealed = Zeroizing::new(Vec::with_capacity(HEAD_LENGTH + plain.len() + TAG_LENGTH));
    sealed.push(VERSION);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plain);
    let text = sealed.get_mut(HEAD_LENGTH..).unwrap_or_default();
    let cipher = XChaCha20Poly1305::new(key.into());
    match cipher.encrypt_inout_detached(&nonce.into(), &bound(aad), text.into()) {
        Ok(tag) => {
            sealed.extend_from_slice(&tag);
            std::mem::take(&mut sealed)
        }
        Err(_) => Vec::new(),
    }
}

/// Opens what [`seal`] made with the same key and the same additional data.
pub(crate) fn open(key: &[u8; 32], aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (version, rest) = sealed.split_first().ok_or(OpenError::TooShort)?;
    if *version != VERSION {
        return Err(OpenError::Version(*version));
    }
    let (nonce, rest) = rest.split_first_chunk::<NONCE_LENGTH>().ok_or(OpenError::TooShort)?;
    let (text, tag) = rest.split_last_chunk::<TAG_LENGTH>().ok_or(OpenError::TooShort)?;
    let mut plain = Zeroizing::new(text.to_vec());
    XChaCha20Poly1305::new(key.into())
        .decrypt_inout_detached(nonce.into(), &bound(aad), plain.as_mut_slice().into(), tag.into())
        .map_err(|_| OpenError::Forged)?;
    Ok(plain)
}

/// The additional data with the version in front.
fn bound(aad: &[u8]) -> Vec<u8> {
    [&[VERSION], aad].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mac::to_hex;
    use proptest::prelude::*;

    const KEY: [u8; 32] = [3; 32];

    /// draft-irtf-cfrg-xchacha, appendix A.3.1.
    #[test]
    fn the_cipher_agrees_with_the_published_vector() {
        let key: [u8; 32] = std::array::from_fn(|place| 0x80 + place as u8);
        let nonce: [u8; 24] = std::array::from_fn(|place| 0x40 + place as u8);
        let aad = [0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7];
        let mut text = *b"Ladies and Gentlemen of the class of '99: If I could offer you \
            only one tip for the future, sunscreen would be it.";
        let tag = XChaCha20Poly1305::new(&key.into())
            .encrypt_inout_detached(&nonce.into(), &aad, text.as_mut_slice().into())
            .unwrap();
        assert_eq!(
            to_hex(&text),
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb\
             731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452\
             2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9\
             21f9664c97637da9768812f615c68b13b52e"
        );
        assert_eq!(to_hex(&tag), "c0875924c1c7987947deafd8780acf49");
    }

    #[test]
    fn an_envelope_is_the_published_cipher_behind_version_and_nonce() {
        let sealed = seal(&KEY, [9; 24], b"place", b"plain");
        let mut text = *b"plain";
        let tag = XChaCha20Poly1305::new(&KEY.into())
            .encrypt_inout_detached(&[9; 24].into(), b"\x01place", text.as_mut_slice().into())
            .unwrap();
        assert_eq!(sealed, [&[1_u8][..], &[9; 24], &text, &tag].concat());
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let sealed = seal(&KEY, [9; 24], b"place", b"a secret of some length");
        assert!(open(&KEY, b"place", &sealed).is_ok());
        for place in 0..sealed.len() {
            for bit in 0..8 {
                let mut forged = sealed.clone();
                forged[place] ^= 1 << bit;
                let expected = if place == 0 { OpenError::Version(forged[0]) } else { OpenError::Forged };
                assert_eq!(open(&KEY, b"place", &forged).map(|_| ()), Err(expected), "byte {place} bit {bit}");
            }
        }
    }

    #[test]
    fn every_truncation_and_addition_is_noticed() {
        let sealed = seal(&KEY, [9; 24], b"place", b"plain");
        for length in 0..sealed.len() {
            assert!(open(&KEY, b"place", &sealed[..length]).is_err(), "{length}");
        }
        let longer = [sealed.as_slice(), &[0]].concat();
        assert_eq!(open(&KEY, b"place", &longer).map(|_| ()), Err(OpenError::Forged));
        assert_eq!(open(&KEY, b"place", &[]).map(|_| ()), Err(OpenError::TooShort));
        assert_eq!(open(&KEY, b"place", &sealed[..HEAD_LENGTH]).map(|_| ()), Err(OpenError::TooShort));
    }

    #[test]
    fn an_envelope_opens_only_in_its_place_and_under_its_key() {
        let sealed = seal(&KEY, [9; 24], b"tenant/a", b"plain");
        for wrong in [&b"tenant/b"[..], b"", b"tenant/a ", b"\x01tenant/a"] {
            assert_eq!(open(&KEY, wrong, &sealed).map(|_| ()), Err(OpenError::Forged), "{wrong:?}");
        }
        assert_eq!(open(&[4; 32], b"tenant/a", &sealed).map(|_| ()), Err(OpenError::Forged));
    }

    proptest! {
        #[test]
        fn what_was_sealed_opens(key: [u8; 32], nonce: [u8; 24], aad: Vec<u8>, plain: Vec<u8>) {
            let sealed = seal(&key, nonce, &aad, &plain);
            prop_assert_eq!(sealed.len(), HEAD_LENGTH + plain.len() + TAG_LENGTH);
            let opened = open(&key, &aad, &sealed).unwrap();
            prop_assert_eq!(&*opened, &plain);
        }

        #[test]
        fn no_bytes_make_the_reader_panic_or_open(mut bytes: Vec<u8>) {
            prop_assert!(open(&KEY, b"", &bytes).is_err());
            bytes.insert(0, VERSION);
            prop_assert!(open(&KEY, b"", &bytes).is_err());
        }
    }
}
