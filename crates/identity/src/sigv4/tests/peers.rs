//! AWS's own signer and ours make the same signatures, and ours verifies theirs.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use proptest::prelude::*;

use super::requests::{Key, REGION, Request, SERVICE, now, options};
use crate::sigv4::{BodyHeader, PathRule, SecretAccessKey, VerifyOptions};

const EXPIRES_S: u32 = 600;

fn settings(key: &Key, location: SignatureLocation) -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.expires_in = (location == SignatureLocation::QueryParams).then(|| Duration::from_secs(EXPIRES_S.into()));
    settings.signature_location = location;
    settings.percent_encoding_mode = match key.path {
        PathRule::S3 => PercentEncodingMode::Single,
        _ => PercentEncodingMode::Double,
    };
    settings.uri_path_normalization_mode = UriPathNormalizationMode::from(key.path == PathRule::Normalised);
    if key.body_header == BodyHeader::Stated {
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    settings
}

/// The request as AWS's signer signs it.
fn signed_by_aws(request: &Request, key: &Key, location: SignatureLocation) -> Request {
    let token = key.session_token.clone();
    let credentials = Credentials::new(key.id.as_str(), key.secret.reveal(), token, None, "test");
    let identity = credentials.into();
    let params = SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name(SERVICE)
        .time(SystemTime::UNIX_EPOCH + Duration::from_millis(key.at.as_millis()))
        .settings(settings(key, location))
        .build()
        .unwrap()
        .into();
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), std::str::from_utf8(value).unwrap())).collect();
    let uri = format!("http://ignored{}?{}", request.path, request.query);
    let body = SignableBody::Bytes(&request.body);
    let signable = SignableRequest::new(&request.method, uri, headers.into_iter(), body).unwrap();
    let (headers, parameters) = sign(signable, &params).unwrap().into_parts().0.into_parts();
    let mut signed = headers.iter().fold(request.clone(), |request, new| request.with(new.name(), new.value()));
    for (name, value) in parameters {
        let between = if signed.query.is_empty() { "" } else { "&" };
        signed.query += &format!("{between}{name}={}", crate::sigv4::percent::encoded(value.as_bytes()));
    }
    signed
}

fn authorization(request: &Request) -> String {
    String::from_utf8(request.clone().header("authorization").clone()).unwrap()
}

fn signature_in_query(request: &Request) -> String {
    let mut pairs = request.query.split('&');
    pairs.find_map(|pair| pair.strip_prefix("X-Amz-Signature=")).expect("a signature").to_owned()
}

fn requests() -> impl Strategy<Value = Request> {
    let segment = "([A-Za-z0-9._~:@!$&'()*+,;=-]|%[0-9A-F]{2}){1,8}";
    let path = prop::collection::vec(segment, 0..4).prop_map(|segments| format!("/{}", segments.join("/")));
    let piece = "([A-Za-z0-9._~+:/-]|%20|%2F|%E1%88%B4){0,6}";
    let pair = ("[a-zA-Z]{1,4}", prop::option::of(piece)).prop_map(|(name, value)| match value {
        Some(value) => format!("{name}={value}"),
        None => name,
    });
    let query = prop::collection::vec(pair, 0..5).prop_map(|pairs| pairs.join("&"));
    let value = " {0,2}[!-~]([ -~]{0,12}[!-~])? {0,2}";
    let headers = prop::collection::vec(("(x-amz-meta|X-Custom|accept|Content-Language)-[a-c]", value), 0..5);
    let body = prop::collection::vec(any::<u8>(), 0..64);
    ("GET|PUT|POST|DELETE", path, query, headers, body).prop_map(|(method, path, query, headers, body)| {
        let target = format!("{path}?{query}");
        headers.into_iter().fold(
            Request::new(&method, &target, &[("Host", "aegis.example:8443"), ("Content-Type", "a/b")], &body),
            |request, (name, value)| request.with(&name, &value),
        )
    })
}

fn keys() -> impl Strategy<Value = Key> {
    let token = prop::option::of("[A-Za-z0-9/+=]{1,80}");
    let path = prop_oneof![Just(PathRule::Normalised), Just(PathRule::AsSent), Just(PathRule::S3)];
    let body_header = prop_oneof![Just(BodyHeader::Absent), Just(BodyHeader::Stated)];
    ("[A-Za-z0-9/+]{16,60}", token, path, body_header, 0..4_000_000_000_u64).prop_map(
        |(secret, session_token, path, body_header, second)| Key {
            secret: SecretAccessKey::parse(&secret).unwrap(),
            session_token,
            path,
            body_header,
            at: aegis_model::Timestamp::from_millis(second * 1_000),
            ..Key::sample()
        },
    )
}

/// Verifies with the key that signed.
fn check_verifies(request: &Request, key: &Key) {
    let options = VerifyOptions { path: key.path, payload: crate::sigv4::PayloadRule::UnsignedAllowed, ..options() };
    request.with_head(|head| {
        let claims = crate::sigv4::Claims::read(head).unwrap();
        let signing = crate::sigv4::SigningKey::derive(&key.secret, claims.scope());
        assert!(claims.session_token_is(key.session_token.as_deref()));
        let result = crate::sigv4::verify(&claims, &request.body_sha256(), &signing, &options, key.at);
        assert_eq!(result, Ok(()), "{request:?}");
    });
}

proptest! {
    #[test]
    fn both_sign_headers_alike_and_each_verifies(request in requests(), key in keys()) {
        let theirs = signed_by_aws(&request, &key, SignatureLocation::Headers);
        let ours = request.signed(&key);
        prop_assert_eq!(authorization(&ours), authorization(&theirs));
        check_verifies(&ours, &key);
        check_verifies(&theirs, &key);
    }

    #[test]
    fn both_presign_alike_and_each_verifies(request in requests(), key in keys()) {
        let key = Key { path: if key.path == PathRule::S3 { PathRule::AsSent } else { key.path }, ..key };
        let theirs = signed_by_aws(&request, &key, SignatureLocation::QueryParams);
        let ours = request.presigned(&key, EXPIRES_S);
        prop_assert_eq!(signature_in_query(&ours), signature_in_query(&theirs));
        check_verifies(&ours, &key);
        check_verifies(&theirs, &key);
    }
}

#[test]
fn the_vectors_time_is_no_special_case() {
    let key = Key { at: now().plus_ms(86_399_000), ..Key::sample() };
    let request = super::requests::invocation();
    let theirs = signed_by_aws(&request, &key, SignatureLocation::Headers);
    assert_eq!(authorization(&request.signed(&key)), authorization(&theirs));
}
