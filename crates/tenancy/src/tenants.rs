//! Tenants: create, list, delete. A deleted tenant's keys stop working, its ledger stays.

use aegis_ledger::journal::{Answer, Deed};
use aegis_model::record::{Change, Expect, Kind, ListQuery, Put, RecordKey};
use aegis_model::tenant::{TenantInfo, TenantRecord, TenantState};
use aegis_model::{Act, Code, Fault, TenantId, Timestamp};

use crate::{Tenancy, read};

impl Tenancy {
    /// Creates a tenant with keys of its own.
    ///
    /// # Errors
    /// `AlreadyExists` when the name was ever used.
    pub async fn tenant_create(&self, act: &Act, id: TenantId) -> Result<TenantInfo, Fault> {
        if self.tenant_find(&id).await?.is_some() {
            return Err(Fault::new(Code::AlreadyExists, format!("tenant `{id}` exists, or existed before")));
        }
        let record = self.new_tenant(&id, act.at)?;
        let deed = Deed {
            subject: format!("tenant/{id}"),
            stream: "tenants",
            changes: vec![put_tenant(&record, Expect::Absent)?],
            answer: Answer::shown(201, &record.info)?,
            also: None,
        };
        self.journal.commit(act, deed).await?;
        Ok(record.info)
    }

    /// The tenants that can be used, in the order of their names; the platform's own is none
    /// that anybody uses.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn tenant_list(&self, after: Option<String>, limit: usize) -> Result<Vec<TenantInfo>, Fault> {
        let query = ListQuery {
            kind: Kind::Tenant,
            tenant: TenantId::platform(),
            index: Some(("state", TenantState::Active.as_str().to_owned())),
            after,
            newest_first: false,
            limit,
        };
        let records = self.store().list(&query).await?;
        records.iter().map(|record| read::<TenantRecord>(record).map(|tenant| tenant.info)).collect()
    }

    /// Deletes a tenant: from the next request on, its keys do not work.
    ///
    /// # Errors
    /// `StateInvalid` for the caller's own tenant and for the platform.
    pub async fn tenant_delete(&self, act: &Act, id: &TenantId) -> Result<(), Fault> {
        if *id == TenantId::platform() || *id == act.caller.tenant {
            return Err(Fault::new(Code::StateInvalid, format!("tenant `{id}` runs this installation")));
        }
        let active = self.tenant_find(id).await?.filter(|(tenant, _)| tenant.info.state == TenantState::Active);
        let (mut tenant, version) = active.ok_or_else(|| Fault::not_found("tenant", id.as_str()))?;
        tenant.info.state = TenantState::Deleted;
        // What it kept secret cannot be read any more; what its ledger proves stays proven.
        tenant.sealed_data_key = None;
        let deed = Deed {
            subject: format!("tenant/{id}"),
            stream: "tenants",
            changes: vec![put_tenant(&tenant, Expect::Version(version))?],
            answer: Answer::empty(),
            also: Some(id.clone()),
        };
        let committed = self.journal.commit(act, deed).await;
        self.vault.forget(id);
        committed.map(drop)
    }

    /// Gives the caller's tenant a new key that signs its checkpoints. The one before signs
    /// along until the next change, so that whoever pinned it is not locked out.
    ///
    /// # Errors
    /// `Conflict` when somebody else changes it just now.
    pub async fn ledger_key_rotate(&self, act: &Act) -> Result<(), Fault> {
        let id = &act.caller.tenant;
        let found = self.tenant_find(id).await?;
        let (mut tenant, version) = found.ok_or_else(|| Fault::not_found("tenant", id.as_str()))?;
        // The keys of the record whose version is checked, not whichever are remembered.
        let now = self.vault.open(id, &tenant.sealed_keys)?;
        tenant.sealed_keys = self.vault.with_new_signing_key(id, &now)?;
        let deed = Deed {
            subject: format!("ledger-key/{id}"),
            stream: "tenants",
            changes: vec![put_tenant(&tenant, Expect::Version(version))?],
            answer: Answer::empty(),
            also: None,
        };
        let committed = self.journal.commit(act, deed).await;
        // Whoever signed meanwhile did so with a key that still counts.
        self.vault.forget_signing(id);
        committed.map(drop)
    }

    /// Whether there is a tenant of that name that can be used.
    pub(crate) async fn tenant_is_active(&self, id: &TenantId) -> Result<bool, Fault> {
        let found = self.tenant_find(id).await?;
        Ok(found.is_some_and(|(tenant, _)| tenant.info.state == TenantState::Active))
    }

    pub(crate) async fn tenant_find(&self, id: &TenantId) -> Result<Option<(TenantRecord, u64)>, Fault> {
        let key = RecordKey::new(Kind::Tenant, TenantId::platform(), id.as_str());
        let Some(record) = self.store().get(&key).await? else {
            return Ok(None);
        };
        Ok(Some((read(&record)?, record.version)))
    }

    pub(crate) fn new_tenant(&self, id: &TenantId, at: Timestamp) -> Result<TenantRecord, Fault> {
        Ok(TenantRecord {
            info: TenantInfo { id: id.clone(), state: TenantState::Active, created_at: at },
            sealed_keys: self.vault.make(id)?,
            sealed_data_key: Some(self.vault.make_data_key(id)?),
        })
    }
}

pub(crate) fn put_tenant(tenant: &TenantRecord, expect: Expect) -> Result<Change, Fault> {
    // The platform's own tenant is in no list of tenants that somebody uses.
    let own = tenant.info.id == TenantId::platform();
    let state = if own { "platform" } else { tenant.info.state.as_str() };
    Ok(Change::Put(Put {
        key: RecordKey::new(Kind::Tenant, TenantId::platform(), tenant.info.id.as_str()),
        expect,
        body: serde_json::to_vec(tenant).map_err(Fault::internal)?.into(),
        index: vec![("state", state.to_owned())],
        terminal: false,
    }))
}
