//! Records of what leaves boxes: taken before it happens, written in groups by one task. While
//! the store works, that is at once; when it does not, what can wait is bounded, and whoever
//! wants to leave then does not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aegis_ledger::journal::Journal;
use aegis_ledger::passages::Passage;
use aegis_model::ledger::EntryDecision;
use aegis_model::outward::{OutwardRecord, OutwardState};
use aegis_model::port::{Entropy, Occupant};
use aegis_model::record::{Change, Expect, Kind, Put, RecordKey};
use aegis_model::{AgentName, Code, CorrelationId, Fault, Principal, ReasonClass, TenantId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Records that wait to be written.
const WAITING_MAX: usize = 4_096;
/// Records that are written at once.
const AT_ONCE: usize = 1_024;
/// How long is gathered before more are written: a commit costs the same for one as for many.
const GATHER: Duration = Duration::from_millis(20);
/// How long after a failure writing is tried again.
const AGAIN: Duration = Duration::from_millis(200);
/// How long somebody who wants to leave waits for room.
const ROOM_TIMEOUT: Duration = Duration::from_secs(5);

/// A record, and whose it is.
struct Taken {
    tenant: TenantId,
    isolation: &'static str,
    record: OutwardRecord,
}

/// Takes records in.
pub(super) struct Recorder {
    taken: Mutex<Option<mpsc::Sender<Taken>>>,
    writing: Mutex<Option<JoinHandle<()>>>,
}

impl Recorder {
    /// Writes to that journal from now on.
    pub(super) fn start(journal: Arc<Journal>, entropy: Arc<dyn Entropy>) -> Self {
        let (taken, records) = mpsc::channel(WAITING_MAX);
        let writing = tokio::spawn(write(journal, entropy, records));
        Self { taken: Mutex::new(Some(taken)), writing: Mutex::new(Some(writing)) }
    }

    /// Takes one in.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub(super) async fn take(&self, occupant: &Occupant, record: OutwardRecord) -> Result<(), Fault> {
        let stopped = || Fault::new(Code::StoreUnavailable, "what leaves boxes cannot be recorded now");
        let sender = self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or_else(stopped)?;
        let taken = Taken { tenant: occupant.tenant.clone(), isolation: occupant.isolation, record };
        match tokio::time::timeout(ROOM_TIMEOUT, sender.send(taken)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(stopped()),
        }
    }

    /// Takes no more, and waits until all that was taken is written.
    pub(super) async fn close(&self) {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writing) = writing {
            let _ = writing.await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the pauses between two commits, and between two tries")]
async fn write(journal: Arc<Journal>, entropy: Arc<dyn Entropy>, mut records: mpsc::Receiver<Taken>) {
    let mut taken = Vec::with_capacity(AT_ONCE);
    while records.recv_many(&mut taken, AT_ONCE).await > 0 {
        let passages = passages(taken.drain(..), &*entropy);
        // What was taken is owed: it is tried until it is written. Meanwhile nobody leaves.
        while journal.pass(passages.clone()).await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
        if !records.is_closed() {
            tokio::time::sleep(GATHER).await;
        }
    }
}

/// What is written of them: an entry for whatever was decided, and one for all that has ended of
/// one agent.
fn passages(taken: impl Iterator<Item = Taken>, entropy: &dyn Entropy) -> Vec<Passage> {
    let mut written: Vec<Passage> = Vec::new();
    let mut ended: HashMap<(TenantId, AgentName), usize> = HashMap::new();
    for taken in taken {
        let whose = (taken.tenant.clone(), taken.record.agent.clone());
        let Ok(mut passage) = passage(taken, entropy) else { continue };
        if passage.kind == ENDED {
            if let Some(first) = ended.get(&whose).and_then(|place| written.get_mut(*place)) {
                first.told.push(b'\n');
                first.told.append(&mut passage.told);
                first.changes.append(&mut passage.changes);
                first.at = first.at.max(passage.at);
                continue;
            }
            ended.insert(whose, written.len());
        }
        written.push(passage);
    }
    written
}

fn passage(taken: Taken, entropy: &dyn Entropy) -> Result<Passage, Fault> {
    let Taken { tenant, isolation, record } = taken;
    let correlation_id = match &record.correlation_id {
        Some(correlation_id) => correlation_id.clone(),
        None => {
            let mut random = [0; 10];
            entropy.fill(&mut random).map_err(Fault::internal)?;
            CorrelationId::generate(record.at, random)
        }
    };
    let kind = kind(&record);
    let told = serde_json::to_vec(&record).map_err(Fault::internal)?;
    let principal = Principal::Agent { name: record.agent.clone() }.name();
    Ok(Passage {
        subject: if kind == ENDED { format!("{principal}/connections") } else { record.subject() },
        principal,
        correlation_id,
        action: "connect",
        kind,
        at: record.at.plus_ms(record.duration_ms),
        decision: (kind != ENDED).then(|| EntryDecision {
            allowed: record.allowed,
            id: record.id.to_string(),
            reason: if record.allowed { ReasonClass::Permitted } else { reason(&record) },
        }),
        policy_hash: (kind != ENDED).then(|| record.policy_hash.clone()),
        isolation,
        changes: put(&tenant, &record, &told),
        told,
        tenant,
    })
}

/// What stands in the ledger as the class of a no that may not be the policy's.
fn reason(record: &OutwardRecord) -> ReasonClass {
    use aegis_model::outward::Refusal;
    match record.refusal {
        Some(Refusal::NotPermitted) | None => ReasonClass::NotPermitted,
        Some(Refusal::EvaluationFailed) => ReasonClass::EvaluationFailed,
        Some(_) => ReasonClass::Forbidden,
    }
}

/// The kind of entry that tells how things have ended.
const ENDED: &str = "outcome";

const fn kind(record: &OutwardRecord) -> &'static str {
    match record.state {
        OutwardState::Begun if record.observed => "observed",
        OutwardState::Begun => "act",
        OutwardState::Refused => "denial",
        _ => ENDED,
    }
}

/// What has begun is kept when it has ended; until then the ledger tells of it.
fn put(tenant: &TenantId, record: &OutwardRecord, body: &[u8]) -> Vec<Change> {
    if record.state == OutwardState::Begun {
        return Vec::new();
    }
    let session = record.session_id.as_ref().map(|session| ("session", session.to_string()));
    let index = session.into_iter().chain(record.is_unpermitted().then(|| ("refused", "yes".to_owned()))).collect();
    vec![Change::Put(Put {
        key: RecordKey::new(Kind::Outward, tenant.clone(), record.id.to_string()),
        expect: Expect::Any,
        body: body.to_vec().into(),
        index,
        terminal: false,
    })]
}
