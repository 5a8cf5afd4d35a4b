//! One of the three sets: compiled, validated, sliced, and never changed again.
//! Must not know the other two.

use aegis_model::counter::Counter;
use aegis_model::decision::PolicyLayer;
use cedar_policy::Policy;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::compile::{PolicyProblem, rules_of};
use crate::counter::{self, CounterProblem};
use crate::looks::Looks;
use crate::reason;
use crate::schema::{validator, validator_with};
use crate::scope::Scope;
use crate::slice::Slices;

/// Some rules as they were written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySource {
    /// What the source is called; its only rule has the same id, several have `id/1`, `id/2`, ….
    pub id: String,
    /// Cedar.
    pub text: String,
}

/// A rule with its scope.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    pub(crate) policy: Policy,
    pub(crate) scope: Scope,
}

/// Why a set cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(untagged)]
pub enum SetProblem {
    /// A source is no policy.
    #[error(transparent)]
    Policy(#[from] PolicyProblem),
    /// A counter is not well declared.
    #[error(transparent)]
    Counter(#[from] CounterProblem),
}

/// One of the three sets. Share it in an `Arc`.
#[derive(Debug)]
pub struct PolicySet {
    layer: PolicyLayer,
    sources: Vec<PolicySource>,
    counters: Vec<Counter>,
    hash: [u8; 32],
    rules: Vec<CompiledRule>,
    slices: Slices,
    looks: Looks,
    approved: Option<Box<PolicySet>>,
}

impl PolicySet {
    /// Compiles a set. Every rule is checked strictly against the schema, and a rule that can
    /// never apply is refused.
    ///
    /// # Errors
    /// Every problem of every source.
    pub fn compile(layer: PolicyLayer, sources: &[PolicySource]) -> Result<Self, Vec<PolicyProblem>> {
        Self::lay_out(layer, sources, &[], rules_of(sources, validator())?)
    }

    /// Compiles a set whose rules may look at these counters, as `context.counts.NAME`, and at
    /// no others. Without counters it is the same as [`PolicySet::compile`].
    ///
    /// # Errors
    /// Every problem of every counter; where there is none, every problem of every source.
    pub fn compile_with(
        layer: PolicyLayer,
        sources: &[PolicySource],
        counters: &[Counter],
    ) -> Result<Self, Vec<SetProblem>> {
        let told = |problems: Vec<PolicyProblem>| problems.into_iter().map(SetProblem::from).collect::<Vec<_>>();
        if counters.is_empty() {
            return Self::compile(layer, sources).map_err(told);
        }
        counter::check(counters).map_err(|found| found.into_iter().map(SetProblem::from).collect::<Vec<_>>())?;
        let rules = rules_of(sources, &validator_with(counters)).map_err(told)?;
        Self::lay_out(layer, sources, counters, rules).map_err(told)
    }

    /// A set that allows nothing.
    pub fn empty(layer: PolicyLayer) -> Self {
        Self {
            layer,
            sources: Vec::new(),
            counters: Vec::new(),
            hash: hash_of(layer, &[], &[]),
            rules: Vec::new(),
            slices: Slices::default(),
            looks: Looks::default(),
            approved: None,
        }
    }

    /// What the set was compiled from, in the order given.
    pub fn sources(&self) -> &[PolicySource] {
        &self.sources
    }

    /// The counters that its rules may look at, in the order given.
    pub fn counters(&self) -> &[Counter] {
        &self.counters
    }

    /// Which of the three sets it is.
    pub fn layer(&self) -> PolicyLayer {
        self.layer
    }

    /// SHA-256 over layer, sources and counters, whatever order they came in.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// What the rule with this id says to whoever is refused by it: its `@reason`.
    pub fn reason_of(&self, rule_id: &str) -> Option<&str> {
        let found = self.rules.iter().find(|rule| AsRef::<str>::as_ref(rule.policy.id()) == rule_id);
        found.and_then(|rule| reason::of(&rule.policy))
    }

    /// Who should decide about what the rule with this id forbids, and why: its `@approval`.
    pub fn approval_of(&self, rule_id: &str) -> Option<&str> {
        let found = self.rules.iter().find(|rule| AsRef::<str>::as_ref(rule.policy.id()) == rule_id);
        found.and_then(|rule| reason::approval_of(&rule.policy))
    }

    /// The set without the forbids that somebody may lift for one act: those with `@approval`.
    /// `None` where there are none, and for every set but a tenant's own.
    pub fn approved(&self) -> Option<&Self> {
        self.approved.as_deref()
    }

    /// What any of its rules looks at beside the request's own context.
    pub fn looks_at(&self) -> Looks {
        self.looks
    }

    /// How many rules it holds.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it holds no rule, and so allows nothing.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Lays out rules that were checked; a tenant's a second time without those that somebody may
    /// lift, where there are any.
    pub(crate) fn lay_out(
        layer: PolicyLayer,
        sources: &[PolicySource],
        counters: &[Counter],
        policies: Vec<Policy>,
    ) -> Result<Self, Vec<PolicyProblem>> {
        let is_liftable = |policy: &Policy| reason::approval_of(policy).is_some();
        let approved = match layer == PolicyLayer::Tenant && policies.iter().any(is_liftable) {
            true => {
                let staying = policies.iter().filter(|policy| !is_liftable(policy)).cloned().collect();
                Some(Box::new(Self::lay_out_once(layer, sources, counters, staying)?))
            }
            false => None,
        };
        Ok(Self { approved, ..Self::lay_out_once(layer, sources, counters, policies)? })
    }

    fn lay_out_once(
        layer: PolicyLayer,
        sources: &[PolicySource],
        counters: &[Counter],
        policies: Vec<Policy>,
    ) -> Result<Self, Vec<PolicyProblem>> {
        let mut slices = Slices::default();
        let mut rules = Vec::with_capacity(policies.len());
        let mut looks = Looks::default();
        for policy in policies {
            let scope = Scope::of(&policy);
            slices.insert(&policy, &scope).map_err(|error| {
                vec![PolicyProblem { id: policy.id().to_string(), line: 1, column: 1, message: error.to_string() }]
            })?;
            looks = looks.or(Looks::of(&policy));
            rules.push(CompiledRule { policy, scope });
        }
        let hash = hash_of(layer, sources, counters);
        let (sources, counters) = (sources.to_vec(), counters.to_vec());
        Ok(Self { layer, sources, counters, hash, rules, slices, looks, approved: None })
    }

    /// The rules, laid out.
    pub(crate) fn slices(&self) -> &Slices {
        &self.slices
    }

    /// The rules, one after the other.
    pub(crate) fn rules(&self) -> &[CompiledRule] {
        &self.rules
    }
}

/// Every part goes in with its length, so that no two sets share a hash by moving a border.
fn hash_of(layer: PolicyLayer, sources: &[PolicySource], counters: &[Counter]) -> [u8; 32] {
    let mut ordered: Vec<&PolicySource> = sources.iter().collect();
    ordered.sort_by(|left, right| (&left.id, &left.text).cmp(&(&right.id, &right.text)));
    let mut hash = Sha256::new_with_prefix(b"aegis policy set 1\n");
    let parts = ordered.iter().flat_map(|source| [source.id.as_str(), source.text.as_str()]);
    for part in std::iter::once(layer.as_str()).chain(parts) {
        add_part(&mut hash, part);
    }
    if counters.is_empty() {
        return hash.finalize().into();
    }
    let mut with_counters = Sha256::new_with_prefix(b"aegis policy set with counters 1\n");
    with_counters.update(hash.finalize());
    let mut ordered: Vec<&Counter> = counters.iter().collect();
    ordered.sort_by(|left, right| left.name.cmp(&right.name));
    ordered.into_iter().for_each(|counter| add_counter(&mut with_counters, counter));
    with_counters.finalize().into()
}

/// A list goes in with how many it has; what may be absent is a list of none or one.
fn add_counter(hash: &mut Sha256, counter: &Counter) {
    add_part(hash, &counter.name);
    let per: Vec<String> = counter.per.iter().map(|key| key.as_str().to_owned()).collect();
    let sum: Vec<String> = counter.sum.iter().cloned().collect();
    let window: Vec<String> = counter.window.iter().map(ToString::to_string).collect();
    for list in [&counter.actions, &per, &sum, &window] {
        hash.update((list.len() as u64).to_be_bytes());
        list.iter().for_each(|part| add_part(hash, part));
    }
}

fn add_part(hash: &mut Sha256, part: &str) {
    hash.update((part.len() as u64).to_be_bytes());
    hash.update(part);
}
