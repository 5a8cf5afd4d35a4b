//! Answers: what handlers give back, and how a failure becomes the error envelope.

use aegis_model::Fault;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Serialize;

/// A successful answer.
#[derive(Debug)]
pub struct Reply {
    /// The HTTP status.
    pub status: StatusCode,
    /// What it says.
    pub body: ReplyBody,
}

/// What an answer says.
#[derive(Debug)]
pub enum ReplyBody {
    /// JSON, or nothing.
    Json(Bytes),
    /// Server-sent events, as they come.
    Events(Body),
    /// Bytes as they are.
    Bytes(Bytes),
    /// The connection speaks another protocol from now on.
    Switching(&'static str),
}

impl Reply {
    /// 200 with a body.
    pub fn ok(view: &impl Serialize) -> Result<Self, Fault> {
        Self::with_status(StatusCode::OK, view)
    }

    /// 201 with a body.
    pub fn created(view: &impl Serialize) -> Result<Self, Fault> {
        Self::with_status(StatusCode::CREATED, view)
    }

    /// 202 with a body.
    pub fn accepted(view: &impl Serialize) -> Result<Self, Fault> {
        Self::with_status(StatusCode::ACCEPTED, view)
    }

    /// 204.
    pub fn empty() -> Self {
        Self::json(StatusCode::NO_CONTENT, Bytes::new())
    }

    /// JSON that is written already.
    pub fn json(status: StatusCode, body: Bytes) -> Self {
        Self { status, body: ReplyBody::Json(body) }
    }

    /// Events, as they come.
    pub fn events(body: Body) -> Self {
        Self { status: StatusCode::OK, body: ReplyBody::Events(body) }
    }

    /// Bytes as they are.
    pub fn bytes(status: StatusCode, body: Bytes) -> Self {
        Self { status, body: ReplyBody::Bytes(body) }
    }

    /// 101: the connection speaks that protocol from now on.
    pub fn switching(protocol: &'static str) -> Self {
        Self { status: StatusCode::SWITCHING_PROTOCOLS, body: ReplyBody::Switching(protocol) }
    }

    fn with_status(status: StatusCode, view: &impl Serialize) -> Result<Self, Fault> {
        Ok(Self::json(status, serde_json::to_vec(view).map_err(Fault::internal)?.into()))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let typed = |kind| [(header::CONTENT_TYPE, HeaderValue::from_static(kind))];
        match self.body {
            ReplyBody::Json(body) if body.is_empty() => self.status.into_response(),
            ReplyBody::Json(body) => (self.status, typed("application/json"), Body::from(body)).into_response(),
            ReplyBody::Bytes(body) => {
                (self.status, typed("application/octet-stream"), Body::from(body)).into_response()
            }
            ReplyBody::Switching(protocol) => {
                let headers = [(header::CONNECTION, "upgrade"), (header::UPGRADE, protocol)];
                (self.status, headers).into_response()
            }
            ReplyBody::Events(body) => (self.status, typed("text/event-stream"), body).into_response(),
        }
    }
}

/// A failure on its way to the edge, which knows the correlation id and writes the envelope.
pub struct Refusal(pub Fault);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(Refused(self.0));
        response
    }
}

/// Marks a response that stands for a failure.
#[derive(Clone)]
pub struct Refused(pub Fault);

/// The error envelope with the status of its code.
pub fn envelope(fault: &Fault, correlation_id: &str, mut headers: HeaderMap) -> Response {
    let status = StatusCode::from_u16(fault.code().status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(&fault.envelope(correlation_id)).unwrap_or_default();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.remove(header::CONTENT_LENGTH);
    if let Some(wait_ms) = fault.details().get("retry_after_ms").and_then(serde_json::Value::as_u64) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1_000).max(1)));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    (status, headers, Body::from(body)).into_response()
}
