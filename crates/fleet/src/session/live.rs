//! One session that lives: its box, who is in it, and how it ends.
//!
//! Must not know: how runs are recorded.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aegis_model::boxes::{BoxEnd, BoxError, BoxPlan, BoxStats, Program};
use aegis_model::life::session::{EndReason, State};
use aegis_model::manifest::Protocol;
use aegis_model::port::{ClosedSink, LiveBox, Running, Stay};
use aegis_model::rotation::RotationTask;
use aegis_model::{AgentName, Code, CorrelationId, Fault, SessionId, TenantId};
use bytes::Bytes;
use tokio::sync::{OnceCell, watch};

use super::admission::Place;
use super::http::{HttpAgent, Lines, Server};
use super::log::LineLog;
use super::plan::SessionPlan;
use super::speech::{Listener, Nobody, Said, Spoken};
use super::{Makers, stdio};

/// How long a box may take to end when it is asked to.
const GRACE_MS: u64 = 1_000;
/// How often is looked whether a session is still at work.
const LOOK_MS: u64 = 1_000;
/// Less processor time than this in one look is resting.
const RESTING_US: u64 = 10_000;
/// A server that is asked how it is may write so much to its log about that.
const RESTING_BYTES: u64 = 512;

/// What a session is to be.
#[derive(Clone)]
pub struct SessionWish {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: SessionId,
    /// The agent.
    pub agent: AgentName,
    /// The version it keeps.
    pub version: u64,
    /// Whether it outlives its run.
    pub kept: bool,
    /// What its box is to be.
    pub plan: Arc<SessionPlan>,
    /// The request that began it.
    pub correlation_id: CorrelationId,
    /// The rotation that it is there for, if it is for one.
    pub task: Option<RotationTask>,
    /// Whether what its grants do not allow is reported, and let out all the same.
    pub observed: bool,
}

impl SessionWish {
    /// What its box is given to.
    pub(super) fn stay(&self) -> Stay {
        Stay {
            session: self.id.clone(),
            correlation_id: self.correlation_id.clone(),
            task: self.task.clone(),
            observed: self.observed,
        }
    }
}

/// A box, and the room it takes.
struct Home {
    live: Arc<dyn LiveBox>,
    /// The agent in it, if it is a server.
    http: Option<Arc<HttpAgent>>,
    _place: Place,
}

/// A session that lives.
pub struct LiveSession {
    /// What it is.
    pub wish: SessionWish,
    makers: Arc<Makers>,
    home: OnceCell<Home>,
    /// One at a time speaks with an agent that listens to one.
    turn: tokio::sync::Mutex<()>,
    open: AtomicUsize,
    touched_ns: AtomicU64,
    out_of_memory: AtomicU64,
    intent: Mutex<Option<EndReason>>,
    end: watch::Sender<Option<EndReason>>,
}

impl LiveSession {
    /// A session that has no box yet.
    pub(super) fn new(wish: SessionWish, makers: Arc<Makers>) -> Arc<Self> {
        Arc::new(Self {
            touched_ns: AtomicU64::new(makers.clock.elapsed_ns()),
            wish,
            makers,
            home: OnceCell::new(),
            turn: tokio::sync::Mutex::default(),
            open: AtomicUsize::new(0),
            out_of_memory: AtomicU64::new(0),
            intent: Mutex::new(None),
            end: watch::Sender::new(None),
        })
    }

    /// Where it is in its life.
    pub fn state(&self) -> State {
        match *self.end.borrow() {
            Some(reason) => State::Ended(reason),
            None if self.home.get().is_none() => State::Starting,
            None if self.is_asked() => State::Active,
            None => State::Idle,
        }
    }

    /// What its box uses, once it has one.
    pub async fn stats(&self) -> Option<BoxStats> {
        self.home.get()?.live.stats().await.ok()
    }

    /// Its box, once it has one.
    pub fn live(&self) -> Option<Arc<dyn LiveBox>> {
        self.home.get().map(|home| Arc::clone(&home.live))
    }

    /// Somebody comes in.
    pub(super) fn enter(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.touch();
    }

    /// Somebody leaves.
    pub(super) fn leave(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.touch();
    }

    fn touch(&self) {
        self.touched_ns.store(self.makers.clock.elapsed_ns(), Ordering::Relaxed);
    }

    /// Makes its box if it has none: waits for room, then takes one that is ready or a new one.
    ///
    /// # Errors
    /// When there is no room in time, or the box or the agent in it cannot be started.
    pub async fn ready(self: &Arc<Self>) -> Result<(), Fault> {
        self.alive()?;
        let made = self.home.get_or_try_init(|| async {
            let (live, place) = self.makers.make(&self.wish, self.ended()).await?;
            let http = match self.alive() {
                Ok(()) => self.serve(&live).await,
                Err(fault) => Err(fault),
            };
            let http = match http {
                Ok(http) => http,
                Err(fault) => {
                    live.kill().await;
                    return Err(fault);
                }
            };
            tokio::spawn(Arc::clone(self).attend(Arc::clone(&live), http.clone()));
            Ok(Home { live, http, _place: place })
        });
        made.await.map(|_| ())
    }

    /// Lets an agent that is a server begin; from now on its end is the session's.
    async fn serve(self: &Arc<Self>, live: &Arc<dyn LiveBox>) -> Result<Option<Arc<HttpAgent>>, Fault> {
        let plan = &self.wish.plan;
        if plan.protocol != Protocol::Http {
            return Ok(None);
        }
        let running = begin(live.as_ref(), &plan.program, Bytes::new()).await.map_err(start_fault)?;
        let server = Server::attend(running, [self.log(), self.log()]);
        let makers = &self.makers;
        let lines = Lines::new(Arc::clone(live), plan.port, Arc::clone(&makers.http), Arc::clone(&makers.clock));
        let agent = Arc::new(HttpAgent::new(self.wish.id.clone(), lines, server));
        tokio::spawn(Arc::clone(self).end_with(Arc::clone(&agent)));
        Ok(Some(agent))
    }

    /// The log of the session, beside its runs.
    fn log(&self) -> LineLog {
        LineLog {
            logs: Arc::clone(&self.makers.logs),
            clock: Arc::clone(&self.makers.clock),
            tenant: self.wish.tenant.clone(),
            session: self.wish.id.clone(),
            run: None,
            correlation_id: self.wish.correlation_id.clone(),
            line: Mutex::default(),
        }
    }

    /// A session whose server has ended of its own has crashed. Whoever waits for an answer of
    /// it has learnt why before.
    async fn end_with(self: Arc<Self>, agent: Arc<HttpAgent>) {
        agent.ended().await;
        if agent.has_ended() && self.intend(EndReason::Crashed) == EndReason::Crashed {
            self.end(EndReason::Crashed).await;
        }
    }

    /// Nobody comes in any more.
    fn alive(&self) -> Result<(), Fault> {
        match *self.intent.lock().unwrap_or_else(PoisonError::into_inner) {
            None => Ok(()),
            Some(_) => Err(Fault::from(BoxError::State("ended"))),
        }
    }

    /// Speaks with the agent: its input in, its answer out. One that is given the value of a
    /// secret is not listened to: whether it succeeded is all that is told.
    pub async fn speak(self: &Arc<Self>, said: Said, listener: &dyn Listener) -> Spoken {
        match self.wish.task {
            None => self.converse(said, listener).await,
            Some(_) => quiet(self.converse(said, &Nobody).await),
        }
    }

    async fn converse(self: &Arc<Self>, said: Said, listener: &dyn Listener) -> Spoken {
        let Some(home) = self.home.get() else {
            return Spoken::failed(Fault::from(BoxError::State("not ready")));
        };
        if let Some(agent) = &home.http {
            let answer = agent.speak(&said, listener).await;
            if agent.has_ended() {
                self.intend(EndReason::Crashed);
            }
            // What a run used of a server cannot be told from what others did.
            return self.explained(home, Spoken { answer, cpu_us: 0, memory_peak_bytes: 0 }).await;
        }
        let _turn = self.turn.lock().await;
        match begin(home.live.as_ref(), &self.wish.plan.program, said.input).await {
            Ok(running) => self.explained(home, stdio::hear_out(running, listener).await).await,
            Err(error) => Spoken::failed(start_fault(error)),
        }
    }

    /// An agent that failed because something it started was killed for want of memory may not
    /// know that itself.
    async fn explained(&self, home: &Home, spoken: Spoken) -> Spoken {
        if spoken.answer.as_ref().err().map(Fault::code) != Some(Code::AgentFailed) {
            return spoken;
        }
        let Ok(stats) = home.live.stats().await else { return spoken };
        let killed = stats.out_of_memory;
        if self.out_of_memory.swap(killed, Ordering::Relaxed) >= killed {
            return spoken;
        }
        let answer = spoken.answer.map_err(|fault| {
            let log = fault.details().get("log").cloned().unwrap_or_default();
            let message = format!("{}, after something it started was killed for want of memory", fault.message());
            Fault::new(Code::AgentOutOfMemory, message).with("log", log)
        });
        Spoken { answer, ..spoken }
    }

    /// Ends it for that reason, unless there was one before; waits until its box is gone, and
    /// tells the reason that counts.
    pub async fn end(&self, reason: EndReason) -> EndReason {
        let first = self.intend(reason);
        match self.home.get() {
            Some(home) if gently(reason) => drop(home.live.stop(GRACE_MS).await),
            Some(home) => drop(home.live.kill().await),
            None => {
                self.close(first);
                // Whoever is making its box just now sees that, and has killed it when this ends.
                let nobody = async || Err::<Home, ()>(());
                if let Ok(home) = self.home.get_or_try_init(nobody).await {
                    home.live.kill().await;
                }
            }
        }
        self.ended().await
    }

    /// From now on it ends for that reason, unless there was one before; which is told.
    fn intend(&self, reason: EndReason) -> EndReason {
        *self.intent.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason)
    }

    /// Why it ends, once somebody wants it to, or it did.
    pub fn intended(&self) -> Option<EndReason> {
        *self.intent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it has ended, and tells why.
    pub async fn ended(&self) -> EndReason {
        let mut end = self.end.subscribe();
        let found = end.wait_for(Option::is_some).await.map(|end| *end);
        found.ok().flatten().unwrap_or(EndReason::Crashed)
    }

    fn close(&self, reason: EndReason) {
        self.end.send_if_modified(|end| {
            let first = end.is_none();
            end.get_or_insert(reason);
            first
        });
    }

    /// Sees to it that it ends when it should, and that its end is told.
    async fn attend(self: Arc<Self>, live: Arc<dyn LiveBox>, http: Option<Arc<HttpAgent>>) {
        let end = tokio::select! {
            end = live.ended() => end,
            // It was ended while its box was being made.
            _ = self.ended() => live.kill().await,
            () = self.idle_too_long(live.as_ref(), http.as_deref()), if self.wish.kept => {
                self.intend(EndReason::Idle);
                live.stop(GRACE_MS).await
            }
        };
        let intent = self.intend(reason_of(end));
        // A box that lived as long as it may did so whatever was wanted of it later.
        self.close(if end == BoxEnd::Lifetime { EndReason::Lifetime } else { intent });
    }

    /// Ends when nothing was asked of it, and it did nothing of its own, for too long.
    #[expect(clippy::disallowed_methods, reason = "idle time is waited for")]
    async fn idle_too_long(&self, live: &dyn LiveBox, http: Option<&HttpAgent>) {
        let (look_ms, noise_bytes) = match http {
            Some(_) => (LOOK_MS, RESTING_BYTES),
            None => (LOOK_MS.min(self.wish.plan.idle_ms.div_ceil(4)), 0),
        };
        let mut before = BoxStats::default();
        loop {
            tokio::time::sleep(Duration::from_millis(look_ms)).await;
            if let Some(agent) = http {
                agent.sweep();
            }
            let now = live.stats().await.unwrap_or(before);
            let spoke = now.door_out_bytes > before.door_out_bytes.saturating_add(noise_bytes);
            let worked = spoke || now.cpu_us.saturating_sub(before.cpu_us) > RESTING_US;
            before = now;
            if worked || self.is_asked() || self.says_busy(http).await {
                self.touch();
            }
            if http.is_some() {
                // That it was asked how it is, is no work of its own.
                before = live.stats().await.unwrap_or(before);
            }
            let idle_ns = self.makers.clock.elapsed_ns().saturating_sub(self.touched_ns.load(Ordering::Relaxed));
            if idle_ns >= self.wish.plan.idle_ms.saturating_mul(1_000_000) {
                return;
            }
        }
    }

    fn is_asked(&self) -> bool {
        self.open.load(Ordering::Relaxed) > 0
    }

    /// Whether an agent that is a server says that it works on something.
    async fn says_busy(&self, http: Option<&HttpAgent>) -> bool {
        match http {
            Some(agent) => agent.is_busy().await,
            None => false,
        }
    }
}

/// Nothing that the agent wrote.
fn quiet(spoken: Spoken) -> Spoken {
    let answer = match spoken.answer {
        Ok(_) => Ok(serde_json::Value::Null),
        Err(fault) => Err(Fault::new(fault.code(), "the rotation program failed; what it wrote is not kept")),
    };
    Spoken { answer, ..spoken }
}

/// The waiting agent if there is one, otherwise the program anew.
async fn begin(live: &dyn LiveBox, program: &Program, input: Bytes) -> Result<Running, BoxError> {
    match live.claim().await {
        Err(BoxError::State(_)) | Ok(()) => {}
        Err(error) => return Err(error),
    }
    match live.invoke(input.clone()).await {
        Err(BoxError::State(_)) => {
            let mut running = live.exec(program.clone()).await?;
            // An agent may answer before it has read everything, or never read at all.
            let mut sink = std::mem::replace(&mut running.input, Box::new(ClosedSink));
            tokio::spawn(async move { sink.write(input).await });
            Ok(running)
        }
        other => other,
    }
}

/// A program that cannot be started is the agent's fault, not the machine's.
pub(super) fn start_fault(error: BoxError) -> Fault {
    match error {
        BoxError::StartFailed { .. } => Fault::new(Code::AgentStartFailed, error.to_string()).caused_by(error),
        other => Fault::from(other),
    }
}

/// Whether the agent did no wrong and may clear up.
const fn gently(reason: EndReason) -> bool {
    matches!(reason, EndReason::Idle | EndReason::Budget)
}

fn reason_of(end: BoxEnd) -> EndReason {
    match end {
        BoxEnd::Stopped => EndReason::Completed,
        BoxEnd::Killed => EndReason::Killed,
        BoxEnd::Lifetime => EndReason::Lifetime,
        BoxEnd::DoorViolation => EndReason::Policy,
        BoxEnd::OutOfMemory | BoxEnd::Crashed => EndReason::Crashed,
    }
}

/// The plan of its box, with the agent started and waiting.
pub(super) fn with_agent(plan: &SessionPlan) -> BoxPlan {
    BoxPlan { agent: Some(plan.program.clone()), ..plan.plan.clone() }
}
