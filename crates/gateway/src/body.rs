//! Bodies: bounded in size and time, and few large ones at once. Must not know: what is in them.

use std::time::Duration;

use aegis_model::{Code, Fault, Operation};
use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};

use crate::{App, idempotency};

/// Whether the body may be as large as a bundle.
pub(crate) fn is_large(operation: Operation, headers: &HeaderMap) -> bool {
    match operation {
        Operation::AgentDeploy => idempotency::is_multipart(headers),
        Operation::SessionFilePut => true,
        _ => false,
    }
}

/// Takes in the body: bounded in size and time, and few large ones at once.
pub(crate) async fn take_body(
    app: &App,
    operation: Operation,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Fault> {
    let large = is_large(operation, headers);
    let size_max = if large { app.limits.bundle_size_max_bytes } else { app.limits.body_size_max_bytes };
    let too_large = || Fault::new(Code::TooLarge, format!("the body is larger than {size_max} bytes"));
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > size_max) {
        return Err(too_large());
    }
    let _place = match large {
        true => {
            let full = |_| Fault::new(Code::Overloaded, "as many large bodies arrive as the server takes at once");
            Some(app.large_bodies.try_acquire().map_err(full)?)
        }
        false => None,
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
