//! Approvals: what the policy lets pass only when somebody says so. Who asked for what, who
//! decided, and whether it may pass now.
//!
//! An approval is of one exact act, named by a MAC over who asks for what with which request, or
//! standing: of whatever the same principal asks of the same kind on the same resource. It passes
//! by a change that is committed with the act, so that of many at once exactly one does.
//!
//! Must not know HTTP, or what a rule says.

mod change;
mod find;
mod look;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use aegis_ledger::journal::Journal;
use aegis_model::approval::Approval;
use aegis_model::port::{Clock, Entropy};
use aegis_model::record::{Change, Expect, Kind, Record, RecordKey};
use aegis_model::{ApprovalId, Fault, TenantId, Timestamp};
use tokio::sync::{Semaphore, broadcast};

use crate::Policies;
use crate::document::{put, read};
pub use find::{Asking, Before, Found, Wanted};

/// Decisions that somebody who waits may be behind before looking anew.
const BEHIND_MAX: usize = 256;

/// The rooms and ports that it needs.
pub struct ApprovalsParts {
    /// Records.
    pub journal: Arc<Journal>,
    /// Which revision of a tenant's policies is in force.
    pub policies: Arc<Policies>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids.
    pub entropy: Arc<dyn Entropy>,
    /// How long there is to decide, and to use what was approved.
    pub expires_after_ms: u64,
}

/// What was asked, and what people said.
pub struct Approvals {
    parts: ApprovalsParts,
    /// Whoever asks anew does so alone, so that one act is asked for once.
    asking: Semaphore,
    decided: broadcast::Sender<ApprovalId>,
}

/// An approval as it is stored.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The approval.
    pub approval: Approval,
    /// Its version.
    pub version: u64,
}

impl Approvals {
    /// Over the journal that acts are committed to. To be made once: it wakes those who wait.
    pub fn new(parts: ApprovalsParts) -> Arc<Self> {
        Arc::new(Self { parts, asking: Semaphore::new(1), decided: broadcast::Sender::new(BEHIND_MAX) })
    }

    async fn revision(&self, tenant: &TenantId) -> Result<u64, Fault> {
        Ok(self.parts.policies.tenant(tenant).await?.revision)
    }

    async fn stored(&self, tenant: &TenantId, id: &ApprovalId) -> Result<Stored, Fault> {
        let record = self.parts.journal.store().get(&key(tenant, id)).await?;
        record.as_ref().map(stored).transpose()?.ok_or_else(|| Fault::not_found("approval", id.as_str()))
    }

    fn new_id(&self, at: Timestamp) -> Result<ApprovalId, Fault> {
        let mut random = [0; 10];
        self.parts.entropy.fill(&mut random).map_err(Fault::internal)?;
        Ok(ApprovalId::generate(at, random))
    }
}

fn key(tenant: &TenantId, id: &ApprovalId) -> RecordKey {
    RecordKey::new(Kind::Approval, tenant.clone(), id.as_str())
}

fn stored(record: &Record) -> Result<Stored, Fault> {
    Ok(Stored { approval: read(record)?, version: record.version })
}

/// Writes an approval; `scope` names what it covers while it stands.
fn written(tenant: &TenantId, approval: &Approval, scope: Option<&str>, expect: Expect) -> Result<Change, Fault> {
    let mut index = vec![("state", approval.state.as_str().to_owned()), ("action", approval.action_mac.clone())];
    if let Some(scope) = scope.filter(|_| approval.state.is_open() && approval.standing.is_some()) {
        index.push(("standing", scope.to_owned()));
    }
    put(key(tenant, &approval.id), expect, approval, index, !approval.state.is_open())
}
