//! Signing requests, for servers that speak to each other and for clients.
//! Must not know: HTTP types, or where requests are sent.

use std::fmt;

use aegis_model::Timestamp;

use super::access_key::{AccessKeyId, SecretAccessKey};
use super::canonical;
use super::claims::{Claims, ReadError};
use super::moment;
use super::path::PathRule;
use super::percent::encoded;
use super::presigned::{
    AMZ_ALGORITHM, AMZ_CONTENT_SHA256, AMZ_CREDENTIAL, AMZ_DATE, AMZ_EXPIRES, AMZ_SECURITY_TOKEN, AMZ_SIGNATURE,
    AMZ_SIGNED_HEADERS, is_presigned,
};
use super::query::Query;
use super::request::RequestHead;
use super::scope::{Scope, ScopeError};
use super::signing_key::SigningKey;
use super::{ALGORITHM, EXPIRES_S_MAX, UNSIGNED_PAYLOAD, X_AMZ_CONTENT_SHA256, X_AMZ_DATE, X_AMZ_SECURITY_TOKEN};
use crate::mac::to_hex;

/// Headers that proxies or transports change on the way; signing them would break signatures.
const NEVER_SIGNED: [&str; 10] = [
    "authorization",
    "connection",
    "expect",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
];

/// Why a request was not signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// Region or service is no name.
    #[error(transparent)]
    Scope(#[from] ScopeError),
    /// The request itself is malformed.
    #[error(transparent)]
    Request(#[from] ReadError),
    /// The request has no header `host`.
    #[error("the header `host` is needed for a signature")]
    Host,
    /// The request is signed already, or has a header that signing adds.
    #[error("the request has a part of a signature already")]
    Signed,
    /// The path has empty or dot segments, and the rule refuses them.
    #[error("the path has empty or dot segments")]
    Path,
    /// Less than a second or more than seven days.
    #[error("a presigned request is good for 1 to 604800 seconds")]
    Expires,
}

/// What is signed of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Its SHA-256.
    Digest([u8; 32]),
    /// Nothing, which few servers accept.
    Unsigned,
}

/// Whether a header says what is signed of the body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyHeader {
    /// No.
    #[default]
    Absent,
    /// Yes, in `x-amz-content-sha256`: the receiver can then verify the head before it takes
    /// the body in.
    Stated,
}

/// Who signs, and for whom.
#[derive(Clone, Copy)]
pub struct Signer<'a> {
    /// Names the key.
    pub access_key_id: &'a AccessKeyId,
    /// Its secret.
    pub secret: &'a SecretAccessKey,
    /// Goes along and is signed, for keys of a session.
    pub session_token: Option<&'a str>,
    /// Where the receiver is.
    pub region: &'a str,
    /// What the receiver is.
    pub service: &'a str,
    /// How the receiver reads paths.
    pub path: PathRule,
    /// Whether to say what is signed of the body.
    pub body_header: BodyHeader,
}

impl Signer<'_> {
    /// The headers to add to a request. It must have `host`, and must not be changed later
    /// but for headers that are never signed, such as `user-agent`.
    ///
    /// # Errors
    /// When the request is malformed, has no `host`, or has a part of a signature already.
    pub fn sign(
        &self,
        head: RequestHead<'_>,
        payload: Payload,
        at: Timestamp,
    ) -> Result<Vec<(&'static str, String)>, SignError> {
        let scope = Scope::new(at, self.region, self.service)?;
        let query = unsigned_query(head)?;
        let mut added = vec![(X_AMZ_DATE, moment::format(at))];
        added.extend(self.session_token.map(|token| (X_AMZ_SECURITY_TOKEN, token.to_owned())));
        if self.body_header == BodyHeader::Stated {
            added.push((X_AMZ_CONTENT_SHA256, payload.text()));
        }
        let new = added.iter().map(|(name, value)| (*name, value.as_bytes()));
        let headers: Vec<_> = head.headers.iter().copied().chain(new).collect();
        let signed = signed_headers(&headers)?;
        let whole = RequestHead { headers: &headers, ..head };
        let draft = Draft { head: whole, query: &query.canonical(), signed: &signed, payload, at };
        let signature = self.signature(&draft, &scope)?;
        let (id, names) = (self.access_key_id, signed.join(";"));
        let value = format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}");
        let last = ("authorization", value.as_bytes());
        let all: Vec<_> = headers.iter().copied().chain([last]).collect();
        // A signature that nobody would read is refused here, where somebody can mend it.
        Claims::read(RequestHead { headers: &all, ..head })?;
        added.push(("authorization", value));
        Ok(added)
    }

    /// The query of the request, with the signature in it, good for `expires_s` seconds. Every
    /// header that the request has is signed and has to be sent; `host` alone is usual.
    ///
    /// # Errors
    /// As [`Signer::sign`], and for a wrong number of seconds.
    pub fn presign(
        &self,
        head: RequestHead<'_>,
        payload: Payload,
        at: Timestamp,
        expires_s: u32,
    ) -> Result<String, SignError> {
        if !(1..=EXPIRES_S_MAX).contains(&expires_s) {
            return Err(SignError::Expires);
        }
        let scope = Scope::new(at, self.region, self.service)?;
        if unsigned_query(head)?.single(AMZ_CONTENT_SHA256) != Ok(None) {
            return Err(SignError::Signed);
        }
        let signed = signed_headers(head.headers)?;
        let credential = format!("{}/{scope}", self.access_key_id);
        let mut parameters = vec![
            (AMZ_ALGORITHM, ALGORITHM.to_owned()),
            (AMZ_CREDENTIAL, credential),
            (AMZ_DATE, moment::format(at)),
            (AMZ_EXPIRES, expires_s.to_string()),
            (AMZ_SIGNED_HEADERS, signed.join(";")),
        ];
        parameters.extend(self.session_token.map(|token| (AMZ_SECURITY_TOKEN, token.to_owned())));
        let mut text = head.query.to_owned();
        for (name, value) in parameters {
            text.push_str(if text.is_empty() { "" } else { "&" });
            text.push_str(&format!("{name}={}", encoded(value.as_bytes())));
        }
        let canonical = Query::parse(&text)?.canonical();
        let draft = Draft { head, query: &canonical, signed: &signed, payload, at };
        let signature = self.signature(&draft, &scope)?;
        text.push_str(&format!("&{AMZ_SIGNATURE}={signature}"));
        Claims::read(RequestHead { query: &text, ..head })?;
        Ok(text)
    }

    fn signature(&self, draft: &Draft<'_>, scope: &Scope) -> Result<String, SignError> {
        draft.head.check()?;
        let text = canonical::request(draft.head, draft.query, draft.signed, self.path, &draft.payload.text());
        let digest = canonical::digest_hex(&text.ok_or(SignError::Path)?);
        let key = SigningKey::derive(self.secret, scope);
        Ok(to_hex(&key.sign(&moment::format(draft.at), &digest)))
    }
}

/// Everything that is signed.
struct Draft<'d> {
    head: RequestHead<'d>,
    query: &'d str,
    signed: &'d [String],
    payload: Payload,
    at: Timestamp,
}

impl fmt::Debug for Signer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} for {}/{}, …)", self.access_key_id, self.region, self.service)
    }
}

impl Payload {
    fn text(self) -> String {
        match self {
            Self::Digest(digest) => to_hex(&digest),
            Self::Unsigned => UNSIGNED_PAYLOAD.to_owned(),
        }
    }
}

/// The query of a request that nobody signed yet.
fn unsigned_query(head: RequestHead<'_>) -> Result<Query, SignError> {
    let query = Query::parse(head.query)?;
    let taken = ["authorization", X_AMZ_DATE, X_AMZ_SECURITY_TOKEN, X_AMZ_CONTENT_SHA256];
    if is_presigned(&query) || taken.iter().any(|name| head.has(name)) {
        return Err(SignError::Signed);
    }
    Ok(query)
}

/// The names of the headers to sign, sorted.
fn signed_headers(headers: &[(&str, &[u8])]) -> Result<Vec<String>, SignError> {
    let mut names: Vec<String> = headers.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
    names.retain(|name| !NEVER_SIGNED.contains(&name.as_str()));
    names.sort_unstable();
    names.dedup();
    if names.iter().any(|name| name == "host") { Ok(names) } else { Err(SignError::Host) }
}
