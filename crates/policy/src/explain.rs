//! The long answer, for operators only: which rules decided in each set, with their text, and
//! which permits were nearest to allowing it. Somebody inside a box never sees this.
//! Must not know how to decide: it asks `decide`.

use std::collections::HashSet;

use aegis_model::decision::{LayerReason, PolicyLayer, ReasonClass};
use cedar_policy::Effect;
use serde::Serialize;

use crate::decide::{Sets, Verdict, decide};
use crate::facts::Facts;
use crate::looks::Looks;
use crate::reason;
use crate::request::Request;
use crate::set::{CompiledRule, PolicySet};

/// How many near permits are told per set.
const NEAR_MAX: usize = 8;

/// A rule as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// Cedar.
    pub text: String,
    /// What it says to whoever is refused by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who should decide about what it forbids, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
}

/// The part of a permit that was not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// Everything but its condition.
    Condition,
    /// It permits other principals.
    Principal,
    /// It permits other resources.
    Resource,
}

impl Missing {
    /// The part as it is written in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Condition => "condition",
            Self::Principal => "principal",
            Self::Resource => "resource",
        }
    }
}

/// A permit that would have allowed it, had one thing been different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NearPermit {
    /// What was different.
    pub missing: Missing,
    /// The rule.
    pub rule: Rule,
}

/// The long answer of one set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerExplanation {
    /// The set.
    pub layer: PolicyLayer,
    /// Whether this set allows it.
    pub allowed: bool,
    /// Why.
    pub class: ReasonClass,
    /// The rules that decided.
    pub determining: Vec<Rule>,
    /// Where nothing permits it: the permits that came nearest.
    pub nearest: Vec<NearPermit>,
    /// What went wrong while evaluating, if anything.
    pub errors: Vec<String>,
}

/// The long answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Whether every set allows it.
    pub allowed: bool,
    /// Why, in one word.
    pub class: ReasonClass,
    /// What each set said.
    pub layers: Vec<LayerExplanation>,
    /// SHA-256 over the sets the answer was taken from, in hexadecimal.
    pub policy_hash: String,
}

/// Decides, and says at length why.
pub fn explain(sets: &Sets<'_>, request: &Request) -> Explanation {
    let Verdict { allowed, class, reasons, policy_hash } = decide(sets, request);
    // Only for what a rule demands in its scope; the conditions were looked at by `decide`.
    let facts = Facts::of(request, Looks::default()).ok();
    let layers = reasons.into_iter().map(|reason| {
        let set = match reason.layer {
            PolicyLayer::Platform => Some(sets.platform),
            PolicyLayer::Tenant => Some(sets.tenant),
            PolicyLayer::Grants | PolicyLayer::Governance => sets.grants,
        };
        layer(reason, set, facts.as_ref())
    });
    Explanation { allowed, class, layers: layers.collect(), policy_hash }
}

fn layer(reason: LayerReason, set: Option<&PolicySet>, facts: Option<&Facts>) -> LayerExplanation {
    let rules = set.map(PolicySet::rules).unwrap_or_default();
    let decided: HashSet<&str> = reason.policies.iter().map(String::as_str).collect();
    let determining = rules.iter().filter(|rule| decided.contains(AsRef::<str>::as_ref(rule.policy.id())));
    let determining = determining.map(written).collect();
    let nearest = match (reason.class, facts) {
        (ReasonClass::NotPermitted, Some(facts)) => nearest(rules, facts),
        _ => Vec::new(),
    };
    let LayerReason { layer, allowed, class, errors, .. } = reason;
    LayerExplanation { layer, allowed, class, determining, nearest, errors }
}

fn written(rule: &CompiledRule) -> Rule {
    let reason = reason::of(&rule.policy).map(str::to_owned);
    let approval = reason::approval_of(&rule.policy).map(str::to_owned);
    Rule { id: rule.policy.id().to_string(), text: rule.policy.to_string(), reason, approval }
}

/// The permits for this action of which exactly one part is not met; those that lack only
/// their condition come first.
fn nearest(rules: &[CompiledRule], facts: &Facts) -> Vec<NearPermit> {
    let permits = rules.iter().filter(|rule| rule.policy.effect() == Effect::Permit);
    let near = permits.filter_map(|rule| missing(rule, facts).map(|missing| (missing, rule)));
    let mut near: Vec<(Missing, &CompiledRule)> = near.collect();
    near.sort_by_key(|(missing, rule)| (*missing, rule.policy.id().to_string()));
    near.truncate(NEAR_MAX);
    near.into_iter().map(|(missing, rule)| NearPermit { missing, rule: written(rule) }).collect()
}

fn missing(rule: &CompiledRule, facts: &Facts) -> Option<Missing> {
    if !rule.scope.names_action(&facts.action) {
        return None;
    }
    match (rule.scope.principal.met_by(&facts.principal), rule.scope.resource.met_by(&facts.resource)) {
        (true, true) => Some(Missing::Condition),
        (false, true) => Some(Missing::Principal),
        (true, false) => Some(Missing::Resource),
        (false, false) => None,
    }
}
