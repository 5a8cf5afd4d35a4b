//! Governance records as they are kept: set, shown, listed, deleted.

use aegis_ledger::journal::{Answer, Deed};
use aegis_model::governance::GovernanceRecord;
use aegis_model::record::{Change, Expect, Kind, ListQuery};
use aegis_model::{Act, Code, Fault, TenantId};

use super::Orbit;
use super::governed::{Governed, governance_key};
use crate::document::{put, read, unchanged};

impl Orbit {
    /// Writes the record of an intent; what it was before is gone.
    ///
    /// # Errors
    /// `Validation`, naming each problem with its place.
    pub async fn governance_set(
        &self,
        act: &Act,
        (service, intent): (&str, &str),
        record: GovernanceRecord,
    ) -> Result<GovernanceRecord, Fault> {
        if record.service != service || record.intent != intent {
            let rule = "the record is of another service or intent than the path";
            let pointer = if record.service == service { "/intent" } else { "/service" };
            return Err(Fault::new(Code::Validation, rule).at(pointer));
        }
        let tenant = act.caller.tenant.clone();
        let checked = record.clone();
        let compiling = tokio::task::spawn_blocking(move || Governed::compile(&tenant, checked));
        compiling.await.map_err(Fault::internal)??;
        let tenant = &act.caller.tenant;
        let key = governance_key(tenant, service, intent);
        let expect = unchanged(self.journal.store().get(&key).await?);
        let changes = vec![put(key, expect, &record, Vec::new(), false)?];
        let subject = format!("governance/{}", record.id());
        let deed = Deed { subject, stream: "governance", changes, answer: Answer::shown(200, &record)?, also: None };
        self.journal.commit(act, deed).await?;
        Ok(record)
    }

    /// The record of an intent.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn governance_view(
        &self,
        tenant: &TenantId,
        service: &str,
        intent: &str,
    ) -> Result<GovernanceRecord, Fault> {
        let stored = self.journal.store().get(&governance_key(tenant, service, intent)).await?;
        read(&stored.ok_or_else(|| Fault::not_found("governance record", &format!("{service}/{intent}")))?)
    }

    /// The records, in the order of their services and intents.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn governance_list(
        &self,
        tenant: &TenantId,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<GovernanceRecord>, Fault> {
        let tenant = tenant.clone();
        let query = ListQuery { kind: Kind::Governance, tenant, index: None, after, newest_first: false, limit };
        self.journal.store().list(&query).await?.iter().map(read).collect()
    }

    /// Deletes the record of an intent, which nobody may then ask for any more.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn governance_delete(&self, act: &Act, service: &str, intent: &str) -> Result<(), Fault> {
        let key = governance_key(&act.caller.tenant, service, intent);
        let missing = || Fault::not_found("governance record", &format!("{service}/{intent}"));
        let stored = self.journal.store().get(&key).await?.ok_or_else(missing)?;
        let deed = Deed {
            subject: format!("governance/{service}/{intent}"),
            stream: "governance",
            changes: vec![Change::Delete { key, expect: Expect::Version(stored.version) }],
            answer: Answer::empty(),
            also: None,
        };
        self.journal.commit(act, deed).await.map(drop)
    }
}
