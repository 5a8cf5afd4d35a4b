//! Judging a request: with what the tenant's counters have come to, what the sets say, what the
//! tenant's would say if all of it counted, and the record of it all that is kept beside the act.

use std::collections::BTreeMap;
use std::sync::Arc;

use aegis_model::decision::LayerReason;
use aegis_model::operation::Effect;
use aegis_model::port::Counted;
use aegis_model::record::{Change, Expect, Kind, RecordKey};
use aegis_model::{ApprovalId, Caller, CorrelationId, Decision, Fault, Timestamp};
use aegis_policy::{ActionName, ContextValue, Request, Sets, Verdict, decide};
use serde::{Deserialize, Serialize};

use super::Policies;
use super::in_force::TenantPolicies;
use crate::document::put;
use crate::history::Counting;

/// What the sets say, and what the tenant's would say besides if all of it counted.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What they say.
    pub verdict: Verdict,
    /// What the tenant's would say, where that is something else.
    pub log_only: Option<LayerReason>,
}

/// An answer, what it was an answer to, and what the act counts for.
pub struct Judgement {
    /// The answer.
    pub decision: Decision,
    /// The question, with the counts that it was put with.
    pub request: Request,
    /// What the act counts for, if it is allowed.
    pub counted: Option<Arc<dyn Counted>>,
    /// By which approval it passes, where rules were lifted for it.
    pub approval: Option<ApprovalId>,
}

/// A decision with all that it was made from, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
pub struct Judged {
    /// The decision.
    pub decision: Decision,
    /// When it was made.
    pub at: Timestamp,
    /// Who asked.
    pub principal: String,
    /// The request it belongs to.
    pub correlation_id: CorrelationId,
    /// The question.
    pub request: Request,
    /// By which approval it passed, where rules were lifted for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalId>,
}

impl Judgement {
    /// The change that keeps it, beside the act or the refusal.
    pub fn kept(&self, caller: &Caller, at: Timestamp) -> Result<Change, Fault> {
        let judged = Judged {
            decision: self.decision.clone(),
            at,
            principal: caller.principal.name(),
            correlation_id: caller.correlation_id.clone(),
            request: self.request.clone(),
            approval: self.approval.clone(),
        };
        let key = RecordKey::new(Kind::Judged, caller.tenant.clone(), self.decision.id.as_str());
        put(key, Expect::Any, &judged, Vec::new(), false)
    }
}

impl Policies {
    /// Judges a request: the answer, and what the act counts for.
    ///
    /// # Errors
    /// When it is not known what was counted: then nobody knows what is allowed.
    pub async fn judge(
        &self,
        own: &TenantPolicies,
        sets: &Sets<'_>,
        (request, session): (Request, Option<&str>),
        at: Timestamp,
    ) -> Result<Judgement, Fault> {
        let (answer, request, counted) = self.answer(own, sets, (request, session), at).await?;
        let decision = self.decision(answer.verdict, at, answer.log_only)?;
        Ok(Judgement { decision, request, counted, approval: None })
    }

    /// What the sets say to a request, at that time and with what was counted until then.
    ///
    /// # Errors
    /// As [`Policies::judge`].
    pub async fn answer(
        &self,
        own: &TenantPolicies,
        sets: &Sets<'_>,
        (request, session): (Request, Option<&str>),
        at: Timestamp,
    ) -> Result<(Answer, Request, Option<Arc<dyn Counted>>), Fault> {
        let request = Request { at: Some(at), ..request };
        if !own.looks_at(sets).counters && !own.counts(request.action) {
            let answer = answered(own, sets, &request);
            return Ok((answer, request, None));
        }
        let asked = self.counted(own, (request, session), at, |request| {
            let answer = answered(own, sets, &request);
            (answer.verdict.allowed, (answer, request))
        });
        let ((answer, request), counted) = asked.await?;
        Ok((answer, request, counted))
    }

    /// The request with what was counted until then; nothing is counted for it.
    ///
    /// # Errors
    /// As [`Policies::judge`].
    pub async fn with_counts(&self, own: &TenantPolicies, request: Request, at: Timestamp) -> Result<Request, Fault> {
        let request = Request { at: Some(at), ..request };
        if own.draft.counters.is_empty() {
            return Ok(request);
        }
        Ok(self.counted(own, (request, None), at, |request| (false, request)).await?.0)
    }

    async fn counted<T>(
        &self,
        own: &TenantPolicies,
        (request, session): (Request, Option<&str>),
        at: Timestamp,
        decide: impl FnOnce(Request) -> (bool, T),
    ) -> Result<(T, Option<Arc<dyn Counted>>), Fault> {
        let principal = format!("{:?}/{}", request.subject.kind, request.subject.id);
        let resource = format!("{}/{}", request.resource.kind.as_str(), request.resource.id);
        let amounts = |name: &str| match request.context.get(name) {
            Some(ContextValue::Long(amount)) => Some(*amount),
            _ => None,
        };
        let counting = Counting {
            counters: &own.draft.counters,
            action: request.action.as_str(),
            principal: &principal,
            resource: &resource,
            session,
            amounts: &amounts,
            at,
        };
        let with = |counts: &BTreeMap<String, i64>| Request { counts: counts.clone(), ..request.clone() };
        self.histories.decide(&request.subject.tenant, &counting, |counts| decide(with(counts))).await
    }
}

fn answered(own: &TenantPolicies, sets: &Sets<'_>, request: &Request) -> Answer {
    let verdict = decide(sets, request);
    Answer { log_only: own.differs(request, &verdict.reasons), verdict }
}

/// Whether what is done by that action can be counted: only what is committed can.
pub fn is_countable(action: ActionName) -> bool {
    match action {
        ActionName::Operation(operation) => operation.effect() != Effect::Read,
        ActionName::Intent(_) => true,
        ActionName::Grant(_) => false,
    }
}
