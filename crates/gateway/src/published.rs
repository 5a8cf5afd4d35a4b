//! What is published to everybody: by which keys the tokens of sessions are checked. Whoever is
//! shown such a token finds the way here by its issuer.
//!
//! Must not know: who has tokens.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::App;
use crate::reply::Refusal;

/// Where the keys are.
const KEYS: &str = "/.well-known/jwks.json";
/// For how long what is published may be remembered, in seconds: much shorter than a key is
/// published after its last token.
const REMEMBERED: HeaderValue = HeaderValue::from_static("public, max-age=300");

/// The two paths.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/.well-known/openid-configuration", get(about)).route(KEYS, get(keys))
}

/// Who issues tokens, and where his keys are.
async fn about(State(app): State<Arc<App>>) -> Response {
    let issuer = app.rooms.tenancy.identity_issuer();
    let document = json!({
        "issuer": issuer,
        "jwks_uri": format!("{}{KEYS}", issuer.trim_end_matches('/')),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
    });
    ([(header::CACHE_CONTROL, REMEMBERED)], Json(document)).into_response()
}

/// The keys.
async fn keys(State(app): State<Arc<App>>) -> Response {
    match app.rooms.tenancy.identity_keys(app.rooms.clock.now()).await {
        Ok(keys) => ([(header::CACHE_CONTROL, REMEMBERED)], Json(keys)).into_response(),
        Err(fault) => Refusal(fault).into_response(),
    }
}
