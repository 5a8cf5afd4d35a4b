//! Idempotency keys and correlation ids: the only place of this crate that draws random bytes.

use std::fmt::Write;

use crate::error::ClientError;

/// `prefix` and 128 random bits in hexadecimal: unique, and nobody guesses somebody else's.
pub(crate) fn token(prefix: &str) -> Result<String, ClientError> {
    let mut bytes = [0_u8; 16];
    #[expect(clippy::disallowed_methods, reason = "a client has no port `Entropy`, and its ids are not replayed")]
    getrandom::fill(&mut bytes).map_err(|error| ClientError::NoRandomness { cause: error.to_string() })?;
    let mut token = prefix.to_owned();
    for byte in bytes {
        let _ = write!(token, "{byte:02x}");
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tokens_are_the_same() {
        let tokens: std::collections::BTreeSet<String> = (0..1_000).map(|_| token("idem-").expect("random")).collect();
        assert_eq!(tokens.len(), 1_000);
        assert!(tokens.iter().all(|token| token.starts_with("idem-") && token.len() == 37));
    }
}
