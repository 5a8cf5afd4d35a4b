//! Health: open to everybody, and therefore without any detail.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aegis_model::api::Health;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};

use crate::App;

/// The three paths of health.
pub fn router() -> Router<Arc<App>> {
    Router::new().route("/health", get(ready)).route("/health/live", get(live)).route("/health/ready", get(ready))
}

/// The process runs and answers.
async fn live() -> (StatusCode, Json<Health>) {
    answer(true)
}

/// The store can be read and written to, and the server is not going down.
async fn ready(State(app): State<Arc<App>>) -> (StatusCode, Json<Health>) {
    let draining = app.draining.load(Ordering::Relaxed);
    answer(!draining && app.rooms.journal.store().check().await.is_ok())
}

fn answer(well: bool) -> (StatusCode, Json<Health>) {
    let (status, text) = if well { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable") };
    (status, Json(Health { status: text.to_owned() }))
}
