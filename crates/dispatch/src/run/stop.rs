//! Stopping runs and sessions: one by one, by the kill switch, and all at the end.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use aegis_ledger::journal::{Answer, Deed};
use aegis_model::api::{FreezeRequest, InvokeRequest};
use aegis_model::freeze::{Freeze, FreezeTarget};
use aegis_model::life::run::Event;
use aegis_model::life::session::EndReason;
use aegis_model::run::{Mode, Run};
use aegis_model::{Act, AgentName, Code, Fault, RunId, SessionId, TenantId};

use super::Runs;
use super::begin::{Wish, subject};
use super::live::LiveRun;

/// How long the end of the server waits for the ends of runs to be recorded.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);

impl Runs {
    /// Stops a run. One that has ended already stays as it is.
    ///
    /// # Errors
    /// `NotFound` when the tenant has none of that id.
    pub async fn run_cancel(&self, act: &Act, id: &RunId) -> Result<Run, Fault> {
        let tenant = &act.caller.tenant;
        let run = self.run_view(tenant, id).await?;
        if run.state.is_terminal() {
            return Ok(run);
        }
        let deed =
            Deed { subject: subject(&run), stream: "runs", changes: Vec::new(), answer: Answer::empty(), also: None };
        self.journal.commit(act, deed).await?;
        match self.live(tenant, id) {
            Some(live) => {
                live.stop(Event::Cancel);
                live.ended().await.map(Arc::unwrap_or_clone)
            }
            // It ended in between.
            None => self.run_view(tenant, id).await,
        }
    }

    /// Does again what a run did not succeed in: a new run with the same input, of the same
    /// version, in a session of its own.
    ///
    /// # Errors
    /// `StateInvalid` when it has not ended, or did succeed.
    pub async fn run_retry(self: &Arc<Self>, act: &Act, id: &RunId) -> Result<Arc<LiveRun>, Fault> {
        let run = self.run_view(&act.caller.tenant, id).await?;
        is_retryable(&run)?;
        self.freezes.check_agent(&act.caller, &run.agent)?;
        let request = InvokeRequest {
            input: run.input,
            timeout_ms: Some(run.timeout_ms),
            mode: Mode::Async,
            ..InvokeRequest::default()
        };
        let (version, retry_of) = (Some(run.version), Some(run.id));
        self.begin(act, Wish { agent: run.agent, version, request, retry_of, fulfils: None, task: None }).await
    }

    /// The run that is to be done again.
    ///
    /// # Errors
    /// `StateInvalid` when it cannot be.
    pub async fn run_to_retry(&self, tenant: &TenantId, id: &RunId) -> Result<Run, Fault> {
        let run = self.run_view(tenant, id).await?;
        is_retryable(&run)?;
        Ok(run)
    }

    /// Ends a session: everything in its box is dead when this answers.
    ///
    /// # Errors
    /// `NotFound` when the tenant has none of that id.
    pub async fn session_end(self: &Arc<Self>, act: &Act, id: &SessionId) -> Result<(), Fault> {
        let tenant = &act.caller.tenant;
        let view = self.session_view(tenant, id).await?;
        let Some(live) = self.sessions.find(tenant, id) else { return Ok(()) };
        let deed = Deed {
            subject: format!("session/{}", view.session.id),
            stream: "sessions",
            changes: Vec::new(),
            answer: Answer::empty(),
            also: None,
        };
        self.journal.commit(act, deed).await?;
        live.end(EndReason::Killed).await;
        let of_it = |run: &Arc<LiveRun>| run.tenant == *tenant && run.run().session_id == *id;
        ended(self.all_live().into_iter().filter(of_it)).await;
        if live.wish.kept {
            Arc::clone(self).see_off(act.caller.correlation_id.clone(), live).await;
        }
        Ok(())
    }

    /// Freezes, and kills what runs of what is frozen. When this answers, new work is refused
    /// and what ran is dead.
    ///
    /// # Errors
    /// `Denied` when the target is not the caller's to freeze.
    pub async fn freeze(&self, act: &Act, wish: FreezeRequest) -> Result<Freeze, Fault> {
        let freeze = self.freezes.freeze(act, wish).await?;
        let owner = &act.caller.tenant;
        let mut live = self.all_live();
        live.retain(|live| covers(&freeze.target, owner, live));
        for run in &live {
            run.stop(Event::Kill);
        }
        self.sessions.cool_down(|tenant, agent| match &freeze.target {
            FreezeTarget::All => true,
            FreezeTarget::Tenant(frozen) => tenant == frozen,
            FreezeTarget::Agent(name) => tenant == owner && agent == name,
            FreezeTarget::Key(_) => false,
        });
        self.sessions
            .end_all(EndReason::Killed, |session| match &freeze.target {
                FreezeTarget::All => true,
                FreezeTarget::Tenant(tenant) => session.wish.tenant == *tenant,
                FreezeTarget::Agent(name) => session.wish.tenant == *owner && session.wish.agent == *name,
                // Its runs are stopped; a session may be several keys'.
                FreezeTarget::Key(_) => false,
            })
            .await;
        ended(live).await;
        Ok(freeze)
    }

    /// These agents are gone: what runs of them is killed, and that is recorded.
    pub async fn deleted(&self, which: impl Fn(&TenantId, &AgentName) -> bool) {
        let mut live = self.all_live();
        live.retain(|live| which(&live.tenant, &live.run().agent));
        for run in &live {
            run.stop(Event::Kill);
        }
        self.sessions.cool_down(&which);
        self.sessions.end_all(EndReason::Killed, |session| which(&session.wish.tenant, &session.wish.agent)).await;
        ended(live).await;
    }

    /// Takes no more runs, ends those there are, and waits until their ends are recorded.
    pub async fn close(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        let live = self.all_live();
        for run in &live {
            run.stop(Event::Crash);
        }
        self.sessions.cool_down(|_, _| true);
        self.sessions.end_all(EndReason::Crashed, |_| true).await;
        let _late = tokio::time::timeout(CLOSE_PATIENCE, ended(live)).await;
    }
}

/// Waits until all have ended and that is recorded.
async fn ended(runs: impl IntoIterator<Item = Arc<LiveRun>>) {
    for run in runs {
        let _ended = run.ended().await;
    }
}

/// Whether a freeze of that target stops the run.
fn covers(target: &FreezeTarget, owner: &TenantId, live: &LiveRun) -> bool {
    let run = live.run();
    match target {
        FreezeTarget::All => true,
        FreezeTarget::Tenant(tenant) => live.tenant == *tenant,
        FreezeTarget::Agent(name) => live.tenant == *owner && run.agent == *name,
        FreezeTarget::Key(id) => live.tenant == *owner && run.started_by == format!("key/{id}"),
    }
}

/// Whether a run may be done again. What an intent asked for is governed anew, by asking anew.
fn is_retryable(run: &Run) -> Result<(), Fault> {
    if run.state.step(Event::Retry).is_err() {
        let rule = format!("a run that is `{}` cannot be retried", run.state.as_str());
        return Err(Fault::new(Code::StateInvalid, rule));
    }
    match &run.fulfils {
        None => Ok(()),
        Some(fulfils) => {
            let rule = format!("it fulfilled `{}/{}`: dispatch that again", fulfils.service, fulfils.intent);
            Err(Fault::new(Code::StateInvalid, rule))
        }
    }
}
