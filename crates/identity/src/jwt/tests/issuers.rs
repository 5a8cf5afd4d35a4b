//! Issuers for tests: the keys that the RFCs publish, and what signs with them.

use aegis_model::Timestamp;
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents};
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, RSA_PKCS1_SHA256};
use serde_json::{Value, json};

use super::super::{Algorithm, Claims, Expected, KeySet, Token, TokenError, WorkloadKey};
use crate::base64_text::{from_base64url, to_base64url};

pub(super) const ISSUER: &str = "https://issuer.example";
pub(super) const AUDIENCE: &str = "aegis";

/// RFC 7515, appendix A.2.1.
pub(super) const RSA: [(&str, &str); 8] = [
    (
        "n",
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    ),
    ("e", "AQAB"),
    (
        "d",
        "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46sui395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ",
    ),
    (
        "p",
        "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
    ),
    (
        "q",
        "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
    ),
    (
        "dp",
        "BwKfV3Akq5_MFZDFZCnW-wzl-CCo83WoZvnLQwCTeDv8uzluRSnm71I3QCLdhrqE2e9YkxvuxdBfpT_PI7Yz-FOKnu1R6HsJeDCjn12Sk3vmAktV2zb34MCdy7cpdTh_YVr7tss2u6vneTwrA86rZtu5Mbr1C1XsmvkxHQAdYo0",
    ),
    (
        "dq",
        "h_96-mK1R_7glhsum81dZxjTnYynPbZpHziZjeeHcXYsXaaMwkOlODsWa7I9xXDoRwbKgB719rrmI2oKr6N3Do9U0ajaHF-NKJnwgjMd2w9cjz3_-kyNlxAr2v4IKhGNpmM5iIgOS1VZnOZ68m6_pbLBSp3nssTdlqvd0tIiTHU",
    ),
    (
        "qi",
        "IYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd-DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd_QJQ3ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp_gh6A5603k2-ZQwVK0JKSHuLFkuQ3U",
    ),
];

/// RFC 7515, appendix A.3.1.
pub(super) const EC: [(&str, &str); 3] = [
    ("x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"),
    ("y", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"),
    ("d", "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"),
];

/// RFC 8037, appendix A.1.
pub(super) const ED: [(&str, &str); 2] =
    [("x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"), ("d", "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")];

/// A member of a published key.
pub(super) fn member<'k>(key: &[(&str, &'k str)], name: &str) -> &'k str {
    key.iter().find(|(given, _)| *given == name).expect(name).1
}

pub(super) fn bytes(key: &[(&str, &str)], name: &str) -> Vec<u8> {
    from_base64url(member(key, name)).expect(name)
}

pub(super) fn ed_key() -> WorkloadKey {
    WorkloadKey::from_seed(&bytes(&ED, "d").try_into().unwrap()).unwrap()
}

/// The public half as a JWK with an id of its own.
pub(super) fn jwk(algorithm: Algorithm) -> Value {
    match algorithm {
        Algorithm::Rs256 => json!({ "kty": "RSA", "kid": "rsa", "n": member(&RSA, "n"), "e": member(&RSA, "e") }),
        Algorithm::Es256 => {
            json!({ "kty": "EC", "kid": "ec", "crv": "P-256", "x": member(&EC, "x"), "y": member(&EC, "y") })
        }
        Algorithm::EdDsa => json!({ "kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": member(&ED, "x") }),
    }
}

pub(super) fn key_id(algorithm: Algorithm) -> &'static str {
    match algorithm {
        Algorithm::Rs256 => "rsa",
        Algorithm::Es256 => "ec",
        Algorithm::EdDsa => "ed",
    }
}

pub(super) fn set_of(keys: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
}

/// All three keys.
pub(super) fn key_set() -> KeySet {
    set_of(&Algorithm::ALL.map(jwk))
}

pub(super) fn rsa_pair() -> KeyPair {
    let [n, e, d, p, q, dp, dq, qi] = ["n", "e", "d", "p", "q", "dp", "dq", "qi"].map(|name| bytes(&RSA, name));
    let public_key = PublicKeyComponents { n, e };
    KeyPair::from_components(&KeyPairComponents { public_key, d, p, q, dP: dp, dQ: dq, qInv: qi }).unwrap()
}

pub(super) fn signature(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    let random = SystemRandom::new();
    match algorithm {
        Algorithm::Rs256 => {
            let pair = rsa_pair();
            let mut signature = vec![0; pair.public().modulus_len()];
            pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
            signature
        }
        Algorithm::Es256 => {
            let point = [vec![4], bytes(&EC, "x"), bytes(&EC, "y")].concat();
            let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair = EcdsaKeyPair::from_private_key_and_public_key(kind, &bytes(&EC, "d"), &point, &random).unwrap();
            pair.sign(&random, message).unwrap().as_ref().to_vec()
        }
        Algorithm::EdDsa => {
            let pair = ring::signature::Ed25519KeyPair::from_seed_unchecked(&bytes(&ED, "d")).unwrap();
            pair.sign(message).as_ref().to_vec()
        }
    }
}

/// A signed token of any header and payload.
pub(super) fn signed(algorithm: Algorithm, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", to_base64url(header.as_bytes()), to_base64url(payload.as_bytes()));
    format!("{message}.{}", to_base64url(&signature(algorithm, message.as_bytes())))
}

pub(super) fn header(algorithm: Algorithm) -> Value {
    json!({ "alg": algorithm.as_str(), "kid": key_id(algorithm), "typ": "JWT" })
}

/// The second at which tests are.
pub(super) const NOW_S: u64 = 1_800_000_000;

pub(super) fn now() -> Timestamp {
    Timestamp::from_millis(NOW_S * 1_000)
}

pub(super) fn claims() -> Value {
    json!({ "iss": ISSUER, "sub": "somebody", "aud": AUDIENCE, "iat": NOW_S, "exp": NOW_S + 300 })
}

/// The good claims with some of them replaced; `null` takes one away.
pub(super) fn claims_with(changes: &Value) -> String {
    let mut all = claims();
    for (name, value) in changes.as_object().unwrap() {
        all[name] = value.clone();
    }
    let mut members = all.as_object().unwrap().clone();
    members.retain(|_, value| !value.is_null());
    Value::Object(members).to_string()
}

pub(super) fn good(algorithm: Algorithm) -> String {
    signed(algorithm, &header(algorithm).to_string(), &claims().to_string())
}

pub(super) fn expected() -> Expected {
    Expected::new(ISSUER, AUDIENCE)
}

pub(super) fn verify(token: &str) -> Result<Claims, TokenError> {
    verify_as(token, &expected())
}

pub(super) fn verify_as(token: &str, expected: &Expected) -> Result<Claims, TokenError> {
    Token::parse(token)?.verify(&key_set(), expected, now())
}
