//! The gate: every act is decided here, and every refusal is recorded before it is told. What
//! needs somebody's approval is asked for here, and passes by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use aegis_ledger::journal::{Denial, Journal};
use aegis_model::operation::{Effect, ResourceKind};
use aegis_model::record::Change;
use aegis_model::{
    Act, AgentName, Caller, Code, Decision, Fault, Operation, Principal, ReasonClass, Role, Timestamp, approval,
};
use aegis_policy::{ActionName, ContextValue, PolicySet, Request, Resource, Sets, Subject};

use crate::approvals::Approvals;
use crate::history::Together;
use crate::policies::{Asked, Judgement, TenantPolicies};
use crate::{DecisionKind, Freezes, Policies};

mod approved;

/// A request for an act.
#[derive(Clone, Debug)]
pub struct Ask<'a> {
    /// Who.
    pub caller: &'a Caller,
    /// What.
    pub operation: Operation,
    /// The name of what it acts on; its kind follows from the operation.
    pub resource: &'a str,
    /// The path's parameters; those that do not name the resource are what rules can look at.
    pub parameters: &'a [(String, String)],
    /// When.
    pub at: Timestamp,
    /// SHA-256 over the request.
    pub request_digest: [u8; 32],
}

/// Decides, refuses, records.
pub struct Gate {
    journal: Arc<Journal>,
    policies: Arc<Policies>,
    freezes: Arc<Freezes>,
    approvals: Arc<Approvals>,
}

/// What the policy says about an act that it does not simply deny.
pub enum Admission {
    /// It is allowed.
    Allowed(Judgement),
    /// It passes when somebody has approved it.
    NeedsApproval(Judgement),
}

/// An act that may happen.
pub struct Passed {
    /// By which answer.
    pub judgement: Judgement,
    /// What is committed with it, besides: it passes only if that holds.
    pub beside: Vec<Change>,
}

impl Gate {
    /// A gate over the policies and the freezes.
    pub fn new(
        journal: Arc<Journal>,
        policies: Arc<Policies>,
        freezes: Arc<Freezes>,
        approvals: Arc<Approvals>,
    ) -> Self {
        Self { journal, policies, freezes, approvals }
    }

    /// Refuses an act that nobody can let pass, and says whether somebody has to approve it.
    ///
    /// # Errors
    /// `Denied` or `Frozen`, after the refusal is in the ledger; and whatever keeps the gate
    /// from deciding or recording: then the act does not happen either.
    pub async fn admit(&self, ask: &Ask<'_>) -> Result<Admission, Fault> {
        let judgement = self.policies.tallied(DecisionKind::Api, self.judge_now(ask)).await?;
        let class = judgement.decision.class;
        if !judgement.decision.allowed && class != ReasonClass::NeedsApproval {
            return Err(self.deny(ask, judgement, Vec::new()).await?);
        }
        if let Err(fault) = self.thawed(ask) {
            self.refused(ask, &fault).await?;
            return Err(fault);
        }
        Ok(match judgement.decision.allowed {
            true => Admission::Allowed(judgement),
            false => Admission::NeedsApproval(judgement),
        })
    }

    /// Has an act be another one as well, which is decided too and counted with it.
    ///
    /// # Errors
    /// As [`Gate::admit`] and [`Gate::pass`].
    pub async fn also(&self, act: &Act, (operation, resource): (Operation, &str), body: &[u8]) -> Result<Act, Fault> {
        let (caller, at, request_digest) = (&act.caller, act.at, act.request_digest);
        let ask = Ask { caller, operation, resource, parameters: &[], at, request_digest };
        let admission = self.admit(&ask).await?;
        let path = format!("/api/v1{}", operation.path().replace("{name}", resource));
        let asked = approval::Asked::of(operation, &path, body);
        let Passed { judgement, beside } = self.pass(&ask, admission, asked).await?;
        with(act, judgement, beside)
    }

    /// What the caller is told of a refusal by the policy, once that is in the ledger.
    async fn deny(&self, ask: &Ask<'_>, judgement: Judgement, mut changes: Vec<Change>) -> Result<Fault, Fault> {
        let fault = denied(ask, &judgement.decision);
        changes.push(judgement.kept(ask.caller, ask.at)?);
        self.record(ask, subject(ask), (judgement.decision, changes)).await?;
        Ok(fault)
    }

    /// Records that an act was refused for a reason that is not a policy's: a freeze, or a
    /// rule of the domain.
    ///
    /// # Errors
    /// When it cannot be recorded.
    pub async fn refused(&self, ask: &Ask<'_>, fault: &Fault) -> Result<(), Fault> {
        let refusing = async {
            let judgement = self.judge_now(ask).await?;
            let decision = Decision { allowed: false, class: ReasonClass::Forbidden, ..judgement.decision };
            Ok(Judgement { decision, ..judgement })
        };
        let decision = self.policies.tallied(DecisionKind::Api, refusing).await?.decision;
        let target = fault.details().get("target").and_then(serde_json::Value::as_str);
        let subject = target.map_or_else(|| subject(ask), str::to_owned);
        self.record(ask, subject, (decision, Vec::new())).await
    }

    async fn judge_now(&self, ask: &Ask<'_>) -> Result<Judgement, Fault> {
        let own = self.policies.tenant(&ask.caller.tenant).await?;
        self.judge(ask, &own, &own.enforced).await
    }

    /// What the sets say, with `tenant` in the place of the tenant's.
    async fn judge(&self, ask: &Ask<'_>, own: &TenantPolicies, tenant: &PolicySet) -> Result<Judgement, Fault> {
        let request = Request {
            subject: Subject::from(ask.caller),
            action: ActionName::Operation(ask.operation),
            resource: Resource {
                kind: ask.operation.resource().into(),
                id: ask.resource.to_owned(),
                tenant: ask.caller.tenant.clone(),
            },
            context: context(ask),
            at: Some(ask.at),
            counts: BTreeMap::new(),
            document: BTreeMap::new(),
        };
        let sets = Sets { platform: self.policies.platform(), tenant, grants: None };
        self.policies.judge(own, &sets, Asked { request, session: None, at: ask.at }).await
    }

    fn thawed(&self, ask: &Ask<'_>) -> Result<(), Fault> {
        self.freezes.check(ask.caller, ask.operation)?;
        if let Principal::Agent { name } = &ask.caller.principal {
            self.freezes.check_agent(ask.caller, name)?;
        }
        let agent = ask.operation.resource() == ResourceKind::Agent && ask.operation.effect() == Effect::Change;
        match ask.resource.parse::<AgentName>() {
            Ok(name) if agent => self.freezes.check_agent(ask.caller, &name),
            _ => Ok(()),
        }
    }

    /// Writes the refusal on a task of its own: a caller that hangs up cannot keep it from
    /// being recorded.
    async fn record(
        &self,
        ask: &Ask<'_>,
        subject: String,
        (decision, changes): (Decision, Vec<Change>),
    ) -> Result<(), Fault> {
        let journal = Arc::clone(&self.journal);
        let (caller, operation, at) = (ask.caller.clone(), ask.operation, ask.at);
        let request_digest = ask.request_digest;
        let written = tokio::spawn(async move {
            let denial =
                Denial { caller: &caller, operation, subject, at, decision: &decision, request_digest, changes };
            journal.denial(denial).await
        });
        written.await.map_err(Fault::internal)?
    }
}

/// The act with one more answer that it was allowed by.
pub fn with(act: &Act, judgement: Judgement, mut beside: Vec<Change>) -> Result<Act, Fault> {
    beside.extend(act.beside.iter().cloned());
    beside.push(judgement.kept(&act.caller, act.at)?);
    let counted = Together::of([act.counted.clone(), judgement.counted].into_iter().flatten());
    Ok(Act { beside, counted, ..act.clone() })
}

/// What the operation acts on, as it is written in the ledger.
fn subject(ask: &Ask<'_>) -> String {
    format!("{}/{}", ask.operation.resource().as_str().to_ascii_lowercase(), ask.resource)
}

/// The circumstances of an API operation: what its path says beside the resource. A version
/// that is no number is left out; it names nothing anyway.
fn context(ask: &Ask<'_>) -> BTreeMap<String, ContextValue> {
    let own = ask.operation.resource().parameter();
    let others = ask.parameters.iter().filter(|(name, _)| Some(name.as_str()) != own);
    let read = |(name, value): &(String, String)| match name.as_str() {
        "version" | "revision" => value.parse().ok().map(|number| (name.clone(), ContextValue::Long(number))),
        _ => Some((name.clone(), ContextValue::Text(value.clone()))),
    };
    others.filter_map(read).collect()
}

/// What the caller is told. Operators see which rules decided; others only that it is a no.
fn denied(ask: &Ask<'_>, decision: &Decision) -> Fault {
    let (operation, role) = (ask.operation.as_str(), ask.caller.role.as_str());
    let whom = match &ask.caller.principal {
        Principal::Agent { name } => format!("agent `{name}` at the door of its box"),
        _ => format!("role `{role}`"),
    };
    let fault = Fault::new(Code::Denied, format!("`{operation}` is not permitted to {whom}"))
        .with("decision_id", decision.id.as_str())
        .with("reason", serde_json::json!(decision.class));
    if ask.caller.role < Role::Operator {
        return fault;
    }
    fault.with("reasons", serde_json::json!(decision.reasons))
}
