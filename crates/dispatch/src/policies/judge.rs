//! Judging a request: with what the tenant's counters have come to, what the sets say, what the
//! tenant's would say if all of it counted, and the record of it all that is kept beside the act.

use std::collections::BTreeMap;
use std::sync::Arc;

use aegis_model::counter::Counter;
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
use crate::{DecisionAnswer, DecisionKind, Decisions};

/// Longest document of a question that is kept with its decision.
const DOCUMENT_BYTES_MAX: usize = 16 * 1024;

/// What the sets say, and what the tenant's would say besides if all of it counted.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What they say.
    pub verdict: Verdict,
    /// What the tenant's would say, where that is something else.
    pub log_only: Option<LayerReason>,
}

/// A question to the policy.
pub struct Asked<'a> {
    /// The question.
    pub request: Request,
    /// The session that it belongs to.
    pub session: Option<&'a str>,
    /// When it is asked.
    pub at: Timestamp,
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
    /// Whether not all of the question is kept.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
}

impl Judged {
    /// Without the document that was judged, where that is long: then it cannot be judged again.
    fn bounded(mut self) -> Result<Self, Fault> {
        let document = serde_json::to_vec(&self.request.document).map_err(Fault::internal)?;
        if document.len() > DOCUMENT_BYTES_MAX {
            self.request.document.clear();
            self.incomplete = true;
        }
        Ok(self)
    }
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
            incomplete: false,
            approval: self.approval.clone(),
        };
        let judged = judged.bounded()?;
        let key = RecordKey::new(Kind::Judged, caller.tenant.clone(), self.decision.id.as_str());
        put(key, Expect::Any, &judged, Vec::new(), false)
    }
}

impl AsRef<Decision> for Judgement {
    fn as_ref(&self) -> &Decision {
        &self.decision
    }
}

impl Policies {
    /// Judges by `judging`, and counts how that came out and how long it took. Whoever decides
    /// about something that is going to happen does it in here; questions what would happen are
    /// not counted, nor is a judging that nobody waited for to its end.
    ///
    /// # Errors
    /// Those of `judging`.
    pub async fn tallied<T: AsRef<Decision>>(
        &self,
        kind: DecisionKind,
        judging: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, Fault> {
        let judged = self.timed(kind, judging).await;
        self.decisions.count(kind, DecisionAnswer::of(judged.as_ref().map(AsRef::as_ref)), 1);
        judged
    }

    /// The same for judgings that may be one of several before something is decided: how it came
    /// out is to be counted by whoever knows what came of them.
    pub(crate) async fn timed<T: AsRef<Decision>>(
        &self,
        kind: DecisionKind,
        judging: impl Future<Output = Result<T, Fault>> + Send,
    ) -> Result<T, Fault> {
        let begun_ns = self.clock.elapsed_ns();
        let judged = judging.await;
        self.decisions.took(kind, self.clock.elapsed_ns().saturating_sub(begun_ns));
        if let Ok(judged) = &judged {
            self.decisions.tried(judged.as_ref());
        }
        judged
    }

    /// The decisions so far, counted.
    pub const fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// Judges a request: the answer, and what the act counts for.
    ///
    /// # Errors
    /// When it is not known what was counted: then nobody knows what is allowed.
    pub async fn judge(&self, own: &TenantPolicies, sets: &Sets<'_>, asked: Asked<'_>) -> Result<Judgement, Fault> {
        let at = asked.at;
        let (answer, request, counted) = self.answer(own, sets, asked).await?;
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
        asked: Asked<'_>,
    ) -> Result<(Answer, Request, Option<Arc<dyn Counted>>), Fault> {
        if !own.looks_at(sets).counters && !own.counts(asked.request.action) {
            let request = Request { at: Some(asked.at), ..asked.request };
            let answer = answered(own, sets, &request);
            return Ok((answer, request, None));
        }
        let asked = self.counted(own, &[], asked, |request| {
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
        Ok(self.counted(own, &[], Asked { request, session: None, at }, |request| (false, request)).await?.0)
    }

    /// Asks `decide` with what was counted by the tenant's counters and by some more, and
    /// reserves what the act counts for if it is allowed.
    ///
    /// # Errors
    /// As [`Policies::judge`].
    pub(crate) async fn counted<T>(
        &self,
        own: &TenantPolicies,
        more: &[Counter],
        asked: Asked<'_>,
        decide: impl FnOnce(Request) -> (bool, T),
    ) -> Result<(T, Option<Arc<dyn Counted>>), Fault> {
        let Asked { request, session, at } = asked;
        let request = Request { at: Some(at), ..request };
        let counters = [own.draft.counters.as_slice(), more].concat();
        let principal = format!("{:?}/{}", request.subject.kind, request.subject.id);
        let resource = format!("{}/{}", request.resource.kind.as_str(), request.resource.id);
        let amounts = |name: &str| match request.context.get(name) {
            Some(ContextValue::Long(amount)) => Some(*amount),
            _ => None,
        };
        let counting = Counting {
            counters: &counters,
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

/// What the sets say to a request that has everything in it.
pub fn answered(own: &TenantPolicies, sets: &Sets<'_>, request: &Request) -> Answer {
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
