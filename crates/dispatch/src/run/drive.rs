//! The work of a run: a box, the agent's answer or what keeps it from one, and the record of
//! what became of it.

use std::sync::Arc;
use std::time::Duration;

use aegis_fleet::session::speech::{Said, Spoken};
use aegis_fleet::session::{LiveSession, Seat};
use aegis_ledger::journal::{Answer, Conclusion};
use aegis_model::api::Dispatched;
use aegis_model::life::{run, session};
use aegis_model::outcome::{OutcomeDecision, OutcomeStatus, Usage};
use aegis_model::record::{Change, Expect};
use aegis_model::run::{Run, Session};
use aegis_model::{Act, Code, CorrelationId, Fault, Operation, Outcome, Timestamp};
use bytes::Bytes;

use super::Runs;
use super::begin::{is_waited_for, subject};
use super::live::{LiveRun, failure};
use super::records::{put_run, put_session, read, session_key};

/// How often an end is tried to be recorded before whoever waits is told that it could not be.
const RECORD_TRIES: u32 = 3;
/// How long between tries.
const RECORD_AGAIN: Duration = Duration::from_millis(300);
/// How long between tries when nobody waits any more.
const RECORD_LATER: Duration = Duration::from_secs(3);

/// How the work of a run ended.
struct Done {
    event: run::Event,
    spoken: Spoken,
    took_ns: u64,
}

impl Runs {
    /// Carries a run through to its recorded end.
    pub(super) async fn drive(self: Arc<Self>, act: Act, live: Arc<LiveRun>, seat: Seat) {
        let began_ns = self.clock.elapsed_ns();
        let (event, spoken) = self.work(&live, &seat).await;
        let took_ns = self.clock.elapsed_ns().saturating_sub(began_ns);
        let session = Arc::clone(&seat.session);
        let spoken = if session.wish.kept { spoken } else { with_usage(spoken, &session).await };
        if !session.wish.kept && event != run::Event::Succeed {
            // Nothing of it may go on while its end is being recorded.
            session.end(end_of_session(event)).await;
        }
        let run = self.ended(&live, &session, Done { event, spoken, took_ns });
        let mut recorded = match &run {
            Ok(run) => self.record_run(&act, run, &session).await,
            Err(fault) => Err(fault.clone()),
        };
        match &recorded {
            Ok(()) => self.delist(&live),
            // Only the store knows from now on what is recorded of it.
            Err(_) => self.forget(&live.id),
        }
        live.end(run.clone().and_then(|run| recorded.clone().map(|()| run)));
        if !session.wish.kept {
            session.end(session::EndReason::Completed).await;
        }
        drop(seat);
        let Ok(run) = run else { return };
        while self.again(&recorded).await {
            recorded = self.record_run(&act, &run, &session).await;
        }
    }

    /// Whether to try again what could not be recorded, after a while: until it is, or the
    /// server stops; then it is found open at the next start. There are never many that wait
    /// for this: without a store nothing begins.
    #[expect(clippy::disallowed_methods, reason = "a store that is busy or full needs a moment")]
    async fn again(&self, recorded: &Result<(), Fault>) -> bool {
        let again = recorded.as_ref().is_err_and(is_passing) && !self.is_stopping();
        if again {
            tokio::time::sleep(RECORD_LATER).await;
        }
        again
    }

    #[expect(clippy::disallowed_methods, reason = "a run has a time limit")]
    async fn work(&self, live: &LiveRun, seat: &Seat) -> (run::Event, Spoken) {
        let (said, timeout_ms) = {
            let run = live.run();
            let input = Bytes::from(serde_json::to_vec(&run.input).unwrap_or_default());
            (Said { input, correlation_id: run.correlation_id.clone() }, run.timeout_ms)
        };
        let speaking = async {
            seat.session.ready().await.map_err(Spoken::failed)?;
            live.step(run::Event::Started);
            Ok(seat.session.speak(said, live).await)
        };
        let limit = Duration::from_millis(timeout_ms);
        tokio::select! {
            biased;
            event = live.stopped() => (event, Spoken::failed(stop_fault(event, timeout_ms))),
            spoken = speaking => self.judged(spoken.unwrap_or_else(|failed: Spoken| failed), &seat.session, timeout_ms).await,
            reason = seat.session.ended() => {
                let event = reason.run_event();
                (event, Spoken::failed(stop_fault(event, timeout_ms)))
            }
            () = tokio::time::sleep(limit) => {
                let event = run::Event::TimeOut;
                (event, Spoken::failed(stop_fault(event, timeout_ms)))
            }
        }
    }

    /// What an answer means for the run. An agent whose box went away did not fail.
    async fn judged(&self, spoken: Spoken, session: &LiveSession, timeout_ms: u64) -> (run::Event, Spoken) {
        let fault = match &spoken.answer {
            Ok(_) => return (run::Event::Succeed, spoken),
            Err(fault) => fault,
        };
        if fault.code() != Code::StateInvalid {
            return (run::Event::Fail, spoken);
        }
        let event = session.ended().await.run_event();
        (event, Spoken { answer: Err(stop_fault(event, timeout_ms)), ..spoken })
    }

    /// The run as it is in the end.
    fn ended(&self, live: &LiveRun, session: &LiveSession, done: Done) -> Result<Arc<Run>, Fault> {
        let mut run = Arc::unwrap_or_clone(live.run());
        let (state, _) = run.state.step(done.event).map_err(Fault::internal)?;
        let isolation = self.sessions.isolation(&session.wish.plan);
        run.state = state;
        run.outcome = Some(outcome(&run, done, (isolation, self.clock.now()))?);
        Ok(Arc::new(run))
    }

    /// Records what became of a run, and of its session if that ends with it.
    async fn record_run(&self, act: &Act, run: &Arc<Run>, session: &LiveSession) -> Result<(), Fault> {
        let at = self.clock.now();
        let mut changes = vec![put_run(&act.caller.tenant, run, Expect::Version(1))?];
        if !session.wish.kept {
            let reason = match run.state {
                run::State::Succeeded => session::EndReason::Completed,
                _ => session.intended().unwrap_or(session::EndReason::Completed),
            };
            changes.extend(self.session_ended(session, (reason, at)).await?);
        }
        if act.idempotency.is_some()
            && is_waited_for(run.mode)
            && let Some(outcome) = &run.outcome
        {
            let kept = answer(run, outcome)?;
            changes.extend(self.journal.later_answer(act, &kept).await?);
        }
        let told = serde_json::to_vec(&run.outcome).map_err(Fault::internal)?;
        self.record_end(|| Conclusion {
            tenant: &act.caller.tenant,
            principal: &run.started_by,
            correlation_id: &run.correlation_id,
            operation: if session.wish.observed { Operation::AgentObserve } else { Operation::AgentInvoke },
            subject: subject(run),
            stream: "runs",
            at,
            decision: run.decision.clone(),
            isolation: Some(self.sessions.isolation(&session.wish.plan).to_owned()),
            outcome: &told,
            changes: changes.clone(),
        })
        .await
    }

    /// The document of a session that has ended; nothing when that is recorded already.
    async fn session_ended(
        &self,
        session: &LiveSession,
        (reason, at): (session::EndReason, Timestamp),
    ) -> Result<Option<Change>, Fault> {
        let key = session_key(&session.wish.tenant, &session.wish.id);
        let lost = || Fault::new(Code::Tampered, "the record of a session is gone");
        let record = self.store().get(&key).await?.ok_or_else(lost)?;
        let mut document: Session = read(&record)?;
        if document.state.is_terminal() {
            return Ok(None);
        }
        document.state = session::State::Ended(reason);
        document.ended_at = Some(at);
        put_session(&session.wish.tenant, &document, Expect::Version(record.version)).map(Some)
    }

    /// Waits until a session that outlives its runs has ended, and records it. Whoever ended
    /// it may do so too; one of them is first.
    pub(super) async fn see_off(self: Arc<Self>, correlation_id: CorrelationId, session: Arc<LiveSession>) {
        let reason = session.ended().await;
        let mut recorded = self.record_session_end(&correlation_id, &session, reason).await;
        self.sessions.forget(&session);
        while self.again(&recorded).await {
            recorded = self.record_session_end(&correlation_id, &session, reason).await;
        }
    }

    async fn record_session_end(
        &self,
        correlation_id: &CorrelationId,
        session: &LiveSession,
        reason: session::EndReason,
    ) -> Result<(), Fault> {
        let at = self.clock.now();
        let Some(change) = self.session_ended(session, (reason, at)).await? else { return Ok(()) };
        let wish = &session.wish;
        let random = self.random()?;
        let decision = self.own_decision(at, random);
        self.record_end(|| Conclusion {
            tenant: &wish.tenant,
            principal: "system",
            correlation_id,
            operation: Operation::SessionEnd,
            subject: format!("session/{}", wish.id),
            stream: "sessions",
            at,
            decision: decision.clone(),
            isolation: Some(self.sessions.isolation(&wish.plan).to_owned()),
            outcome: reason.as_str().as_bytes(),
            changes: vec![change.clone()],
        })
        .await
    }

    /// Records an end, and tries again when the store cannot take it now.
    #[expect(clippy::disallowed_methods, reason = "a store that is busy or full needs a moment")]
    pub(super) async fn record_end<'a>(&self, conclusion: impl Fn() -> Conclusion<'a>) -> Result<(), Fault> {
        let mut tries = 1;
        loop {
            match self.journal.conclude(conclusion()).await {
                Ok(_) => return Ok(()),
                Err(fault) if tries == RECORD_TRIES || !is_passing(&fault) => return Err(fault),
                Err(_) => tokio::time::sleep(RECORD_AGAIN).await,
            }
            tries += 1;
        }
    }
}

/// Whether what could not be recorded now may be later: nobody else was first.
fn is_passing(fault: &Fault) -> bool {
    !matches!(fault.code(), Code::Conflict | Code::Immutable)
}

/// What a waiting caller is answered, as it is kept for a repeated request.
fn answer(run: &Run, outcome: &Outcome) -> Result<Answer, Fault> {
    match (fault(run), Dispatched::of(run)) {
        (Some(fault), _) => Answer::shown(fault.code().status(), &fault.envelope(run.correlation_id.as_str())),
        (None, Some(dispatched)) => Answer::shown(200, &dispatched),
        (None, None) => Answer::shown(200, outcome),
    }
}

/// Why a run that has ended has no answer; what governance said stands beside it.
pub fn fault(run: &Run) -> Option<Fault> {
    let fault = failure(run.outcome.as_ref()?)?;
    Some(match &run.fulfils {
        Some(fulfils) => fault.with("governance", serde_json::json!(fulfils.governance)),
        None => fault,
    })
}

/// A run that was stopped, or that a server worked on, tells nothing of what it used; its box
/// does, if it is its own.
async fn with_usage(spoken: Spoken, session: &LiveSession) -> Spoken {
    if spoken.cpu_us > 0 {
        return spoken;
    }
    let used = session.stats().await.unwrap_or_default();
    Spoken { cpu_us: used.cpu_us, memory_peak_bytes: used.memory_peak_bytes, ..spoken }
}

/// Why a run that was stopped has no answer.
fn stop_fault(event: run::Event, timeout_ms: u64) -> Fault {
    let (code, message) = match event {
        run::Event::TimeOut => (Code::TimedOut, format!("the run took longer than {timeout_ms} ms")),
        run::Event::Cancel => (Code::RunCancelled, "the run was cancelled".to_owned()),
        run::Event::Kill => (Code::RunKilled, "the run was killed".to_owned()),
        run::Event::ExceedBudget => (Code::BudgetExceeded, "the budget of the run is spent".to_owned()),
        run::Event::ViolatePolicy => {
            (Code::Denied, "the box was ended because it broke the rules of its door".to_owned())
        }
        _ => (Code::RunCrashed, "the box of the run went away".to_owned()),
    };
    Fault::new(code, message)
}

/// How the session of a stopped run ends, where it has no other.
const fn end_of_session(event: run::Event) -> session::EndReason {
    match event {
        run::Event::Kill => session::EndReason::Killed,
        run::Event::Crash => session::EndReason::Crashed,
        run::Event::ExceedBudget => session::EndReason::Budget,
        run::Event::ViolatePolicy => session::EndReason::Policy,
        _ => session::EndReason::Completed,
    }
}

fn outcome(run: &Run, done: Done, (isolation, at): (&str, Timestamp)) -> Result<Outcome, Fault> {
    let status = OutcomeStatus::try_from(run.state).map_err(Fault::internal)?;
    let usage = Usage {
        cpu_ms: done.spoken.cpu_us / 1_000,
        memory_peak_bytes: done.spoken.memory_peak_bytes,
        ..Usage::default()
    };
    let reason = serde_json::to_value(run.decision.reason).map_err(Fault::internal)?;
    let (code, message, output, retryable, details) = match done.spoken.answer {
        Ok(output) => ("OK", "done".to_owned(), output, false, serde_json::Map::new()),
        Err(fault) => {
            let code = fault.code();
            let retryable = code.category().retryable();
            (code.as_str(), fault.message().to_owned(), serde_json::Value::Null, retryable, fault.details().clone())
        }
    };
    Ok(Outcome {
        run_id: run.id.clone(),
        step_id: None,
        status,
        code: code.to_owned(),
        message,
        output,
        details,
        cost_cents: 0,
        latency_ms: done.took_ns / 1_000_000,
        retryable,
        side_effects: Vec::new(),
        decision: OutcomeDecision {
            id: run.decision.id.clone(),
            allowed: run.decision.allowed,
            reason: reason.as_str().unwrap_or_default().to_owned(),
        },
        usage,
        isolation: isolation.to_owned(),
        session_id: run.session_id.clone(),
        trace_id: run.correlation_id.as_str().to_owned(),
        finished_at: at,
    })
}
