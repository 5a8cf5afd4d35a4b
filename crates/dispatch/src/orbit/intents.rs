//! Intents as they are registered: set, shown, listed, deleted.

use aegis_ledger::journal::{Answer, Deed};
use aegis_model::api::IntentSet;
use aegis_model::governance::intent_problem;
use aegis_model::intent::Intent;
use aegis_model::record::{Change, Expect, Kind, ListQuery, RecordKey};
use aegis_model::run::RUN_TIMEOUT_MAX_MS;
use aegis_model::{Act, Code, Fault, TenantId};

use super::Orbit;
use crate::document::{put, read, unchanged};

/// Longest description.
const DESCRIPTION_LENGTH_MAX: usize = 1_000;

fn intent_key(tenant: &TenantId, service: &str, intent: &str) -> RecordKey {
    RecordKey::new(Kind::Intent, tenant.clone(), format!("{service}/{intent}"))
}

impl Orbit {
    /// Registers an intent, or changes what does it.
    ///
    /// # Errors
    /// `Validation` when a name is none.
    pub async fn intent_set(
        &self,
        act: &Act,
        (service, intent): (&str, &str),
        wish: IntentSet,
    ) -> Result<Intent, Fault> {
        check(service, intent, &wish)?;
        let IntentSet { agent, endpoint, timeout_ms, description } = wish;
        let (service, intent) = (service.to_owned(), intent.to_owned());
        let intent = Intent { service, intent, agent, endpoint, timeout_ms, description, changed_at: act.at };
        let key = intent_key(&act.caller.tenant, &intent.service, &intent.intent);
        let expect = unchanged(self.journal.store().get(&key).await?);
        let changes = vec![put(key, expect, &intent, Vec::new(), false)?];
        let subject = format!("intent/{}", intent.id());
        let deed = Deed { subject, stream: "intents", changes, answer: Answer::shown(200, &intent)?, also: None };
        self.journal.commit(act, deed).await?;
        Ok(intent)
    }

    /// An intent.
    ///
    /// # Errors
    /// `NotFound` when nobody has registered it.
    pub async fn intent(&self, tenant: &TenantId, service: &str, intent: &str) -> Result<Intent, Fault> {
        let stored = self.journal.store().get(&intent_key(tenant, service, intent)).await?;
        read(&stored.ok_or_else(|| Fault::not_found("intent", &format!("{service}/{intent}")))?)
    }

    /// The intents, in the order of their services and names.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn intent_list(
        &self,
        tenant: &TenantId,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<Intent>, Fault> {
        let tenant = tenant.clone();
        let query = ListQuery { kind: Kind::Intent, tenant, index: None, after, newest_first: false, limit };
        self.journal.store().list(&query).await?.iter().map(read).collect()
    }

    /// Forgets an intent.
    ///
    /// # Errors
    /// `NotFound` when nobody has registered it.
    pub async fn intent_delete(&self, act: &Act, service: &str, intent: &str) -> Result<(), Fault> {
        let key = intent_key(&act.caller.tenant, service, intent);
        let missing = || Fault::not_found("intent", &format!("{service}/{intent}"));
        let stored = self.journal.store().get(&key).await?.ok_or_else(missing)?;
        let deed = Deed {
            subject: format!("intent/{service}/{intent}"),
            stream: "intents",
            changes: vec![Change::Delete { key, expect: Expect::Version(stored.version) }],
            answer: Answer::empty(),
            also: None,
        };
        self.journal.commit(act, deed).await.map(drop)
    }
}

fn check(service: &str, intent: &str, wish: &IntentSet) -> Result<(), Fault> {
    for (what, name) in [("service", service), ("intent", intent)] {
        if let Some(problem) = intent_problem(name) {
            return Err(Fault::new(Code::Validation, format!("the {what} is not a name: {problem}")));
        }
    }
    if wish.timeout_ms.is_some_and(|limit| !(1..=RUN_TIMEOUT_MAX_MS).contains(&limit)) {
        let rule = format!("`timeout_ms` must be from 1 to {RUN_TIMEOUT_MAX_MS}");
        return Err(Fault::new(Code::Validation, rule).at("/timeout_ms"));
    }
    if wish.description.chars().count() > DESCRIPTION_LENGTH_MAX {
        let rule = format!("a description has at most {DESCRIPTION_LENGTH_MAX} characters");
        return Err(Fault::new(Code::Validation, rule).at("/description"));
    }
    Ok(())
}
