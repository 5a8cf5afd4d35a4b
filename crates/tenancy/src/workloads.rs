//! Who a session is, for others: its name among workloads, tokens that prove it, and the keys
//! by which anybody can check them. The keys stay on this side of the door.
//!
//! Must not know: what somebody else makes of a token.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aegis_identity::jwt::{SpiffeId, Workload, WorkloadKey};
use aegis_ledger::journal::{Answer, Deed};
use aegis_model::api::{IdentityToken, IdentityTokenWish, WorkloadIdentity};
use aegis_model::port::Occupant;
use aegis_model::record::{Batch, Change, Expect, Kind, Put, RecordKey};
use aegis_model::{Act, Code, Fault, SessionId, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::{Tenancy, only, random, read};

/// For how long a token is good when nobody says.
const LIFETIME_S_DEFAULT: u32 = 300;
/// For how long the longest one is.
const LIFETIME_S_MAX: u32 = 3_600;
/// A key that signs no more is published for as long as its last token can be good, and for
/// as long as somebody may be about to look for it.
const PUBLISHED_MS: u64 = 2 * 60 * 60 * 1_000;
/// So many keys are published. Whoever changes them faster takes tokens back that way.
const KEYS_MAX: usize = 8;
const AUDIENCE_LENGTH_MAX: usize = 256;

/// Where the keys lie, as they are sealed for.
const PLACE: &str = "workload-keys";

/// By which names tokens are issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadNames {
    /// Who issues them: where the keys are published.
    pub issuer: String,
    /// The domain that sessions are named in.
    pub trust_domain: String,
}

/// The keys as they are kept.
#[derive(Serialize, Deserialize)]
struct KeysRecord {
    /// The one that signs first.
    keys: Vec<KeyKept>,
}

#[derive(Clone, Serialize, Deserialize)]
struct KeyKept {
    /// The seed, sealed under the installation's data key.
    sealed: String,
    /// When it signs no more; absent for the one that signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retired_at: Option<Timestamp>,
}

/// A key, open.
struct OpenKey {
    key: WorkloadKey,
    retired_at: Option<Timestamp>,
}

/// The keys of this installation.
pub(crate) struct Workloads {
    names: WorkloadNames,
    /// The one that signs first.
    keys: RwLock<Option<Arc<Vec<OpenKey>>>>,
    /// How often they were forgotten: what was read before that is not remembered after it.
    forgotten: AtomicU64,
}

impl Workloads {
    /// Nothing was opened yet.
    pub(crate) fn new(names: WorkloadNames) -> Self {
        Self { names, keys: RwLock::default(), forgotten: AtomicU64::new(0) }
    }

    fn remembered(&self) -> Option<Arc<Vec<OpenKey>>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::Acquire)
    }

    /// Remembers keys that were read when they had been forgotten so often.
    fn remember(&self, keys: &Arc<Vec<OpenKey>>, forgotten: u64) {
        let mut remembered = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if self.forgotten() == forgotten {
            *remembered = Some(Arc::clone(keys));
        }
    }

    fn forget(&self) {
        let mut remembered = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        *remembered = None;
    }
}

impl Tenancy {
    /// The name of whoever lives in a box, among workloads.
    ///
    /// # Errors
    /// `StateInvalid` when no session has the box yet.
    pub fn workload(&self, occupant: &Occupant) -> Result<WorkloadIdentity, Fault> {
        let (session, subject) = self.named(occupant)?;
        Ok(WorkloadIdentity { subject: subject.to_string(), version: occupant.version, session: session.clone() })
    }

    /// The session that has the box, and its name.
    fn named<'a>(&self, occupant: &'a Occupant) -> Result<(&'a SessionId, SpiffeId), Fault> {
        let nobody = || Fault::new(Code::StateInvalid, "the box is kept ready, and is no session's yet");
        let session = occupant.session().ok_or_else(nobody)?;
        let path = ["tenant", occupant.tenant.as_str(), "agent", occupant.agent.as_str(), "session", session.as_str()];
        let subject = SpiffeId::new(&self.workloads.names.trust_domain, &path).map_err(Fault::internal)?;
        Ok((session, subject))
    }

    /// Issues a token by which a session proves to one other who it is.
    ///
    /// # Errors
    /// `Validation` when nobody or everybody may take it, or for too long; `StateInvalid` when no
    /// session has the box yet.
    pub async fn identity_token(
        &self,
        act: &Act,
        occupant: &Occupant,
        wish: &IdentityTokenWish,
    ) -> Result<IdentityToken, Fault> {
        let lifetime_s = check(wish)?;
        let (session, subject) = self.named(occupant)?;
        let keys = self.workload_keys().await?;
        let signing = keys.first().ok_or_else(|| Fault::new(Code::Internal, "there is no key that signs"))?;
        let token_id = act.decision.id.to_string();
        let workload = Workload {
            issuer: &self.workloads.names.issuer,
            subject: &subject,
            audience: &wish.audience,
            token_id: &token_id,
            issued_at: act.at,
            lifetime_s,
        };
        let token = signing.key.sign(&workload).map_err(Fault::internal)?;
        let deed = Deed {
            subject: format!("token/{token_id}/session/{session}"),
            stream: "identity",
            changes: Vec::new(),
            answer: Answer::Secret,
            also: None,
        };
        self.journal.commit(act, deed).await?;
        // As the token says it, which knows whole seconds only.
        let expires_at =
            Timestamp::from_millis(act.at.as_millis() / 1_000 * 1_000).plus_ms(u64::from(lifetime_s) * 1_000);
        Ok(IdentityToken { token, subject: subject.to_string(), audience: wish.audience.clone(), expires_at })
    }

    /// What anybody needs to check tokens: the public keys, as a JSON Web Key Set.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn identity_keys(&self, now: Timestamp) -> Result<Value, Fault> {
        let keys = self.workload_keys().await?;
        let published: Vec<&WorkloadKey> =
            keys.iter().filter(|key| is_published(key.retired_at, now)).map(|key| &key.key).collect();
        Ok(WorkloadKey::public_set(&published))
    }

    /// Who issues the tokens.
    pub fn identity_issuer(&self) -> &str {
        &self.workloads.names.issuer
    }

    /// Signs tokens with a new key from now on. The one before is published until the last of
    /// its tokens has expired.
    ///
    /// # Errors
    /// `Conflict` when somebody else changes them just now.
    pub async fn identity_key_rotate(&self, act: &Act) -> Result<(), Fault> {
        self.workload_keys().await?;
        let (mut record, version) =
            self.keys_record().await?.ok_or_else(|| Fault::new(Code::Internal, "no keys are kept"))?;
        for key in &mut record.keys {
            key.retired_at.get_or_insert(act.at);
        }
        record.keys.retain(|key| is_published(key.retired_at, act.at));
        record.keys.insert(0, self.new_workload_key().await?);
        record.keys.truncate(KEYS_MAX);
        let deed = Deed {
            subject: "identity-key".to_owned(),
            stream: "identity",
            changes: vec![put_keys(&record, Expect::Version(version))?],
            answer: Answer::empty(),
            also: None,
        };
        let committed = self.journal.commit(act, deed).await;
        self.workloads.forget();
        committed.map(drop)
    }

    /// The keys, opened; made when there are none yet.
    async fn workload_keys(&self) -> Result<Arc<Vec<OpenKey>>, Fault> {
        if let Some(keys) = self.workloads.remembered() {
            return Ok(keys);
        }
        let forgotten = self.workloads.forgotten();
        let (record, _) = match self.keys_record().await? {
            Some(found) => found,
            None => self.first_workload_key().await?,
        };
        let mut keys = Vec::with_capacity(record.keys.len());
        for kept in &record.keys {
            keys.push(OpenKey { key: self.open_workload_key(kept).await?, retired_at: kept.retired_at });
        }
        let keys = Arc::new(keys);
        self.workloads.remember(&keys, forgotten);
        Ok(keys)
    }

    /// Makes the first key. Somebody else may be faster; then his counts.
    async fn first_workload_key(&self) -> Result<(KeysRecord, u64), Fault> {
        let record = KeysRecord { keys: vec![self.new_workload_key().await?] };
        let (platform, _) = self.tenant_find(&TenantId::platform()).await?.ok_or_else(no_platform)?;
        let batch = Batch { at: platform.info.created_at, changes: vec![put_keys(&record, Expect::Absent)?] };
        let made = only(self.store().commit_many(vec![batch]).await);
        match (self.keys_record().await?, made) {
            (Some(found), _) => Ok(found),
            (None, made) => Err(made.err().unwrap_or_else(|| Fault::new(Code::Internal, "the keys were not kept"))),
        }
    }

    async fn new_workload_key(&self) -> Result<KeyKept, Fault> {
        let seed: Zeroizing<[u8; 32]> = Zeroizing::new(random(&*self.entropy)?);
        let sealed = self.vault.seal(&TenantId::platform(), PLACE, &*seed).await?;
        Ok(KeyKept { sealed, retired_at: None })
    }

    async fn open_workload_key(&self, kept: &KeyKept) -> Result<WorkloadKey, Fault> {
        let opened = self.vault.unseal(&TenantId::platform(), PLACE, &kept.sealed).await?;
        let altered = || Fault::new(Code::Tampered, "a key that signs for workloads is not 32 bytes long");
        let seed: Zeroizing<[u8; 32]> = Zeroizing::new(opened.as_slice().try_into().map_err(|_| altered())?);
        WorkloadKey::from_seed(&seed).map_err(Fault::internal)
    }

    async fn keys_record(&self) -> Result<Option<(KeysRecord, u64)>, Fault> {
        let Some(record) = self.store().get(&keys_place()).await? else { return Ok(None) };
        Ok(Some((read(&record)?, record.version)))
    }
}

fn no_platform() -> Fault {
    Fault::new(Code::Internal, "the installation has no tenant of its own")
}

/// Whether a key is still of use to somebody who checks tokens.
fn is_published(retired_at: Option<Timestamp>, now: Timestamp) -> bool {
    retired_at.is_none_or(|at| now < at.plus_ms(PUBLISHED_MS))
}

/// For how long the token is to be good.
fn check(wish: &IdentityTokenWish) -> Result<u32, Fault> {
    let audience = &wish.audience;
    if !(1..=AUDIENCE_LENGTH_MAX).contains(&audience.len()) || !audience.bytes().all(|byte| byte.is_ascii_graphic()) {
        let rule = format!("the audience has 1 to {AUDIENCE_LENGTH_MAX} visible ASCII characters");
        return Err(Fault::new(Code::Validation, rule).at("/audience"));
    }
    let lifetime_s = wish.lifetime_s.unwrap_or(LIFETIME_S_DEFAULT);
    match (1..=LIFETIME_S_MAX).contains(&lifetime_s) {
        true => Ok(lifetime_s),
        false => {
            let rule = format!("a token is good for 1 to {LIFETIME_S_MAX} seconds");
            Err(Fault::new(Code::Validation, rule).at("/lifetime_s"))
        }
    }
}

fn keys_place() -> RecordKey {
    RecordKey::new(Kind::Installation, TenantId::platform(), PLACE)
}

fn put_keys(record: &KeysRecord, expect: Expect) -> Result<Change, Fault> {
    Ok(Change::Put(Put {
        key: keys_place(),
        expect,
        body: serde_json::to_vec(record).map_err(Fault::internal)?.into(),
        index: Vec::new(),
        terminal: false,
    }))
}

#[cfg(test)]
#[path = "workloads_tests.rs"]
mod tests;
