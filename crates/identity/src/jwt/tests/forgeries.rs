//! Whoever changes a token, confuses its algorithms, or brings a key along is refused.

use proptest::prelude::*;
use serde_json::json;

use super::issuers::{
    ISSUER, claims, claims_with, ed_key, expected, good, header, jwk, key_set, now, set_of, signature, signed, verify,
    verify_as,
};
use crate::base64_text::to_base64url;
use crate::jwt::{Algorithm, Expected, JsonError, KeySet, Token, TokenError, TokenType};

fn refused(token: &str) -> TokenError {
    verify(token).expect_err(token)
}

#[test]
fn a_good_token_of_every_algorithm_is_accepted() {
    for algorithm in Algorithm::ALL {
        let claims = verify(&good(algorithm)).unwrap();
        assert_eq!((claims.issuer.as_str(), claims.subject.as_deref()), (ISSUER, Some("somebody")));
    }
}

#[test]
fn every_changed_missing_or_added_byte_is_noticed() {
    for algorithm in Algorithm::ALL {
        let token = good(algorithm);
        for place in 0..token.len() {
            for other in *b"A_.=0 z" {
                let mut changed = token.clone().into_bytes();
                let same = std::mem::replace(&mut changed[place], other) == other;
                let changed = String::from_utf8(changed).unwrap();
                assert!(same || verify(&changed).is_err(), "{algorithm:?} {place} {other}");
                let mut longer = token.clone();
                longer.insert(place, char::from(other));
                assert!(verify(&longer).is_err(), "{algorithm:?} {place} {other} added");
            }
            let mut shorter = token.clone();
            shorter.remove(place);
            assert!(verify(&shorter).is_err(), "{algorithm:?} {place} removed");
        }
    }
}

#[test]
fn tokens_without_a_signature_of_ours_are_refused() {
    let message =
        |header: &str| format!("{}.{}", to_base64url(header.as_bytes()), to_base64url(claims().to_string().as_bytes()));
    for name in ["none", "None", "NONE", "nOnE"] {
        let header = json!({ "alg": name }).to_string();
        assert_eq!(refused(&format!("{}.", message(&header))), TokenError::Unsigned, "{name}");
        assert_eq!(refused(&signed(Algorithm::EdDsa, &header, &claims().to_string())), TokenError::Unsigned, "{name}");
    }
    for name in ["HS256", "HS384", "HS512", "RS384", "PS256", "ES384", "ES256K", "rs256", "Ed25519", "", "RS256 "] {
        let token = signed(Algorithm::Rs256, &json!({ "alg": name, "kid": "rsa" }).to_string(), &claims().to_string());
        assert_eq!(refused(&token), TokenError::Algorithm, "{name}");
    }
    for header in ["{}", r#"{"alg":null}"#, r#"{"alg":["RS256"]}"#, r#"{"alg":256}"#] {
        assert_eq!(refused(&signed(Algorithm::Rs256, header, "{}")), TokenError::Header("alg"), "{header}");
    }
    let empty = format!("{}.", message(&header(Algorithm::EdDsa).to_string()));
    assert_eq!(refused(&empty), TokenError::Signature);
}

/// The classic: the public key, which everybody has, as the secret of a MAC.
#[test]
fn a_public_key_is_no_secret_of_a_mac() {
    let jwk_text = jwk(Algorithm::Rs256).to_string();
    let message = format!(
        "{}.{}",
        to_base64url(br#"{"alg":"HS256","kid":"rsa"}"#),
        to_base64url(claims().to_string().as_bytes())
    );
    let mac = ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, jwk_text.as_bytes()), message.as_bytes());
    assert_eq!(refused(&format!("{message}.{}", to_base64url(mac.as_ref()))), TokenError::Algorithm);
}

#[test]
fn an_algorithm_is_used_only_with_keys_of_its_type() {
    for told in Algorithm::ALL {
        for used in Algorithm::ALL.into_iter().filter(|used| *used != told) {
            let mut header = header(told);
            let token = signed(used, &header.to_string(), &claims().to_string());
            assert_eq!(refused(&token), TokenError::Signature, "{told:?} signed by {used:?}");
            header["kid"] = super::issuers::key_id(used).into();
            let token = signed(used, &header.to_string(), &claims().to_string());
            assert_eq!(refused(&token), TokenError::KeyAlgorithm, "{told:?} with the key of {used:?}");
        }
    }
}

#[test]
fn keys_and_addresses_in_a_header_are_never_used() {
    let attacker = crate::jwt::WorkloadKey::from_seed(&[66; 32]).unwrap();
    for (name, value) in [
        ("jwk", attacker.public_jwk()),
        ("jku", json!("https://attacker.example/keys")),
        ("x5u", json!("https://attacker.example/chain")),
        ("x5c", json!(["MIIB"])),
    ] {
        let mut header = header(Algorithm::EdDsa);
        header[name] = value;
        let forged = attacker.sign_parts(&header.to_string(), claims().to_string().as_bytes());
        assert_eq!(refused(&forged), TokenError::Signature, "{name}");
        header["kid"] = attacker.id().into();
        let forged = attacker.sign_parts(&header.to_string(), claims().to_string().as_bytes());
        assert_eq!(refused(&forged), TokenError::UnknownKey, "{name}");
        header["kid"] = "ed".into();
        let good = ed_key().sign_parts(&header.to_string(), claims().to_string().as_bytes());
        assert!(verify(&good).is_ok(), "{name} is ignored");
    }
}

#[test]
fn what_has_to_be_understood_and_is_not_is_refused() {
    let with = |name: &str, value: serde_json::Value| {
        let mut header = header(Algorithm::EdDsa);
        header[name] = value;
        verify(&signed(Algorithm::EdDsa, &header.to_string(), &claims().to_string())).map(|_| ())
    };
    assert_eq!(with("crit", json!(["exp"])), Err(TokenError::Critical));
    assert_eq!(with("crit", json!([])), Err(TokenError::Critical));
    assert_eq!(with("crit", json!(null)), Err(TokenError::Critical));
    assert_eq!(with("b64", json!(false)), Err(TokenError::Critical));
    assert_eq!(with("cty", json!("JWT")), Err(TokenError::Nested));
    for typ in ["JWT", "jwt", "at+jwt", "application/at+jwt", "application/JWT"] {
        assert_eq!(with("typ", json!(typ)), Ok(()), "{typ}");
    }
    for typ in ["", "JWE", "secevent+jwt", "logout+jwt", "dpop+jwt", "application/", "JWT "] {
        assert_eq!(with("typ", json!(typ)), Err(TokenError::Type), "{typ}");
    }
    assert_eq!(with("typ", json!(1)), Err(TokenError::Header("typ")));
    for kid in [json!(1), json!(""), json!("k".repeat(257)), json!(["ed"]), json!(null)] {
        assert_eq!(with("kid", kid.clone()), Err(TokenError::Header("kid")), "{kid}");
    }
}

#[test]
fn type_and_algorithm_are_the_expected_ones() {
    let only_access = Expected { types: vec![TokenType::AccessToken], ..expected() };
    assert_eq!(verify_as(&good(Algorithm::EdDsa), &only_access).err(), Some(TokenError::Type));
    let header = json!({ "alg": "EdDSA", "kid": "ed" }).to_string();
    let untyped = signed(Algorithm::EdDsa, &header, &claims().to_string());
    assert!(verify(&untyped).is_ok());
    assert_eq!(verify_as(&untyped, &only_access).err(), Some(TokenError::Type));
    let only_rsa = Expected { algorithms: vec![Algorithm::Rs256], ..expected() };
    assert_eq!(verify_as(&good(Algorithm::EdDsa), &only_rsa).err(), Some(TokenError::AlgorithmRefused));
    assert!(verify_as(&good(Algorithm::Rs256), &only_rsa).is_ok());
}

#[test]
fn a_token_without_a_key_id_needs_a_single_key() {
    let token = signed(Algorithm::EdDsa, r#"{"alg":"EdDSA"}"#, &claims().to_string());
    let verify = |keys: &KeySet| Token::parse(&token).unwrap().verify(keys, &expected(), now()).map(|_| ());
    assert_eq!(verify(&key_set()), Ok(()), "one key of that type");
    let mut second = crate::jwt::WorkloadKey::from_seed(&[1; 32]).unwrap().public_jwk();
    assert_eq!(verify(&set_of(&[jwk(Algorithm::EdDsa), second.clone()])), Err(TokenError::AmbiguousKey));
    second["kid"] = "other".into();
    assert_eq!(verify(&set_of(&[second])), Err(TokenError::Signature));
    assert_eq!(verify(&set_of(&[])), Err(TokenError::UnknownKey));
    assert_eq!(verify(&set_of(&[jwk(Algorithm::Rs256)])), Err(TokenError::KeyAlgorithm));
}

#[test]
fn the_compact_form_has_one_spelling() {
    let token = good(Algorithm::EdDsa);
    for bad in [
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "...".to_owned(),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{token}"),
        token.replacen('.', "", 1),
        token.replace('.', ""),
    ] {
        assert!(matches!(refused(&bad), TokenError::Parts | TokenError::HeaderJson(_)), "{bad}");
    }
    for bad in [
        format!("{token}="),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{token}\r\n"),
        token.replacen('.', "=.", 1),
        token.replacen("e", "e ", 1),
        token.replacen('e', "é", 1),
    ] {
        assert_eq!(refused(&bad), TokenError::Base64, "{bad}");
    }
    // The last letter carries bits that are not used; other ones would be a second spelling.
    let last = token.chars().next_back().unwrap();
    let loose = char::from(last as u8 + 1);
    let respelt = format!("{}{loose}", &token[..token.len() - 1]);
    assert_eq!(refused(&respelt), TokenError::Base64);
    assert_eq!(refused(&"a".repeat(16_385)), TokenError::TooLong);
}

#[test]
fn json_that_readers_read_differently_is_refused() {
    let token = |header: &str, payload: &str| refused(&signed(Algorithm::EdDsa, header, payload));
    let good = claims().to_string();
    let repeated = r#"{"alg":"EdDSA","kid":"ed","alg":"EdDSA"}"#;
    assert_eq!(token(repeated, &good), TokenError::HeaderJson(JsonError::Repeated));
    let header = header(Algorithm::EdDsa).to_string();
    let twice = format!(r#"{{"iss":"a",{}"#, &good[1..]);
    assert_eq!(token(&header, &twice), TokenError::ClaimsJson(JsonError::Repeated));
    let deep =
        claims_with(&json!({ "x": 0 })).replace("\"x\":0", &format!("\"x\":{}{}", "[".repeat(50), "]".repeat(50)));
    assert_eq!(token(&header, &deep), TokenError::ClaimsJson(JsonError::TooDeep));
    for payload in ["", "[]", "1", "{}x"] {
        let error = token(&header, payload);
        assert!(matches!(error, TokenError::ClaimsJson(JsonError::NotJson | JsonError::NotObject)), "{payload}");
    }
}

#[test]
fn debug_shows_no_claims() {
    let text = good(Algorithm::EdDsa);
    let token = Token::parse(&text).unwrap();
    assert_eq!(format!("{token:?}"), "Token(EdDSA, …)");
    let shown = format!("{:?}", verify(&text).unwrap());
    assert!(shown.contains("sub") && !shown.contains("somebody"), "{shown}");
    assert_eq!(signature(Algorithm::Es256, b"a").len(), 64);
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in ".*", header in "\\{.*\\}", payload in "\\{.*\\}") {
        let _ = verify(&text);
        let _ = verify(&format!("{}.{}.AAAA", to_base64url(header.as_bytes()), to_base64url(payload.as_bytes())));
    }
}
