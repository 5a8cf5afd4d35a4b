//! The edge: what is true of every answer, whatever it is about. Correlation id, host and
//! origin, error envelope, one log line, one count.

use std::sync::Arc;

use aegis_model::port::Occupant;
use aegis_model::{Code, CorrelationId, Fault, Operation};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::App;
use crate::reply::{Refusal, Refused, envelope};

const CORRELATION: HeaderName = HeaderName::from_static("x-correlation-id");
const ORIGINS_MAY_SEND: &str = "authorization, content-type, idempotency-key, x-api-key, x-correlation-id";

/// Answers a path that is not part of the API.
pub async fn no_such_route() -> Refusal {
    Refusal(Fault::new(Code::NoSuchRoute, "there is no such path"))
}

/// Answers a method that the path does not take.
pub async fn method_not_allowed() -> Refusal {
    Refusal(Fault::new(Code::MethodNotAllowed, "the path does not take this method"))
}

/// Wraps every request.
pub async fn edge(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let began_ns = app.rooms.clock.elapsed_ns();
    // A box that rotates a secret could say it by whatever is repeated of its requests.
    let quiet = request.extensions().get::<Arc<Occupant>>().is_some_and(|occupant| occupant.task().is_some());
    let (correlation_id, problem) = correlation(&app, request.headers(), quiet);
    let line = Line::of(&request, quiet);
    request.extensions_mut().insert(correlation_id.clone());
    let origin = app.hosts.check(request.uri(), request.headers());
    let mut response = match (problem, &origin) {
        (Some(fault), _) => Refusal(fault).into_response(),
        (_, Err(fault)) => Refusal(fault.clone()).into_response(),
        (_, Ok(Some(_))) if request.method() == Method::OPTIONS => preflight(),
        _ => next.run(request).await,
    };
    let refused = response.extensions_mut().remove::<Refused>();
    let operation = response.extensions_mut().remove::<Operation>();
    if let Some(Refused(fault)) = &refused {
        response = envelope(fault, correlation_id.as_str(), std::mem::take(response.headers_mut()));
    }
    finish(response.headers_mut(), &correlation_id, origin.ok().flatten());
    let took_ns = app.rooms.clock.elapsed_ns().saturating_sub(began_ns);
    app.metrics.answered(operation, response.status().as_u16(), took_ns);
    line.log(&response, &correlation_id, refused.as_ref(), took_ns);
    response
}

/// The caller's correlation id, or a new one and what is wrong with the caller's.
fn correlation(app: &App, headers: &HeaderMap, quiet: bool) -> (CorrelationId, Option<Fault>) {
    let mut random = [0; 10];
    let filled = app.rooms.entropy.fill(&mut random);
    let made = CorrelationId::generate(app.rooms.clock.now(), random);
    if let Err(error) = filled {
        return (made, Some(Fault::internal(error)));
    }
    let Some(sent) = headers.get(CORRELATION).filter(|_| !quiet) else {
        return (made, None);
    };
    match sent.to_str().ok().and_then(|text| text.parse().ok()) {
        Some(sent) => (sent, None),
        None => {
            let rule = "`X-Correlation-ID` must be 1 to 128 letters, digits or `-_.:/+=`";
            (made, Some(Fault::new(Code::Validation, rule).with("header", "X-Correlation-ID")))
        }
    }
}

/// Tells a page of a listed origin what it may send.
fn preflight() -> Response {
    let headers = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ORIGINS_MAY_SEND),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

fn finish(headers: &mut HeaderMap, correlation_id: &CorrelationId, origin: Option<HeaderValue>) {
    if let Ok(value) = HeaderValue::from_str(correlation_id.as_str()) {
        headers.insert(CORRELATION, value);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static("x-correlation-id, retry-after, ratelimit-limit, ratelimit-remaining");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// What the log says of a request. Never a header, a query or a body: they may hold secrets.
struct Line {
    method: Method,
    path: String,
}

/// Longest path that is logged.
const LOGGED_PATH_LENGTH_MAX: usize = 256;

impl Line {
    fn of(request: &Request, quiet: bool) -> Self {
        let template = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
        let path = template.unwrap_or_else(|| if quiet { "" } else { request.uri().path() });
        Self { method: request.method().clone(), path: path.chars().take(LOGGED_PATH_LENGTH_MAX).collect() }
    }

    fn log(&self, response: &Response, correlation_id: &CorrelationId, refused: Option<&Refused>, took_ns: u64) {
        let status = response.status().as_u16();
        let took_us = took_ns / 1_000;
        let code = refused.map_or("OK", |Refused(fault)| fault.code().as_str());
        let (method, path) = (self.method.as_str(), self.path.as_str());
        if status < 500 {
            tracing::debug!(method, path, status, code, took_us, correlation_id = correlation_id.as_str(), "answered");
            return;
        }
        let cause = refused.map(|Refused(fault)| causes(fault)).unwrap_or_default();
        tracing::error!(method, path, status, code, took_us, cause, correlation_id = correlation_id.as_str(), "failed");
    }
}

/// The chain of causes, for the log only.
fn causes(fault: &Fault) -> String {
    let mut text = fault.message().to_owned();
    let mut cause = std::error::Error::source(fault);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
