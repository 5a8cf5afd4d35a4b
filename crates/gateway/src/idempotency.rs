//! Idempotency keys: a repeated request gets the first one's answer and has no second
//! effect. The answer is committed in the same batch as the effect, so a crash between the
//! two cannot happen.

use std::sync::Arc;

use aegis_ledger::journal::{StoredAnswer, hex};
use aegis_model::act::Idempotency;
use aegis_model::operation::{ActionGroup, Effect, Method};
use aegis_model::{Caller, Code, Fault, Operation, Timestamp};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use crate::App;
use crate::reply::Reply;

/// Longest key that is taken.
const KEY_LENGTH_MAX: usize = 255;

/// A caller's wish that a repeated request has no second effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    record_id: String,
    replaces: Option<u64>,
}

impl Wish {
    /// The wish as it travels with the act.
    pub fn into_idempotency(self) -> Idempotency {
        Idempotency { record_id: self.record_id, replaces: self.replaces }
    }
}

/// Reads the header. Only what creates or acts takes one.
///
/// # Errors
/// `Validation` when the key is not one.
pub fn wish(operation: Operation, caller: &Caller, headers: &HeaderMap) -> Result<Option<Wish>, Fault> {
    let mut keys = headers.get_all("idempotency-key").iter();
    let Some(key) = keys.next() else {
        return Ok(None);
    };
    // Agents are given what is good once; a repeat of it is another request.
    let inside = operation.group() == ActionGroup::Inside;
    if inside || operation.method() != Method::Post || operation.effect() == Effect::Read {
        return Ok(None);
    }
    let visible = key.as_bytes().iter().all(u8::is_ascii_graphic);
    if keys.next().is_some() || key.is_empty() || key.len() > KEY_LENGTH_MAX || !visible {
        let rule = "`Idempotency-Key` must be one text of 1 to 255 visible ASCII characters";
        return Err(Fault::new(Code::Validation, rule).with("header", "Idempotency-Key"));
    }
    let mut hash = Sha256::new();
    for part in [operation.as_str().as_bytes(), caller.principal.name().as_bytes(), key.as_bytes()] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Ok(Some(Wish { record_id: hex(&hash.finalize()), replaces: None }))
}

/// The first request's answer, if there was one in the last 24 hours. An older one will be
/// replaced by this request's.
///
/// # Errors
/// `IdempotencyMismatch` when the first request was another one, `IdempotencySecret` when
/// its answer showed a secret.
pub async fn replayed(
    app: &Arc<App>,
    caller: &Caller,
    wish: &mut Option<Wish>,
    request_digest: [u8; 32],
    now: Timestamp,
) -> Result<Option<Response>, Fault> {
    let Some(wish) = wish else {
        return Ok(None);
    };
    let stored = app.rooms.journal.answer(&caller.tenant, &wish.record_id).await?;
    let Some((answer, version)) = stored else {
        return Ok(None);
    };
    if answer.expires_at <= now {
        wish.replaces = Some(version);
        return Ok(None);
    }
    if !app.rooms.journal.is_answer_to(&caller.tenant, &answer, &request_digest).await? {
        return Err(Fault::new(Code::IdempotencyMismatch, "the idempotency key was used with another request"));
    }
    replay(answer).map(Some)
}

fn replay(answer: StoredAnswer) -> Result<Response, Fault> {
    let Some(status) = answer.status else {
        return Err(Fault::new(Code::IdempotencySecret, "the first answer showed a secret and was not kept"));
    };
    let status = StatusCode::from_u16(status).map_err(Fault::internal)?;
    let mut response = Reply::json(status, answer.body.into()).into_response();
    response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
    Ok(response)
}

/// Whether the body has several parts.
pub fn is_multipart(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.get(..20).is_some_and(|start| start.eq_ignore_ascii_case(b"multipart/form-data;"))
}
