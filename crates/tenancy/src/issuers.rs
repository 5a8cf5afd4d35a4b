//! Tokens of other issuers (OIDC): whom they vouch for, and as what that is let in. The keys of
//! an issuer are read where it publishes them, kept, and read anew when they are old or when a
//! token names one that is not among them; an issuer that does not answer is not asked again
//! for a while, and what is known of it goes on counting for a day.
//!
//! Must not know: how a request carries a token.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use aegis_identity::jwt::{ClaimRules, Claims, Expected, KeySet, Token, TokenError};
use aegis_model::port::{Clock, Fetch};
use aegis_model::{Code, Fault, Principal, Timestamp};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::{Authenticated, Tenancy};

/// Keys that are older are read anew, beside the requests that still use them.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Keys that are older do not count any more.
const STALE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// An issuer whose keys were just read is not asked for new ones before this is over, however
/// many tokens name keys that it does not have.
const PAUSE_AFTER_SUCCESS: Duration = Duration::from_secs(10);
/// An issuer that could not be asked is asked again after this, then after twice as long.
const PAUSE_FIRST: Duration = Duration::from_secs(1);
const PAUSE_LAST: Duration = Duration::from_secs(60);
/// Longest subject of a token that is told in records.
const SUBJECT_LENGTH_MAX: usize = 256;
/// Where an issuer says where its keys are.
const DISCOVERY: &str = "/.well-known/openid-configuration";

/// An issuer that is trusted.
#[derive(Clone, Debug)]
pub struct Trust {
    /// What its tokens have to say.
    pub expected: Expected,
    /// Where its keys are published; where it says, when absent.
    pub keys_at: Option<String>,
    /// As what those for whom it vouches are let in.
    pub rules: ClaimRules,
}

/// The issuers that are trusted.
pub struct Issuers {
    all: Vec<Arc<Issuer>>,
}

struct Issuer {
    trust: Trust,
    fetch: Arc<dyn Fetch>,
    clock: Arc<dyn Clock>,
    known: RwLock<Option<Known>>,
    asking: Mutex<Asked>,
}

/// Keys, and when they were read.
#[derive(Clone)]
struct Known {
    keys: Arc<KeySet>,
    at_ns: u64,
}

/// When the issuer was asked last.
#[derive(Default)]
struct Asked {
    at_ns: Option<u64>,
    failures: u32,
}

/// What of a discovery document counts.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl Issuers {
    /// Nothing was read of them yet.
    pub fn new(trusts: Vec<Trust>, fetch: &Arc<dyn Fetch>, clock: &Arc<dyn Clock>) -> Self {
        let issuer = |trust| {
            let (fetch, clock) = (Arc::clone(fetch), Arc::clone(clock));
            Arc::new(Issuer { trust, fetch, clock, known: RwLock::default(), asking: Mutex::default() })
        };
        Self { all: trusts.into_iter().map(issuer).collect() }
    }

    fn of(&self, name: &str) -> Option<&Arc<Issuer>> {
        self.all.iter().find(|issuer| issuer.trust.expected.issuer == name)
    }
}

impl Tenancy {
    /// Finds out for whom a token vouches, and as what that is let in.
    ///
    /// # Errors
    /// `CredentialInvalid` when the token is not to be believed, `Denied` when no rule lets in
    /// whom it vouches for, `IssuerUnreachable` when its issuer's keys cannot be read.
    pub async fn authenticate_token(&self, text: &str, now: Timestamp) -> Result<Authenticated, Fault> {
        let token = Token::parse(text).map_err(invalid)?;
        let issuer = token.unverified_issuer().and_then(|name| self.issuers.of(name));
        let unknown = || Fault::new(Code::CredentialInvalid, "the issuer of the token is not trusted here");
        let issuer = issuer.ok_or_else(unknown)?;
        let claims = issuer.verified(text, now).await?;
        let grant = issuer.trust.rules.grant(&claims);
        let outside = || Fault::new(Code::Denied, "no rule of this server lets in whom the token vouches for");
        let grant = grant.ok_or_else(outside)?;
        if !self.tenant_is_active(&grant.tenant).await? {
            return Err(outside());
        }
        let leeway_ms = issuer.trust.expected.leeway.as_secs().saturating_mul(1_000);
        let until = claims.expires_at.plus_ms(leeway_ms);
        let principal = Principal::User { issuer: claims.issuer.clone(), subject: subject(&claims)? };
        Ok(Authenticated { principal, tenant: grant.tenant, role: grant.role, until: Some(until) })
    }
}

impl Issuer {
    /// What the token says, if it is to be believed.
    async fn verified(self: &Arc<Self>, text: &str, now: Timestamp) -> Result<Claims, Fault> {
        let known = self.keys().await?;
        let verify = |keys: &KeySet| Token::parse(text)?.verify(keys, &self.trust.expected, now);
        match verify(&known.keys) {
            // The issuer may have another key by now.
            Err(TokenError::UnknownKey) => {
                let newer = self.read_anew(known.at_ns).await?;
                verify(&newer.keys).map_err(invalid)
            }
            other => other.map_err(invalid),
        }
    }

    fn known(&self) -> Option<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The keys, read if they were not yet, or are too old.
    async fn keys(self: &Arc<Self>) -> Result<Known, Fault> {
        let Some(known) = self.known() else { return self.read_anew(0).await };
        let age = self.since(known.at_ns);
        // A little old is good enough while it is read anew; what is older waits for that, and
        // counts only while the issuer cannot be asked.
        if age > 2 * FRESH {
            return self.read_anew(known.at_ns).await;
        }
        if age > FRESH && self.asking.try_lock().is_ok() {
            let issuer = Arc::clone(self);
            tokio::spawn(async move { issuer.read_anew(known.at_ns).await.map(drop) });
        }
        Ok(known)
    }

    /// Reads the keys, unless somebody has done so since `seen_ns`, or it was tried just now.
    async fn read_anew(&self, seen_ns: u64) -> Result<Known, Fault> {
        let mut asked = self.asking.lock().await;
        let known = self.known();
        if let Some(newer) = known.clone().filter(|known| known.at_ns > seen_ns) {
            return Ok(newer);
        }
        let usable = known.filter(|known| self.since(known.at_ns) <= STALE_MAX);
        let unreachable = || {
            let why = format!("the keys of the issuer `{}` cannot be read", self.trust.expected.issuer);
            Fault::new(Code::IssuerUnreachable, why)
        };
        if asked.at_ns.is_some_and(|at_ns| self.since(at_ns) < pause(asked.failures)) {
            return usable.ok_or_else(unreachable);
        }
        let read = self.read().await;
        asked.at_ns = Some(self.clock.elapsed_ns());
        match read {
            Ok(keys) => {
                asked.failures = 0;
                let known = Known { keys: Arc::new(keys), at_ns: self.clock.elapsed_ns().max(1) };
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
                Ok(known)
            }
            Err(error) => {
                asked.failures = asked.failures.saturating_add(1);
                usable.ok_or_else(|| unreachable().caused_by(error))
            }
        }
    }

    async fn read(&self) -> Result<KeySet, ReadError> {
        let place = match &self.trust.keys_at {
            Some(place) => place.clone(),
            None => self.discover().await?,
        };
        Ok(KeySet::parse(&self.fetch.get(&place).await?)?)
    }

    /// Where the issuer says its keys are. One that claims to be another is not believed.
    async fn discover(&self) -> Result<String, ReadError> {
        let name = &self.trust.expected.issuer;
        let said = self.fetch.get(&format!("{}{DISCOVERY}", name.trim_end_matches('/'))).await?;
        let discovery: Discovery = serde_json::from_slice(&said)?;
        if discovery.issuer != *name {
            return Err(ReadError::Other(discovery.issuer));
        }
        // An issuer elsewhere does not make this server ask around on its own machine.
        if discovery.jwks_uri.starts_with("http:") && !name.starts_with("http:") {
            return Err(ReadError::Plain(discovery.jwks_uri));
        }
        Ok(discovery.jwks_uri)
    }

    fn since(&self, at_ns: u64) -> Duration {
        Duration::from_nanos(self.clock.elapsed_ns().saturating_sub(at_ns))
    }
}

/// Why the keys of an issuer were not read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    #[error(transparent)]
    Fetch(#[from] aegis_model::port::FetchError),
    #[error("what it says of itself cannot be read: {0}")]
    Discovery(#[from] serde_json::Error),
    #[error("it says that it is `{0}`")]
    Other(String),
    #[error("it says that its keys are at `{0}`, which is not HTTPS")]
    Plain(String),
    #[error(transparent)]
    Keys(#[from] aegis_identity::jwt::KeySetError),
}

/// How long an issuer is left alone after it was asked.
fn pause(failures: u32) -> Duration {
    match failures {
        0 => PAUSE_AFTER_SUCCESS,
        failures => PAUSE_LAST.min(PAUSE_FIRST.saturating_mul(1 << failures.min(10).saturating_sub(1))),
    }
}

/// Why a token is refused may be told: it says nothing about keys.
fn invalid(error: TokenError) -> Fault {
    Fault::new(Code::CredentialInvalid, error.to_string())
}

/// For whom the token vouches, as it can stand in a record.
fn subject(claims: &Claims) -> Result<String, Fault> {
    let unfit = || Fault::new(Code::CredentialInvalid, "the token names no subject that can be recorded");
    let subject = claims.subject.clone().ok_or_else(unfit)?;
    let fit = (1..=SUBJECT_LENGTH_MAX).contains(&subject.len()) && !subject.chars().any(char::is_control);
    if fit { Ok(subject) } else { Err(unfit()) }
}

#[cfg(test)]
#[path = "issuers/tests.rs"]
mod tests;
