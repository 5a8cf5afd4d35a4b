//! Any query has a well-formed signature or is refused by name; nobody's key verifies it.
//! What can be presigned at all is read and verified again, for as long as was said.
#![no_main]

use aegis_identity::sigv4::{
    AccessKeyId, BodyHeader, Claims, Form, PathRule, Payload, RequestHead, SecretAccessKey, Signer, SigningKey,
    VerifyError, VerifyOptions, Window, verify,
};
use aegis_model::Timestamp;
use libfuzzer_sys::fuzz_target;

const BODY: [u8; 32] = [7; 32];
const HEADERS: [(&str, &[u8]); 1] = [("host", b"aegis.example")];

fn now() -> Timestamp {
    "2015-08-30T12:36:00Z".parse().expect("a time")
}

fn signed_by_others(head: RequestHead<'_>, options: &VerifyOptions) {
    match Claims::read(head) {
        Ok(claims) => {
            let Form::Presigned { expires_s } = claims.form() else { panic!("there is no header") };
            assert!((1..=604_800).contains(&expires_s));
            let lasts_ms = claims.valid_until(Window::DEFAULT).since_ms(claims.signed_at());
            assert!(lasts_ms <= u64::from(expires_s) * 1_000);
            let key = SigningKey::unknown(claims.scope());
            assert!(verify(&claims, &BODY, &key, options, now()).is_err());
        }
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() < 512 && !text.contains(|letter: char| letter.is_control()), "{text:?}");
        }
    }
}

fn signed_by_us(head: RequestHead<'_>, options: &VerifyOptions) {
    let id = AccessKeyId::parse("AKIDEXAMPLE").expect("an id");
    let secret = SecretAccessKey::parse(&"a".repeat(40)).expect("a secret");
    let signer = Signer {
        access_key_id: &id,
        secret: &secret,
        session_token: None,
        region: "us-east-1",
        service: "service",
        path: PathRule::Strict,
        body_header: BodyHeader::Absent,
    };
    let Ok(query) = signer.presign(head, Payload::Digest(BODY), now(), 60) else { return };
    let claims = Claims::read(RequestHead { query: &query, ..head }).expect("what was signed is read");
    let key = SigningKey::derive(&secret, claims.scope());
    assert_eq!(verify(&claims, &BODY, &key, options, now().plus_ms(60_000)), Ok(()));
    assert_eq!(verify(&claims, &BODY, &key, options, now().plus_ms(60_001)), Err(VerifyError::Expired));
}

fuzz_target!(|query: &str| {
    let options = VerifyOptions::new("us-east-1", "service");
    let head = RequestHead { method: "GET", path: "/ws", query, headers: &HEADERS };
    signed_by_others(head, &options);
    signed_by_us(head, &options);
});
