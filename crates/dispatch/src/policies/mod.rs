//! The policy in force: the three sets, to decide by, to change and to look at.

mod change;
mod draft;
mod in_force;
mod judge;
mod look;
mod replay;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aegis_fleet::Fleet;
use aegis_ledger::journal::Journal;
use aegis_model::agent::GrantState;
use aegis_model::api::VersionView;
use aegis_model::decision::{LayerReason, PolicyLayer};
use aegis_model::manifest::{Manifest, NetworkGrant};
use aegis_model::outward::Wanted;
use aegis_model::port::{Clock, Entropy};
use aegis_model::{AgentName, Code, Decision, DecisionId, Fault, TenantId, Timestamp};
use aegis_policy::{GrantRequest, Looks, PolicyProblem, PolicySet, Sets, Verdict, grant_policies, platform_rules};
use tokio::sync::watch;

use crate::Decisions;
use crate::history::Histories;
use in_force::InForce;
pub use in_force::TenantPolicies;
pub use judge::{Answer, Asked, Judgement, answered};

/// What agents were granted, by tenant, agent and version.
type Granted = HashMap<(TenantId, AgentName, u64), Arc<AgentGrants>>;

/// Most agents whose grants are kept compiled.
const GRANTED_MAX: usize = 4_096;

/// The policy in force.
pub struct Policies {
    fleet: Arc<Fleet>,
    entropy: Arc<dyn Entropy>,
    clock: Arc<dyn Clock>,
    journal: Arc<Journal>,
    platform: PolicySet,
    in_force: InForce,
    histories: Arc<Histories>,
    generation: watch::Sender<u64>,
    granted: Mutex<Granted>,
    decisions: Decisions,
}

/// What a version of an agent was granted, compiled, as of one generation of the policy.
pub struct AgentGrants {
    /// The generation.
    pub generation: u64,
    /// The grants.
    pub set: PolicySet,
    /// The rules of the tenant.
    pub tenant: Arc<TenantPolicies>,
    /// The hosts that they name.
    pub network: Vec<NetworkGrant>,
    /// What any of the rules looks at beside what is asked.
    pub looks: Looks,
    /// Answers that were given by them.
    pub known: Mutex<HashMap<Wanted, Answer>>,
}

impl Policies {
    /// Compiles the rules that the house comes with.
    ///
    /// # Errors
    /// When they do not compile, which is a defect.
    pub fn new(
        journal: Arc<Journal>,
        fleet: Arc<Fleet>,
        (entropy, clock): (Arc<dyn Entropy>, Arc<dyn Clock>),
    ) -> Result<Self, Fault> {
        let platform = PolicySet::compile(PolicyLayer::Platform, &platform_rules()).map_err(defect)?;
        let in_force = InForce::new(Arc::clone(&journal))?;
        let histories = Histories::new(&journal);
        let generation = watch::Sender::new(1);
        let (granted, decisions) = (Mutex::default(), Decisions::default());
        Ok(Self { fleet, entropy, clock, journal, platform, in_force, histories, generation, granted, decisions })
    }

    /// Something that the policy is made of has changed: what was compiled before counts no more.
    pub fn renew(&self) {
        self.generation.send_modify(|generation| *generation = generation.saturating_add(1));
        self.granted.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The generation of the policy, as it changes.
    pub fn generation(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// What an agent at its door was granted.
    ///
    /// # Errors
    /// When it cannot be read: then nobody knows what it was granted.
    pub async fn agent_grants(
        &self,
        tenant: &TenantId,
        agent: &AgentName,
        version: u64,
    ) -> Result<Arc<AgentGrants>, Fault> {
        // Read before what it counts for: what changes meanwhile makes this one outdated.
        let generation = *self.generation.borrow();
        let whose = (tenant.clone(), agent.clone(), version);
        let known = self.granted.lock().unwrap_or_else(PoisonError::into_inner).get(&whose).cloned();
        if let Some(known) = known.filter(|known| known.generation == generation) {
            return Ok(known);
        }
        let view = self.fleet.version_in_force(tenant, agent, Some(version)).await?;
        let (set, network) = match view.grants {
            GrantState::Pending => (PolicySet::empty(PolicyLayer::Grants), Vec::new()),
            GrantState::Approved => (compile_grants(tenant, &view)?, view.manifest.spec.permissions.network.clone()),
        };
        let tenant = self.in_force.of(&whose.0).await?;
        let sets = Sets { platform: &self.platform, tenant: &tenant.enforced, grants: Some(&set) };
        let looks = tenant.looks_at(&sets);
        let grants = Arc::new(AgentGrants { generation, set, tenant, network, looks, known: Mutex::default() });
        let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
        if granted.len() >= GRANTED_MAX {
            granted.clear();
        }
        granted.insert(whose, Arc::clone(&grants));
        Ok(grants)
    }

    /// The installation's rules.
    pub fn platform(&self) -> &PolicySet {
        &self.platform
    }

    /// The rules of a tenant.
    ///
    /// # Errors
    /// When they cannot be read: then nobody knows what is allowed.
    pub async fn tenant(&self, tenant: &TenantId) -> Result<Arc<TenantPolicies>, Fault> {
        self.in_force.of(tenant).await
    }

    /// Refuses a manifest whose grants would not compile, before anything is stored.
    ///
    /// # Errors
    /// `ManifestInvalid`, naming each grant.
    pub fn check_grants(&self, tenant: &TenantId, manifest: &Manifest) -> Result<(), Fault> {
        let asked = GrantRequest::from(&manifest.spec.permissions);
        grants_of(&manifest.metadata.name, tenant, &asked).map(drop)
    }

    /// An answer of the policy with an id of its own.
    ///
    /// # Errors
    /// When there is no randomness for one.
    pub fn decision(&self, verdict: Verdict, at: Timestamp, log_only: Option<LayerReason>) -> Result<Decision, Fault> {
        let mut random = [0; 10];
        self.entropy.fill(&mut random).map_err(Fault::internal)?;
        let Verdict { allowed, class, reasons, policy_hash } = verdict;
        Ok(Decision { id: DecisionId::generate(at, random), allowed, class, reasons, policy_hash, log_only })
    }

    /// What an agent was granted: nothing, as long as nobody has approved it.
    async fn grants(&self, tenant: &TenantId, name: &AgentName, version: Option<u64>) -> Result<PolicySet, Fault> {
        let view = self.fleet.version_in_force(tenant, name, version).await?;
        match view.grants {
            GrantState::Pending => Ok(PolicySet::empty(PolicyLayer::Grants)),
            GrantState::Approved => compile_grants(tenant, &view),
        }
    }
}

fn compile_grants(tenant: &TenantId, view: &VersionView) -> Result<PolicySet, Fault> {
    let asked = GrantRequest::from(&view.manifest.spec.permissions);
    grants_of(&view.agent, tenant, &asked)
}

fn grants_of(agent: &AgentName, tenant: &TenantId, asked: &GrantRequest) -> Result<PolicySet, Fault> {
    let sources = grant_policies(agent, tenant, asked).map_err(|problems| {
        let place = |pointer: &str| format!("/spec/permissions{pointer}");
        let first = problems.first().map(|problem| (place(&problem.pointer), problem.message.clone()));
        let (pointer, message) = first.unwrap_or_default();
        let all: Vec<_> = problems
            .iter()
            .map(|problem| serde_json::json!({"pointer": place(&problem.pointer), "message": problem.message}))
            .collect();
        Fault::new(Code::ManifestInvalid, format!("a grant cannot be a policy: {message}"))
            .at(&pointer)
            .with("problems", all)
    })?;
    PolicySet::compile(PolicyLayer::Grants, &sources).map_err(defect)
}

/// Rules that come with the house, or from a checked manifest, must compile.
pub(crate) fn defect(problems: Vec<PolicyProblem>) -> Fault {
    match problems.into_iter().next() {
        Some(problem) => Fault::internal(problem),
        None => Fault::new(Code::Internal, "an internal error occurred"),
    }
}
