//! Cedar without slicing, as the measure for it: tests compare answers, benchmarks compare
//! times. Not for production, where it is slower by the number of rules.

use aegis_model::decision::{LayerReason, PolicyLayer};
use cedar_policy::PolicySetError;

use crate::decide::{Sets, Tally, Verdict, decide_by};
use crate::facts::Facts;
use crate::looks::Looks;
use crate::request::Request;
use crate::set::PolicySet;

/// All rules of a set in one Cedar set.
#[derive(Debug)]
pub struct Unsliced(cedar_policy::PolicySet);

impl Unsliced {
    /// Puts the rules of a set into one Cedar set.
    ///
    /// # Errors
    /// When Cedar does not take them.
    pub fn of(set: &PolicySet) -> Result<Self, Box<PolicySetError>> {
        let rules = set.rules().iter().map(|rule| rule.policy.clone());
        cedar_policy::PolicySet::from_policies(rules).map(Self).map_err(Box::new)
    }
}

/// The same sets as [`Sets`], each beside its unsliced form.
#[derive(Clone, Copy, Debug)]
pub struct UnslicedSets<'a> {
    /// The sets as they are.
    pub sets: Sets<'a>,
    /// The installation's rules.
    pub platform: &'a Unsliced,
    /// The tenant's rules.
    pub tenant: &'a Unsliced,
    /// The agent's grants, or the tenant's governance records.
    pub grants: Option<&'a Unsliced>,
}

/// Decides like [`crate::decide`], but knows no approvals, looks at every rule, and is told time and counters whether
/// or not a rule looks at them.
pub fn decide_unsliced(unsliced: &UnslicedSets<'_>, request: &Request) -> Verdict {
    decide_by(&unsliced.sets, request, Looks::ALL, |set, facts| evaluate(unsliced, set, facts))
}

fn evaluate(unsliced: &UnslicedSets<'_>, set: &PolicySet, facts: &Facts) -> LayerReason {
    let rules = match set.layer() {
        PolicyLayer::Platform => Some(unsliced.platform),
        PolicyLayer::Tenant => Some(unsliced.tenant),
        PolicyLayer::Grants | PolicyLayer::Governance => unsliced.grants,
    };
    let mut tally = Tally::default();
    if let Some(Unsliced(rules)) = rules {
        tally.add(rules, facts);
    }
    tally.reason(set.layer())
}

/// Asks one set on its own, sliced: what a benchmark of one set measures.
pub fn ask_one(set: &PolicySet, request: &Request) -> Option<LayerReason> {
    Facts::of(request, set.looks_at()).ok().map(|facts| crate::decide::sliced(set, &facts))
}

/// Asks one set on its own, looking at every rule.
pub fn ask_one_unsliced(set: &PolicySet, unsliced: &Unsliced, request: &Request) -> Option<LayerReason> {
    let facts = Facts::of(request, set.looks_at()).ok()?;
    let mut tally = Tally::default();
    tally.add(&unsliced.0, &facts);
    Some(tally.reason(set.layer()))
}
