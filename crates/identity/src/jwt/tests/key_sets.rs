//! Sets of keys: what is taken, what is skipped and why, what is refused as a whole.

use serde_json::{Value, json};

use super::issuers::{EC, ED, RSA, bytes, jwk, member, set_of};
use crate::base64_text::to_base64url;
use crate::jwt::{Algorithm, JsonError, KeySet, KeySetError, SkipReason, Skipped};

#[track_caller]
fn skipped(jwk: &Value, reason: SkipReason) {
    let set = set_of(std::slice::from_ref(jwk));
    assert_eq!(set.skipped(), [Skipped { place: 0, reason }], "{jwk}");
    assert!(set.keys().is_empty(), "{jwk}");
}

fn with(algorithm: Algorithm, changes: &Value) -> Value {
    let mut key = jwk(algorithm);
    for (name, value) in changes.as_object().unwrap() {
        key[name] = value.clone();
    }
    key
}

/// An RSA key whose modulus has so many bits.
fn rsa_of(bits: usize) -> Value {
    let mut modulus = vec![0xFF; bits.div_ceil(8)];
    if !bits.is_multiple_of(8) {
        modulus[0] = (1 << (bits % 8)) - 1;
    }
    with(Algorithm::Rs256, &json!({ "n": to_base64url(&modulus) }))
}

#[test]
fn keys_that_verify_are_taken() {
    let set = set_of(&[
        with(Algorithm::Rs256, &json!({ "use": "sig", "alg": "RS256", "x5c": ["MIIB"], "x5t": "a" })),
        with(Algorithm::Es256, &json!({ "key_ops": ["verify"], "alg": "ES256", "ext": true })),
        with(Algorithm::EdDsa, &json!({ "key_ops": ["sign", "verify"], "alg": "EdDSA" })),
    ]);
    assert_eq!((set.keys().len(), set.skipped().len()), (3, 0));
    let told: Vec<_> = set.keys().iter().map(|key| (key.id(), key.algorithm())).collect();
    let expected = [(Some("rsa"), Algorithm::Rs256), (Some("ec"), Algorithm::Es256), (Some("ed"), Algorithm::EdDsa)];
    assert_eq!(told, expected);
}

#[test]
fn keys_for_something_else_are_skipped() {
    for algorithm in Algorithm::ALL {
        skipped(&with(algorithm, &json!({ "use": "enc" })), SkipReason::Use);
        skipped(&with(algorithm, &json!({ "key_ops": ["sign"] })), SkipReason::Use);
        skipped(&with(algorithm, &json!({ "key_ops": [] })), SkipReason::Use);
        skipped(&with(algorithm, &json!({ "key_ops": "verify" })), SkipReason::Malformed);
        skipped(&with(algorithm, &json!({ "alg": "RSA-OAEP" })), SkipReason::Algorithm);
        skipped(&with(algorithm, &json!({ "alg": "none" })), SkipReason::Algorithm);
        skipped(&with(algorithm, &json!({ "alg": 1 })), SkipReason::Malformed);
        skipped(&with(algorithm, &json!({ "kid": "" })), SkipReason::Malformed);
        skipped(&with(algorithm, &json!({ "kid": 7 })), SkipReason::Malformed);
        for other in Algorithm::ALL.into_iter().filter(|other| *other != algorithm) {
            skipped(&with(algorithm, &json!({ "alg": other.as_str() })), SkipReason::Algorithm);
        }
    }
    for kty in [json!("oct"), json!("AKP"), json!("rsa"), json!("")] {
        skipped(&json!({ "kty": kty, "n": "AQAB" }), SkipReason::KeyType);
    }
    skipped(&json!({}), SkipReason::KeyType);
    skipped(&json!("key"), SkipReason::NotObject);
    skipped(&with(Algorithm::Es256, &json!({ "crv": "P-384" })), SkipReason::Curve);
    skipped(&with(Algorithm::EdDsa, &json!({ "crv": "X25519" })), SkipReason::Curve);
    skipped(&with(Algorithm::EdDsa, &json!({ "crv": "Ed448" })), SkipReason::Curve);
}

#[test]
fn a_key_that_is_published_with_its_private_half_is_skipped() {
    skipped(&with(Algorithm::Rs256, &json!({ "d": member(&RSA, "d") })), SkipReason::Private);
    skipped(&with(Algorithm::Rs256, &json!({ "p": member(&RSA, "p") })), SkipReason::Private);
    skipped(&with(Algorithm::Es256, &json!({ "d": member(&EC, "d") })), SkipReason::Private);
    skipped(&with(Algorithm::EdDsa, &json!({ "d": member(&ED, "d") })), SkipReason::Private);
    skipped(&json!({ "kty": "oct", "k": "AAAA" }), SkipReason::Private);
}

#[test]
fn an_rsa_modulus_has_2048_to_8192_bits() {
    for bits in [0, 512, 1_024, 2_040, 2_047, 8_193, 16_384] {
        skipped(&rsa_of(bits), SkipReason::RsaSize);
    }
    for bits in [2_048, 2_049, 3_072, 4_096, 8_192] {
        assert_eq!(set_of(&[rsa_of(bits)]).keys().len(), 1, "{bits}");
    }
    let padded = [vec![0], bytes(&RSA, "n")].concat();
    skipped(&with(Algorithm::Rs256, &json!({ "n": to_base64url(&padded) })), SkipReason::Malformed);
    let mut even = bytes(&RSA, "n");
    *even.last_mut().unwrap() ^= 1;
    skipped(&with(Algorithm::Rs256, &json!({ "n": to_base64url(&even) })), SkipReason::Malformed);
    for e in ["", "AQ", "Ag", "AAEAAQ", "AQAB=", "AQABAQAB", "+++", "AQAA"] {
        skipped(&with(Algorithm::Rs256, &json!({ "e": e })), SkipReason::Malformed);
    }
}

#[test]
fn points_have_the_length_of_their_curve() {
    for x in ["", "AQAB", &format!("{}A", member(&EC, "x")), &format!("AA{}", member(&EC, "x"))] {
        skipped(&with(Algorithm::Es256, &json!({ "x": x })), SkipReason::Malformed);
        skipped(&with(Algorithm::EdDsa, &json!({ "x": x })), SkipReason::Malformed);
    }
    skipped(&with(Algorithm::Es256, &json!({ "y": null })), SkipReason::Malformed);
}

#[test]
fn of_two_keys_with_one_id_the_first_is_taken() {
    let other = with(Algorithm::EdDsa, &json!({ "x": to_base64url(&[7; 32]) }));
    let same_id = with(Algorithm::Es256, &json!({ "kid": "ed" }));
    let set = set_of(&[jwk(Algorithm::EdDsa), other, same_id]);
    assert_eq!(set.skipped(), [Skipped { place: 1, reason: SkipReason::Repeated }]);
    assert_eq!(set.keys().len(), 2, "one id for two algorithms is common");
}

#[test]
fn what_is_no_set_is_refused_as_a_whole() {
    let refused = |text: &str| KeySet::parse(text.as_bytes()).expect_err(text);
    assert_eq!(refused(""), KeySetError::Json(JsonError::NotJson));
    assert_eq!(refused("[]"), KeySetError::Json(JsonError::NotObject));
    assert_eq!(refused(r#"{"keys":[],"keys":[]}"#), KeySetError::Json(JsonError::Repeated));
    assert_eq!(refused(r#"{"keys":[{"kty":"OKP","kty":"RSA"}]}"#), KeySetError::Json(JsonError::Repeated));
    assert_eq!(refused("{}"), KeySetError::Form);
    assert_eq!(refused(r#"{"keys":{}}"#), KeySetError::Form);
    assert_eq!(refused(&json!({ "keys": vec![0; 65] }).to_string()), KeySetError::TooMany);
    assert_eq!(refused(&" ".repeat(262_145)), KeySetError::TooLong);
    assert_eq!(KeySet::parse(br#"{"keys":[]}"#), Ok(KeySet::default()));
}
