//! The first start: the platform's own tenant, the first tenant, and the key of its admin.
//! Every step can be repeated, because a start may be cut short at any point.

use aegis_identity::ApiKey;
use aegis_ledger::entry_bytes;
use aegis_model::key::{KeyInfo, KeyKind, KeyRecord, KeySecret};
use aegis_model::ledger::Entry;
use aegis_model::record::{Batch, Change, EntryDraft, Expect, Kind, Put, RecordKey};
use aegis_model::{CorrelationId, Fault, KeyId, Principal, Role, TenantId, Timestamp};

use crate::keys::put_key;
use crate::tenants::put_tenant;
use crate::{Tenancy, only};

/// The document that says the first start is complete.
const FIRST_START: &str = "first-start";

/// What a first start prepared. The admin's key must be kept before [`Tenancy::complete`].
pub struct FirstStart {
    /// The key of the first admin.
    pub admin_key: ApiKey,
    changes: Vec<Change>,
    at: Timestamp,
}

impl Tenancy {
    /// Prepares the first start; `None` when it was completed before.
    ///
    /// # Errors
    /// When the store cannot answer or there is no randomness.
    pub async fn first_start(&self, at: Timestamp) -> Result<Option<FirstStart>, Fault> {
        let done = RecordKey::new(Kind::Installation, TenantId::platform(), FIRST_START);
        if self.store().get(&done).await?.is_some() {
            return Ok(None);
        }
        let admin_key = ApiKey::generate(KeyId::generate(at, self.random()?), self.random()?);
        let mut changes = Vec::new();
        for id in [TenantId::platform(), TenantId::first()] {
            changes.push(put_tenant(&self.new_tenant(&id, at).await?, Expect::Absent)?);
        }
        changes.push(put_key(&self.first_admin(&admin_key, at), Expect::Absent)?);
        changes.push(Change::Put(Put {
            key: done,
            expect: Expect::Absent,
            body: serde_json::to_vec(&serde_json::json!({"completed_at": at})).map_err(Fault::internal)?.into(),
            index: Vec::new(),
            terminal: true,
        }));
        changes.push(entry(&admin_key, at, self.random()?)?);
        Ok(Some(FirstStart { admin_key, changes, at }))
    }

    /// Completes a first start, all at once.
    ///
    /// # Errors
    /// When it could not be committed; the next start prepares anew.
    pub async fn complete(&self, start: FirstStart) -> Result<(), Fault> {
        let batch = Batch { at: start.at, changes: start.changes };
        only(self.store().commit_many(vec![batch]).await).map(drop)
    }

    fn first_admin(&self, key: &ApiKey, at: Timestamp) -> KeyRecord {
        let info = KeyInfo {
            id: key.id().clone(),
            label: "first admin".to_owned(),
            kind: KeyKind::Api,
            access_key_id: None,
            tenant: TenantId::first(),
            role: Role::PlatformAdmin,
            created_at: at,
            created_by: Principal::System.name(),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        KeyRecord { info, secret: KeySecret::Hashed { secret_mac: key.mac(&self.pepper) } }
    }
}

/// The first entry of the first tenant's ledger: where its first key came from.
fn entry(admin_key: &ApiKey, at: Timestamp, random: [u8; 10]) -> Result<Change, Fault> {
    let entry = Entry {
        action: "first_start".to_owned(),
        correlation_id: CorrelationId::generate(at, random),
        decision: None,
        isolation: None,
        kind: "act".to_owned(),
        outcome_mac: None,
        policy_hash: None,
        principal: Principal::System.name(),
        request_mac: None,
        subject: format!("key/{}", admin_key.id()),
        tenant: TenantId::first(),
        time: at,
    };
    let bytes = entry_bytes(&entry).map_err(Fault::internal)?;
    Ok(Change::Enter(EntryDraft { tenant: TenantId::first(), bytes }))
}
