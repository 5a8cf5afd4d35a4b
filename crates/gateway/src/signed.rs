//! Requests that prove who sends them by a signature (AWS SigV4), in a header or in the query.
//! The head is judged first; a body whose digest the head states is taken in later, as any
//! other is. Any other body has to be taken in before anybody is known, so few at a time are.
//!
//! Must not know: what the request asks for, beyond whether that changes anything.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aegis_identity::sigv4::{
    Admission, Claims, Form, ReplayCache, RequestHead, SigningKey, VerifyError, VerifyOptions, check, verify,
    verify_head,
};
use aegis_model::operation::Effect;
use aegis_model::{Code, Fault, Operation, TenantId, Timestamp};
use aegis_tenancy::Signer;
use axum::body::Body;
use axum::extract::{OriginalUri, Request};
use axum::http::{Uri, header};
use bytes::Bytes;
use hyper::body::Body as _;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

use crate::App;
use crate::auth::Known;
use crate::body::{BodySize, take_body};

/// How the header form begins.
const SCHEME: &[u8] = b"AWS4-";
/// How the parameters begin that sign.
const SIGNING_PARAMETERS: &str = "X-Amz-";
/// What makes a query a signed one.
const SIGNED_QUERY: &str = "X-Amz-Signature=";
/// Bodies of nobody that are taken in at a time: from one address, in all. Not for one key: its
/// name is no secret, and others could hurt its holder.
const OF_ADDRESS_MAX: usize = 16;
const IN_ALL_MAX: usize = 128;
/// How long such a body may take.
const BODY_TIME: Duration = Duration::from_secs(5);
/// Signatures that are remembered of each tenant, of requests that changed something: those of
/// 800 a second for as long as they are good.
const REMEMBERED_MAX: usize = 250_000;
/// Tenants of which nothing is remembered any more are forgotten when there are so many.
const TENANTS_KEPT: usize = 64;
/// A signed address that changes something is good for so long at most: for so long it has to
/// be remembered.
const CHANGING_EXPIRES_S_MAX: u32 = 900;

/// What signatures are judged by.
pub(crate) struct Signatures {
    options: VerifyOptions,
    /// What was signed before cannot be told from what a server before this one has seen.
    since: Timestamp,
    seen: Mutex<HashMap<TenantId, ReplayCache>>,
    of_address: Places<Option<IpAddr>>,
    in_all: Semaphore,
}

/// A signature that counts once.
pub(crate) struct Once {
    signature: [u8; 32],
    signed_at: Timestamp,
    valid_until: Timestamp,
}

impl Signatures {
    /// What is signed for `options` from now on.
    pub fn new(options: VerifyOptions, now: Timestamp) -> Self {
        Self {
            options,
            // Signatures tell whole seconds.
            since: Timestamp::from_millis(now.as_millis() / 1_000 * 1_000),
            seen: Mutex::default(),
            of_address: Places::default(),
            in_all: Semaphore::new(IN_ALL_MAX),
        }
    }

    /// Admits what is to be done once, if it was not done yet.
    pub(crate) fn admit(&self, once: &Once, tenant: &TenantId, now: Timestamp) -> Result<(), Fault> {
        if once.signed_at < self.since {
            let why = "the request was signed before this server began, which may have been done already; sign it anew";
            return Err(Fault::new(Code::CredentialInvalid, why));
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= TENANTS_KEPT && !seen.contains_key(tenant) {
            seen.retain(|_, of_tenant| of_tenant.keeps_any(now));
        }
        let of_tenant = seen.entry(tenant.clone()).or_insert_with(|| ReplayCache::new(REMEMBERED_MAX));
        match of_tenant.admit(once.signature, once.valid_until, now) {
            Admission::Admitted => Ok(()),
            Admission::Replayed => Err(Fault::new(
                Code::CredentialInvalid,
                "this signed request was carried out already; sign another one to do it again",
            )),
            Admission::Full => Err(Fault::new(Code::Overloaded, "too many signed requests to remember them all")
                .with("retry_after_ms", 1_000)),
        }
    }
}

/// Whether the request carries a signature.
pub(crate) fn is_signed(request: &Request) -> bool {
    let header = request.headers().get_all(header::AUTHORIZATION).iter();
    let in_query = request.uri().query().is_some_and(|query| query.contains(SIGNED_QUERY));
    in_query || header.into_iter().any(|value| value.as_bytes().starts_with(SCHEME))
}

/// Finds out who signed.
pub(crate) async fn authenticate(
    app: &App,
    operation: Operation,
    address: Option<IpAddr>,
    request: Request,
) -> Result<Known, Fault> {
    if request.headers().contains_key("x-api-key") {
        return Err(Fault::new(Code::CredentialInvalid, "the request carries several credentials"));
    }
    let now = app.rooms.clock.now();
    let (parts, body) = request.into_parts();
    // The path as it came: a router below another sees only the rest of it.
    let uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |OriginalUri(whole)| whole);
    let headers: Vec<_> = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let (method, path, query) = (parts.method.as_str(), uri.path(), uri.query().unwrap_or_default());
    let claims = Claims::read(RequestHead { method, path, query, headers: &headers }).map_err(refused)?;
    let rules = &app.signatures;
    check(&claims, &rules.options, now).map_err(refused)?;
    let signer = match claims.session_token() {
        // None of our keys has one.
        Some(_) => None,
        None => app.rooms.tenancy.signer(claims.access_key_id(), now).await?,
    };
    let key = SigningKey::derive_or_unknown(signer.as_ref().map(|signer| &signer.secret), claims.scope());
    let (owed, body) = match verify_head(&claims, &key, &rules.options, now) {
        Ok(owed) => (Some(owed), body),
        Err(VerifyError::BodyNeeded) => {
            let bytes = match body.is_end_stream() {
                true => Bytes::new(),
                false => take_unproven(app, address, body).await?,
            };
            verify(&claims, &Sha256::digest(&bytes).into(), &key, &rules.options, now).map_err(refused)?;
            (None, Body::from(bytes))
        }
        Err(error) => return Err(refused(error)),
    };
    let Some(Signer { who, .. }) = signer else { return Err(refused("the signature does not hold")) };
    let once = (operation.effect() != Effect::Read).then(|| Once {
        signature: claims.signature(),
        signed_at: claims.signed_at(),
        valid_until: claims.valid_until(rules.options.window),
    });
    let plain = match claims.form() {
        Form::Header => None,
        Form::Presigned { expires_s } if once.is_some() && expires_s > CHANGING_EXPIRES_S_MAX => {
            return Err(refused("a signed address that changes something is good for 900 seconds at most"));
        }
        Form::Presigned { .. } => Some(without_signature(&parts.uri)?),
    };
    drop(claims);
    let mut request = Request::from_parts(parts, body);
    if let Some(uri) = plain {
        *request.uri_mut() = uri;
    }
    Ok(Known { who, request, owed, once })
}

/// Takes in the body of somebody who is not known yet.
async fn take_unproven(app: &App, address: Option<IpAddr>, body: Body) -> Result<Bytes, Fault> {
    let _places = app.signatures.places(address)?;
    let late = |_| Fault::new(Code::RequestTimedOut, "the body did not arrive in time");
    tokio::time::timeout(BODY_TIME, take_body(app, BodySize::Ordinary, None, body)).await.map_err(late)?
}

/// The address that was signed, without what signs it.
fn without_signature(uri: &Uri) -> Result<Uri, Fault> {
    let pieces = uri.query().unwrap_or_default().split('&').filter(|piece| !piece.starts_with(SIGNING_PARAMETERS));
    let query: Vec<&str> = pieces.collect();
    let text = match query.is_empty() {
        true => uri.path().to_owned(),
        false => format!("{}?{}", uri.path(), query.join("&")),
    };
    text.parse().map_err(Fault::internal)
}

/// Why a signature is refused may be told: it says nothing about keys.
fn refused(why: impl std::fmt::Display) -> Fault {
    Fault::new(Code::CredentialInvalid, why.to_string())
}

impl Signatures {
    /// A place for a body of nobody who is known yet.
    fn places(&self, address: Option<IpAddr>) -> Result<impl Sized + use<'_>, Fault> {
        let full = || {
            let why = "as many signed requests arrive as the server takes in before it knows whose they are";
            Fault::new(Code::Overloaded, why).with("retry_after_ms", 1_000)
        };
        let of_address = self.of_address.take(address.map(network), OF_ADDRESS_MAX).ok_or_else(full)?;
        let in_all = self.in_all.try_acquire().map_err(|_| full())?;
        Ok((of_address, in_all))
    }
}

/// Whoever has an IPv6 address has 2^64 of them.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(long) => IpAddr::V6(Ipv6Addr::from_bits(long.to_bits() >> 64 << 64)),
    }
}

/// How many of each there are now.
struct Places<K>(Mutex<HashMap<K, usize>>);

impl<K> Default for Places<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Hash + Eq + Clone> Places<K> {
    fn counts(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        // What a panicking holder left is still whole: each change is a single step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, key: K, max: usize) -> Option<Place<'_, K>> {
        let mut counts = self.counts();
        let count = counts.entry(key.clone()).or_default();
        (*count < max).then(|| {
            *count += 1;
            Place { places: self, key }
        })
    }
}

/// One of them, for as long as it is held.
struct Place<'a, K: Hash + Eq + Clone> {
    places: &'a Places<K>,
    key: K,
}

impl<K: Hash + Eq + Clone> Drop for Place<'_, K> {
    fn drop(&mut self) {
        let mut counts = self.places.counts();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_many_addresses_counts_as_one() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn places_are_counted_and_given_back() {
        let places = Places::default();
        let first = places.take("a", 2);
        let second = places.take("a", 2);
        assert!(first.is_some() && second.is_some() && places.take("a", 2).is_none());
        assert!(places.take("b", 2).is_some());
        drop(first);
        assert!(places.take("a", 2).is_some());
        drop(second);
        assert!(places.counts().is_empty(), "nothing is remembered of what is over");
    }
}
