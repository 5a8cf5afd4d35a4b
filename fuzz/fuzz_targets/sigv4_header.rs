//! Any head of a request has a well-formed signature or is refused by name; nobody's key
//! verifies it. What can be signed at all is read and verified again, and by that key only.
//! Lines: method, path, query, then `name:value`.
#![no_main]

use aegis_identity::sigv4::{
    AccessKeyId, BodyHeader, Claims, PathRule, Payload, PayloadRule, RequestHead, SecretAccessKey, Signer, SigningKey,
    VerifyOptions, verify,
};
use aegis_model::Timestamp;
use libfuzzer_sys::fuzz_target;

const BODY: [u8; 32] = [7; 32];

fn secret(letter: &str) -> SecretAccessKey {
    SecretAccessKey::parse(&letter.repeat(40)).expect("a secret")
}

fn options() -> VerifyOptions {
    let payload = PayloadRule::UnsignedAllowed;
    VerifyOptions { path: PathRule::Normalised, payload, ..VerifyOptions::new("us-east-1", "service") }
}

/// When the seeds were signed.
fn now() -> Timestamp {
    "2015-08-30T12:36:00Z".parse().expect("a time")
}

fn signed_by_others(head: RequestHead<'_>) {
    match Claims::read(head) {
        Ok(claims) => {
            let names = claims.signed_headers();
            assert!(names.is_sorted_by(|one, next| one < next) && names.iter().any(|name| name == "host"));
            assert!(claims.valid_until(options().window) > claims.signed_at());
            let key = SigningKey::unknown(claims.scope());
            assert!(verify(&claims, &BODY, &key, &options(), now()).is_err());
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 512 && !text.contains(|letter: char| letter.is_control()), "{text:?}");
        }
    }
}

fn signed_by_us(head: RequestHead<'_>) {
    let (id, secret) = (AccessKeyId::parse("AKIDEXAMPLE").expect("an id"), secret("a"));
    let signer = Signer {
        access_key_id: &id,
        secret: &secret,
        session_token: Some("token"),
        region: "us-east-1",
        service: "service",
        path: PathRule::Normalised,
        body_header: BodyHeader::Stated,
    };
    let Ok(added) = signer.sign(head, Payload::Digest(BODY), now()) else { return };
    let new = added.iter().map(|(name, value)| (*name, value.as_bytes()));
    let headers: Vec<_> = head.headers.iter().copied().chain(new).collect();
    let head = RequestHead { headers: &headers, ..head };
    let claims = Claims::read(head).expect("what was signed is read");
    let verify = |key| verify(&claims, &BODY, &key, &options(), now());
    assert_eq!(verify(SigningKey::derive(&secret, claims.scope())), Ok(()));
    assert!(verify(SigningKey::derive(&self::secret("b"), claims.scope())).is_err());
}

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let [method, path, query] = std::array::from_fn(|_| lines.next().unwrap_or_default());
    let headers: Vec<_> =
        lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name, value.as_bytes())).collect();
    let head = RequestHead { method, path, query, headers: &headers };
    signed_by_others(head);
    signed_by_us(head);
});
