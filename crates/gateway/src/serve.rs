//! The way of every API request: known? not too fast? well-formed? allowed? done before?
//! frozen? Only then its handler. No operation has another way in.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aegis_dispatch::{Ask, Judgement, Passed};
use aegis_model::act::DecisionMark;
use aegis_model::approval::Asked;
use aegis_model::operation::{Effect, ResourceKind};
use aegis_model::port::Occupant;
use aegis_model::{Act, Caller, Code, CorrelationId, Fault, Operation};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use hyper::upgrade::OnUpgrade;
use sha2::{Digest, Sha256};

use crate::App;
use crate::auth::{Holder, Known, authenticate};
use crate::body::{BodySize, declared_length, size_of, take_body};
use crate::call::{Call, Parameters, parameter};
use crate::idempotency::{self, Wish};
use crate::rate::Allowance;
use crate::reply::{Refusal, Reply};
use crate::route::Handler;

/// Serves one request of an operation.
pub async fn serve(
    app: Arc<App>,
    operation: Operation,
    handler: Handler,
    parameters: Parameters,
    request: Request,
) -> Response {
    let known = match authenticate(&app, operation, request).await {
        Ok(known) => known,
        Err(fault) => return Refusal(fault).into_response(),
    };
    let taken = take_one(&app, &known);
    let allowance = match taken {
        Ok(allowance) => allowance,
        Err(allowance) => return too_fast(allowance),
    };
    let answering = admitted(&app, operation, handler, parameters, known);
    let mut response = match in_time(&app, operation, answering).await {
        Ok(reply) => reply,
        Err(fault) => Refusal(fault).into_response(),
    };
    response.extensions_mut().insert(operation);
    put_allowance(response.headers_mut(), allowance);
    response
}

/// Takes one request from the key's allowance, or from the session's.
fn take_one(app: &App, known: &Known) -> Result<Allowance, Allowance> {
    let now_ns = app.rooms.clock.elapsed_ns();
    let tenant = known.who.tenant.clone();
    match known.request.extensions().get::<Arc<Occupant>>() {
        Some(box_of) => app.session_rates.take(&(tenant, box_of.session().cloned(), box_of.agent.clone()), now_ns),
        None => app.key_rates.take(&(tenant, known.who.principal.clone()), now_ns),
    }
}

/// Answers when the request's time is over. An act that is under way goes on to its end.
async fn in_time(
    app: &App,
    operation: Operation,
    answering: impl Future<Output = Result<Response, Fault>>,
) -> Result<Response, Fault> {
    if operation.waits() {
        return answering.await;
    }
    let limit = Duration::from_millis(app.limits.answer_timeout_ms);
    let late = |_| Fault::new(Code::TimedOut, "the answer took too long");
    tokio::time::timeout(limit, answering).await.map_err(late)?
}

async fn admitted(
    app: &Arc<App>,
    operation: Operation,
    handler: Handler,
    parameters: Parameters,
    known: Known,
) -> Result<Response, Fault> {
    let (known, request, mut owed) = known.into_parts();
    let (mut parts, body) = request.into_parts();
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let occupant = parts.extensions.remove::<Arc<Occupant>>();
    let correlation_id = parts.extensions.get::<CorrelationId>().cloned();
    let correlation_id = correlation_id.ok_or_else(|| Fault::new(Code::Internal, "an internal error occurred"))?;
    let caller =
        Caller { tenant: known.tenant.clone(), principal: known.principal.clone(), role: known.role, correlation_id };
    keeps_to_its_task(app, &caller, (operation, &parameters), occupant.as_deref()).await?;
    let size = size_of(operation, &parts.headers);
    if size != BodySize::Ordinary {
        // Whoever may not do it shall not occupy a place for large bodies.
        let subject = resource_of(operation, &caller, &parameters);
        let request_digest = digest(operation, parts.uri.path(), "", &[]);
        let at = app.rooms.clock.now();
        let ask = Ask { caller: &caller, operation, resource: &subject, parameters: &parameters, at, request_digest };
        app.rooms.gate.admit(&ask).await?;
    }
    let body = take_body(app, size, declared_length(&parts.headers), body).await?;
    owed.settle(&body)?;
    if !body.is_empty() {
        app.rooms.tenancy.still_holds(&known, app.rooms.clock.now()).await?;
    }
    let request_digest = digest(operation, parts.uri.path(), parts.uri.query().unwrap_or(""), &body);
    let subject = resource_of(operation, &caller, &parameters);
    let at = app.rooms.clock.now();
    let ask = Ask { caller: &caller, operation, resource: &subject, parameters: &parameters, at, request_digest };
    let admission = app.rooms.gate.admit(&ask).await?;
    owed.admit(app, &caller.tenant)?;
    let mut wish = idempotency::wish(operation, &caller, &parts.headers)?;
    if let Some(replayed) = idempotency::replayed(app, &caller, &mut wish, request_digest, at).await? {
        return Ok(replayed);
    }
    // Whoever repeats what was approved and done is told what came of it, and asks nobody anew.
    let path = format!("/api/v1{}", parts.uri.path_and_query().map_or("", |path| path.as_str()));
    let passed = app.rooms.gate.pass(&ask, admission, Asked::of(operation, &path, &body)).await?;
    let act = act(&ask, passed, wish.clone())?;
    let query = parts.uri.query().unwrap_or("").to_owned();
    let asked = parameters.clone();
    let holder = Holder::new(app, known);
    let app_too = Arc::clone(app);
    let headers = parts.headers;
    let call = Call { app: app_too, act, parameters, query, headers, body, holder, upgrade, occupant };
    let done = carried_out(operation, handler(call)).await;
    let ask = Ask { caller: &caller, operation, resource: &subject, parameters: &asked, at, request_digest };
    settled(app, &ask, wish, done).await
}

/// A box that rotates a secret does that and nothing else. What it asks for instead is not
/// repeated anywhere: it knows the value, and could say it by what it asks for.
async fn keeps_to_its_task(
    app: &App,
    caller: &Caller,
    (operation, parameters): (Operation, &Parameters),
    occupant: Option<&Occupant>,
) -> Result<(), Fault> {
    let Some(task) = occupant.and_then(Occupant::task) else { return Ok(()) };
    let its_own = matches!(operation, Operation::RotationRead | Operation::RotationPropose);
    if its_own && parameter(parameters, "name") == task.secret.as_str() {
        return Ok(());
    }
    let fault = Fault::new(Code::Denied, "a box that rotates a secret may do nothing else");
    let at = app.rooms.clock.now();
    let (resource, request_digest) = (task.secret.as_str(), [0; 32]);
    let ask = Ask { caller, operation: Operation::RotationRead, resource, parameters: &[], at, request_digest };
    app.rooms.gate.refused(&ask, &fault).await?;
    Err(fault)
}

/// Runs the handler. What changes state runs on a task of its own, so that neither a caller
/// that hangs up nor a time limit leaves it half done.
async fn carried_out(
    operation: Operation,
    work: impl Future<Output = Result<Reply, Fault>> + Send + 'static,
) -> Result<Reply, Fault> {
    match operation.effect() {
        Effect::Read => work.await,
        Effect::Change | Effect::Control => tokio::spawn(work).await.map_err(Fault::internal)?,
    }
}

/// What becomes of a handler's answer: a lost race for an idempotency key is answered with
/// the winner's answer, a refusal by the domain is recorded.
async fn settled(
    app: &Arc<App>,
    ask: &Ask<'_>,
    mut wish: Option<Wish>,
    done: Result<Reply, Fault>,
) -> Result<Response, Fault> {
    let fault = match done {
        Ok(reply) => return Ok(reply.into_response()),
        Err(fault) => fault,
    };
    // What takes its time has an answer of its own, once it was begun: only a lost race has not.
    let of_another = !ask.operation.waits() || fault.code() == Code::Conflict;
    if wish.is_some()
        && of_another
        && let Some(replayed) = idempotency::replayed(app, ask.caller, &mut wish, ask.request_digest, ask.at).await?
    {
        return Ok(replayed);
    }
    // What names its decision is in the ledger already.
    let recorded = fault.details().contains_key("decision_id");
    if matches!(fault.code(), Code::Denied | Code::Frozen) && !recorded {
        app.rooms.gate.refused(ask, &fault).await?;
    }
    Err(fault)
}

fn act(ask: &Ask<'_>, passed: Passed, wish: Option<Wish>) -> Result<Act, Fault> {
    let Passed { judgement, mut beside } = passed;
    match ask.operation.effect() {
        Effect::Read => {}
        Effect::Change | Effect::Control => beside.push(judgement.kept(ask.caller, ask.at)?),
    }
    let Judgement { decision, counted, .. } = judgement;
    Ok(Act {
        caller: ask.caller.clone(),
        operation: ask.operation,
        at: ask.at,
        decision: DecisionMark { id: decision.id, class: decision.class, policy_hash: decision.policy_hash },
        request_digest: ask.request_digest,
        idempotency: wish.map(Wish::into_idempotency),
        beside,
        counted,
    })
}

/// The name of what the operation acts on.
fn resource_of(operation: Operation, caller: &Caller, parameters: &Parameters) -> String {
    match operation.resource() {
        ResourceKind::Tenant => caller.tenant.to_string(),
        ResourceKind::Agent | ResourceKind::Secret => parameter(parameters, "name").chars().take(128).collect(),
        ResourceKind::Key => parameter(parameters, "key_id").chars().take(128).collect(),
    }
}

/// SHA-256 over everything that makes two requests the same.
fn digest(operation: Operation, path: &str, query: &str, body: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [operation.as_str().as_bytes(), path.as_bytes(), query.as_bytes(), body] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn too_fast(allowance: Allowance) -> Response {
    let fault = Fault::new(Code::RateLimited, "too many requests with this key");
    let mut response = Refusal(fault.with("retry_after_ms", allowance.reset_ms)).into_response();
    put_allowance(response.headers_mut(), allowance);
    response
}

fn put_allowance(headers: &mut HeaderMap, allowance: Allowance) {
    let rows = [
        ("ratelimit-limit", u64::from(allowance.limit)),
        ("ratelimit-remaining", u64::from(allowance.remaining)),
        ("ratelimit-reset", allowance.reset_ms.div_ceil(1_000)),
    ];
    for (name, value) in rows {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}
