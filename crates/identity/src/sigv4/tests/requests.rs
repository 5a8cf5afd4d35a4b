//! Requests that own their parts, so that tests can change them.

use aegis_model::Timestamp;
use sha2::{Digest, Sha256};

use super::super::{
    AccessKeyId, BodyHeader, Claims, PathRule, Payload, RequestHead, SecretAccessKey, Signer, SigningKey,
    VerifyOptions, verify,
};
use crate::sigv4::moment;

pub(super) const REGION: &str = "us-east-1";
pub(super) const SERVICE: &str = "service";
pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// A request with everything that a signature covers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn new(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        Self { method: method.into(), path: path.into(), query: query.into(), headers, body: body.into() }
    }

    /// Gives `work` the head of the request.
    pub(super) fn with_head<T>(&self, work: impl FnOnce(RequestHead<'_>) -> T) -> T {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        work(RequestHead { method: &self.method, path: &self.path, query: &self.query, headers: &headers })
    }

    pub(super) fn body_sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.body).into()
    }

    pub(super) fn header(&mut self, name: &str) -> &mut Vec<u8> {
        &mut self.headers.iter_mut().find(|(given, _)| given.eq_ignore_ascii_case(name)).expect(name).1
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.as_bytes().to_vec()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(given, _)| !given.eq_ignore_ascii_case(name));
        self
    }

    /// The request with a signature in its headers.
    pub(super) fn signed(self, key: &Key) -> Self {
        let payload = Payload::Digest(self.body_sha256());
        let added = self.with_head(|head| key.signer().sign(head, payload, key.at)).expect("it can be signed");
        added.iter().fold(self, |request, (name, value)| request.with(name, value))
    }

    /// The request with a signature in its query.
    pub(super) fn presigned(mut self, key: &Key, expires_s: u32) -> Self {
        let payload = Payload::Digest(self.body_sha256());
        let query = self.with_head(|head| key.signer().presign(head, payload, key.at, expires_s));
        self.query = query.expect("it can be signed");
        self
    }

    /// The whole way of a received request; any refusal as text.
    pub(super) fn verify(&self, options: &VerifyOptions, now: Timestamp) -> Result<(), String> {
        self.with_head(|head| {
            let claims = Claims::read(head).map_err(|error| error.to_string())?;
            let key = SigningKey::derive(&secret(), claims.scope());
            verify(&claims, &self.body_sha256(), &key, options, now).map_err(|error| error.to_string())
        })
    }
}

/// Who signs, when.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) id: AccessKeyId,
    pub(super) secret: SecretAccessKey,
    pub(super) session_token: Option<String>,
    pub(super) path: PathRule,
    pub(super) body_header: BodyHeader,
    pub(super) at: Timestamp,
}

impl Key {
    pub(super) fn sample() -> Self {
        Self {
            id: AccessKeyId::parse("AKIDEXAMPLE").unwrap(),
            secret: secret(),
            session_token: None,
            path: PathRule::Strict,
            body_header: BodyHeader::Absent,
            at: now(),
        }
    }

    pub(super) fn signer(&self) -> Signer<'_> {
        Signer {
            access_key_id: &self.id,
            secret: &self.secret,
            session_token: self.session_token.as_deref(),
            region: REGION,
            service: SERVICE,
            path: self.path,
            body_header: self.body_header,
        }
    }
}

pub(super) fn secret() -> SecretAccessKey {
    SecretAccessKey::parse(SECRET).unwrap()
}

/// When the vectors were signed.
pub(super) fn now() -> Timestamp {
    moment::parse("20150830T123600Z").unwrap()
}

pub(super) fn options() -> VerifyOptions {
    VerifyOptions::new(REGION, SERVICE)
}

/// An invocation as the SDKs send it.
pub(super) fn invocation() -> Request {
    Request::new(
        "POST",
        "/runtimes/arn%3Aaws%3Abedrock-agentcore/invocations?qualifier=DEFAULT&x=a%20b",
        &[("Host", "aegis.example:8443"), ("Content-Type", "application/json"), ("X-Amz-Target", "a  b")],
        b"{\"prompt\":\"hello\"}",
    )
}
