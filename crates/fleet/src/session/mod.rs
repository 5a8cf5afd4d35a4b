//! Sessions: each has one box, which is made when it is first needed and is gone when the
//! session is.
//!
//! Must not know: how runs are decided and recorded.

pub mod admission;
mod door;
mod http;
mod live;
pub mod log;
mod plan;
mod pool;
pub mod speech;
mod stdio;
mod warmth;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aegis_model::api::VersionView;
use aegis_model::boxes::BoxError;
use aegis_model::life::session::EndReason;
use aegis_model::port::{AgentHttp, Clock, Door, LiveBox, Logs, Occupant};
use aegis_model::{AgentName, Code, Fault, SessionId, TenantId};

use crate::Tiers;
use crate::code::CodeDirectories;
use admission::{Admission, Place};
pub use live::{LiveSession, SessionWish};
pub use plan::{SessionPlan, session_plan};
use pool::Pools;
use warmth::Warmer;

/// What makes boxes for sessions.
pub(crate) struct Makers {
    pub(crate) tiers: Tiers,
    pub(crate) code: CodeDirectories,
    pub(crate) admission: Arc<Admission>,
    pub(crate) pools: Arc<Pools>,
    pub(crate) http: Arc<dyn AgentHttp>,
    pub(crate) door: Arc<dyn Door>,
    pub(crate) logs: Arc<dyn Logs>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What sessions need.
pub struct SessionParts {
    /// What makes boxes.
    pub tiers: Tiers,
    /// Where code lies.
    pub code: CodeDirectories,
    /// Room for boxes.
    pub admission: Arc<Admission>,
    /// How agents that are servers are spoken to.
    pub http: Arc<dyn AgentHttp>,
    /// What serves the doors of boxes.
    pub door: Arc<dyn Door>,
    /// What they write to their logs.
    pub logs: Arc<dyn Logs>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl Makers {
    /// Makes a box, or takes one that is ready; gives up waiting for room when the session has
    /// ended.
    async fn make(
        &self,
        wish: &SessionWish,
        ended: impl Future<Output = EndReason>,
    ) -> Result<(Arc<dyn LiveBox>, Place), Fault> {
        let plan = &wish.plan;
        let runtime = self.tiers.of(plan.isolation).map_err(Fault::from)?;
        if plan.warm > 0
            && let Some((live, place, occupant)) =
                self.pools.take(&(wish.tenant.clone(), wish.agent.clone()), wish.version)
        {
            occupant.settle(wish.stay());
            return Ok((live, place));
        }
        let place = match self.admission.spare(&plan.plan.resources) {
            Some(place) => place,
            None => {
                self.pools.give_way();
                tokio::select! {
                    place = self.admission.admit(&wish.tenant, &plan.plan.resources) => place?,
                    _ = ended => return Err(Fault::from(BoxError::State("ended"))),
                }
            }
        };
        let live = runtime.create(live::with_agent(plan)).await.map_err(live::start_fault)?;
        let isolation = runtime.isolation().as_str();
        let occupant = Arc::new(Occupant::new(wish.tenant.clone(), (wish.agent.clone(), wish.version), isolation));
        occupant.settle(wish.stay());
        door::serve(&self.door, &*live, &occupant);
        Ok((live, place))
    }
}

/// Whose session it is, and which.
type Whose = (TenantId, SessionId);

/// The sessions that live.
pub struct Sessions {
    makers: Arc<Makers>,
    live: Mutex<HashMap<Whose, Arc<LiveSession>>>,
}

/// A place in a session, for as long as it is held.
pub struct Seat {
    sessions: Arc<Sessions>,
    /// The session.
    pub session: Arc<LiveSession>,
    /// Whether it began with this seat.
    pub first: bool,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.session.leave();
        self.sessions.forget_if_ended(&self.session);
    }
}

impl Sessions {
    /// No session yet.
    pub fn new(parts: SessionParts) -> Arc<Self> {
        let SessionParts { tiers, code, admission, http, door, logs, clock } = parts;
        let warmer = Warmer { http: Arc::clone(&http), clock: Arc::clone(&clock) };
        let pools = Pools::new(tiers.clone(), Arc::clone(&admission), warmer, Arc::clone(&door));
        let makers = Arc::new(Makers { tiers, code, admission, pools, http, door, logs, clock });
        Arc::new(Self { makers, live: Mutex::default() })
    }

    fn live(&self) -> MutexGuard<'_, HashMap<Whose, Arc<LiveSession>>> {
        // What a panicking holder left is still whole: each change is a single step.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a version asks of its sessions, with its code in place.
    ///
    /// # Errors
    /// When this server has no such boxes, or the code cannot be unpacked.
    pub async fn plan(&self, version: &VersionView) -> Result<Arc<SessionPlan>, Fault> {
        // An agent for which there is no box is refused before anything is recorded of a run.
        self.makers.tiers.of(version.manifest.spec.runtime.isolation).map_err(Fault::from)?;
        let code = match (&version.bundle, &version.manifest.spec.runtime.source) {
            (Some(bundle), Some(source)) => Some(self.makers.code.of(&bundle.digest).await?.join(source.as_str())),
            _ => None,
        };
        Ok(Arc::new(session_plan(version, code.as_deref())))
    }

    /// The kind of box that such a plan gets here.
    pub fn isolation(&self, plan: &SessionPlan) -> &'static str {
        self.makers.tiers.of(plan.isolation).map_or(plan.isolation.as_str(), |runtime| runtime.isolation().as_str())
    }

    /// Takes a place in a session that lives.
    ///
    /// # Errors
    /// `StateInvalid` when it is another agent's, there for a rotation, or observed where this is
    /// not asked for, or the other way round.
    pub fn join(
        self: &Arc<Self>,
        tenant: &TenantId,
        id: &SessionId,
        (agent, observed): (&AgentName, bool),
    ) -> Result<Option<Seat>, Fault> {
        let live = self.live();
        let Some(session) = live.get(&(tenant.clone(), id.clone())).cloned() else { return Ok(None) };
        if session.wish.agent != *agent {
            let rule = format!("session `{id}` belongs to agent `{}`", session.wish.agent);
            return Err(Fault::new(Code::StateInvalid, rule).at("/session_id"));
        }
        if session.state().is_terminal() {
            return Ok(None);
        }
        if session.wish.task.is_some() {
            let rule = format!("session `{id}` rotates a secret and takes in nobody");
            return Err(Fault::new(Code::StateInvalid, rule).at("/session_id"));
        }
        if session.wish.observed != observed {
            let rule = match session.wish.observed {
                true => format!("session `{id}` is observed, and takes in nothing else"),
                false => format!("session `{id}` was not begun as an observed one"),
            };
            return Err(Fault::new(Code::StateInvalid, rule).at("/session_id"));
        }
        session.enter();
        Ok(Some(Seat { sessions: Arc::clone(self), session, first: false }))
    }

    /// Begins a session, and takes a place in it. Somebody else may just have begun it.
    pub fn begin(self: &Arc<Self>, wish: SessionWish) -> Seat {
        let mut live = self.live();
        let mut first = false;
        let session = live.entry((wish.tenant.clone(), wish.id.clone())).or_insert_with(|| {
            first = true;
            LiveSession::new(wish, Arc::clone(&self.makers))
        });
        session.enter();
        Seat { sessions: Arc::clone(self), session: Arc::clone(session), first }
    }

    /// Keeps boxes of that version ready, if its manifest asks for any, and of no other
    /// version of the agent.
    pub fn warm_up(&self, tenant: &TenantId, version: &VersionView, plan: &Arc<SessionPlan>) {
        self.makers.pools.keep((tenant.clone(), version.agent.clone()), version.version, plan);
    }

    /// Keeps no boxes of these agents ready any more.
    pub fn cool_down(&self, which: impl Fn(&TenantId, &AgentName) -> bool) {
        self.makers.pools.drop_all(which);
    }

    /// The session, if it lives.
    pub fn find(&self, tenant: &TenantId, id: &SessionId) -> Option<Arc<LiveSession>> {
        self.live().get(&(tenant.clone(), id.clone())).cloned()
    }

    /// Every session that lives.
    pub fn all(&self) -> Vec<Arc<LiveSession>> {
        self.live().values().cloned().collect()
    }

    /// Ends those for which `which` says so, all at once, and waits until they have ended.
    pub async fn end_all(&self, reason: EndReason, which: impl Fn(&LiveSession) -> bool) -> usize {
        let mut ending = tokio::task::JoinSet::new();
        for session in self.all().into_iter().filter(|session| which(session)) {
            ending.spawn(async move { session.end(reason).await });
        }
        ending.join_all().await.len()
    }

    /// A session that has ended is not found any more.
    pub fn forget(&self, session: &LiveSession) {
        self.live().remove(&(session.wish.tenant.clone(), session.wish.id.clone()));
    }

    fn forget_if_ended(&self, session: &LiveSession) {
        if session.state().is_terminal() {
            self.forget(session);
        }
    }
}
