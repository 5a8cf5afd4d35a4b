//! Beginning a run: which version, which session, then the record, and only then the work.

use std::sync::Arc;

use aegis_fleet::session::{LiveSession, Seat, SessionPlan, SessionWish};
use aegis_ledger::journal::{Answer, Deed};
use aegis_model::api::{InvokeRequest, RunBegun, VersionView};
use aegis_model::ledger::EntryDecision;
use aegis_model::life::{run, session};
use aegis_model::record::Expect;
use aegis_model::rotation::{RotationDue, RotationTask};
use aegis_model::run::{Fulfilment, Mode, RUN_TIMEOUT_MAX_MS, Run, Session};
use aegis_model::{Act, AgentName, Code, EndpointName, Fault, Operation, RunId, SessionId, TenantId};
use serde_json::Value;

use super::Runs;
use super::live::LiveRun;
use super::records::{put_run, put_session, read, session_key};

/// How many agents are looked at at once.
const AGENTS_AT_ONCE: usize = 200;

/// The longest that a rotation program may take, if its manifest allows more.
const ROTATION_TIMEOUT_MS: u64 = 15 * 60 * 1_000;

/// Everything that is known of a run before it is recorded.
pub(super) struct Wish {
    /// Whose work it is.
    pub agent: AgentName,
    /// By which version; the one that the endpoint points to when absent.
    pub version: Option<u64>,
    /// What was asked.
    pub request: InvokeRequest,
    /// The run that this one repeats.
    pub retry_of: Option<RunId>,
    /// The intent that it fulfils.
    pub fulfils: Option<Fulfilment>,
    /// The rotation that it is for.
    pub task: Option<RotationTask>,
}

impl Runs {
    /// Begins a run. When this answers, it is recorded, and the work goes on whether anybody
    /// waits for it or not.
    ///
    /// # Errors
    /// When there is no such agent, session or box; nothing is recorded of a run then.
    pub async fn invoke(
        self: &Arc<Self>,
        act: &Act,
        agent: &AgentName,
        request: InvokeRequest,
    ) -> Result<Arc<LiveRun>, Fault> {
        let agent = agent.clone();
        self.begin(act, Wish { agent, version: None, request, retry_of: None, fulfils: None, task: None }).await
    }

    /// Begins a run that fulfils an intent.
    ///
    /// # Errors
    /// As [`Runs::invoke`].
    pub(crate) async fn fulfil(
        self: &Arc<Self>,
        act: &Act,
        agent: &AgentName,
        (request, fulfils): (InvokeRequest, Fulfilment),
    ) -> Result<Arc<LiveRun>, Fault> {
        let (agent, fulfils) = (agent.clone(), Some(fulfils));
        self.begin(act, Wish { agent, version: None, request, retry_of: None, fulfils, task: None }).await
    }

    /// Begins a run of a program that is to rotate a secret, in a box that is there for nothing
    /// else.
    ///
    /// # Errors
    /// As [`Runs::invoke`].
    pub(crate) async fn rotate(
        self: &Arc<Self>,
        act: &Act,
        due: &RotationDue,
        (input, task): (Value, &RotationTask),
    ) -> Result<Arc<LiveRun>, Fault> {
        let timeout_ms = Some(ROTATION_TIMEOUT_MS);
        let request = InvokeRequest { input, mode: Mode::Async, timeout_ms, ..InvokeRequest::default() };
        let (agent, version) = (due.agent.clone(), Some(due.version));
        self.begin(act, Wish { agent, version, request, retry_of: None, fulfils: None, task: Some(task.clone()) }).await
    }

    pub(super) async fn begin(self: &Arc<Self>, act: &Act, wish: Wish) -> Result<Arc<LiveRun>, Fault> {
        if self.is_stopping() {
            return Err(Fault::new(Code::Draining, "the server is stopping"));
        }
        if wish.request.timeout_ms.is_some_and(|limit| !(1..=RUN_TIMEOUT_MAX_MS).contains(&limit)) {
            let rule = format!("`timeout_ms` must be from 1 to {RUN_TIMEOUT_MAX_MS}");
            return Err(Fault::new(Code::Validation, rule).at("/timeout_ms"));
        }
        let (seat, isolation) = self.seat(act, &wish).await?;
        let run = self.new_run(act, wish, &seat.session)?;
        // The box is made meanwhile; the agent in it learns of nothing before this is recorded.
        let (session, first) = (Arc::clone(&seat.session), seat.first);
        let making = Making(first.then(|| tokio::spawn(async move { session.ready().await })));
        if let Err(fault) = self.record(act, &run, &seat, isolation).await {
            drop(making);
            if seat.first {
                seat.session.end(session::EndReason::Completed).await;
            }
            return Err(fault);
        }
        let live = self.enlist(act.caller.tenant.clone(), run);
        // What was frozen before it was enlisted is seen here, what is frozen later finds it there.
        if self.freezes.check_work(&act.caller, &seat.session.wish.agent).is_err() {
            live.stop(run::Event::Kill);
        }
        if seat.first && seat.session.wish.kept {
            tokio::spawn(Arc::clone(self).see_off(act.caller.correlation_id.clone(), Arc::clone(&seat.session)));
        }
        let driving = Arc::clone(self).drive(act.clone(), Arc::clone(&live), seat);
        tokio::spawn(async move {
            driving.await;
            drop(making);
        });
        Ok(live)
    }

    /// Keeps boxes of what `default` points to ready, where the manifest asks for any. To be
    /// called whenever it may point elsewhere.
    pub async fn warm_up(&self, tenant: &TenantId, agent: &AgentName) {
        if self.freezes.is_frozen(tenant, agent) {
            return;
        }
        let wanted = |version: &VersionView| version.manifest.spec.pool.as_ref().is_some_and(|pool| pool.warm > 0);
        let version = self.fleet.version_in_force(tenant, agent, None).await.ok().filter(wanted);
        match version {
            // Neither is there anything to keep ready for an agent without such an endpoint.
            None => self.sessions.cool_down(|whose, name| whose == tenant && name == agent),
            Some(version) => {
                if let Ok(plan) = self.sessions.plan(&version).await {
                    self.sessions.warm_up(tenant, &version, &plan);
                }
            }
        }
    }

    /// Keeps boxes ready of every agent of the tenant that asks for some.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn warm_up_all(&self, tenant: &TenantId) -> Result<(), Fault> {
        let mut after = None;
        loop {
            let agents = self.fleet.agent_list(tenant, after, AGENTS_AT_ONCE).await?;
            for agent in &agents {
                self.warm_up(tenant, &agent.name).await;
            }
            after = agents.last().map(|agent| agent.name.to_string());
            if agents.len() < AGENTS_AT_ONCE {
                return Ok(());
            }
        }
    }

    /// A place in the session that is asked for, or in a new one; and the kind of its box.
    async fn seat(self: &Arc<Self>, act: &Act, wish: &Wish) -> Result<(Seat, &'static str), Fault> {
        let tenant = &act.caller.tenant;
        let observed = act.operation == Operation::AgentObserve;
        let endpoint = wish.request.endpoint.clone().unwrap_or_else(EndpointName::default_name);
        if let Some(id) = &wish.request.session_id
            && let Some(seat) = self.sessions.join(tenant, id, (&wish.agent, observed))?
        {
            let isolation = self.sessions.isolation(&seat.session.wish.plan);
            return Ok((seat, isolation));
        }
        let number = match wish.version {
            Some(number) => number,
            None => self.fleet.endpoint_view(tenant, &wish.agent, &endpoint).await?.version,
        };
        let version = self.fleet.version_view(tenant, &wish.agent, number).await?;
        let plan = self.sessions.plan(&version).await?;
        if plan.warm > 0 && endpoint == EndpointName::default_name() && wish.version.is_none() {
            self.sessions.warm_up(tenant, &version, &plan);
        }
        let isolation = self.sessions.isolation(&plan);
        let (id, kept) = match &wish.request.session_id {
            Some(id) => match self.unused(tenant, id).await {
                Ok(id) => (id, true),
                // Somebody may have begun it since it was looked for.
                Err(used) => {
                    let joined = self.sessions.join(tenant, id, (&wish.agent, observed))?;
                    return Ok((joined.ok_or(used)?, isolation));
                }
            },
            None => (SessionId::generate(act.at, self.random()?), false),
        };
        let seat = self
            .sessions
            .begin(SessionWish { task: wish.task.clone(), ..session_wish(act, id, &version, (kept, plan)) });
        if seat.session.wish.agent != wish.agent {
            let rule = "the session was just begun for another agent";
            return Err(Fault::new(Code::StateInvalid, rule).at("/session_id"));
        }
        Ok((seat, isolation))
    }

    /// The id, if no session that has ended had it.
    async fn unused(&self, tenant: &TenantId, id: &SessionId) -> Result<SessionId, Fault> {
        let Some(record) = self.store().get(&session_key(tenant, id)).await? else { return Ok(id.clone()) };
        let session: Session = read(&record)?;
        let why = match session.state {
            session::State::Ended(reason) => reason.as_str(),
            _ => "just now",
        };
        let rule = format!("session `{id}` has ended ({why}); choose another id, or none");
        Err(Fault::new(Code::StateInvalid, rule).at("/session_id").with("reason", why))
    }

    fn new_run(&self, act: &Act, wish: Wish, session: &LiveSession) -> Result<Run, Fault> {
        let at_most = session.wish.plan.timeout_ms;
        Ok(Run {
            id: RunId::generate(act.at, self.random()?),
            agent: wish.agent,
            version: session.wish.version,
            session_id: session.wish.id.clone(),
            state: run::State::Queued,
            mode: wish.request.mode,
            input: wish.request.input,
            timeout_ms: wish.request.timeout_ms.map_or(at_most, |limit| limit.min(at_most)),
            retry_of: wish.retry_of,
            started_by: act.caller.principal.name(),
            correlation_id: act.caller.correlation_id.clone(),
            decision: EntryDecision { allowed: true, id: act.decision.id.to_string(), reason: act.decision.class },
            created_at: act.at,
            fulfils: wish.fulfils,
            outcome: None,
        })
    }

    /// Commits that the run begins, before anything of it happens.
    async fn record(&self, act: &Act, run: &Run, seat: &Seat, isolation: &str) -> Result<(), Fault> {
        let tenant = &act.caller.tenant;
        let mut changes = vec![put_run(tenant, run, Expect::Absent)?];
        if seat.first {
            let session = Session {
                id: run.session_id.clone(),
                agent: run.agent.clone(),
                version: run.version,
                state: session::State::Starting,
                kept: seat.session.wish.kept,
                observed: seat.session.wish.observed,
                isolation: isolation.to_owned(),
                started_by: run.started_by.clone(),
                created_at: act.at,
                ended_at: None,
            };
            changes.push(put_session(tenant, &session, Expect::Absent)?);
        }
        // A repeated request is told where to look; once the run has ended, what became of it.
        let begun = RunBegun { run_id: run.id.clone(), session_id: run.session_id.clone() };
        let subject = subject(run);
        let deed = Deed { subject, stream: "runs", changes, answer: Answer::shown(202, &begun)?, also: None };
        let committed = self.journal.commit(act, deed).await;
        if committed.is_err() && seat.first {
            self.sessions.forget(&seat.session);
        }
        committed.map(drop)
    }
}

/// A box that is being made; given up with whoever wants it.
struct Making(Option<tokio::task::JoinHandle<Result<(), Fault>>>);

impl Drop for Making {
    fn drop(&mut self) {
        if let Some(making) = &self.0 {
            making.abort();
        }
    }
}

/// A run as it is written in the ledger.
pub(super) fn subject(run: &Run) -> String {
    format!("agent/{}/run/{}", run.agent, run.id)
}

fn session_wish(
    act: &Act,
    id: SessionId,
    version: &VersionView,
    (kept, plan): (bool, Arc<SessionPlan>),
) -> SessionWish {
    let (tenant, correlation_id) = (act.caller.tenant.clone(), act.caller.correlation_id.clone());
    let (agent, version) = (version.agent.clone(), version.version);
    let observed = act.operation == Operation::AgentObserve;
    SessionWish { tenant, id, agent, version, kept, plan, correlation_id, task: None, observed }
}

/// Whether the caller waits for the run.
pub(super) const fn is_waited_for(mode: Mode) -> bool {
    matches!(mode, Mode::Sync)
}
