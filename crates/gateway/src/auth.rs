//! Who asks: by an API key or a token that is shown, or by a signature. Exactly one credential
//! proves it. Whoever comes through the door of a box has proven it by that.
//!
//! Must not know: what is asked for.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use aegis_identity::sigv4::OwedBody;
use aegis_model::port::Occupant;
use aegis_model::{Code, Fault, Operation, Principal, Role, TenantId, Timestamp};
use aegis_tenancy::Authenticated;
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};

use crate::signed::Once;
use crate::{App, Peer, signed};

/// A request of somebody who is known.
pub(crate) struct Known {
    pub who: Authenticated,
    pub request: Request,
    /// What the credential says of a body that comes later.
    pub owed: Option<OwedBody>,
    /// What the credential is good for once.
    pub once: Option<Once>,
}

impl Known {
    /// What the credential still says about a body that comes later, and the request.
    pub(crate) fn into_parts(self) -> (Authenticated, Request, Owed) {
        (self.who, self.request, Owed { body: self.owed, once: self.once })
    }
}

/// What a credential says beyond who asks.
pub(crate) struct Owed {
    body: Option<OwedBody>,
    once: Option<Once>,
}

impl Owed {
    /// Compares the body that came.
    pub(crate) fn settle(&mut self, body: &[u8]) -> Result<(), Fault> {
        let Some(owed) = self.body.take() else { return Ok(()) };
        let settled = owed.settle(&Sha256::digest(body).into());
        settled.map_err(|error| Fault::new(Code::CredentialInvalid, error.to_string()))
    }
}

impl Owed {
    /// Makes sure that what is to be done once was not done yet. To be called when nothing but
    /// doing it is left.
    pub(crate) fn admit(&self, app: &App, tenant: &TenantId) -> Result<(), Fault> {
        match &self.once {
            Some(once) => app.signatures.admit(once, tenant, app.rooms.clock.now()),
            None => Ok(()),
        }
    }
}

/// How often is looked whether a credential still holds while its holder listens.
const LOOK_AGAIN: Duration = Duration::from_millis(400);

/// Whoever holds the credential of a request that goes on for a while.
#[derive(Clone)]
pub(crate) struct Holder {
    app: Arc<App>,
    who: Authenticated,
}

impl Holder {
    /// That caller.
    pub(crate) fn new(app: &Arc<App>, who: Authenticated) -> Self {
        Self { app: Arc::clone(app), who }
    }

    /// From when on the credential is worthless, if it says so itself.
    pub(crate) fn until(&self) -> Option<Timestamp> {
        self.who.until
    }

    /// Waits until the credential does not hold any more: revoked, expired, its tenant deleted.
    #[expect(clippy::disallowed_methods, reason = "nobody tells when a credential ends")]
    pub(crate) async fn lost(&self) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            let rooms = &self.app.rooms;
            let held = rooms.tenancy.still_holds(&self.who, rooms.clock.now()).await;
            // A store that is busy says nothing; everything else ends it.
            if held.is_err_and(|fault| !fault.code().category().retryable()) {
                return;
            }
        }
    }
}

/// Finds out who asks. An address that keeps failing is told to slow down; a valid key is not
/// made to pay for what others at its address do.
pub(crate) async fn authenticate(app: &App, operation: Operation, request: Request) -> Result<Known, Fault> {
    if let Some(occupant) = request.extensions().get::<Arc<Occupant>>() {
        return Ok(Known { who: at_the_door(occupant)?, request, owed: None, once: None });
    }
    let address = request.extensions().get::<Peer>().map(|Peer(address)| *address);
    let found = match signed::is_signed(&request) {
        true => signed::authenticate(app, operation, address, request).await,
        false => by_key(app, request).await,
    };
    if let Ok(known) = &found {
        app.rooms.tenancy.seen(&known.who, app.rooms.clock.now());
    }
    found.map_err(|fault| match fault.code().status() {
        401 => failed_authentication(app, address, fault),
        _ => fault,
    })
}

/// The agent in that box. What it shows of credentials beside is not looked at: clients send
/// placeholders, and whoever is in a box acts as nobody else.
fn at_the_door(occupant: &Occupant) -> Result<Authenticated, Fault> {
    if occupant.is_gone() {
        return Err(Fault::new(Code::CredentialInvalid, "the box is gone"));
    }
    let principal = Principal::Agent { name: occupant.agent.clone() };
    Ok(Authenticated { principal, tenant: occupant.tenant.clone(), role: Role::Viewer, until: None })
}

async fn by_key(app: &App, request: Request) -> Result<Known, Fault> {
    let text = credential(request.headers())?;
    let (tenancy, now) = (&app.rooms.tenancy, app.rooms.clock.now());
    let who = match is_token(&text) {
        true => tenancy.authenticate_token(&text, now).await?,
        false => tenancy.authenticate(&text, now).await?,
    };
    Ok(Known { who, request, owed: None, once: None })
}

fn failed_authentication(app: &App, address: Option<IpAddr>, fault: Fault) -> Fault {
    app.metrics.authentication_failed();
    let taken = address.map(|address| app.failure_rates.take(&address, app.rooms.clock.elapsed_ns()));
    match taken {
        Some(Err(left)) => Fault::new(Code::RateLimited, "too many failed authentications from this address")
            .with("retry_after_ms", left.reset_ms),
        _ => fault,
    }
}

/// The credential of a request: exactly one, in one of two headers.
fn credential(headers: &HeaderMap) -> Result<String, Fault> {
    let key = headers.get_all("x-api-key").iter().map(|value| Some(value.as_bytes()));
    let bearer = headers.get_all(header::AUTHORIZATION).iter().map(|value| bearer_token(value.as_bytes()));
    let mut presented = key.chain(bearer);
    let first = presented.next();
    if presented.next().is_some() {
        return Err(Fault::new(Code::CredentialInvalid, "the request carries several credentials"));
    }
    let missing = || Fault::new(Code::Unauthenticated, "the request carries no credential");
    let invalid = || Fault::new(Code::CredentialInvalid, "the credential is not of a known form");
    let bytes = first.ok_or_else(missing)?.ok_or_else(invalid)?;
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| invalid())
}

/// Whether it is a token of an issuer: no API key has a point in it.
fn is_token(text: &str) -> bool {
    text.contains('.')
}

/// What follows `Bearer `, in any case.
fn bearer_token(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}
