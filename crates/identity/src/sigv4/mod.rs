//! AWS Signature Version 4: reading, verifying and making signatures of HTTP requests.
//!
//! ```text
//! Claims::read ──▶ check ──▶ (look the key up) ──▶ SigningKey ──▶ verify ──▶ ReplayCache
//!    what the        time,       the caller's         derived,       the        mutating
//!  request says     region,                          or unknown    signature     calls
//!                   service
//! ```
//!
//! Owns the form of a signature, what it covers, how long it is good, and access keys. Must
//! not know: who holds an access key, HTTP types, the clock, or where bodies are kept.

mod access_key;
mod authorization;
mod canonical;
mod claims;
mod moment;
mod path;
mod percent;
mod presigned;
mod query;
mod replay;
mod request;
mod scope;
mod sign;
mod signing_key;
mod verify;

#[cfg(test)]
mod tests;

pub use access_key::{AccessKeyError, AccessKeyId, SecretAccessKey};
pub use claims::{Claims, Form, ReadError};
pub use path::PathRule;
pub use replay::{Admission, ReplayCache};
pub use request::RequestHead;
pub use scope::{Scope, ScopeError};
pub use sign::{BodyHeader, Payload, SignError, Signer};
pub use signing_key::SigningKey;
pub use verify::{OwedBody, PayloadRule, VerifyError, VerifyOptions, Window, check, verify, verify_head};

/// The only algorithm there is here. The asymmetric one, `AWS4-ECDSA-P256-SHA256`, is refused.
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// What a request says instead of its body's digest when the body is not signed.
const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
/// Seven days, the longest that a presigned request may be good.
const EXPIRES_S_MAX: u32 = 604_800;

const X_AMZ_DATE: &str = "x-amz-date";
const X_AMZ_SECURITY_TOKEN: &str = "x-amz-security-token";
const X_AMZ_CONTENT_SHA256: &str = "x-amz-content-sha256";
