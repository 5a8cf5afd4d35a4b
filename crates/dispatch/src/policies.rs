//! The policy in force: the three sets, to decide by and to look at.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use aegis_fleet::Fleet;
use aegis_model::agent::GrantState;
use aegis_model::api::{
    Expected, PolicyAsk, PolicyCaseResult, PolicyExplanation, PolicyList, PolicyRule, PolicyTest, PolicyTestResult,
    VersionView,
};
use aegis_model::decision::{LayerReason, PolicyLayer};
use aegis_model::manifest::{Manifest, NetworkGrant};
use aegis_model::outward::Wanted;
use aegis_model::port::Entropy;
use aegis_model::{Act, AgentName, Code, Decision, DecisionId, Fault, TenantId, Timestamp};
use aegis_policy::{
    Explanation, GrantRequest, LayerExplanation, PolicyProblem, PolicySet, PolicySource, Rule, Sets, Verdict,
    default_tenant_policies, explain, grant_policies, platform_rules,
};

use tokio::sync::watch;

use crate::ask::{Question, question};

/// Most cases of one test.
const CASES_MAX: usize = 1_000;

/// What agents were granted, by tenant, agent and version.
type Granted = HashMap<(TenantId, AgentName, u64), Arc<AgentGrants>>;

/// Most agents whose grants are kept compiled.
const GRANTED_MAX: usize = 4_096;

/// The policy in force.
pub struct Policies {
    fleet: Arc<Fleet>,
    entropy: Arc<dyn Entropy>,
    platform: PolicySet,
    tenant: PolicySet,
    generation: watch::Sender<u64>,
    granted: Mutex<Granted>,
}

/// What a version of an agent was granted, compiled, as of one generation of the policy.
pub struct AgentGrants {
    /// The generation.
    pub generation: u64,
    /// The grants.
    pub set: PolicySet,
    /// The hosts that they name.
    pub network: Vec<NetworkGrant>,
    /// Answers that were given by them.
    pub known: Mutex<HashMap<Wanted, Verdict>>,
}

impl Policies {
    /// Compiles the rules that the house comes with.
    ///
    /// # Errors
    /// When they do not compile, which is a defect.
    pub fn new(fleet: Arc<Fleet>, entropy: Arc<dyn Entropy>) -> Result<Self, Fault> {
        let platform = PolicySet::compile(PolicyLayer::Platform, &platform_rules()).map_err(defect)?;
        let tenant = PolicySet::compile(PolicyLayer::Tenant, &default_tenant_policies()).map_err(defect)?;
        Ok(Self { fleet, entropy, platform, tenant, generation: watch::Sender::new(1), granted: Mutex::default() })
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
        let grants = Arc::new(AgentGrants { generation, set, network, known: Mutex::default() });
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

    /// The rules of tenants.
    pub fn tenant(&self) -> &PolicySet {
        &self.tenant
    }

    /// The rules in force for a tenant; with an agent, also the grants it holds.
    ///
    /// # Errors
    /// `NotFound` when the tenant has no such agent.
    pub async fn list(&self, tenant: &TenantId, agent: Option<&AgentName>) -> Result<PolicyList, Fault> {
        let granted = match agent {
            Some(name) => Some(self.grants(tenant, name, None).await?),
            None => None,
        };
        let sets = self.sets(&self.tenant, granted.as_ref());
        let own = [&self.platform, &self.tenant].into_iter().flat_map(|set| rules(set, None));
        let grants = granted.iter().flat_map(|set| rules(set, agent));
        Ok(PolicyList { items: own.chain(grants).collect(), policy_hash: sets.hash() })
    }

    /// Says whether an act would be allowed, and why.
    ///
    /// # Errors
    /// `Validation` when the question cannot be read.
    pub async fn explain(&self, act: &Act, ask: &PolicyAsk) -> Result<PolicyExplanation, Fault> {
        let question = question(&act.caller, ask, "")?;
        let granted = self.granted(&act.caller.tenant, &question).await?;
        let found = explain(&self.sets(&self.tenant, granted.as_ref()), &question.request);
        let agent = question.agent.as_ref().map(|(name, _)| name);
        let determining = found.layers.iter().flat_map(|layer| determining(layer, agent)).collect();
        let nearest = found.layers.iter().flat_map(|layer| nearest(layer, agent)).collect();
        Ok(PolicyExplanation { decision: self.decision(found, act.at)?, determining, nearest })
    }

    /// Runs test cases against the live policy, or against a draft of the tenant's set.
    ///
    /// # Errors
    /// `PolicyInvalid` when the draft does not compile, `Validation` when a case cannot be read.
    pub async fn test(&self, act: &Act, test: PolicyTest) -> Result<PolicyTestResult, Fault> {
        if test.cases.is_empty() || test.cases.len() > CASES_MAX {
            return Err(Fault::new(Code::Validation, format!("a test has 1 to {CASES_MAX} cases")).at("/cases"));
        }
        let draft = match test.draft {
            Some(text) => Some(compiled(text).await?),
            None => None,
        };
        let tenant_set = draft.as_ref().unwrap_or(&self.tenant);
        let mut results = Vec::with_capacity(test.cases.len());
        for (index, case) in test.cases.into_iter().enumerate() {
            let question = question(&act.caller, &case.ask, &format!("/cases/{index}/ask"))?;
            let granted = self.granted(&act.caller.tenant, &question).await?;
            let found = explain(&self.sets(tenant_set, granted.as_ref()), &question.request);
            let passed = found.allowed == (case.expect == Expected::Allow);
            results.push(PolicyCaseResult { name: case.name, passed, decision: self.decision(found, act.at)? });
        }
        Ok(PolicyTestResult { passed: results.iter().all(|result| result.passed), results })
    }

    /// Refuses a manifest whose grants would not compile, before anything is stored.
    ///
    /// # Errors
    /// `ManifestInvalid`, naming each grant.
    pub fn check_grants(&self, tenant: &TenantId, manifest: &Manifest) -> Result<(), Fault> {
        let asked = GrantRequest::from(&manifest.spec.permissions);
        grants_of(&manifest.metadata.name, tenant, &asked).map(drop)
    }

    fn sets<'a>(&'a self, tenant: &'a PolicySet, grants: Option<&'a PolicySet>) -> Sets<'a> {
        Sets { platform: &self.platform, tenant, grants }
    }

    async fn granted(&self, tenant: &TenantId, question: &Question) -> Result<Option<PolicySet>, Fault> {
        match &question.agent {
            Some((name, version)) => self.grants(tenant, name, *version).await.map(Some),
            None => Ok(None),
        }
    }

    /// What an agent was granted: nothing, as long as nobody has approved it.
    async fn grants(&self, tenant: &TenantId, name: &AgentName, version: Option<u64>) -> Result<PolicySet, Fault> {
        let view = self.fleet.version_in_force(tenant, name, version).await?;
        match view.grants {
            GrantState::Pending => Ok(PolicySet::empty(PolicyLayer::Grants)),
            GrantState::Approved => compile_grants(tenant, &view),
        }
    }

    fn decision(&self, found: Explanation, at: Timestamp) -> Result<Decision, Fault> {
        let mut random = [0; 10];
        self.entropy.fill(&mut random).map_err(Fault::internal)?;
        let reasons = found.layers.into_iter().map(|layer| LayerReason {
            layer: layer.layer,
            allowed: layer.allowed,
            class: layer.class,
            policies: layer.determining.into_iter().map(|rule| rule.id).collect(),
            errors: layer.errors,
        });
        Ok(Decision {
            id: DecisionId::generate(at, random),
            allowed: found.allowed,
            class: found.class,
            reasons: reasons.collect(),
            policy_hash: found.policy_hash,
        })
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

/// Compiles a draft off the threads that answer requests: a long one takes its time.
async fn compiled(text: String) -> Result<PolicySet, Fault> {
    tokio::task::spawn_blocking(move || compile_draft(&text)).await.map_err(Fault::internal)?
}

fn compile_draft(text: &str) -> Result<PolicySet, Fault> {
    let source = PolicySource { id: "draft".to_owned(), text: text.to_owned() };
    PolicySet::compile(PolicyLayer::Tenant, &[source]).map_err(|problems| {
        let first = problems.first().map(ToString::to_string).unwrap_or_default();
        Fault::new(Code::PolicyInvalid, format!("the draft is not valid: {first}"))
            .at("/draft")
            .with("problems", serde_json::json!(problems))
    })
}

/// Rules that come with the house, or from a checked manifest, must compile.
fn defect(problems: Vec<PolicyProblem>) -> Fault {
    match problems.into_iter().next() {
        Some(problem) => Fault::internal(problem),
        None => Fault::new(Code::Internal, "an internal error occurred"),
    }
}

fn rules<'a>(set: &'a PolicySet, agent: Option<&'a AgentName>) -> impl Iterator<Item = PolicyRule> + 'a {
    set.sources().iter().map(move |source| PolicyRule {
        layer: set.layer(),
        id: source.id.clone(),
        text: source.text.clone(),
        agent: agent.cloned(),
        missing: None,
    })
}

fn rule(layer: PolicyLayer, rule: &Rule, agent: Option<&AgentName>, missing: Option<String>) -> PolicyRule {
    let agent = agent.filter(|_| layer == PolicyLayer::Grants).cloned();
    PolicyRule { layer, id: rule.id.clone(), text: rule.text.clone(), agent, missing }
}

fn determining(layer: &LayerExplanation, agent: Option<&AgentName>) -> Vec<PolicyRule> {
    layer.determining.iter().map(|found| rule(layer.layer, found, agent, None)).collect()
}

fn nearest(layer: &LayerExplanation, agent: Option<&AgentName>) -> Vec<PolicyRule> {
    let near = layer.nearest.iter();
    near.map(|near| rule(layer.layer, &near.rule, agent, Some(near.missing.as_str().to_owned()))).collect()
}
