//! Our own tokens: what they say, for whom, and for how long.

use proptest::prelude::*;

use super::issuers::now;
use crate::jwt::{Algorithm, Expected, KeySet, SpiffeId, Token, TokenError, Workload, WorkloadError, WorkloadKey};

const ISSUER: &str = "https://aegis.example";

fn subject() -> SpiffeId {
    SpiffeId::new("aegis.example", &["tenant", "acme", "agent", "writer"]).unwrap()
}

fn workload(subject: &SpiffeId) -> Workload<'_> {
    Workload { issuer: ISSUER, subject, audience: "vault", token_id: "t1", issued_at: now(), lifetime_s: 60 }
}

fn published(keys: &[&WorkloadKey]) -> KeySet {
    KeySet::parse(WorkloadKey::public_set(keys).to_string().as_bytes()).unwrap()
}

#[test]
fn a_workload_proves_who_it_is_to_its_audience_for_a_short_time() {
    let key = WorkloadKey::from_seed(&[7; 32]).unwrap();
    let token = key.sign(&workload(&subject())).unwrap();
    let verify = |audience: &str, after_ms: u64| {
        let expected = Expected::new(ISSUER, audience);
        Token::parse(&token).unwrap().verify(&published(&[&key]), &expected, now().plus_ms(after_ms))
    };
    let claims = verify("vault", 0).unwrap();
    assert_eq!(claims.subject.as_deref(), Some("spiffe://aegis.example/tenant/acme/agent/writer"));
    assert_eq!((claims.id.as_deref(), claims.expires_at), (Some("t1"), now().plus_ms(60_000)));
    assert_eq!((claims.issued_at, claims.not_before), (Some(now()), Some(now())));
    assert_eq!(verify("other", 0).err(), Some(TokenError::Audience));
    assert_eq!(verify("vault", 120_000).err(), Some(TokenError::Expired));
}

#[test]
fn old_keys_are_published_beside_the_new_one() {
    let [old, new] = [1, 2].map(|seed| WorkloadKey::from_seed(&[seed; 32]).unwrap());
    let set = published(&[&new, &old]);
    assert_eq!((set.keys().len(), set.skipped().len()), (2, 0));
    for key in [&old, &new] {
        let token = key.sign(&workload(&subject())).unwrap();
        let parsed = Token::parse(&token).unwrap();
        assert_eq!((parsed.key_id(), parsed.algorithm()), (Some(key.id()), Algorithm::EdDsa));
        assert!(parsed.verify(&set, &Expected::new(ISSUER, "vault"), now()).is_ok());
    }
    let token = old.sign(&workload(&subject())).unwrap();
    let gone = Token::parse(&token).unwrap().verify(&published(&[&new]), &Expected::new(ISSUER, "vault"), now());
    assert_eq!(gone.err(), Some(TokenError::UnknownKey));
}

#[test]
fn a_token_is_for_somebody_and_not_for_long() {
    let key = WorkloadKey::from_seed(&[7; 32]).unwrap();
    let subject = subject();
    let refused = |workload: Workload<'_>| key.sign(&workload).expect_err("refused");
    let good = workload(&subject);
    for lifetime_s in [0, 3_601, u32::MAX] {
        assert_eq!(refused(Workload { lifetime_s, ..good }), WorkloadError::Lifetime);
    }
    assert_eq!(refused(Workload { audience: "", ..good }), WorkloadError::Empty);
    assert_eq!(refused(Workload { issuer: "", ..good }), WorkloadError::Empty);
    assert_eq!(refused(Workload { token_id: "", ..good }), WorkloadError::Empty);
}

#[test]
fn the_private_half_is_nowhere() {
    let key = WorkloadKey::from_seed(&[7; 32]).unwrap();
    let jwk = key.public_jwk();
    assert!(jwk.get("d").is_none());
    assert_eq!(format!("{key:?}"), format!("WorkloadKey({}, …)", key.id()));
}

proptest! {
    #[test]
    fn every_token_of_ours_verifies(seed: [u8; 32], lifetime_s in 1..=3_600_u32, audience in "[!-~]{1,40}", id in "[!-~]{1,40}") {
        let key = WorkloadKey::from_seed(&seed).unwrap();
        let subject = subject();
        let token = key.sign(&Workload { lifetime_s, audience: &audience, token_id: &id, ..workload(&subject) }).unwrap();
        let expected = Expected::new(ISSUER, &audience);
        let claims = Token::parse(&token).unwrap().verify(&published(&[&key]), &expected, now()).unwrap();
        prop_assert_eq!(claims.audiences, [audience]);
        prop_assert_eq!(claims.id, Some(id));
    }
}
