//! One of the three sets: compiled, validated, sliced, and never changed again.
//! Must not know the other two.

use aegis_model::decision::PolicyLayer;
use cedar_policy::Policy;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::compile::{PolicyProblem, rules_of};
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

/// One of the three sets. Share it in an `Arc`.
#[derive(Debug)]
pub struct PolicySet {
    layer: PolicyLayer,
    sources: Vec<PolicySource>,
    hash: [u8; 32],
    rules: Vec<CompiledRule>,
    slices: Slices,
}

impl PolicySet {
    /// Compiles a set. Every rule is checked strictly against the schema, and a rule that can
    /// never apply is refused.
    ///
    /// # Errors
    /// Every problem of every source.
    pub fn compile(layer: PolicyLayer, sources: &[PolicySource]) -> Result<Self, Vec<PolicyProblem>> {
        Self::lay_out(layer, sources, rules_of(sources)?)
    }

    /// A set that allows nothing.
    pub fn empty(layer: PolicyLayer) -> Self {
        Self { layer, sources: Vec::new(), hash: hash_of(layer, &[]), rules: Vec::new(), slices: Slices::default() }
    }

    /// What the set was compiled from, in the order given.
    pub fn sources(&self) -> &[PolicySource] {
        &self.sources
    }

    /// Which of the three sets it is.
    pub fn layer(&self) -> PolicyLayer {
        self.layer
    }

    /// SHA-256 over layer and sources, whatever order the sources came in.
    pub fn hash(&self) -> [u8; 32] {
        self.hash
    }

    /// How many rules it holds.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether it holds no rule, and so allows nothing.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Lays out rules that were checked.
    pub(crate) fn lay_out(
        layer: PolicyLayer,
        sources: &[PolicySource],
        policies: Vec<Policy>,
    ) -> Result<Self, Vec<PolicyProblem>> {
        let mut slices = Slices::default();
        let mut rules = Vec::with_capacity(policies.len());
        for policy in policies {
            let scope = Scope::of(&policy);
            slices.insert(&policy, &scope).map_err(|error| {
                vec![PolicyProblem { id: policy.id().to_string(), line: 1, column: 1, message: error.to_string() }]
            })?;
            rules.push(CompiledRule { policy, scope });
        }
        Ok(Self { layer, sources: sources.to_vec(), hash: hash_of(layer, sources), rules, slices })
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
fn hash_of(layer: PolicyLayer, sources: &[PolicySource]) -> [u8; 32] {
    let mut ordered: Vec<&PolicySource> = sources.iter().collect();
    ordered.sort_by(|left, right| (&left.id, &left.text).cmp(&(&right.id, &right.text)));
    let mut hash = Sha256::new_with_prefix(b"aegis policy set 1\n");
    let parts = ordered.iter().flat_map(|source| [source.id.as_str(), source.text.as_str()]);
    for part in std::iter::once(layer.as_str()).chain(parts) {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}
