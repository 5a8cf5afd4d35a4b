//! Looking at the policy: lists, explanations, and test cases against what is in force or
//! against a draft.

use std::sync::Arc;

use aegis_model::api::{
    Expected, PolicyAsk, PolicyCaseResult, PolicyExplanation, PolicyList, PolicyRule, PolicyTest, PolicyTestResult,
};
use aegis_model::decision::{LayerReason, PolicyLayer};
use aegis_model::{Act, AgentName, Code, Fault, TenantId};
use aegis_policy::{Explanation, LayerExplanation, PolicySet, Request, Rule, Sets, Verdict, explain};

use super::Policies;
use super::draft::compiled;
use super::in_force::TenantPolicies;
use crate::ask::{Question, question};

/// Most cases of one test.
const CASES_MAX: usize = 1_000;

impl Policies {
    /// The rules in force for a tenant; with an agent, also the grants it holds.
    ///
    /// # Errors
    /// `NotFound` when the tenant has no such agent.
    pub async fn list(&self, tenant: &TenantId, agent: Option<&AgentName>) -> Result<PolicyList, Fault> {
        let granted = match agent {
            Some(name) => Some(self.grants(tenant, name, None).await?),
            None => None,
        };
        let own = self.in_force.of(tenant).await?;
        let sets = Sets { platform: &self.platform, tenant: &own.enforced, grants: granted.as_ref() };
        let items = rules(&self.platform, None).chain(own_rules(&own));
        let items = items.chain(granted.iter().flat_map(|set| rules(set, agent)));
        Ok(PolicyList { items: items.collect(), revision: own.revision, policy_hash: sets.hash() })
    }

    /// Says whether an act would be allowed, and why.
    ///
    /// # Errors
    /// `Validation` when the question cannot be read.
    pub async fn explain(&self, act: &Act, ask: &PolicyAsk) -> Result<PolicyExplanation, Fault> {
        let question = question(&act.caller, ask, "")?;
        let own = self.in_force.of(&act.caller.tenant).await?;
        let (found, request) = self.explained(act, &question, &own).await?;
        let agent = question.agent.as_ref().map(|(name, _)| name);
        let determining = found.layers.iter().flat_map(|layer| determining(layer, agent)).collect();
        let nearest = found.layers.iter().flat_map(|layer| nearest(layer, agent)).collect();
        let verdict = verdict(found);
        let log_only = own.differs(&request, &verdict.reasons);
        Ok(PolicyExplanation { decision: self.decision(verdict, act.at, log_only)?, determining, nearest })
    }

    /// Runs test cases against the live policy, or against a draft of the tenant's set.
    ///
    /// # Errors
    /// `PolicyInvalid` when the draft does not compile, `Validation` when a case cannot be read.
    pub async fn test(&self, act: &Act, test: PolicyTest) -> Result<PolicyTestResult, Fault> {
        if test.cases.is_empty() || test.cases.len() > CASES_MAX {
            return Err(Fault::new(Code::Validation, format!("a test has 1 to {CASES_MAX} cases")).at("/cases"));
        }
        let own = match test.draft {
            Some(draft) => Arc::new(TenantPolicies::new(0, compiled(draft, "/draft").await?)),
            None => self.in_force.of(&act.caller.tenant).await?,
        };
        let mut results = Vec::with_capacity(test.cases.len());
        for (index, case) in test.cases.into_iter().enumerate() {
            // A large draft keeps a processor busy: others have their turn between two cases.
            tokio::task::yield_now().await;
            let question = question(&act.caller, &case.ask, &format!("/cases/{index}/ask"))?;
            let (found, request) = self.explained(act, &question, &own).await?;
            let verdict = verdict(found);
            let passed = verdict.allowed == (case.expect == Expected::Allow);
            let log_only = own.differs(&request, &verdict.reasons);
            let decision = self.decision(verdict, act.at, log_only)?;
            results.push(PolicyCaseResult { name: case.name, passed, decision });
        }
        Ok(PolicyTestResult { passed: results.iter().all(|result| result.passed), results })
    }

    /// Time and counts are those of now, unless the question says others.
    async fn explained(
        &self,
        act: &Act,
        question: &Question,
        own: &TenantPolicies,
    ) -> Result<(Explanation, Request), Fault> {
        let granted = match &question.agent {
            Some((name, version)) => Some(self.grants(&act.caller.tenant, name, *version).await?),
            None => None,
        };
        let sets = Sets { platform: &self.platform, tenant: &own.enforced, grants: granted.as_ref() };
        // What was counted is looked up as of now: a question about another time must not make the
        // counters believe that it has come.
        let mut asked = self.with_counts(own, question.request.clone(), act.at).await?;
        asked.at = question.request.at.or(asked.at);
        asked.counts.extend(question.request.counts.clone());
        Ok((explain(&sets, &asked), asked))
    }
}

/// The short answer in a long one.
fn verdict(found: Explanation) -> Verdict {
    let reason = |layer: LayerExplanation| LayerReason {
        layer: layer.layer,
        allowed: layer.allowed,
        class: layer.class,
        policies: layer.determining.into_iter().map(|rule| rule.id).collect(),
        errors: layer.errors,
    };
    let reasons = found.layers.into_iter().map(reason).collect();
    Verdict { allowed: found.allowed, class: found.class, reasons, policy_hash: found.policy_hash }
}

fn rules<'a>(set: &'a PolicySet, agent: Option<&'a AgentName>) -> impl Iterator<Item = PolicyRule> + 'a {
    set.sources().iter().map(move |source| PolicyRule {
        layer: set.layer(),
        id: source.id.clone(),
        text: source.text.clone(),
        mode: None,
        agent: agent.cloned(),
        missing: None,
    })
}

/// A tenant's own, those that only are reported on among them.
fn own_rules(own: &TenantPolicies) -> impl Iterator<Item = PolicyRule> + '_ {
    own.draft.policies.iter().map(|policy| PolicyRule {
        layer: PolicyLayer::Tenant,
        id: policy.name.to_string(),
        text: policy.text.clone(),
        mode: Some(policy.mode),
        agent: None,
        missing: None,
    })
}

fn rule(layer: PolicyLayer, rule: &Rule, agent: Option<&AgentName>, missing: Option<String>) -> PolicyRule {
    let agent = agent.filter(|_| layer == PolicyLayer::Grants).cloned();
    PolicyRule { layer, id: rule.id.clone(), text: rule.text.clone(), mode: None, agent, missing }
}

fn determining(layer: &LayerExplanation, agent: Option<&AgentName>) -> Vec<PolicyRule> {
    layer.determining.iter().map(|found| rule(layer.layer, found, agent, None)).collect()
}

fn nearest(layer: &LayerExplanation, agent: Option<&AgentName>) -> Vec<PolicyRule> {
    let near = layer.nearest.iter();
    near.map(|near| rule(layer.layer, &near.rule, agent, Some(near.missing.as_str().to_owned()))).collect()
}
