//! The ledger's part of what leaves boxes: many entries in one commit, with the documents that
//! tell of the same. Must not know what a passage is about.

use std::collections::BTreeMap;
use std::sync::Arc;

use aegis_model::ledger::{Entry, EntryDecision};
use aegis_model::port::TenantSecrets;
use aegis_model::record::{Batch, Change};
use aegis_model::{Code, CorrelationId, Fault, TenantId, Timestamp};

use crate::journal::{Journal, enter, mac};

/// Something that left a box, was kept from it, or has ended.
#[derive(Clone, Debug)]
pub struct Passage {
    /// Whose box.
    pub tenant: TenantId,
    /// Who.
    pub principal: String,
    /// The request it belongs to.
    pub correlation_id: CorrelationId,
    /// What was done, e.g. `connect`.
    pub action: &'static str,
    /// `act`, `denial`, `observed` or `outcome`.
    pub kind: &'static str,
    /// What it was done to.
    pub subject: String,
    /// When.
    pub at: Timestamp,
    /// By which decision; absent where there was none.
    pub decision: Option<EntryDecision>,
    /// The policy in force.
    pub policy_hash: Option<String>,
    /// The kind of box.
    pub isolation: &'static str,
    /// What was wanted, or what became of it; sealed in the entry.
    pub told: Vec<u8>,
    /// The changes of state that go with it.
    pub changes: Vec<Change>,
}

impl Journal {
    /// Commits all of them, or none.
    ///
    /// # Errors
    /// When the store cannot take them, or a tenant's key cannot be had.
    pub async fn pass(&self, passages: Vec<Passage>) -> Result<(), Fault> {
        let Some(at) = passages.last().map(|passage| passage.at) else { return Ok(()) };
        let mut keys: BTreeMap<TenantId, Option<Arc<TenantSecrets>>> = BTreeMap::new();
        let mut changes = Vec::with_capacity(passages.len().saturating_mul(2));
        for mut passage in passages {
            if !keys.contains_key(&passage.tenant) {
                let found = match self.keys_of(&passage.tenant).await {
                    Ok(found) => Some(found),
                    // A tenant that is gone has no ledger that could tell of it.
                    Err(fault) if fault.code() == Code::NotFound => None,
                    Err(fault) => return Err(fault),
                };
                keys.insert(passage.tenant.clone(), found);
            }
            let Some(Some(keys)) = keys.get(&passage.tenant) else { continue };
            changes.append(&mut passage.changes);
            changes.push(enter(&entry_of(passage, keys))?);
        }
        self.commit_one(Batch { at, changes }).await?;
        Ok(())
    }
}

fn entry_of(passage: Passage, keys: &TenantSecrets) -> Entry {
    let sealed = |purpose: &str| Some(mac(&keys.mac_key, purpose, &passage.told));
    let has_ended = passage.kind == "outcome";
    Entry {
        request_mac: if has_ended { None } else { sealed("request") },
        outcome_mac: if has_ended { sealed("outcome") } else { None },
        action: passage.action.to_owned(),
        correlation_id: passage.correlation_id,
        decision: passage.decision,
        isolation: Some(passage.isolation.to_owned()),
        kind: passage.kind.to_owned(),
        policy_hash: passage.policy_hash,
        principal: passage.principal,
        subject: passage.subject,
        tenant: passage.tenant,
        time: passage.at,
    }
}
