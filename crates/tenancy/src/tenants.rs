//! Tenants: create, list, delete. A deleted tenant's keys stop working, its ledger stays.

use aegis_ledger::journal::{Answer, Deed};
use aegis_model::record::{Change, Expect, Kind, ListQuery, Put, RecordKey};
use aegis_model::tenant::{TenantInfo, TenantRecord, TenantState};
use aegis_model::{Act, Code, Fault, TenantId, Timestamp};

use crate::{Tenancy, encryption_keys, read, vault};

/// How often something is tried that a rotation of the key-encryption key came across.
pub(crate) const TRIES_MAX: usize = 8;

/// What is done to a tenant that is there.
#[derive(Clone, Copy)]
enum TenantChange {
    Delete,
    NewSigningKey,
}

impl Tenancy {
    /// Creates a tenant with keys of its own.
    ///
    /// # Errors
    /// `AlreadyExists` when the name was ever used.
    pub async fn tenant_create(&self, act: &Act, id: TenantId) -> Result<TenantInfo, Fault> {
        for _ in 1..TRIES_MAX {
            let sealed_since = self.encryption_epoch().await?;
            match self.tenant_create_once(act, &id, sealed_since).await {
                Err(fault) if fault.code() == Code::Conflict && self.encryption_epoch().await? != sealed_since => {}
                done => return done,
            }
        }
        self.tenant_create_once(act, &id, self.encryption_epoch().await?).await
    }

    /// Creates the tenant unless its keys came to be sealed under a key that is being rotated
    /// out: whoever does that may have looked for tenants already.
    async fn tenant_create_once(&self, act: &Act, id: &TenantId, sealed_since: Expect) -> Result<TenantInfo, Fault> {
        if self.tenant_find(id).await?.is_some() {
            return Err(Fault::new(Code::AlreadyExists, format!("tenant `{id}` exists, or existed before")));
        }
        let record = self.new_tenant(id, act.at).await?;
        let unchanged = Change::Require { key: encryption_keys::epoch_key(), expect: sealed_since };
        let deed = Deed {
            subject: format!("tenant/{id}"),
            stream: "tenants",
            changes: vec![put_tenant(&record, Expect::Absent)?, unchanged],
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
        let deleted = self.tenant_change(act, id, TenantChange::Delete).await;
        self.vault.forget(id);
        deleted
    }

    /// Gives the caller's tenant a new key that signs its checkpoints. The one before signs
    /// along until the next change, so that whoever pinned it is not locked out.
    ///
    /// # Errors
    /// `Conflict` when somebody else changes it just now.
    pub async fn ledger_key_rotate(&self, act: &Act) -> Result<(), Fault> {
        let id = &act.caller.tenant;
        let rotated = self.tenant_change(act, id, TenantChange::NewSigningKey).await;
        // Whoever signed meanwhile did so with a key that still counts.
        self.vault.forget_signing(id);
        rotated
    }

    /// Changes a tenant. Done anew when meanwhile the tenant's keys were sealed under another
    /// key, which says nothing against the change.
    async fn tenant_change(&self, act: &Act, id: &TenantId, change: TenantChange) -> Result<(), Fault> {
        let absent = || Fault::not_found("tenant", id.as_str());
        let (mut found, mut version) = self.tenant_find(id).await?.ok_or_else(absent)?;
        for tries_left in (0..TRIES_MAX).rev() {
            let before = vault::under(&found)?;
            let done = match self.tenant_changed(found, change).await {
                Ok((changed, subject)) => self.tenant_commit(act, subject, (&changed, version)).await,
                Err(fault) => Err(fault),
            };
            let Err(fault) = done else { return Ok(()) };
            (found, version) = self.tenant_find(id).await?.ok_or_else(absent)?;
            let came_across = matches!(fault.code(), Code::Conflict | Code::Tampered);
            if tries_left == 0 || !came_across || vault::under(&found)? == before {
                return Err(fault);
            }
        }
        Err(Fault::new(Code::Conflict, "it was changed by somebody else in between"))
    }

    /// What becomes of the tenant, and under which name the ledger tells of it.
    async fn tenant_changed(
        &self,
        mut tenant: TenantRecord,
        change: TenantChange,
    ) -> Result<(TenantRecord, String), Fault> {
        let id = tenant.info.id.clone();
        match change {
            TenantChange::Delete if tenant.info.state != TenantState::Active => {
                Err(Fault::not_found("tenant", id.as_str()))
            }
            TenantChange::Delete => {
                tenant.info.state = TenantState::Deleted;
                // What it kept secret cannot be read any more; what its ledger proves stays proven.
                tenant.sealed_data_key = None;
                Ok((tenant, format!("tenant/{id}")))
            }
            TenantChange::NewSigningKey => {
                // The keys of the record whose version is checked, not whichever are remembered.
                let now = self.vault.open(&id, &tenant.sealed_keys).await?;
                tenant.sealed_keys = self.vault.with_new_signing_key(&id, &now).await?;
                Ok((tenant, format!("ledger-key/{id}")))
            }
        }
    }

    async fn tenant_commit(
        &self,
        act: &Act,
        subject: String,
        (changed, version): (&TenantRecord, u64),
    ) -> Result<(), Fault> {
        let deed = Deed {
            subject,
            stream: "tenants",
            changes: vec![put_tenant(changed, Expect::Version(version))?],
            answer: Answer::empty(),
            also: Some(changed.info.id.clone()),
        };
        self.journal.commit(act, deed).await.map(drop)
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

    pub(crate) async fn new_tenant(&self, id: &TenantId, at: Timestamp) -> Result<TenantRecord, Fault> {
        Ok(TenantRecord {
            info: TenantInfo { id: id.clone(), state: TenantState::Active, created_at: at },
            sealed_keys: self.vault.make(id).await?,
            sealed_data_key: Some(self.vault.make_data_key(id).await?),
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
