//! The decision: every set is asked on its own, and all must allow.
//!
//! A set allows if at least one of its rules permits, none forbids, and none of those looked
//! at failed. Cedar itself skips a rule that fails; here a failure is a no, because a forbid
//! that could not be evaluated must not be lost.

use aegis_model::decision::{LayerReason, PolicyLayer, ReasonClass};
use cedar_policy::{Authorizer, Decision};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::action::ActionName;
use crate::facts::Facts;
use crate::looks::Looks;
use crate::request::{Request, SubjectKind};
use crate::set::PolicySet;

/// The sets that a request is put to.
#[derive(Clone, Copy, Debug)]
pub struct Sets<'a> {
    /// The installation's rules.
    pub platform: &'a PolicySet,
    /// The rules of the principal's tenant.
    pub tenant: &'a PolicySet,
    /// The grants of the agent, for what leaves its box. `None` for everybody else; an agent
    /// without is denied. For what is done to an intent it is the tenant's governance records
    /// that stand here, and whoever asks is denied without.
    pub grants: Option<&'a PolicySet>,
}

impl Sets<'_> {
    /// SHA-256 over the sets, in hexadecimal.
    pub fn hash(&self) -> String {
        hash_of(self)
    }

    /// What any of the sets looks at beside the request's own context.
    pub fn look_at(&self) -> Looks {
        let grants = self.grants.map(PolicySet::looks_at).unwrap_or_default();
        self.platform.looks_at().or(self.tenant.looks_at()).or(grants)
    }
}

/// What the sets said together. The caller gives it its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Whether every set allows it.
    pub allowed: bool,
    /// Why, in one word.
    pub class: ReasonClass,
    /// What each set said.
    pub reasons: Vec<LayerReason>,
    /// SHA-256 over the sets the answer was taken from, in hexadecimal.
    pub policy_hash: String,
}

/// Says whether it may happen, and why.
pub fn decide(sets: &Sets<'_>, request: &Request) -> Verdict {
    decide_by(sets, request, sets.look_at(), sliced)
}

/// What one set says on its own, whatever the others do.
pub fn ask(set: &PolicySet, request: &Request) -> LayerReason {
    match Facts::of(request, set.looks_at()) {
        Ok(facts) => sliced(set, &facts),
        Err(error) => failed(set.layer(), error.to_string()),
    }
}

/// Asks every set by `evaluate`. `looks` is at least what the sets look at.
pub(crate) fn decide_by(
    sets: &Sets<'_>,
    request: &Request,
    looks: Looks,
    evaluate: impl Fn(&PolicySet, &Facts) -> LayerReason,
) -> Verdict {
    let of_the_api = matches!(request.action, ActionName::Operation(_));
    // Grants are for what leaves a box; what an agent may do of the API is there for every
    // agent, or for none.
    let for_agents = request.subject.kind == SubjectKind::Agent && of_the_api;
    let sets = &Sets { grants: sets.grants.filter(|_| !for_agents), ..*sets };
    let policy_hash = hash_of(sets);
    let may_be_lifted = matches!(request.action, ActionName::Operation(it) if !it.is_about_approvals());
    let ask = |layer: PolicyLayer, set: &PolicySet, facts: &Facts| match set.layer() == layer {
        true if may_be_lifted => liftable(set, facts, &evaluate),
        true => evaluate(set, facts),
        false => failed(layer, format!("the set handed in as `{}` is another one", layer.as_str())),
    };
    let reasons = match Facts::of(request, looks) {
        Err(error) => {
            let layers = [PolicyLayer::Platform, PolicyLayer::Tenant, third_layer(request.action)];
            layers.map(|layer| failed(layer, error.to_string())).into()
        }
        Ok(facts) => {
            let platform = ask(PolicyLayer::Platform, sets.platform, &facts);
            let tenant = ask(PolicyLayer::Tenant, sets.tenant, &facts);
            let layer = third_layer(request.action);
            let third = match (sets.grants, request.action, request.subject.kind) {
                _ if for_agents => None,
                (Some(set), ..) => Some(ask(layer, set, &facts)),
                (None, ActionName::Intent(_), _) | (None, _, SubjectKind::Agent) => Some(not_permitted(layer)),
                (None, _, SubjectKind::Key | SubjectKind::User | SubjectKind::System) => None,
            };
            [platform, tenant].into_iter().chain(third).collect()
        }
    };
    joined(reasons, policy_hash)
}

/// What a set says; where all that forbids may be lifted by somebody's approval, it says so.
fn liftable(set: &PolicySet, facts: &Facts, evaluate: impl Fn(&PolicySet, &Facts) -> LayerReason) -> LayerReason {
    let reason = evaluate(set, facts);
    match set.approved() {
        Some(approved) if reason.class == ReasonClass::Forbidden && evaluate(approved, facts).allowed => {
            LayerReason { class: ReasonClass::NeedsApproval, ..reason }
        }
        _ => reason,
    }
}

/// Which layer the third set is of.
const fn third_layer(action: ActionName) -> PolicyLayer {
    match action {
        ActionName::Intent(_) => PolicyLayer::Governance,
        ActionName::Operation(_) | ActionName::Grant(_) => PolicyLayer::Grants,
    }
}

/// Most rules, and most failures, that one set names for one answer.
const TOLD_MAX: usize = 100;

/// What a set says, looking only at the rules that can match.
pub(crate) fn sliced(set: &PolicySet, facts: &Facts) -> LayerReason {
    let mut tally = Tally::default();
    set.slices().open(facts, |bucket| tally.add(bucket, facts));
    tally.reason(set.layer())
}

/// What was found so far in one set.
#[derive(Default)]
pub(crate) struct Tally {
    permits: Vec<String>,
    forbids: Vec<String>,
    errors: Vec<String>,
}

impl Tally {
    /// Evaluates some rules of the set.
    pub(crate) fn add(&mut self, rules: &cedar_policy::PolicySet, facts: &Facts) {
        let response = Authorizer::new().is_authorized(&facts.request, rules, &facts.entities);
        let determining = response.diagnostics().reason().map(ToString::to_string);
        match response.decision() {
            Decision::Allow => self.permits.extend(determining),
            // Cedar names no rule when nothing permits, and the forbids when something does forbid.
            Decision::Deny => self.forbids.extend(determining),
        }
        self.errors.extend(response.diagnostics().errors().map(ToString::to_string));
    }

    /// Sorted, because Cedar names rules in no particular order.
    pub(crate) fn reason(mut self, layer: PolicyLayer) -> LayerReason {
        self.permits.sort_unstable();
        self.forbids.sort_unstable();
        self.errors.sort_unstable();
        let (class, policies) = match (self.errors.is_empty(), self.forbids.is_empty(), self.permits.is_empty()) {
            (false, _, _) => (ReasonClass::EvaluationFailed, self.forbids),
            (true, false, _) => (ReasonClass::Forbidden, self.forbids),
            (true, true, true) => (ReasonClass::NotPermitted, Vec::new()),
            (true, true, false) => (ReasonClass::Permitted, self.permits),
        };
        let (policies, errors) = (told(policies), told(self.errors));
        LayerReason { layer, allowed: class == ReasonClass::Permitted, class, policies, errors }
    }
}

/// As many as somebody reads: thousands of rules may decide the same.
fn told(mut all: Vec<String>) -> Vec<String> {
    all.truncate(TOLD_MAX);
    all
}

fn not_permitted(layer: PolicyLayer) -> LayerReason {
    Tally::default().reason(layer)
}

fn failed(layer: PolicyLayer, error: String) -> LayerReason {
    Tally { errors: vec![error], ..Tally::default() }.reason(layer)
}

/// All must allow. Of several noes the gravest is told.
fn joined(reasons: Vec<LayerReason>, policy_hash: String) -> Verdict {
    let allowed = !reasons.is_empty() && reasons.iter().all(|reason| reason.allowed);
    let says = |class: ReasonClass| reasons.iter().any(|reason| reason.class == class);
    let class = if allowed {
        ReasonClass::Permitted
    } else if reasons.is_empty() {
        ReasonClass::NotPermitted
    } else if says(ReasonClass::EvaluationFailed) {
        ReasonClass::EvaluationFailed
    } else if says(ReasonClass::Forbidden) {
        ReasonClass::Forbidden
    } else if says(ReasonClass::NotPermitted) {
        ReasonClass::NotPermitted
    } else {
        ReasonClass::NeedsApproval
    };
    Verdict { allowed, class, reasons, policy_hash }
}

fn hash_of(sets: &Sets<'_>) -> String {
    let mut hash = Sha256::new_with_prefix(b"aegis policy sets 1\n");
    hash.update(sets.platform.hash());
    hash.update(sets.tenant.hash());
    if let Some(grants) = sets.grants {
        hash.update(grants.hash());
    }
    let mut written = String::with_capacity(64);
    for byte in hash.finalize() {
        for nibble in [byte >> 4, byte & 15] {
            written.extend(char::from_digit(u32::from(nibble), 16));
        }
    }
    written
}
