//! Each claim that is not as expected is refused by name.

use serde_json::{Value, json};

use super::issuers::{AUDIENCE, ISSUER, NOW_S, claims_with, expected, header, key_set, now, signed, verify, verify_as};
use crate::jwt::{Algorithm, Claims, Expected, Leeway, Presence, Token, TokenError};

fn token(changes: &Value) -> String {
    signed(Algorithm::EdDsa, &header(Algorithm::EdDsa).to_string(), &claims_with(changes))
}

#[track_caller]
fn refused(changes: &Value, expected: TokenError) {
    assert_eq!(verify(&token(changes)).map(|_| ()), Err(expected), "{changes}");
}

fn accepted(changes: &Value) -> Claims {
    verify(&token(changes)).unwrap_or_else(|error| panic!("{changes}: {error}"))
}

#[test]
fn the_issuer_is_the_expected_one_letter_for_letter() {
    refused(&json!({ "iss": null }), TokenError::Missing("iss"));
    for other in ["https://issuer.example/", "https://Issuer.example", "https://issuer.example.evil", "issuer"] {
        refused(&json!({ "iss": other }), TokenError::Issuer);
    }
    for bad in [json!(""), json!(1), json!([ISSUER]), json!("a\nb"), json!("a".repeat(1_025))] {
        refused(&json!({ "iss": bad }), TokenError::Claim("iss"));
    }
}

#[test]
fn one_of_the_audiences_is_ours() {
    assert_eq!(accepted(&json!({ "aud": AUDIENCE })).audiences, [AUDIENCE]);
    assert_eq!(accepted(&json!({ "aud": ["other", AUDIENCE] })).audiences, ["other", AUDIENCE]);
    refused(&json!({ "aud": null }), TokenError::Missing("aud"));
    for other in [json!("other"), json!([]), json!(["other"]), json!("aegis "), json!("Aegis"), json!("aegis,other")] {
        refused(&json!({ "aud": other }), TokenError::Audience);
    }
    for bad in [json!(1), json!({}), json!([1]), json!([AUDIENCE, null]), json!(""), json!(vec![AUDIENCE; 33])] {
        refused(&json!({ "aud": bad }), TokenError::Claim("aud"));
    }
    let nobody = Expected { audiences: vec![], ..expected() };
    assert_eq!(verify_as(&token(&json!({})), &nobody).err(), Some(TokenError::Audience));
}

#[test]
fn an_expired_token_is_refused_after_the_leeway() {
    refused(&json!({ "exp": null }), TokenError::Missing("exp"));
    accepted(&json!({ "exp": NOW_S - 59 }));
    refused(&json!({ "exp": NOW_S - 60 }), TokenError::Expired);
    refused(&json!({ "exp": 0 }), TokenError::Expired);
    let exact = Expected { leeway: Leeway::from_secs(0).unwrap(), ..expected() };
    assert!(verify_as(&token(&json!({ "exp": NOW_S + 1 })), &exact).is_ok());
    assert_eq!(verify_as(&token(&json!({ "exp": NOW_S })), &exact).err(), Some(TokenError::Expired));
    assert_eq!(Leeway::from_secs(301), None);
}

#[test]
fn a_token_from_the_future_is_refused() {
    accepted(&json!({ "nbf": NOW_S + 60 }));
    refused(&json!({ "nbf": NOW_S + 61 }), TokenError::NotYet);
    accepted(&json!({ "iat": NOW_S + 60 }));
    refused(&json!({ "iat": NOW_S + 61 }), TokenError::IssuedLater);
    refused(&json!({ "iat": null }), TokenError::Missing("iat"));
    let loose = Expected { issued_at: Presence::Optional, ..expected() };
    assert!(verify_as(&token(&json!({ "iat": null })), &loose).is_ok());
    let strict = Expected { not_before: Presence::Required, ..expected() };
    assert_eq!(verify_as(&token(&json!({})), &strict).err(), Some(TokenError::Missing("nbf")));
    assert!(verify_as(&token(&json!({ "nbf": NOW_S })), &strict).is_ok());
}

#[test]
fn times_are_whole_seconds_that_a_calendar_has() {
    let latest = 253_402_300_799_u64;
    for name in ["exp", "nbf", "iat"] {
        for bad in [
            json!(-1),
            json!(1.5),
            json!(1.8e9),
            json!(1e300),
            json!(latest + 1),
            json!(u64::MAX),
            json!("1800000000"),
            json!([]),
            json!(true),
        ] {
            refused(&json!({ name: bad }), TokenError::Time(name));
        }
        // `null` is not "missing": the claim is there and is no time.
        let text = claims_with(&json!({ name: 1 })).replace(&format!("\"{name}\":1"), &format!("\"{name}\":null"));
        let token = signed(Algorithm::EdDsa, &header(Algorithm::EdDsa).to_string(), &text);
        assert!(matches!(verify(&token), Err(TokenError::Time(given)) if given == name), "{text}");
    }
    accepted(&json!({ "exp": latest }));
}

#[test]
fn names_of_people_and_tokens_are_plain_texts() {
    let claims = accepted(&json!({ "sub": "a", "jti": "b", "nbf": NOW_S, "extra": { "x": [1] } }));
    assert_eq!((claims.subject.as_deref(), claims.id.as_deref()), (Some("a"), Some("b")));
    assert_eq!((claims.not_before, claims.issued_at), (Some(now()), Some(now())));
    assert_eq!(claims.expires_at, now().plus_ms(300_000));
    assert_eq!(claims.all["extra"]["x"][0], 1);
    assert_eq!(accepted(&json!({ "sub": null })).subject, None);
    for name in ["sub", "jti"] {
        for bad in [json!(""), json!(1), json!("a\r\nb"), json!("a\u{1b}[2J"), json!("a".repeat(1_025))] {
            refused(&json!({ name: bad }), TokenError::Claim(name));
        }
    }
}

#[test]
fn the_claims_are_not_looked_at_before_the_signature() {
    let token = token(&json!({ "iss": "other", "exp": 0 }));
    let (signed, _) = token.rsplit_once('.').unwrap();
    let forged = format!("{signed}.{}", "A".repeat(86));
    let parsed = Token::parse(&forged).unwrap();
    assert_eq!(parsed.unverified_issuer(), Some("other"));
    assert_eq!(parsed.verify(&key_set(), &expected(), now()).err(), Some(TokenError::Signature));
}
