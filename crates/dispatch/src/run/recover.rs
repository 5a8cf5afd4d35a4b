//! After a crash: what was open then has no box any more, and is recorded as crashed before
//! anything new begins.

use aegis_ledger::journal::Conclusion;
use aegis_model::life::{run, session};
use aegis_model::outcome::{OutcomeDecision, OutcomeStatus, Usage};
use aegis_model::record::{Change, Expect, Kind, ListQuery, Record};
use aegis_model::run::{Run, Session};
use aegis_model::{Code, CorrelationId, Fault, Operation, Outcome, TenantId, Timestamp};

use super::Runs;
use super::begin::subject;
use super::records::{OPEN, put_run, put_session, read};

/// How many are read at once.
const PAGE: usize = 200;

impl Runs {
    /// Records every run and session of `tenant` that was open when the server went away as
    /// crashed; tells how many runs.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn recover(&self, tenant: &TenantId) -> Result<usize, Fault> {
        let runs = self.open(tenant, Kind::Run).await?;
        for record in &runs {
            self.run_crashed(tenant, record).await?;
        }
        for record in &self.open(tenant, Kind::Session).await? {
            self.session_crashed(tenant, record).await?;
        }
        Ok(runs.len())
    }

    async fn open(&self, tenant: &TenantId, kind: Kind) -> Result<Vec<Record>, Fault> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let index = Some(("open", OPEN.to_owned()));
            let query = ListQuery { kind, tenant: tenant.clone(), index, after, newest_first: false, limit: PAGE };
            let page = self.store().list(&query).await?;
            let more = page.len() == PAGE;
            after = page.last().map(|record| record.key.id.clone());
            found.extend(page);
            if !more {
                return Ok(found);
            }
        }
    }

    async fn run_crashed(&self, tenant: &TenantId, record: &Record) -> Result<(), Fault> {
        let mut run: Run = read(record)?;
        let at = self.clock.now();
        (run.state, _) = run.state.step(run::Event::Crash).map_err(Fault::internal)?;
        run.outcome = Some(crashed(&run, at));
        let told = serde_json::to_vec(&run.outcome).map_err(Fault::internal)?;
        let change = put_run(tenant, &run, Expect::Version(record.version))?;
        let conclusion = Conclusion {
            tenant,
            principal: &run.started_by,
            correlation_id: &run.correlation_id,
            operation: Operation::AgentInvoke,
            subject: subject(&run),
            stream: "runs",
            at,
            decision: run.decision.clone(),
            isolation: None,
            outcome: &told,
            changes: vec![change],
        };
        self.journal.conclude(conclusion).await.map(drop)
    }

    async fn session_crashed(&self, tenant: &TenantId, record: &Record) -> Result<(), Fault> {
        let mut session: Session = read(record)?;
        let at = self.clock.now();
        let reason = session::EndReason::Crashed;
        session.state = session::State::Ended(reason);
        session.ended_at = Some(at);
        let change: Change = put_session(tenant, &session, Expect::Version(record.version))?;
        let random = self.random()?;
        let conclusion = Conclusion {
            tenant,
            principal: "system",
            correlation_id: &CorrelationId::generate(at, random),
            operation: Operation::SessionEnd,
            subject: format!("session/{}", session.id),
            stream: "sessions",
            at,
            decision: self.own_decision(at, random),
            isolation: Some(session.isolation.clone()),
            outcome: reason.as_str().as_bytes(),
            changes: vec![change],
        };
        self.journal.conclude(conclusion).await.map(drop)
    }
}

/// Nobody knows how far it came.
fn crashed(run: &Run, at: Timestamp) -> Outcome {
    let reason = serde_json::to_value(run.decision.reason).ok();
    Outcome {
        run_id: run.id.clone(),
        step_id: None,
        status: OutcomeStatus::Crashed,
        code: Code::RunCrashed.as_str().to_owned(),
        message: "the server went away during the run".to_owned(),
        output: serde_json::Value::Null,
        details: serde_json::Map::new(),
        cost_cents: 0,
        latency_ms: at.as_millis().saturating_sub(run.created_at.as_millis()),
        retryable: true,
        side_effects: Vec::new(),
        decision: OutcomeDecision {
            id: run.decision.id.clone(),
            allowed: run.decision.allowed,
            reason: reason.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned(),
        },
        usage: Usage::default(),
        isolation: String::new(),
        session_id: run.session_id.clone(),
        trace_id: run.correlation_id.as_str().to_owned(),
        finished_at: at,
    }
}
