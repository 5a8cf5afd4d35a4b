//! Another library verifies our tokens, and signs tokens that we verify.

use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, decode, encode};
use proptest::prelude::*;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use super::issuers::{AUDIENCE, EC, ED, ISSUER, NOW_S, RSA, bytes, claims, good, jwk, key_id, member, now, set_of};
use crate::base64_text::to_base64url;
use crate::jwt::{Algorithm, Expected, SpiffeId, Token, Workload, WorkloadKey};

fn named(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
    }
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match length {
        0..128 => vec![tag, length as u8],
        128..256 => vec![tag, 0x81, length as u8],
        _ => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    [head, content.to_vec()].concat()
}

/// RFC 8017, A.1.2: the private key as nine numbers.
fn rsa_der() -> Vec<u8> {
    let numbers = ["n", "e", "d", "p", "q", "dp", "dq", "qi"].map(|name| bytes(&RSA, name));
    let number = |bytes: &[u8]| {
        let sign = if bytes[0] >= 0x80 { vec![0] } else { vec![] };
        der(2, &[sign, bytes.to_vec()].concat())
    };
    let all: Vec<_> = std::iter::once(der(2, &[0])).chain(numbers.iter().map(|bytes| number(bytes))).collect();
    der(0x30, &all.concat())
}

/// RFC 8410, section 7: the seed in its envelope.
fn ed_der(seed: &[u8]) -> Vec<u8> {
    let head = [0x30, 0x2E, 2, 1, 0, 0x30, 5, 6, 3, 0x2B, 0x65, 0x70, 4, 0x22, 4, 0x20];
    [&head, seed].concat()
}

/// What the other library signs with, and the public half for ours.
fn signer(algorithm: Algorithm) -> (EncodingKey, Value) {
    match algorithm {
        Algorithm::Rs256 => (EncodingKey::from_rsa_der(&rsa_der()), jwk(algorithm)),
        Algorithm::EdDsa => (EncodingKey::from_ed_der(&ed_der(&bytes(&ED, "d"))), jwk(algorithm)),
        Algorithm::Es256 => {
            let random = SystemRandom::new();
            let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
            let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
            let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
            let mut public = jwk(algorithm);
            (public["x"], public["y"]) = (to_base64url(x).into(), to_base64url(y).into());
            (EncodingKey::from_ec_der(document.as_ref()), public)
        }
    }
}

fn verifier(algorithm: Algorithm) -> DecodingKey {
    match algorithm {
        Algorithm::Rs256 => DecodingKey::from_rsa_components(member(&RSA, "n"), member(&RSA, "e")),
        Algorithm::Es256 => DecodingKey::from_ec_components(member(&EC, "x"), member(&EC, "y")),
        Algorithm::EdDsa => DecodingKey::from_ed_components(member(&ED, "x")),
    }
    .unwrap()
}

/// The other library's opinion; it reads the real clock, so times are left to ours.
fn accepted(token: &str, key: &DecodingKey, algorithm: Algorithm, audience: &str) -> Value {
    let mut validation = Validation::new(named(algorithm));
    validation.set_audience(&[audience]);
    validation.validate_exp = false;
    decode::<Value>(token, key, &validation).expect("the other library accepts it").claims
}

#[test]
fn another_library_verifies_what_is_signed_here() {
    for algorithm in Algorithm::ALL {
        assert_eq!(accepted(&good(algorithm), &verifier(algorithm), algorithm, AUDIENCE), claims());
    }
    let key = WorkloadKey::from_seed(&[3; 32]).unwrap();
    let subject = SpiffeId::parse("spiffe://aegis.example/a").unwrap();
    let token = key
        .sign(&Workload {
            issuer: ISSUER,
            subject: &subject,
            audience: "vault",
            token_id: "t",
            issued_at: now(),
            lifetime_s: 60,
        })
        .unwrap();
    let public = DecodingKey::from_ed_components(key.public_jwk()["x"].as_str().unwrap()).unwrap();
    let claims = accepted(&token, &public, Algorithm::EdDsa, "vault");
    assert_eq!((claims["sub"].as_str(), claims["exp"].as_u64()), (Some(subject.as_str()), Some(NOW_S + 60)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_another_library_signs_is_verified(subject in "[a-zA-Z0-9|@.]{1,40}", groups in prop::collection::vec("\\PC{0,20}", 0..6)) {
        for algorithm in Algorithm::ALL {
            let (secret, public) = signer(algorithm);
            let mut header = Header::new(named(algorithm));
            header.kid = Some(key_id(algorithm).to_owned());
            let claims = json!({
                "iss": ISSUER, "sub": subject, "aud": [AUDIENCE, "other"], "iat": NOW_S, "exp": NOW_S + 9, "groups": groups,
            });
            let token = encode(&header, &claims, &secret).unwrap();
            let verified = Token::parse(&token).unwrap();
            let verified = verified.verify(&set_of(&[public]), &Expected::new(ISSUER, AUDIENCE), now()).unwrap();
            prop_assert_eq!(Value::Object(verified.all), claims);
        }
    }
}
