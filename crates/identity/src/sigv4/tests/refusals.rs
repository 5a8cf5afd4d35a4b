//! Each thing that is refused has a name, and the right one is told.

use super::requests::{Key, Request, SERVICE, invocation, now, options, secret};
use crate::sigv4::{
    BodyHeader, Claims, Form, OwedBody, PathRule, Payload, PayloadRule, ReadError, SignError, SigningKey, VerifyError,
    VerifyOptions, Window, check, verify, verify_head,
};
use aegis_model::Timestamp;

fn read(request: &Request) -> Result<(), ReadError> {
    request.with_head(|head| Claims::read(head).map(|_| ()))
}

fn verified(request: &Request, options: &VerifyOptions, now: Timestamp) -> Result<(), VerifyError> {
    request.with_head(|head| {
        let claims = Claims::read(head).unwrap();
        let key = SigningKey::derive(&secret(), claims.scope());
        verify(&claims, &request.body_sha256(), &key, options, now)
    })
}

/// A signed request whose `Authorization` was changed.
fn with_authorization(change: impl FnOnce(String) -> String) -> Request {
    let mut request = invocation().signed(&Key::sample());
    let value = request.header("authorization");
    *value = change(String::from_utf8(value.clone()).unwrap()).into_bytes();
    request
}

/// A signed request whose list of signed headers was replaced.
fn with_signed_headers(names: &str) -> Request {
    with_authorization(|value| {
        let (before, rest) = value.split_once("SignedHeaders=").unwrap();
        let (_, after) = rest.split_once(',').unwrap();
        format!("{before}SignedHeaders={names},{after}")
    })
}

#[test]
fn a_request_is_signed_once() {
    let unsigned = invocation();
    assert_eq!(read(&unsigned), Err(ReadError::Missing));
    let signed = invocation().signed(&Key::sample());
    let value = String::from_utf8(signed.clone().header("authorization").clone()).unwrap();
    assert_eq!(read(&signed.clone().with("Authorization", &value)), Err(ReadError::RepeatedHeader("authorization")));
    for piece in ["X-Amz-Signature=a", "x-amz-signature=a", "X-Amz-Security-Token=a", "X%2DAmz-Date=", "X-Amz-Expires"]
    {
        let both = Request { query: piece.to_owned(), ..signed.clone() };
        assert_eq!(read(&both), Err(ReadError::BothForms), "{piece}");
    }
    let presigned = invocation().presigned(&Key::sample(), 60);
    assert_eq!(read(&presigned), Ok(()));
    assert_eq!(read(&presigned.with("authorization", "Bearer a")), Err(ReadError::BothForms));
}

#[test]
fn what_a_presigned_request_says_twice_is_refused() {
    let request = Request::new("GET", "/", &[("host", "a")], b"");
    for name in ["x-amz-date", "x-amz-security-token"] {
        let presigned = request.clone().presigned(&Key::sample(), 60).with(name, "a");
        assert_eq!(read(&presigned), Err(ReadError::RepeatedParameter(name)));
    }
    let digest = "0".repeat(64);
    let mut stated = request.presigned(&Key::sample(), 60);
    stated.query += &format!("&X-Amz-Content-Sha256={digest}");
    assert_eq!(read(&stated), Ok(()));
    let twice = stated.with("x-amz-content-sha256", &digest);
    assert_eq!(read(&twice), Err(ReadError::RepeatedParameter("x-amz-content-sha256")));
}

#[test]
fn signed_headers_are_sorted_unique_and_complete() {
    let check = |names: &str, expected| assert_eq!(read(&with_signed_headers(names)), expected, "{names}");
    check("content-type;host;x-amz-date;x-amz-target", Ok(()));
    check("host;content-type;x-amz-date;x-amz-target", Err(ReadError::SignedHeadersOrder));
    check("content-type;host;host;x-amz-date;x-amz-target", Err(ReadError::SignedHeadersOrder));
    check("content-type;Host;x-amz-date;x-amz-target", Err(ReadError::SignedHeaders));
    check("", Err(ReadError::SignedHeaders));
    check("host;", Err(ReadError::SignedHeaders));
    check("ho st", Err(ReadError::SignedHeaders));
    check("content-type;x-amz-date;x-amz-target", Err(ReadError::HostUnsigned));
    check("host;x-amz-date;x-amz-target", Err(ReadError::Unsigned("Content-Type".to_owned())));
    check("content-type;host;x-amz-target", Err(ReadError::Unsigned("x-amz-date".to_owned())));
    check("content-type;host;x-amz-date", Err(ReadError::Unsigned("X-Amz-Target".to_owned())));
    check("absent;content-type;host;x-amz-date;x-amz-target", Err(ReadError::AbsentHeader("absent".to_owned())));
    let many: Vec<_> = (0..65).map(|number| format!("h{number:02}")).collect();
    check(&many.join(";"), Err(ReadError::TooMany("signed headers")));
    check(&"a".repeat(129), Err(ReadError::SignedHeaders));
}

#[test]
fn malformed_claims_are_refused_by_name() {
    let change = |from: &str, to: &str| read(&with_authorization(|value| value.replace(from, to)));
    assert_eq!(change("AKIDEXAMPLE", "AK ID"), Err(ReadError::Credential));
    assert_eq!(change("/aws4_request", "/aws5_request"), Err(ReadError::Credential));
    assert_eq!(change("20150830", "20150831"), Err(ReadError::ScopeDate));
    assert_eq!(change("20150830", "2015083"), Err(ReadError::Credential));
    assert_eq!(change("Signature=", "Signature=A"), Err(ReadError::Signature));
    assert_eq!(change("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), Err(ReadError::Algorithm));
    let with_date = |date: &str| {
        let mut request = invocation().signed(&Key::sample());
        *request.header("x-amz-date") = date.as_bytes().to_vec();
        read(&request)
    };
    assert_eq!(with_date("20150830T123600"), Err(ReadError::Date));
    assert_eq!(with_date("20150831T003600Z"), Err(ReadError::ScopeDate));
    assert_eq!(with_date(""), Err(ReadError::Date));
    let absent = invocation().signed(&Key::sample()).without("x-amz-date");
    assert_eq!(read(&absent), Err(ReadError::Absent("x-amz-date")));
    let token = |token: &str| read(&invocation().signed(&Key::sample()).with("x-amz-security-token", token));
    assert_eq!(token(""), Err(ReadError::SessionToken));
    assert_eq!(token("a b"), Err(ReadError::SessionToken));
    assert_eq!(token(&"a".repeat(4_097)), Err(ReadError::SessionToken));
}

#[test]
fn streams_of_signed_pieces_and_wrong_digests_are_refused_by_name() {
    let stated = |text: &str| read(&invocation().signed(&Key::sample()).with("x-amz-content-sha256", text));
    for marker in [
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        "STREAMING-AWS4-HMAC-SHA256-EVENTS",
    ] {
        assert_eq!(stated(marker), Err(ReadError::Streaming), "{marker}");
    }
    for bad in ["", "unsigned-payload", &"0".repeat(63), &"A".repeat(64)] {
        assert_eq!(stated(bad), Err(ReadError::BodyDigest), "{bad}");
    }
}

#[test]
fn an_unsigned_body_is_taken_only_where_the_rule_allows_it() {
    let key = Key { body_header: BodyHeader::Stated, ..Key::sample() };
    let request = invocation();
    let added = request.with_head(|head| key.signer().sign(head, Payload::Unsigned, key.at)).unwrap();
    let request = added.iter().fold(request, |request, (name, value)| request.with(name, value));
    assert_eq!(verified(&request, &options(), now()), Err(VerifyError::UnsignedPayload));
    let open = VerifyOptions { payload: PayloadRule::UnsignedAllowed, ..options() };
    assert_eq!(verified(&request, &open, now()), Ok(()));
    let other_body = Request { body: b"other".to_vec(), ..request };
    assert_eq!(verified(&other_body, &open, now()), Ok(()), "that is what unsigned means");
    let silent = Request { body: b"other".to_vec(), ..invocation().signed(&Key::sample()) };
    assert_eq!(verified(&silent, &open, now()), Err(VerifyError::Signature), "who says nothing signs the body");
}

#[test]
fn a_signature_in_a_header_is_good_within_the_window() {
    let request = invocation().signed(&Key::sample());
    let at =
        |ms: i64| verified(&request, &options(), Timestamp::from_millis(now().as_millis().saturating_add_signed(ms)));
    assert_eq!(at(300_000), Ok(()));
    assert_eq!(at(300_001), Err(VerifyError::Expired));
    assert_eq!(at(-300_000), Ok(()));
    assert_eq!(at(-300_001), Err(VerifyError::NotYet));
    assert_eq!((Window::from_secs(0), Window::from_secs(901)), (None, None));
    let wide = VerifyOptions { window: Window::from_secs(900).unwrap(), ..options() };
    assert_eq!(verified(&request, &wide, now().plus_ms(900_000)), Ok(()));
    assert_eq!(verified(&request, &wide, now().plus_ms(900_001)), Err(VerifyError::Expired));
}

#[test]
fn a_presigned_request_is_good_from_its_time_until_its_end() {
    let request = Request::new("GET", "/ws", &[("host", "a")], b"").presigned(&Key::sample(), 60);
    let at =
        |ms: i64| verified(&request, &options(), Timestamp::from_millis(now().as_millis().saturating_add_signed(ms)));
    assert_eq!(at(60_000), Ok(()));
    assert_eq!(at(60_001), Err(VerifyError::Expired), "no window after the end");
    assert_eq!(at(-300_000), Ok(()));
    assert_eq!(at(-300_001), Err(VerifyError::NotYet));
    request.with_head(|head| {
        let claims = Claims::read(head).unwrap();
        assert_eq!(claims.form(), Form::Presigned { expires_s: 60 });
        assert_eq!(claims.valid_until(Window::DEFAULT), now().plus_ms(60_000));
    });
}

#[test]
fn region_and_service_are_the_expected_ones() {
    let request = invocation().signed(&Key::sample());
    let elsewhere = VerifyOptions::new("eu-west-1", SERVICE);
    assert_eq!(verified(&request, &elsewhere, now()), Err(VerifyError::Region));
    assert_eq!(verified(&request, &VerifyOptions::new("us-east-1", "s3"), now()), Err(VerifyError::Service));
    let nothing = VerifyOptions { regions: vec![], ..options() };
    assert_eq!(verified(&request, &nothing, now()), Err(VerifyError::Region));
    let both = VerifyOptions { regions: vec!["eu-west-1".to_owned(), "us-east-1".to_owned()], ..options() };
    assert_eq!(verified(&request, &both, now()), Ok(()));
}

#[test]
fn a_key_of_another_scope_is_refused() {
    let request = invocation().signed(&Key::sample());
    let later = Key { at: now().plus_ms(86_400_000), ..Key::sample() };
    invocation().signed(&later).with_head(|head| {
        let key = SigningKey::derive(&secret(), Claims::read(head).unwrap().scope());
        request.with_head(|head| {
            let claims = Claims::read(head).unwrap();
            let result = verify(&claims, &request.body_sha256(), &key, &options(), now());
            assert_eq!(result, Err(VerifyError::KeyScope));
        });
    });
}

#[test]
fn a_path_with_dot_segments_is_refused_unless_the_rule_says_otherwise() {
    let key = Key { path: PathRule::Normalised, ..Key::sample() };
    let good = Request::new("GET", "/b", &[("host", "a")], b"").signed(&key);
    let turned = Request { path: "/a/../b".to_owned(), ..good };
    assert_eq!(verified(&turned, &options(), now()), Err(VerifyError::Path));
    let normalised = VerifyOptions { path: PathRule::Normalised, ..options() };
    assert_eq!(verified(&turned, &normalised, now()), Ok(()), "as most services of AWS do");
    let as_sent = VerifyOptions { path: PathRule::AsSent, ..options() };
    assert_eq!(verified(&turned, &as_sent, now()), Err(VerifyError::Signature));
}

fn head_verified(request: &Request) -> Result<OwedBody, VerifyError> {
    request.with_head(|head| {
        let claims = Claims::read(head).unwrap();
        let key = SigningKey::derive(&secret(), claims.scope());
        verify_head(&claims, &key, &options(), now())
    })
}

#[test]
fn a_head_that_states_its_body_is_verified_before_the_body_comes() {
    let request = invocation().signed(&Key { body_header: BodyHeader::Stated, ..Key::sample() });
    assert_eq!(head_verified(&request).unwrap().settle(&request.body_sha256()), Ok(()));
    assert_eq!(head_verified(&request).unwrap().settle(&[0; 32]), Err(VerifyError::Body));
    let forged = Request { path: "/other".to_owned(), ..request.clone() };
    assert_eq!(head_verified(&forged).err(), Some(VerifyError::Signature));
    let other = Request { body: b"other".to_vec(), ..request };
    assert_eq!(verified(&other, &options(), now()), Err(VerifyError::Body));
    let silent = invocation().signed(&Key::sample());
    assert_eq!(head_verified(&silent).err(), Some(VerifyError::BodyNeeded));
}

#[test]
fn checking_needs_no_key() {
    let request = invocation().signed(&Key::sample());
    request.with_head(|head| {
        let claims = Claims::read(head).unwrap();
        assert_eq!(check(&claims, &options(), now()), Ok(()));
        assert_eq!(check(&claims, &options(), now().plus_ms(300_001)), Err(VerifyError::Expired));
        let shown = format!("{claims:?}");
        assert!(shown.starts_with("Claims(AKIDEXAMPLE/20150830/us-east-1/service/aws4_request at 2015"), "{shown}");
        assert_eq!(claims.signed_headers(), ["content-type", "host", "x-amz-date", "x-amz-target"]);
        assert_eq!((claims.access_key_id().as_str(), claims.signed_at()), ("AKIDEXAMPLE", now()));
    });
}

#[test]
fn session_tokens_are_compared_whole() {
    let key = Key { session_token: Some("token".to_owned()), ..Key::sample() };
    for request in [invocation().signed(&key), invocation().presigned(&key, 60)] {
        request.with_head(|head| {
            let claims = Claims::read(head).unwrap();
            assert_eq!(claims.session_token(), Some("token"));
            assert!(claims.session_token_is(Some("token")));
            for other in [None, Some(""), Some("toke"), Some("token2"), Some("Token")] {
                assert!(!claims.session_token_is(other), "{other:?}");
            }
        });
    }
    let without = invocation().signed(&Key::sample());
    without.with_head(|head| {
        let claims = Claims::read(head).unwrap();
        assert!(claims.session_token_is(None) && !claims.session_token_is(Some("")));
    });
}

#[test]
fn what_cannot_be_signed_is_refused() {
    let signed = |request: &Request, key: &Key| {
        let payload = Payload::Digest(request.body_sha256());
        let header = request.with_head(|head| key.signer().sign(head, payload, key.at).map(|_| ()));
        let query = request.with_head(|head| key.signer().presign(head, payload, key.at, 60).map(|_| ()));
        assert_eq!(header, query);
        header
    };
    let key = Key::sample();
    assert_eq!(signed(&invocation(), &key), Ok(()));
    assert_eq!(signed(&invocation().without("host"), &key), Err(SignError::Host));
    assert_eq!(signed(&invocation().signed(&key), &key), Err(SignError::Signed));
    assert_eq!(signed(&invocation().presigned(&key, 60), &key), Err(SignError::Signed));
    let dotted = Request { path: "/a/../b".to_owned(), ..invocation() };
    assert_eq!(signed(&dotted, &key), Err(SignError::Path));
    let broken = Request { query: "a=%".to_owned(), ..invocation() };
    assert_eq!(signed(&broken, &key), Err(SignError::Request(ReadError::Query)));
    let stated = Request { query: "X-Amz-Content-Sha256=a".to_owned(), ..invocation() };
    let presigned = stated.with_head(|head| key.signer().presign(head, Payload::Unsigned, key.at, 60).map(|_| ()));
    assert_eq!(presigned, Err(SignError::Signed));
    let twice = invocation().with("host", "b");
    assert_eq!(signed(&twice, &key), Err(SignError::Request(ReadError::RepeatedHeader("host"))));
    let misnamed = invocation().with("a b", "c");
    assert_eq!(signed(&misnamed, &key), Err(SignError::Request(ReadError::SignedHeaders)));
    for expires_s in [0, 604_801] {
        let payload = Payload::Unsigned;
        let result = invocation().with_head(|head| key.signer().presign(head, payload, key.at, expires_s).map(|_| ()));
        assert_eq!(result, Err(SignError::Expires));
    }
    assert_eq!(format!("{:?}", key.signer()), "Signer(AKIDEXAMPLE for us-east-1/service, …)");
}
