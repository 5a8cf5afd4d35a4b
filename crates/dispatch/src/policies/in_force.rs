//! The sets of tenants that are in force: read and compiled when they are first asked for, and
//! replaced whole. Nobody ever sees half of a set.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aegis_ledger::journal::Journal;
use aegis_model::api::PolicyDraftSet;
use aegis_model::decision::{LayerReason, PolicyLayer};
use aegis_model::policy::{Policy, PolicyInForce, PolicyMode, PolicyRevision};
use aegis_model::record::{Kind, Record, RecordKey};
use aegis_model::{Code, Fault, TenantId};
use aegis_policy::{
    ActionName, Looks, PolicySet, PolicySource, Request, Sets, ask, default_tenant_policies, rescue_policies,
};
use tokio::sync::Semaphore;

use super::draft::{Compiled, compiled_anew};
use crate::document::read;

/// The name of the document that says which revision is in force.
const POINTER: &str = "tenant";

/// A tenant's set as it is in force.
#[derive(Debug)]
pub struct TenantPolicies {
    /// The revision; 0 is what a tenant begins with.
    pub revision: u64,
    /// The policies, those that only are reported on among them.
    pub draft: PolicyDraftSet,
    /// What counts.
    pub enforced: PolicySet,
    /// What would count if all of it did, where that is more.
    trial: Option<PolicySet>,
}

impl TenantPolicies {
    /// What was compiled as that revision.
    pub fn new(revision: u64, compiled: Compiled) -> Self {
        let Compiled { draft, enforced, trial } = compiled;
        Self { revision, draft, enforced, trial }
    }

    /// What the set would say if all of it counted, where that is not what it says.
    pub fn differs(&self, request: &Request, said: &[LayerReason]) -> Option<LayerReason> {
        let reason = ask(self.trial.as_ref()?, request);
        let own = said.iter().find(|reason| reason.layer == PolicyLayer::Tenant)?;
        (reason.allowed != own.allowed).then_some(reason)
    }

    /// What the sets look at beside the request, those policies that do not count among them.
    pub fn looks_at(&self, sets: &Sets<'_>) -> Looks {
        let trial = self.trial.as_ref().map(PolicySet::looks_at).unwrap_or_default();
        sets.look_at().or(trial)
    }

    /// Whether a counter counts what is done by that action.
    pub fn counts(&self, action: ActionName) -> bool {
        self.draft.counters.iter().flat_map(|counter| &counter.actions).any(|name| name == action.as_str())
    }
}

/// Where a tenant's revision lies: numbers of one length, so that they list in their order.
pub fn revision_key(tenant: &TenantId, revision: u64) -> RecordKey {
    RecordKey::new(Kind::PolicyRevision, tenant.clone(), format!("{revision:020}"))
}

/// Where it is said which revision of a tenant's is in force.
pub fn pointer_key(tenant: &TenantId) -> RecordKey {
    RecordKey::new(Kind::PolicyInForce, tenant.clone(), POINTER)
}

/// The sets in force.
pub struct InForce {
    journal: Arc<Journal>,
    first: Arc<TenantPolicies>,
    tenants: RwLock<HashMap<TenantId, Arc<TenantPolicies>>>,
    /// Grows with every change of what is in force.
    epoch: AtomicU64,
    loading: Semaphore,
}

impl InForce {
    /// Knows what tenants begin with.
    ///
    /// # Errors
    /// When that does not compile, which is a defect.
    pub fn new(journal: Arc<Journal>) -> Result<Self, Fault> {
        let sources = default_tenant_policies();
        let enforced = PolicySet::compile(PolicyLayer::Tenant, &sources).map_err(super::defect)?;
        let draft = PolicyDraftSet { policies: named(&sources)?, counters: Vec::new() };
        let first = Arc::new(TenantPolicies { revision: 0, draft, enforced, trial: None });
        Ok(Self { journal, first, tenants: RwLock::default(), epoch: AtomicU64::new(0), loading: Semaphore::new(1) })
    }

    /// A tenant's set.
    ///
    /// # Errors
    /// When it cannot be read: then nobody knows what is allowed.
    pub async fn of(&self, tenant: &TenantId) -> Result<Arc<TenantPolicies>, Fault> {
        if let Some(known) = self.known(tenant) {
            return Ok(known);
        }
        // One after the other: of many that ask at once, one reads and the others find it.
        let _turn = self.loading.acquire().await.map_err(Fault::internal)?;
        loop {
            if let Some(known) = self.known(tenant) {
                return Ok(known);
            }
            let epoch = self.epoch.load(Ordering::SeqCst);
            let loaded = self.load(tenant).await?;
            let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
            // What was changed meanwhile may be newer than what was read.
            if self.epoch.load(Ordering::SeqCst) == epoch {
                tenants.insert(tenant.clone(), Arc::clone(&loaded));
                return Ok(loaded);
            }
        }
    }

    fn known(&self, tenant: &TenantId) -> Option<Arc<TenantPolicies>> {
        self.tenants.read().unwrap_or_else(PoisonError::into_inner).get(tenant).cloned()
    }

    /// Puts a set in force that was just committed, unless a later one is.
    pub fn adopt(&self, tenant: &TenantId, newer: Arc<TenantPolicies>) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        if tenants.get(tenant).is_none_or(|present| present.revision < newer.revision) {
            tenants.insert(tenant.clone(), newer);
        }
    }

    /// Has a tenant's set read anew: what the store holds is not known for sure.
    pub fn forget(&self, tenant: &TenantId) {
        let mut tenants = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        self.epoch.fetch_add(1, Ordering::SeqCst);
        tenants.remove(tenant);
    }

    /// Which revision the store says is in force, and the version of the document that says so.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn pointer(&self, tenant: &TenantId) -> Result<Option<(u64, u64)>, Fault> {
        let record = self.journal.store().get(&pointer_key(tenant)).await?;
        let found = record.as_ref().map(|record| Ok((read::<PolicyInForce>(record)?.revision, record.version)));
        found.transpose()
    }

    /// A revision as it is stored.
    ///
    /// # Errors
    /// `NotFound` when there is none of that number.
    pub async fn revision(&self, tenant: &TenantId, revision: u64) -> Result<PolicyRevision, Fault> {
        if revision == 0 {
            return Ok(PolicyRevision {
                revision,
                author: "system".to_owned(),
                reason: "what a tenant begins with".to_owned(),
                applied_at: None,
                repeats: None,
                policy_hash: aegis_ledger::journal::hex(&self.first.enforced.hash()),
                policies: self.first.draft.policies.clone(),
                counters: Vec::new(),
            });
        }
        let record: Option<Record> = self.journal.store().get(&revision_key(tenant, revision)).await?;
        let missing = || Fault::not_found("revision", &revision.to_string()).at("/revision");
        read(&record.ok_or_else(missing)?)
    }

    async fn load(&self, tenant: &TenantId) -> Result<Arc<TenantPolicies>, Fault> {
        let Some((revision, _)) = self.pointer(tenant).await? else { return Ok(Arc::clone(&self.first)) };
        let stored = self.revision(tenant, revision).await?;
        let draft = PolicyDraftSet { policies: stored.policies, counters: stored.counters };
        match compiled_anew(draft.clone()).await {
            Ok(compiled) => Ok(Arc::new(TenantPolicies::new(revision, compiled))),
            Err(fault) if fault.code() == Code::PolicyInvalid => rescue(revision, draft).map(Arc::new),
            Err(fault) => Err(fault),
        }
    }
}

/// A set that was valid once and does not compile any more, because the house has changed:
/// nothing is allowed but to look at it and to put another one in force.
fn rescue(revision: u64, draft: PolicyDraftSet) -> Result<TenantPolicies, Fault> {
    let enforced = PolicySet::compile(PolicyLayer::Tenant, &rescue_policies()).map_err(super::defect)?;
    Ok(TenantPolicies { revision, draft, enforced, trial: None })
}

fn named(sources: &[PolicySource]) -> Result<Vec<Policy>, Fault> {
    let policy = |source: &PolicySource| {
        let name = source.id.parse().map_err(Fault::internal)?;
        Ok(Policy { name, mode: PolicyMode::Enforce, text: source.text.clone() })
    };
    sources.iter().map(policy).collect()
}
