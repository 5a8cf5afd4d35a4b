//! Health: open to everybody, and therefore without any detail.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aegis_model::api::Health;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};

use crate::App;

/// How long the store's answer holds.
const CHECK_PAUSE_NS: u64 = 1_000_000_000;

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
    answer(!draining && store_answers(&app).await)
}

/// Asks the store at most once a second: this path is open to everybody.
async fn store_answers(app: &App) -> bool {
    let now_ns = app.rooms.clock.elapsed_ns();
    let mut checked = app.checked.lock().await;
    match *checked {
        Some((at_ns, well)) if now_ns.saturating_sub(at_ns) < CHECK_PAUSE_NS => well,
        _ => {
            let well = app.rooms.journal.store().check().await.is_ok();
            *checked = Some((now_ns, well));
            well
        }
    }
}

fn answer(well: bool) -> (StatusCode, Json<Health>) {
    let (status, text) = if well { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable") };
    (status, Json(Health { status: text.to_owned() }))
}
