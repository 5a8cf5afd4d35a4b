//! An unknown key costs what a known one costs, and never verifies.

use super::requests::{Key, SECRET, invocation, now, options};
use crate::mac::COUNT;
use crate::sigv4::{Claims, SecretAccessKey, SigningKey, VerifyError, verify};

/// Verifies a request with the outcome of a look-up; returns the result and the MACs it cost.
fn attempt(secret: Option<&SecretAccessKey>) -> (Result<(), VerifyError>, usize) {
    let request = invocation().signed(&Key::sample());
    request.with_head(|head| {
        let claims = Claims::read(head).unwrap();
        COUNT.set(0);
        let key = SigningKey::derive_or_unknown(secret, claims.scope());
        (verify(&claims, &request.body_sha256(), &key, &options(), now()), COUNT.get())
    })
}

#[test]
fn an_unknown_key_costs_as_many_macs_as_a_known_one() {
    let right = SecretAccessKey::parse(SECRET).unwrap();
    let wrong = SecretAccessKey::parse(&SECRET.to_lowercase()).unwrap();
    assert_eq!(attempt(Some(&right)), (Ok(()), 5));
    assert_eq!(attempt(Some(&wrong)), (Err(VerifyError::Signature), 5));
    assert_eq!(attempt(None), (Err(VerifyError::Signature), 5));
}

#[test]
fn what_the_stand_in_secret_signs_is_not_accepted() {
    let stand_in = SecretAccessKey::parse("unknown-key-unknown-key-unknown-key-unkn").unwrap();
    let request = invocation().signed(&Key { secret: stand_in.clone(), ..Key::sample() });
    request.with_head(|head| {
        let claims = Claims::read(head).unwrap();
        let verify = |key| verify(&claims, &request.body_sha256(), &key, &options(), now());
        assert_eq!(verify(SigningKey::unknown(claims.scope())), Err(VerifyError::Signature));
        assert_eq!(verify(SigningKey::derive_or_unknown(None, claims.scope())), Err(VerifyError::Signature));
        let somebodys = SigningKey::derive(&stand_in, claims.scope());
        assert_eq!(verify(somebodys), Ok(()), "the signature itself is the right one");
    });
}
