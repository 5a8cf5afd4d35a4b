//! The header form of a signature:
//!
//! ```text
//! AWS4-HMAC-SHA256 Credential=<id>/<scope>, SignedHeaders=a;b;c, Signature=<64 hex>
//! ```
//!
//! Must not know: what the parts mean.

use super::ALGORITHM;
use super::claims::{Parts, ReadError};

/// 64 signed headers with long names fit.
const BYTES_MAX: usize = 4_096;

/// Reads the value of `Authorization`. The parts may come in any order, each once.
pub(super) fn read(value: &str) -> Result<Parts<'_>, ReadError> {
    if value.len() > BYTES_MAX {
        return Err(ReadError::TooLong("`Authorization`"));
    }
    let (scheme, rest) = value.split_once(' ').unwrap_or((value, ""));
    if scheme != ALGORITHM {
        return Err(ReadError::Algorithm);
    }
    let (mut credential, mut signed_headers, mut signature) = (None, None, None);
    for piece in rest.split(',') {
        let (name, value) = piece.trim_matches([' ', '\t']).split_once('=').ok_or(ReadError::Authorization)?;
        let (slot, name) = match name {
            "Credential" => (&mut credential, "Credential"),
            "SignedHeaders" => (&mut signed_headers, "SignedHeaders"),
            "Signature" => (&mut signature, "Signature"),
            _ => return Err(ReadError::Authorization),
        };
        if slot.replace(value).is_some() {
            return Err(ReadError::RepeatedParameter(name));
        }
    }
    Ok(Parts {
        credential: credential.ok_or(ReadError::Absent("Credential"))?,
        signed_headers: signed_headers.ok_or(ReadError::Absent("SignedHeaders"))?,
        signature: signature.ok_or(ReadError::Absent("Signature"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_refused(value: &str, expected: ReadError) {
        assert_eq!(read(value).map(|parts| parts.credential), Err(expected), "{value}");
    }

    #[test]
    fn the_parts_come_in_any_order_with_or_without_spaces() {
        for value in [
            "AWS4-HMAC-SHA256 Credential=a, SignedHeaders=b, Signature=c",
            "AWS4-HMAC-SHA256 Credential=a,SignedHeaders=b,Signature=c",
            "AWS4-HMAC-SHA256   Signature=c\t,  SignedHeaders=b ,Credential=a",
        ] {
            let parts = read(value).unwrap();
            assert_eq!((parts.credential, parts.signed_headers, parts.signature), ("a", "b", "c"), "{value}");
        }
    }

    #[test]
    fn other_schemes_and_algorithms_are_refused() {
        for value in [
            "",
            "Bearer a",
            "AWS4-HMAC-SHA1 Credential=a, SignedHeaders=b, Signature=c",
            "AWS4-ECDSA-P256-SHA256 Credential=a, SignedHeaders=b, Signature=c",
            "aws4-hmac-sha256 Credential=a, SignedHeaders=b, Signature=c",
            "AWS4-HMAC-SHA256,Credential=a, SignedHeaders=b, Signature=c",
        ] {
            check_refused(value, ReadError::Algorithm);
        }
    }

    #[test]
    fn absent_repeated_and_other_parts_are_refused() {
        let scheme = "AWS4-HMAC-SHA256";
        check_refused(scheme, ReadError::Authorization);
        check_refused(&format!("{scheme} Credential=a, SignedHeaders=b"), ReadError::Absent("Signature"));
        check_refused(&format!("{scheme} Credential=a, Signature=b"), ReadError::Absent("SignedHeaders"));
        check_refused(&format!("{scheme} SignedHeaders=a, Signature=b"), ReadError::Absent("Credential"));
        check_refused(
            &format!("{scheme} Credential=a, Credential=a, SignedHeaders=b, Signature=c"),
            ReadError::RepeatedParameter("Credential"),
        );
        check_refused(&format!("{scheme} Credential=a, SignedHeaders=b, Signature=c,"), ReadError::Authorization);
        check_refused(&format!("{scheme} Credential=a, SignedHeaders=b, Signature=c, X=1"), ReadError::Authorization);
        check_refused(&format!("{scheme} credential=a, SignedHeaders=b, Signature=c"), ReadError::Authorization);
        check_refused(&format!("{scheme} {}", "a".repeat(BYTES_MAX)), ReadError::TooLong("`Authorization`"));
    }
}
