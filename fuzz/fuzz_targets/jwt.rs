//! Any text is a token or is refused by name, and none that was not signed is accepted. Two
//! lines are a header and claims: signed with the key that is expected, they are accepted only
//! if they say what is expected. Any text is a set of keys or is refused by name.
#![no_main]

use aegis_identity::jwt::{Claims, Expected, KeySet, Token, TokenError, WorkloadKey};
use aegis_identity::to_base64;
use aegis_model::Timestamp;
use libfuzzer_sys::fuzz_target;
use ring::signature::Ed25519KeyPair;
use serde_json::Value;

const ISSUER: &str = "https://issuer.example";
const SEED: [u8; 32] = [9; 32];
const NOW_S: u64 = 1_800_000_000;
const LEEWAY_S: u64 = 60;

fn now() -> Timestamp {
    Timestamp::from_millis(NOW_S * 1_000)
}

fn keys() -> KeySet {
    let key = WorkloadKey::from_seed(&SEED).expect("a key");
    KeySet::parse(WorkloadKey::public_set(&[&key]).to_string().as_bytes()).expect("a set")
}

fn clean(text: &str) {
    assert!(text.len() < 512 && !text.contains(|letter: char| letter.is_control()), "{text:?}");
}

fn verify(text: &str, keys: &KeySet) -> Result<Claims, TokenError> {
    let result = Token::parse(text).and_then(|token| token.verify(keys, &Expected::new(ISSUER, "aegis"), now()));
    result.inspect_err(|error| clean(&error.to_string()))
}

fn as_token_part(bytes: &[u8]) -> String {
    to_base64(bytes).trim_end_matches('=').replace('+', "-").replace('/', "_")
}

/// A token of this header and these claims, with a good signature.
fn signed(header: &str, claims: &str) -> String {
    let message = format!("{}.{}", as_token_part(header.as_bytes()), as_token_part(claims.as_bytes()));
    let pair = Ed25519KeyPair::from_seed_unchecked(&SEED).expect("a key");
    format!("{message}.{}", as_token_part(pair.sign(message.as_bytes()).as_ref()))
}

/// The rules once more, over what another reader takes the claims for.
fn check_accepted(header: &str, text: &str, claims: &Claims) {
    let header: Value = serde_json::from_str(header).expect("a header is JSON");
    assert!(header["alg"] == "EdDSA" && header.get("crit").is_none());
    let said: Value = serde_json::from_str(text).expect("claims are JSON");
    assert_eq!(said, Value::Object(claims.all.clone()));
    assert_eq!(said["iss"], ISSUER);
    let items = said["aud"].as_array().map_or(std::slice::from_ref(&said["aud"]), Vec::as_slice);
    assert!(items.iter().any(|item| item == "aegis"));
    assert!(said["exp"].as_u64().is_some_and(|end| NOW_S < end + LEEWAY_S));
    assert!(said["iat"].as_u64().is_some_and(|start| start <= NOW_S + LEEWAY_S));
    assert!(said["nbf"].is_null() || said["nbf"].as_u64().is_some_and(|start| start <= NOW_S + LEEWAY_S));
}

fuzz_target!(|text: &str| {
    let keys = keys();
    assert!(verify(text, &keys).is_err(), "nobody signed it");
    if let Some((header, claims)) = text.split_once('\n') {
        if let Ok(accepted) = verify(&signed(header, claims), &keys) {
            check_accepted(header, claims, &accepted);
        }
    }
    match KeySet::parse(text.as_bytes()) {
        Ok(set) => {
            assert!(set.keys().len() + set.skipped().len() <= 64);
            assert!(set.keys().iter().all(|key| key.thumbprint().len() == 43));
        }
        Err(error) => clean(&error.to_string()),
    }
});
