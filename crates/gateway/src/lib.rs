//! The HTTP front: who are you, may you, how fast, well-formed?
//!
//! Owns routing, authentication, limits, the error envelope and OpenAPI. Must not know how
//! anything is stored or decided: it asks the domain rooms and maps their answers.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod attach;
mod auth;
mod body;
mod call;
mod edge;
mod events;
mod health;
mod idempotency;
mod metrics;
mod multipart;
mod openapi;
mod origin;
mod page;
mod published;
mod rate;
mod reply;
mod route;
mod routes;
mod serve;
mod signed;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aegis_dispatch::{Approvals, Freezes, Gate, Orbit, Outward, Policies, Rotator, Runs};
use aegis_fleet::Fleet;
use aegis_identity::sigv4::VerifyOptions;
use aegis_ledger::journal::Journal;
use aegis_ledger::reader::LedgerReader;
use aegis_model::port::{Clock, Entropy};
use aegis_model::{AgentName, Principal, SessionId, TenantId};
use aegis_tenancy::Tenancy;
use axum::Router;
use tokio::sync::Semaphore;

pub use metrics::{Metrics, Watched};
pub use openapi::openapi;
pub use origin::Hosts;

/// What the front may take in, and how fast.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest body of an ordinary request.
    pub body_size_max_bytes: usize,
    /// Largest body of a deployment with a bundle.
    pub bundle_size_max_bytes: usize,
    /// How long a body may take to arrive.
    pub body_timeout_ms: u64,
    /// How long an answer may take.
    pub answer_timeout_ms: u64,
    /// Requests per second for each key.
    pub key_rate_per_second: u32,
    /// How many requests a key may save up.
    pub key_burst: u32,
    /// Requests per second for each session at the door of its box.
    pub session_rate_per_second: u32,
    /// How many requests a session may save up.
    pub session_burst: u32,
    /// Failed authentications per second for each address.
    pub failure_rate_per_second: u32,
    /// How many large bodies are taken in at once.
    pub large_bodies_max: usize,
    /// What signed requests must be signed for.
    pub signatures: VerifyOptions,
}

/// The domain rooms behind the front.
pub struct Rooms {
    /// Tenants and keys.
    pub tenancy: Arc<Tenancy>,
    /// Policy decisions.
    pub gate: Arc<Gate>,
    /// The kill switch.
    pub freezes: Arc<Freezes>,
    /// What somebody has to approve.
    pub approvals: Arc<Approvals>,
    /// What left boxes, to look at.
    pub outward: Arc<Outward>,
    /// Policies to look at.
    pub policies: Arc<Policies>,
    /// Agents.
    pub fleet: Arc<Fleet>,
    /// What services ask for.
    pub orbit: Orbit,
    /// What they are given to do.
    pub runs: Arc<Runs>,
    /// Secrets that programs rotate.
    pub rotator: Arc<Rotator>,
    /// The ledger, for reading.
    pub ledger: LedgerReader,
    /// Stored answers.
    pub journal: Arc<Journal>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids.
    pub entropy: Arc<dyn Entropy>,
}

/// Everything a request needs.
pub struct App {
    rooms: Rooms,
    limits: Limits,
    hosts: Hosts,
    metrics: Arc<Metrics>,
    key_rates: rate::Rates<(TenantId, Principal)>,
    session_rates: rate::Rates<(TenantId, Option<SessionId>, AgentName)>,
    failure_rates: rate::Rates<std::net::IpAddr>,
    large_bodies: Semaphore,
    signatures: signed::Signatures,
    draining: AtomicBool,
    /// When the store was last asked whether it is well, and what it said.
    checked: tokio::sync::Mutex<Option<(u64, bool)>>,
}

impl App {
    /// The front over `rooms`.
    pub fn new(rooms: Rooms, limits: Limits, hosts: Hosts, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            key_rates: rate::Rates::new(limits.key_rate_per_second, limits.key_burst),
            session_rates: rate::Rates::new(limits.session_rate_per_second, limits.session_burst),
            failure_rates: rate::Rates::new(limits.failure_rate_per_second, limits.failure_rate_per_second * 2),
            large_bodies: Semaphore::new(limits.large_bodies_max),
            signatures: signed::Signatures::new(limits.signatures.clone(), rooms.clock.now()),
            draining: AtomicBool::new(false),
            checked: tokio::sync::Mutex::default(),
            rooms,
            limits,
            hosts,
            metrics,
        })
    }

    /// What is counted.
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.metrics)
    }

    /// Keeps when keys were used last; to be called now and then, and at the end.
    ///
    /// # Errors
    /// When the store cannot take it.
    pub async fn keep_uses(&self) -> Result<usize, aegis_model::Fault> {
        self.rooms.tenancy.keep_uses(self.rooms.clock.now()).await
    }

    /// Goes on with a rotation of the key-encryption key that was cut short; `None` when there
    /// is none.
    ///
    /// # Errors
    /// When a step fails; nothing is lost then.
    pub async fn go_on_rotating(&self) -> Result<Option<aegis_model::api::EncryptionKeyRotated>, aegis_model::Fault> {
        self.rooms.tenancy.encryption_key_go_on(self.rooms.clock.now()).await
    }

    /// From now on `/health/ready` says no, so that nobody sends new work.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }
}

/// The address a request came from; the listener puts it beside each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub std::net::IpAddr);

/// The routes of the API, of health and of OpenAPI.
pub fn router(app: &Arc<App>) -> Router {
    let open = health::router();
    let routes = Router::new()
        .merge(open.clone())
        .route("/openapi.json", axum::routing::get(openapi::serve))
        .merge(published::router())
        // By this name services ask at the root, too.
        .merge(routes::dispatch::at_the_root())
        .nest("/api/v1", operations().merge(open));
    edged(app, routes)
}

/// The routes of the API, for whoever asks at the door of a box. What is open to everybody
/// outside has no allowance, and is not there.
pub fn door_router(app: &Arc<App>) -> Router {
    edged(app, Router::new().nest("/api/v1", operations()))
}

/// The metrics, for a listener of their own.
pub fn metrics_router(app: &Arc<App>) -> Router {
    edged(app, Router::new().route("/metrics", axum::routing::get(metrics::serve)))
}

/// Every operation of the table.
fn operations() -> Router<Arc<App>> {
    routes::all().into_iter().fold(Router::new(), |router, route| route.mount(router))
}

/// Routes with what is true of every answer.
fn edged(app: &Arc<App>, routes: Router<Arc<App>>) -> Router {
    routes
        .fallback(edge::no_such_route)
        .method_not_allowed_fallback(edge::method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(app), edge::edge))
        .with_state(Arc::clone(app))
}
