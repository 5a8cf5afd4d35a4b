//! Bodies: bounded in size and time, and few large ones at once. Must not know: what is in them.

use std::time::Duration;

use aegis_model::{Code, Fault, Operation};
use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};

use crate::{App, idempotency};

/// A whole set of policies, with room for what quotes it.
const POLICIES_BODY_SIZE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// How large a body may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodySize {
    /// As most are.
    Ordinary,
    /// As a whole set of policies may be: only for somebody who is known and may.
    Policies,
    /// As a bundle may be: only for somebody who is known and may.
    Large,
}

/// How large the body of an operation may be.
pub(crate) fn size_of(operation: Operation, headers: &HeaderMap) -> BodySize {
    match operation {
        Operation::AgentDeploy if idempotency::is_multipart(headers) => BodySize::Large,
        Operation::SessionFilePut => BodySize::Large,
        Operation::PolicyApply
        | Operation::PolicySet
        | Operation::PolicyDiff
        | Operation::PolicyReplay
        | Operation::PolicyTest => BodySize::Policies,
        _ => BodySize::Ordinary,
    }
}

/// What the head says of the length of the body.
pub(crate) fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok())
}

/// Takes in the body: bounded in size and time, and few large ones at once.
pub(crate) async fn take_body(app: &App, size: BodySize, declared: Option<usize>, body: Body) -> Result<Bytes, Fault> {
    let size_max = match size {
        BodySize::Ordinary => app.limits.body_size_max_bytes,
        BodySize::Policies => POLICIES_BODY_SIZE_MAX_BYTES.max(app.limits.body_size_max_bytes),
        BodySize::Large => app.limits.bundle_size_max_bytes,
    };
    let too_large = || Fault::new(Code::TooLarge, format!("the body is larger than {size_max} bytes"));
    if declared.is_some_and(|length| length > size_max) {
        return Err(too_large());
    }
    let _place = match size {
        BodySize::Policies | BodySize::Large => {
            let full = |_| Fault::new(Code::Overloaded, "as many large bodies arrive as the server takes at once");
            Some(app.large_bodies.try_acquire().map_err(full)?)
        }
        BodySize::Ordinary => None,
    };
    let arrived =
        tokio::time::timeout(Duration::from_millis(app.limits.body_timeout_ms), Limited::new(body, size_max).collect());
    match arrived.await {
        Err(_) => Err(Fault::new(Code::RequestTimedOut, "the body did not arrive in time")),
        Ok(Err(error)) if error.downcast_ref::<http_body_util::LengthLimitError>().is_some() => Err(too_large()),
        Ok(Err(_)) => Err(Fault::new(Code::Malformed, "the body was cut off")),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}
