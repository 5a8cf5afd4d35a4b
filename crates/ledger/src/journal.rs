//! Commits what was done together with the proof that it was done: state, event, ledger
//! entry and, where the caller asked for it, the stored answer hold all or nothing.
//!
//! Must not know what the changes mean, nor how the store keeps them.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use aegis_model::act::Idempotency;
use aegis_model::ledger::{Entry, EntryDecision};
use aegis_model::port::{Store, StoreResult, TenantKeys, TenantSecrets};
use aegis_model::record::{Batch, Change, Committed, EntryDraft, EventDraft, Expect, Kind, Put, RecordKey};
use aegis_model::{Act, Caller, Code, CorrelationId, Decision, Fault, Operation, SecurityChange, TenantId, Timestamp};

use crate::canonical::entry_bytes;
use crate::sealer::Keyed;
use crate::watched::Watched;

/// How long an answer is kept for a repeated request.
pub const ANSWER_KEPT_MS: u64 = 24 * 60 * 60 * 1_000;
/// The width of the index by which expired answers are swept.
const SWEEP_HOUR_MS: u64 = 60 * 60 * 1_000;
/// What the MAC of a request is for that an answer is kept for.
const ANSWERED: &str = "answer";

/// What an act changes.
#[derive(Clone, Debug)]
pub struct Deed {
    /// What it is done to, e.g. `agent/triage`.
    pub subject: String,
    /// The event stream that tells of it.
    pub stream: &'static str,
    /// The changes of state.
    pub changes: Vec<Change>,
    /// What the caller will be told.
    pub answer: Answer,
    /// Another tenant that it concerns, whose ledger tells of it too.
    pub also: Option<TenantId>,
}

/// What the caller of an act is told.
#[derive(Clone, Debug)]
pub enum Answer {
    /// This body with this status; kept for a repeated request.
    Shown {
        /// The HTTP status.
        status: u16,
        /// JSON, or nothing.
        body: Bytes,
    },
    /// A secret, which is never kept: a repeated request is a conflict.
    Secret,
}

impl Answer {
    /// An answer with a JSON body.
    ///
    /// # Errors
    /// When the view cannot be written as JSON, which is a defect.
    pub fn shown(status: u16, view: &impl Serialize) -> Result<Self, Fault> {
        let body = serde_json::to_vec(view).map_err(Fault::internal)?;
        Ok(Self::Shown { status, body: body.into() })
    }

    /// An answer without a body.
    pub fn empty() -> Self {
        Self::Shown { status: 204, body: Bytes::new() }
    }
}

/// An answer as it is kept for a repeated request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// Of the request it answers: under the tenant's key, because the digest of a short request,
    /// or of one whose body is a secret, could be guessed.
    #[serde(alias = "request_digest")]
    request_mac: String,
    /// The HTTP status; absent when the answer showed a secret.
    pub status: Option<u16>,
    /// The body as text.
    pub body: String,
    /// From when on it does not count.
    pub expires_at: Timestamp,
}

/// The index value under which answers that expire now are kept, as a number; answers of
/// smaller ones are expired.
pub fn expired_hour(now: Timestamp) -> u64 {
    now.as_millis() / SWEEP_HOUR_MS
}

/// Something refused, for the ledger.
#[derive(Clone, Debug)]
pub struct Denial<'a> {
    /// Who asked.
    pub caller: &'a Caller,
    /// For what.
    pub operation: Operation,
    /// On what.
    pub subject: String,
    /// When.
    pub at: Timestamp,
    /// The answer of the policy.
    pub decision: &'a Decision,
    /// SHA-256 over the request.
    pub request_digest: [u8; 32],
    /// What is kept of it besides.
    pub changes: Vec<Change>,
}

/// What became of work that an act began, for the ledger.
#[derive(Clone, Debug)]
pub struct Conclusion<'a> {
    /// Whose work.
    pub tenant: &'a TenantId,
    /// Who asked for it.
    pub principal: &'a str,
    /// The request that asked for it.
    pub correlation_id: &'a CorrelationId,
    /// The act that began it.
    pub operation: Operation,
    /// What it was done to.
    pub subject: String,
    /// The event stream that tells of it.
    pub stream: &'static str,
    /// When it ended.
    pub at: Timestamp,
    /// By which decision it was begun.
    pub decision: EntryDecision,
    /// The kind of box it ran in.
    pub isolation: Option<String>,
    /// What became of it.
    pub outcome: &'a [u8],
    /// The changes of state.
    pub changes: Vec<Change>,
}

/// The one way in which domain rooms change state.
pub struct Journal {
    store: Arc<dyn Store>,
    keys: Arc<dyn TenantKeys>,
    watched: Watched,
}

impl Journal {
    /// A journal over `store`.
    pub fn new(store: Arc<dyn Store>, keys: Arc<dyn TenantKeys>) -> Self {
        Self { store, keys, watched: Watched::default() }
    }

    /// The store underneath, for reading.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// How many changes of each kind were committed since the start that whoever watches over
    /// the installation wants to hear of.
    pub fn security_changes(&self) -> Vec<(SecurityChange, u64)> {
        self.watched.counted()
    }

    /// Commits the deed with its event, its ledger entry, its stored answer and what it counts
    /// for.
    ///
    /// # Errors
    /// `Conflict` when a document is not as a change expects; nothing holds then.
    pub async fn commit(&self, act: &Act, deed: Deed) -> Result<Committed, Fault> {
        let watched = SecurityChange::of(act.operation, &deed.changes);
        let mut changes = deed.changes;
        changes.extend(act.beside.clone());
        let told = told(act, &deed.subject, &deed.answer);
        let own = &act.caller.tenant;
        let event = Told {
            tenant: own,
            principal: &act.caller.principal.name(),
            correlation_id: &act.caller.correlation_id,
            subject: &deed.subject,
            stream: deed.stream,
            name: act.operation.as_str(),
        };
        changes.push(event.event()?);
        for tenant in std::iter::once(own).chain(deed.also.iter().filter(|also| *also != own)) {
            let keys = self.keys.of(tenant).await?;
            changes.push(enter(&entry_of_act(act, &deed.subject, tenant, &keys, &told))?);
        }
        if let Some(idempotency) = &act.idempotency {
            let expect = idempotency.replaces.map_or(Expect::Absent, Expect::Version);
            changes.push(self.stored_answer(act, idempotency, &deed.answer, expect).await?);
        }
        let committed = self.commit_counted(act, changes).await?;
        if let Some(change) = watched {
            self.watched.count(change);
        }
        Ok(committed)
    }

    /// Commits the changes, and what the act counts for unless that was committed before.
    async fn commit_counted(&self, act: &Act, mut changes: Vec<Change>) -> StoreResult<Committed> {
        let Some(counted) = &act.counted else { return self.commit_one(Batch { at: act.at, changes }).await };
        changes.extend(counted.changes());
        let committed = self.commit_one(Batch { at: act.at, changes }).await;
        match &committed {
            Ok(_) => counted.settle(),
            Err(error) => counted.failed(error),
        }
        committed
    }

    /// Commits what became of work together with its event and its ledger entry.
    ///
    /// # Errors
    /// `Conflict` when a document is not as a change expects; nothing holds then.
    pub async fn conclude(&self, conclusion: Conclusion<'_>) -> Result<Committed, Fault> {
        let keys = self.keys.of(conclusion.tenant).await?;
        let entry = enter(&entry_of_conclusion(&conclusion, &keys))?;
        let Conclusion { tenant, principal, correlation_id, subject, stream, at, mut changes, .. } = conclusion;
        let told = Told { tenant, principal, correlation_id, subject: &subject, stream, name: "concluded" };
        changes.extend([told.event()?, entry]);
        self.commit_one(Batch { at, changes }).await.map_err(Fault::from)
    }

    /// Records that something was refused.
    ///
    /// # Errors
    /// When the ledger cannot take it; the refusal itself stands.
    pub async fn denial(&self, denial: Denial<'_>) -> Result<(), Fault> {
        let tenant = &denial.caller.tenant;
        let keys = self.keys.of(tenant).await?;
        let entry = enter(&entry_of_denial(&denial, &keys))?;
        let changes = denial.changes.into_iter().chain([entry]).collect();
        self.commit_one(Batch { at: denial.at, changes }).await?;
        Ok(())
    }

    /// A MAC over the parts under the tenant's key, in hexadecimal: names what they say without
    /// saying it. The purpose keeps two uses apart.
    ///
    /// # Errors
    /// When the tenant's key cannot be had.
    pub async fn seal(&self, tenant: &TenantId, purpose: &str, parts: &[&[u8]]) -> Result<String, Fault> {
        let keys = self.keys.of(tenant).await?;
        let framed = parts.iter().flat_map(|part| [&(part.len() as u64).to_be_bytes()[..], part].concat());
        Ok(mac(&keys.mac_key, purpose, &framed.collect::<Vec<u8>>()))
    }

    /// The answer that was kept under `record_id`, with its version.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn answer(&self, tenant: &TenantId, record_id: &str) -> Result<Option<(StoredAnswer, u64)>, Fault> {
        let key = RecordKey::new(Kind::Answer, tenant.clone(), record_id);
        let Some(record) = self.store.get(&key).await? else {
            return Ok(None);
        };
        let answer = serde_json::from_slice(&record.body).map_err(Fault::internal)?;
        Ok(Some((answer, record.version)))
    }

    /// Whether it is this very request that was answered so.
    ///
    /// # Errors
    /// When the tenant's key cannot be had.
    pub async fn is_answer_to(
        &self,
        tenant: &TenantId,
        answer: &StoredAnswer,
        request_digest: &[u8; 32],
    ) -> Result<bool, Fault> {
        let keys = self.keys.of(tenant).await?;
        Ok(answer.request_mac == mac(&keys.mac_key, ANSWERED, request_digest))
    }

    /// The change that keeps another answer than the one that was committed with the act, when
    /// the caller sent an idempotency key: what became of the work that the act began.
    ///
    /// # Errors
    /// When the answer is not text, which is a defect, or the tenant's key cannot be had.
    pub async fn later_answer(&self, act: &Act, answer: &Answer) -> Result<Option<Change>, Fault> {
        match &act.idempotency {
            Some(idempotency) => self.stored_answer(act, idempotency, answer, Expect::Any).await.map(Some),
            None => Ok(None),
        }
    }

    /// The change that keeps the answer.
    async fn stored_answer(
        &self,
        act: &Act,
        idempotency: &Idempotency,
        answer: &Answer,
        expect: Expect,
    ) -> Result<Change, Fault> {
        let (status, body) = match answer {
            Answer::Shown { status, body } => (Some(*status), text(body)?),
            Answer::Secret => (None, String::new()),
        };
        let keys = self.keys.of(&act.caller.tenant).await?;
        let expires_at = act.at.plus_ms(ANSWER_KEPT_MS);
        let request_mac = mac(&keys.mac_key, ANSWERED, &act.request_digest);
        let stored = StoredAnswer { request_mac, status, body, expires_at };
        Ok(Change::Put(Put {
            key: RecordKey::new(Kind::Answer, act.caller.tenant.clone(), idempotency.record_id.clone()),
            expect,
            body: serde_json::to_vec(&stored).map_err(Fault::internal)?.into(),
            index: vec![("expires", expired_hour(expires_at).to_string())],
            terminal: false,
        }))
    }

    pub(crate) async fn keys_of(&self, tenant: &TenantId) -> Result<Arc<TenantSecrets>, Fault> {
        self.keys.of(tenant).await
    }

    pub(crate) async fn commit_one(&self, batch: Batch) -> StoreResult<Committed> {
        let mut results = self.store.commit_many(vec![batch]).await;
        results
            .pop()
            .unwrap_or_else(|| Err(aegis_model::port::StoreError::Unavailable("the store gave no result".to_owned())))
    }
}

/// HMAC-SHA-256 in hexadecimal, over the purpose too, so that no two uses share an input.
pub(crate) fn mac(key: &[u8; 32], purpose: &str, data: &[u8]) -> String {
    hex(&Keyed::new(key).mac(&[purpose.as_bytes(), data]))
}

/// Bytes in hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the caller is told, as one text to be sealed in the entry.
fn told(act: &Act, subject: &str, answer: &Answer) -> Vec<u8> {
    let head = format!("{} {subject} ", act.operation.as_str());
    let body: &[u8] = match answer {
        Answer::Shown { body, .. } => body,
        Answer::Secret => b"secret",
    };
    [head.as_bytes(), body].concat()
}

fn entry_of_act(act: &Act, subject: &str, tenant: &TenantId, keys: &TenantSecrets, told: &[u8]) -> Entry {
    Entry {
        action: act.operation.as_str().to_owned(),
        correlation_id: act.caller.correlation_id.clone(),
        decision: Some(EntryDecision { allowed: true, id: act.decision.id.to_string(), reason: act.decision.class }),
        isolation: None,
        kind: "act".to_owned(),
        outcome_mac: Some(mac(&keys.mac_key, "outcome", told)),
        policy_hash: Some(act.decision.policy_hash.clone()),
        principal: act.caller.principal.name(),
        request_mac: Some(mac(&keys.mac_key, "request", &act.request_digest)),
        subject: subject.to_owned(),
        tenant: tenant.clone(),
        time: act.at,
    }
}

fn entry_of_denial(denial: &Denial<'_>, keys: &TenantSecrets) -> Entry {
    Entry {
        action: denial.operation.as_str().to_owned(),
        correlation_id: denial.caller.correlation_id.clone(),
        decision: Some(EntryDecision {
            allowed: false,
            id: denial.decision.id.to_string(),
            reason: denial.decision.class,
        }),
        isolation: None,
        kind: "denial".to_owned(),
        outcome_mac: None,
        policy_hash: Some(denial.decision.policy_hash.clone()),
        principal: denial.caller.principal.name(),
        request_mac: Some(mac(&keys.mac_key, "request", &denial.request_digest)),
        subject: denial.subject.clone(),
        tenant: denial.caller.tenant.clone(),
        time: denial.at,
    }
}

fn entry_of_conclusion(conclusion: &Conclusion<'_>, keys: &TenantSecrets) -> Entry {
    Entry {
        action: conclusion.operation.as_str().to_owned(),
        correlation_id: conclusion.correlation_id.clone(),
        decision: Some(conclusion.decision.clone()),
        isolation: conclusion.isolation.clone(),
        kind: "outcome".to_owned(),
        outcome_mac: Some(mac(&keys.mac_key, "outcome", conclusion.outcome)),
        policy_hash: None,
        principal: conclusion.principal.to_owned(),
        request_mac: None,
        subject: conclusion.subject.clone(),
        tenant: conclusion.tenant.clone(),
        time: conclusion.at,
    }
}

pub(crate) fn enter(entry: &Entry) -> Result<Change, Fault> {
    let bytes = entry_bytes(entry).map_err(Fault::internal)?;
    Ok(Change::Enter(EntryDraft { tenant: entry.tenant.clone(), bytes }))
}

/// Something that is told to whoever listens to a stream.
struct Told<'a> {
    tenant: &'a TenantId,
    principal: &'a str,
    correlation_id: &'a CorrelationId,
    subject: &'a str,
    stream: &'a str,
    name: &'a str,
}

impl Told<'_> {
    fn event(&self) -> Result<Change, Fault> {
        let body = serde_json::json!({
            "subject": self.subject,
            "principal": self.principal,
            "correlation_id": self.correlation_id.as_str(),
        });
        Ok(Change::Append(EventDraft {
            tenant: self.tenant.clone(),
            stream: self.stream.to_owned(),
            name: self.name.to_owned(),
            body: serde_json::to_vec(&body).map_err(Fault::internal)?.into(),
        }))
    }
}

fn text(body: &Bytes) -> Result<String, Fault> {
    std::str::from_utf8(body)
        .map(str::to_owned)
        .map_err(|error| Fault::new(Code::Internal, "an internal error occurred").caused_by(error))
}
