//! The key-encryption key: a new one, and everything sealed under it, while everybody goes on.
//!
//! ```text
//! new key durable ─► epoch committed ─► each tenant's keys sealed anew ─► older keys destroyed
//! ```
//!
//! Each step can be repeated, and whoever comes next goes on where it ended: the next rotation,
//! or the next start. Until the last step both keys open. The epoch is a document that changes
//! with each rotation; a tenant that is created requires it unchanged, so that nobody whose keys
//! are sealed under the key before appears after the tenants were gone through.
//! Must not know: what the keys are, or where they lie.

use aegis_ledger::journal::{Answer, Conclusion, Deed};
use aegis_model::api::EncryptionKeyRotated;
use aegis_model::ledger::EntryDecision;
use aegis_model::port::WrapKeys;
use aegis_model::record::{Change, Expect, Kind, ListQuery, Put, Record, RecordKey};
use aegis_model::tenant::TenantRecord;
use aegis_model::{
    Act, Code, CorrelationId, DecisionId, Fault, Operation, Principal, ReasonClass, TenantId, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::tenants::{TRIES_MAX, put_tenant};
use crate::{Tenancy, read};

/// The document that changes with each rotation.
const EPOCH: &str = "encryption-key";
/// How many tenants are read at once.
const PAGE: usize = 500;

/// Under which key everything new is sealed.
#[derive(Serialize, Deserialize)]
struct Epoch {
    key: String,
}

/// On whose behalf keys are sealed anew.
struct Behalf {
    /// Whose ledger tells that a rotation began.
    tenant: TenantId,
    principal: String,
    correlation_id: CorrelationId,
    decision: EntryDecision,
    at: Timestamp,
}

impl Tenancy {
    /// Makes a new key-encryption key, seals every tenant's keys under it, and destroys the
    /// keys before it. Goes on with a rotation that was cut short, if there is one, instead of
    /// beginning another.
    ///
    /// # Errors
    /// When a step fails: nothing is lost then, and a repetition goes on. `Tampered` when what
    /// a tenant has does not open; the older keys stay then.
    pub async fn encryption_key_rotate(&self, act: &Act) -> Result<EncryptionKeyRotated, Fault> {
        let _alone = self.rotating.lock().await;
        let mut keys = self.vault.wrapping().keys().await?;
        if keys.older.is_empty() {
            self.vault.wrapping().rotate(act.at).await?;
            keys = self.vault.wrapping().keys().await?;
        }
        let tenants = self.seal_anew(&keys, &Behalf::of_act(act)).await?;
        let rotated = EncryptionKeyRotated { key: keys.current, tenants };
        let deed = Deed {
            subject: subject(&rotated.key),
            stream: "tenants",
            changes: Vec::new(),
            answer: Answer::shown(200, &rotated)?,
            also: None,
        };
        self.journal.commit(act, deed).await?;
        Ok(rotated)
    }

    /// Goes on with a rotation that was cut short; `None` when there is none.
    ///
    /// # Errors
    /// As for a rotation.
    pub async fn encryption_key_go_on(&self, at: Timestamp) -> Result<Option<EncryptionKeyRotated>, Fault> {
        let _alone = self.rotating.lock().await;
        let keys = self.vault.wrapping().keys().await?;
        if keys.older.is_empty() {
            return Ok(None);
        }
        let tenants = self.seal_anew(&keys, &Behalf::of_server(at, self.random()?)).await?;
        Ok(Some(EncryptionKeyRotated { key: keys.current, tenants }))
    }

    /// What a change that brings newly sealed keys requires of the epoch. To be asked before
    /// they are sealed.
    pub(crate) async fn encryption_epoch(&self) -> Result<Expect, Fault> {
        Ok(self.epoch().await?.map_or(Expect::Absent, |record| Expect::Version(record.version)))
    }

    /// Everything of a rotation but the new key itself.
    async fn seal_anew(&self, keys: &WrapKeys, behalf: &Behalf) -> Result<u64, Fault> {
        self.begin_epoch(&keys.current, behalf).await?;
        let mut sealed = 0;
        // The last time through finds nothing to do: only then nothing is sealed under older keys.
        loop {
            match self.seal_tenants_anew(&keys.current, behalf).await? {
                0 => break,
                count => sealed += count,
            }
        }
        self.vault.wrapping().retire(&keys.current).await?;
        Ok(sealed)
    }

    async fn begin_epoch(&self, current: &str, behalf: &Behalf) -> Result<(), Fault> {
        let found = self.epoch().await?;
        let begun = found.as_ref().map(read::<Epoch>).transpose()?;
        if begun.is_some_and(|epoch| epoch.key == current) {
            return Ok(());
        }
        let change = Change::Put(Put {
            key: epoch_key(),
            expect: found.map_or(Expect::Absent, |record| Expect::Version(record.version)),
            body: serde_json::to_vec(&Epoch { key: current.to_owned() }).map_err(Fault::internal)?.into(),
            index: Vec::new(),
            terminal: false,
        });
        self.seal_conclude(behalf, (&behalf.tenant, subject(current)), current, change).await
    }

    /// Goes through all tenants once, deleted ones too, for their ledgers stay; says for how
    /// many there was something to do.
    async fn seal_tenants_anew(&self, current: &str, behalf: &Behalf) -> Result<u64, Fault> {
        let (mut sealed, mut after) = (0, None);
        loop {
            let query = ListQuery {
                kind: Kind::Tenant,
                tenant: TenantId::platform(),
                index: None,
                after: after.take(),
                newest_first: false,
                limit: PAGE,
            };
            let records = self.store().list(&query).await?;
            for record in &records {
                sealed += u64::from(self.seal_tenant_anew(record, current, behalf).await?);
            }
            match records.last() {
                Some(last) if records.len() == PAGE => after = Some(last.key.id.clone()),
                _ => return Ok(sealed),
            }
        }
    }

    async fn seal_tenant_anew(&self, record: &Record, current: &str, behalf: &Behalf) -> Result<bool, Fault> {
        let (mut tenant, mut version): (TenantRecord, u64) = (read(record)?, record.version);
        let id = tenant.info.id.clone();
        for tries_left in (0..TRIES_MAX).rev() {
            let due = self.vault.rewrap(&mut tenant, current).await;
            if !due.map_err(|fault| of_tenant(&id, fault))? {
                return Ok(false);
            }
            let change = put_tenant(&tenant, Expect::Version(version))?;
            match self.seal_conclude(behalf, (&id, format!("tenant/{id}")), current, change).await {
                // Somebody changed the tenant: what he made of it is what is to be sealed anew.
                Err(fault) if fault.code() == Code::Conflict && tries_left > 0 => {
                    let found = self.tenant_find(&id).await?;
                    (tenant, version) = found.ok_or_else(|| Fault::not_found("tenant", id.as_str()))?;
                }
                done => return done.map(|()| true),
            }
        }
        Ok(true)
    }

    /// Commits one step, with its entry in that tenant's ledger.
    async fn seal_conclude(
        &self,
        behalf: &Behalf,
        (tenant, subject): (&TenantId, String),
        current: &str,
        change: Change,
    ) -> Result<(), Fault> {
        let conclusion = Conclusion {
            tenant,
            principal: &behalf.principal,
            correlation_id: &behalf.correlation_id,
            operation: Operation::EncryptionKeyRotate,
            subject,
            stream: "tenants",
            at: behalf.at,
            decision: behalf.decision.clone(),
            isolation: None,
            outcome: current.as_bytes(),
            changes: vec![change],
        };
        self.journal.conclude(conclusion).await.map(drop)
    }

    async fn epoch(&self) -> Result<Option<Record>, Fault> {
        Ok(self.store().get(&epoch_key()).await?)
    }
}

impl Behalf {
    fn of_act(act: &Act) -> Self {
        let decision = EntryDecision { allowed: true, id: act.decision.id.to_string(), reason: act.decision.class };
        Self {
            tenant: act.caller.tenant.clone(),
            principal: act.caller.principal.name(),
            correlation_id: act.caller.correlation_id.clone(),
            decision,
            at: act.at,
        }
    }

    /// What the server does of its own accord was decided by nobody else.
    fn of_server(at: Timestamp, random: [u8; 10]) -> Self {
        let id = DecisionId::generate(at, random).to_string();
        Self {
            tenant: TenantId::platform(),
            principal: Principal::System.name(),
            correlation_id: CorrelationId::generate(at, random),
            decision: EntryDecision { allowed: true, id, reason: ReasonClass::Permitted },
            at,
        }
    }
}

/// Where the epoch is kept.
pub(crate) fn epoch_key() -> RecordKey {
    RecordKey::new(Kind::Installation, TenantId::platform(), EPOCH)
}

/// The same fault, saying with whose keys.
fn of_tenant(id: &TenantId, fault: Fault) -> Fault {
    Fault::new(fault.code(), format!("the keys of tenant `{id}`: {}", fault.message())).caused_by(fault)
}

fn subject(key: &str) -> String {
    format!("encryption-key/{key}")
}

#[cfg(test)]
#[path = "encryption_keys_tests.rs"]
mod tests;
