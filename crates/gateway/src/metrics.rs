//! Metrics, with labels from closed sets only: no tenant, name or path can make a new series.

mod boxes;
mod decisions;
mod outward;
mod security;

use std::sync::{Arc, Mutex};

use aegis_dispatch::{Outward, Policies};
use aegis_ledger::journal::Journal;
use aegis_model::Operation;
use aegis_model::port::Runtime;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Upper bounds of the latency buckets, in seconds.
const LATENCY_BUCKETS: [f64; 12] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    operation: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOperation {
    operation: &'static str,
}

/// Who counts by himself, and is asked when somebody looks.
pub struct Watched {
    /// What makes boxes.
    pub runtimes: Vec<Arc<dyn Runtime>>,
    /// What leaves them.
    pub outward: Arc<Outward>,
    /// What is decided.
    pub policies: Arc<Policies>,
    /// What is committed.
    pub journal: Arc<Journal>,
}

/// What is counted.
pub struct Metrics {
    registry: Mutex<Registry>,
    requests: Family<Answered, Counter>,
    latency: Family<ByOperation, Histogram>,
    authentication_failures: Counter,
    connections: Gauge,
}

impl Metrics {
    /// Counts what is answered, and shows what the others have counted.
    pub fn new(watched: Watched) -> Self {
        let Watched { runtimes, outward, policies, journal } = watched;
        let requests = Family::<Answered, Counter>::default();
        let latency = Family::<ByOperation, Histogram>::new_with_constructor(|| Histogram::new(LATENCY_BUCKETS));
        let authentication_failures = Counter::default();
        let connections = Gauge::default();
        let mut registry = Registry::with_prefix("aegis");
        registry.register("http_requests", "Requests answered, by operation and status", requests.clone());
        registry.register("http_request_seconds", "Time from request to answer", latency.clone());
        let failures = authentication_failures.clone();
        registry.register("http_authentication_failures", "Requests without a valid credential", failures);
        registry.register("http_connections", "Open connections", connections.clone());
        registry.register_collector(Box::new(boxes::Boxes(runtimes)));
        registry.register_collector(Box::new(outward::Outwards(outward)));
        registry.register_collector(Box::new(decisions::Decided(policies)));
        registry.register_collector(Box::new(security::Changed(journal)));
        Self { registry: Mutex::new(registry), requests, latency, authentication_failures, connections }
    }

    /// Counts an answer. Requests outside the API are counted as `other`.
    pub fn answered(&self, operation: Option<Operation>, status: u16, took_ns: u64) {
        let operation = operation.map_or("other", Operation::as_str);
        self.requests.get_or_create(&Answered { operation, status }).inc();
        let seconds = std::time::Duration::from_nanos(took_ns).as_secs_f64();
        self.latency.get_or_create(&ByOperation { operation }).observe(seconds);
    }

    /// Counts a request without a valid credential.
    pub fn authentication_failed(&self) {
        self.authentication_failures.inc();
    }

    /// The number of open connections, kept by the listener.
    pub fn connections(&self) -> &Gauge {
        &self.connections
    }

    /// Everything in the text format of Prometheus.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match encode(&mut text, &registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}

/// Answers `/metrics`.
pub async fn serve(State(app): State<Arc<crate::App>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], app.metrics.text())
}
