//! Orbit: a service asks for something by name. It is correlated, governed, done by the agent
//! that the intent names, and answered with the decision and with what became of it.
//!
//! ```text
//!   dispatch ─► record of (service, intent) ─► sets: platform ∧ tenant ∧ governance
//!                                                 │ yes                   │ no
//!              agent_invoke, for the caller ◄─────┘                       └─► why, in a sentence
//!                                                 │ yes
//!                              a run of the agent ┴─► outcome
//! ```
//!
//! Must not know HTTP, nor what a box is made of.

mod governed;
mod intents;
mod records;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use aegis_ledger::journal::{Denial, Journal};
use aegis_model::api::{DispatchRequest, GovernanceAnswer, InvokeRequest};
use aegis_model::counter::{Counter, CounterKey};
use aegis_model::governance::intent_problem;
use aegis_model::intent::Intent;
use aegis_model::manifest::Duration;
use aegis_model::port::Clock;
use aegis_model::run::Fulfilment;
use aegis_model::{Act, Code, Decision, Fault, Operation, TenantId};
use aegis_policy::{ContextValue, IntentAsk, Request, Sets, Subject, governance_reason, intent_request};
use serde_json::json;

use crate::DecisionKind;
use crate::gate::{Gate, with};
use crate::policies::{Asked, Judgement, Policies, answered};
use crate::run::{LiveRun, Runs};
use governed::Governed;

/// How often an intent was allowed lately: what rate limits look at. A tenant's own counters
/// cannot have such names.
static RATES: LazyLock<[Counter; 2]> = LazyLock::new(|| {
    let rate = |name: &str, window_ms: u64| Counter {
        name: name.to_owned(),
        actions: vec!["fulfil".to_owned()],
        per: vec![CounterKey::Resource],
        sum: None,
        window: Some(Duration::from_millis(window_ms)),
    };
    [rate("rate-minute", 60_000), rate("rate-hour", 3_600_000)]
});

/// The rooms and ports that it needs.
pub struct OrbitParts {
    /// Records.
    pub journal: Arc<Journal>,
    /// The policy in force.
    pub policies: Arc<Policies>,
    /// The gate.
    pub gate: Arc<Gate>,
    /// What agents are given to do.
    pub runs: Arc<Runs>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Intents, and the records that govern them.
pub struct Orbit {
    journal: Arc<Journal>,
    policies: Arc<Policies>,
    gate: Arc<Gate>,
    runs: Arc<Runs>,
    clock: Arc<dyn Clock>,
    compiled: Mutex<HashMap<(TenantId, String), Arc<Governed>>>,
}

/// What governance said, for the house and for whoever asked.
struct Said {
    judgement: Judgement,
    governance: GovernanceAnswer,
}

impl AsRef<Decision> for Said {
    fn as_ref(&self) -> &Decision {
        self.judgement.as_ref()
    }
}

impl Orbit {
    /// Over the rooms it needs.
    pub fn new(parts: OrbitParts) -> Self {
        let OrbitParts { journal, policies, gate, runs, clock } = parts;
        Self { journal, policies, gate, runs, clock, compiled: Mutex::default() }
    }

    /// Governs a dispatch, and has the agent begin.
    ///
    /// # Errors
    /// `Denied` with the reason in a sentence, after it is in the ledger; `NotFound` when nobody
    /// has registered the intent; and whatever keeps a run from beginning.
    pub async fn dispatch(&self, act: &Act, asked: DispatchRequest) -> Result<Arc<LiveRun>, Fault> {
        for (pointer, name) in [("/service", &asked.service), ("/intent", &asked.intent)] {
            if let Some(problem) = intent_problem(name) {
                return Err(Fault::new(Code::Validation, format!("that is not a name: {problem}")).at(pointer));
            }
        }
        let governing = self.govern(act, &asked);
        let Said { judgement, governance } = self.policies.tallied(DecisionKind::Intent, governing).await?;
        if !governance.allowed {
            return Err(self.refuse(act, &asked, judgement, governance).await?);
        }
        let tenant = &act.caller.tenant;
        let intent = self.intent(tenant, &asked.service, &asked.intent).await?;
        let body = serde_json::to_vec(&asked).map_err(Fault::internal)?;
        // Whoever has an agent do something by an intent must be allowed to have it do something.
        let act = with(act, judgement, Vec::new())?;
        let act = self.gate.also(&act, (Operation::AgentInvoke, intent.agent.as_str()), &body).await?;
        let request = invocation(&asked, &intent);
        let DispatchRequest { service, intent: name, .. } = asked;
        let fulfils = Fulfilment { service, intent: name, governance };
        self.runs.fulfil(&act, &intent.agent, (request, fulfils)).await
    }

    /// Puts it to the platform's set, the tenant's and the intent's own record.
    async fn govern(&self, act: &Act, asked: &DispatchRequest) -> Result<Said, Fault> {
        let begun_ns = self.clock.elapsed_ns();
        let tenant = &act.caller.tenant;
        let governed = self.governed(tenant, &asked.service, &asked.intent).await?;
        let request = question(act, asked, governed.as_deref())?;
        let own = self.policies.tenant(tenant).await?;
        let third = governed.as_ref().map(|governed| &governed.set);
        let sets = Sets { platform: self.policies.platform(), tenant: &own.enforced, grants: third };
        let decide = |request: Request| {
            let request = with_rates(request);
            let answer = answered(&own, &sets, &request);
            (answer.verdict.allowed, (answer, request))
        };
        let ((answer, request), counted) = match third {
            // Whoever asks for what nobody has named leaves no trace among the counts.
            None => (decide(request).1, None),
            Some(_) => {
                let asked_now = Asked { request, session: None, at: act.at };
                self.policies.counted(&own, &*RATES, asked_now, decide).await?
            }
        };
        // Of what nobody has named nothing is kept but that it was asked for.
        let document = if third.is_some() { request.document.clone() } else { BTreeMap::new() };
        let request = Request { document, ..request };
        let record = governed.as_ref().map(|governed| &governed.record);
        let reason = governance_reason(&asked.service, &asked.intent, record, &answer.verdict);
        let decision = self.policies.decision(answer.verdict, act.at, answer.log_only)?;
        let governance = GovernanceAnswer {
            decision_id: decision.id.clone(),
            allowed: decision.allowed,
            reason,
            decision_time_ms: millis(self.clock.elapsed_ns().saturating_sub(begun_ns)),
        };
        Ok(Said { judgement: Judgement { decision, request, counted, approval: None }, governance })
    }

    /// The refusal, once it is in the ledger.
    async fn refuse(
        &self,
        act: &Act,
        asked: &DispatchRequest,
        judgement: Judgement,
        governance: GovernanceAnswer,
    ) -> Result<Fault, Fault> {
        let denial = Denial {
            caller: &act.caller,
            operation: Operation::Dispatch,
            subject: format!("intent/{}/{}", asked.service, asked.intent),
            at: act.at,
            decision: &judgement.decision,
            request_digest: act.request_digest,
            changes: vec![judgement.kept(&act.caller, act.at)?],
        };
        self.journal.denial(denial).await?;
        Ok(Fault::new(Code::Denied, governance.reason.clone())
            .with("decision_id", governance.decision_id.as_str())
            .with("reason", json!(judgement.decision.class))
            .with("governance", json!(governance)))
    }
}

fn question(act: &Act, asked: &DispatchRequest, governed: Option<&Governed>) -> Result<Request, Fault> {
    let (local_hour, local_weekday) = governed.map_or((0, act.at.weekday()), |governed| governed.local(act.at));
    let ask = IntentAsk {
        subject: Subject::from(&act.caller),
        service: &asked.service,
        intent: &asked.intent,
        at: act.at,
        local_hour,
        local_weekday,
        last_minute: 0,
        last_hour: 0,
        context: &asked.context,
    };
    intent_request(ask).map_err(|problem| {
        Fault::new(Code::Validation, format!("the context cannot be judged: {}", problem.message))
            .at(&format!("/context{}", problem.pointer))
    })
}

/// The counts of the house become what the records look at; the tenant's own stay.
fn with_rates(mut request: Request) -> Request {
    for (counter, attribute) in RATES.iter().zip(["last_minute", "last_hour"]) {
        // Without it the rule that looks at it fails, and so denies.
        request.context.remove(attribute);
        if let Some(count) = request.counts.remove(&counter.name) {
            request.context.insert(attribute.to_owned(), ContextValue::Long(count));
        }
    }
    request
}

fn invocation(asked: &DispatchRequest, intent: &Intent) -> InvokeRequest {
    InvokeRequest {
        input: json!({"service": asked.service, "intent": asked.intent, "context": asked.context}),
        session_id: asked.session_id.clone(),
        endpoint: intent.endpoint.clone(),
        timeout_ms: intent.timeout_ms,
        ..InvokeRequest::default()
    }
}

/// With three digits behind the point.
fn millis(ns: u64) -> f64 {
    std::time::Duration::from_micros(ns / 1_000).as_secs_f64() * 1_000.0
}
