//! Acts that pass when somebody has approved them. Must not know how an approval is kept.

use aegis_ledger::journal::{Answer, Deed};
use aegis_model::act::{Act, DecisionMark};
use aegis_model::approval::{Approval, ApprovalState, Asked};
use aegis_model::decision::{LayerReason, PolicyLayer};
use aegis_model::operation::Effect;
use aegis_model::record::Change;
use aegis_model::{Code, Fault, Operation};

use super::{Admission, Ask, Gate, Passed, subject};
use crate::approvals::{Before, Found, Stored, Wanted};
use crate::policies::{Judgement, TenantPolicies};

/// Sentences of rules that are told at most.
const SENTENCES_MAX: usize = 3;

impl Gate {
    /// Lets an act pass; what needs somebody's approval, by one that there is. Where there is
    /// none, it is asked for.
    ///
    /// # Errors
    /// `ApprovalRequired` while nobody has decided, `Denied` when somebody said no or the other
    /// rules do, after the refusal is in the ledger.
    pub async fn pass(&self, ask: &Ask<'_>, admission: Admission, asked: Asked) -> Result<Passed, Fault> {
        let judgement = match admission {
            Admission::Allowed(judgement) => return Ok(Passed { judgement, beside: Vec::new() }),
            Admission::NeedsApproval(judgement) => judgement,
        };
        let own = self.policies.tenant(&ask.caller.tenant).await?;
        let resource = subject(ask);
        let wanted = Wanted {
            caller: ask.caller,
            operation: ask.operation,
            resource: &resource,
            request_digest: ask.request_digest,
            at: ask.at,
            policy_revision: own.revision,
        };
        match self.approvals.find(&wanted).await? {
            Found::Approved(stored) => self.pass_by(ask, &own, (&wanted, stored)).await,
            Found::Pending(approval) => Err(self.wait(ask, judgement, (&approval, Before::Nothing), None).await?),
            Found::Rejected(approval) => {
                self.deny(ask, judgement, Vec::new()).await?;
                Err(rejected(ask, &approval))
            }
            Found::Unasked(before) => {
                let sentence = sentence(&own, &judgement);
                match self.approvals.ask(&wanted, (asked, sentence)).await {
                    Ok(mut asking) => {
                        let change = asking.change.take();
                        Err(self.wait(ask, judgement, (&asking.approval, before), change).await?)
                    }
                    Err(fault) => {
                        self.deny(ask, judgement, Vec::new()).await?;
                        Err(fault)
                    }
                }
            }
        }
    }

    /// Judges by everything but the rules that were lifted.
    async fn pass_by(
        &self,
        ask: &Ask<'_>,
        own: &TenantPolicies,
        (wanted, found): (&Wanted<'_>, Stored),
    ) -> Result<Passed, Fault> {
        let lifted = own.enforced.approved().unwrap_or(&own.enforced);
        let id = found.approval.id.clone();
        let judgement = Judgement { approval: Some(id.clone()), ..self.judge(ask, own, lifted).await? };
        if !judgement.decision.allowed {
            return Err(self.deny(ask, judgement, Vec::new()).await?);
        }
        let used = self.approvals.used(wanted, found, &judgement.decision.id).await?;
        if !passes_before(ask.operation) {
            return Ok(Passed { judgement, beside: vec![used] });
        }
        let mark = &judgement.decision;
        let act = Act {
            caller: ask.caller.clone(),
            operation: ask.operation,
            at: ask.at,
            decision: DecisionMark { id: mark.id.clone(), class: mark.class, policy_hash: mark.policy_hash.clone() },
            request_digest: ask.request_digest,
            idempotency: None,
            beside: vec![judgement.kept(ask.caller, ask.at)?],
            counted: None,
        };
        let (subject, answer) = (format!("approval/{id}"), Answer::empty());
        let deed = Deed { subject, stream: "approvals", changes: vec![used], answer, also: None };
        self.journal.commit(&act, deed).await?;
        Ok(Passed { judgement, beside: Vec::new() })
    }

    /// What the caller is told who has to wait, once the refusal is in the ledger and, where it
    /// was not asked for before, the question beside it.
    async fn wait(
        &self,
        ask: &Ask<'_>,
        judgement: Judgement,
        (approval, before): (&Approval, Before),
        change: Option<Change>,
    ) -> Result<Fault, Fault> {
        let denied = self.deny(ask, judgement, change.into_iter().collect()).await?;
        let operation = ask.operation.as_str();
        let message = format!("`{operation}` needs approval: {}{}", approval.sentence, again(before));
        let fault = denied
            .details()
            .iter()
            .fold(Fault::new(Code::ApprovalRequired, message), |fault, (name, value)| fault.with(name, value.clone()));
        Ok(fault
            .with("approval_id", approval.id.as_str())
            .with("expires_at", approval.expires_at.to_string())
            .with("sentence", approval.sentence.clone()))
    }
}

/// Whether the approval is used up before the act: what changes nothing, or not in one commit, has
/// nothing that it could be committed with.
fn passes_before(operation: Operation) -> bool {
    operation.effect() == Effect::Read || operation == Operation::EncryptionKeyRotate
}

fn rejected(ask: &Ask<'_>, approval: &Approval) -> Fault {
    let who = approval.decided_by.as_deref().unwrap_or("somebody");
    let operation = ask.operation.as_str();
    let message = format!("`{operation}` was asked for and rejected by `{who}`");
    Fault::new(Code::Denied, message)
        .with("approval_id", approval.id.as_str())
        .with("expires_at", approval.expires_at.to_string())
        .with("reason", approval.reason.clone())
}

/// Why it is asked anew.
const fn again(before: Before) -> &'static str {
    match before {
        Before::Nothing => "",
        Before::Stale => " (asked anew: the policies were changed since it was asked for before)",
        Before::Ended(ApprovalState::Used) => " (asked anew: it was approved once, and that is used)",
        Before::Ended(ApprovalState::Withdrawn) => " (asked anew: it was withdrawn before)",
        Before::Ended(_) => " (asked anew: the time of the one before is over)",
    }
}

/// What the rules say that forbid it.
fn sentence(own: &TenantPolicies, judgement: &Judgement) -> String {
    let own_rules = |reason: &&LayerReason| reason.layer == PolicyLayer::Tenant;
    let rules = judgement.decision.reasons.iter().filter(own_rules).flat_map(|reason| &reason.policies);
    let mut sentences: Vec<&str> = rules.filter_map(|rule| own.enforced.approval_of(rule)).collect();
    sentences.sort_unstable();
    sentences.dedup();
    sentences.truncate(SENTENCES_MAX);
    sentences.join(" ")
}
