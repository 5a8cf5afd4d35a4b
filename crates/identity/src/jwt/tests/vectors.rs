//! The examples that the RFCs publish.

use serde_json::{Value, json};

use super::issuers::{ED, bytes, ed_key, jwk, member, set_of};
use crate::base64_text::from_base64url;
use crate::jwt::{Algorithm, KeySet, Token, TokenError, VerifyingKey};

/// RFC 7515, A.2 and A.3 sign the same claims.
const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
const RSA_SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
const EC_SIGNATURE: &str = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// RFC 8037, A.4.
const ED_TOKEN: &str = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
/// The key in RFC 7517, A.1 and RFC 7638, 3.1.
const OTHER_RSA: &str = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";

fn key(jwk: &Value) -> VerifyingKey {
    VerifyingKey::read(jwk.as_object().unwrap()).unwrap()
}

fn check_signature(algorithm: Algorithm, signed: &str, signature: &str) {
    let signature = from_base64url(signature).unwrap();
    assert!(key(&jwk(algorithm)).verify(signed.as_bytes(), &signature), "{algorithm:?}");
    assert!(!key(&jwk(algorithm)).verify(format!("{signed}A").as_bytes(), &signature), "{algorithm:?}");
}

#[test]
fn the_published_signatures_verify() {
    check_signature(Algorithm::Rs256, &format!("eyJhbGciOiJSUzI1NiJ9.{CLAIMS}"), RSA_SIGNATURE);
    check_signature(Algorithm::Es256, &format!("eyJhbGciOiJFUzI1NiJ9.{CLAIMS}"), EC_SIGNATURE);
    let (signed, signature) = ED_TOKEN.rsplit_once('.').unwrap();
    check_signature(Algorithm::EdDsa, signed, signature);
}

#[test]
fn the_published_token_of_ed25519_is_made_again() {
    assert_eq!(ed_key().sign_parts(r#"{"alg":"EdDSA"}"#, b"Example of Ed25519 signing"), ED_TOKEN);
    assert_eq!(ed_key().public_jwk()["x"], member(&ED, "x"));
    assert_eq!(bytes(&ED, "x").len(), 32);
}

#[test]
fn the_published_thumbprints_are_made() {
    let other = json!({ "kty": "RSA", "n": OTHER_RSA, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29" });
    assert_eq!(key(&other).thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(key(&jwk(Algorithm::EdDsa)).thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    assert_eq!(ed_key().id(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

/// RFC 7519, 6.1: the unsecured token. And RFC 7515, A.1: the MAC.
#[test]
fn the_published_tokens_without_a_signature_of_ours_are_refused() {
    let unsecured = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
    assert_eq!(Token::parse(unsecured).err(), Some(TokenError::Unsigned));
    let mac = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    assert_eq!(Token::parse(mac).err(), Some(TokenError::Algorithm));
}

/// RFC 7515, A.2 as a whole token: the signature is good, and the claims name no audience.
#[test]
fn a_published_token_goes_the_whole_way() {
    let token = format!("eyJhbGciOiJSUzI1NiJ9.{CLAIMS}.{RSA_SIGNATURE}");
    let keys: KeySet = set_of(&[jwk(Algorithm::Rs256)]);
    let parsed = Token::parse(&token).unwrap();
    assert_eq!((parsed.unverified_issuer(), parsed.key_id()), (Some("joe"), None));
    let now = aegis_model::Timestamp::from_millis(1_300_819_000_000);
    let result = parsed.verify(&keys, &crate::jwt::Expected::new("joe", "a"), now);
    assert_eq!(result.err(), Some(TokenError::Missing("aud")));
}
