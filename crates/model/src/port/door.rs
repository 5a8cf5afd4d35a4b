//! The door service: what something in a box opens is served by it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::Opening;
use crate::id::{AgentName, CorrelationId, SessionId, TenantId};
use crate::rotation::RotationTask;

/// Who lives in a box. Because the channel is the box, this is the whole credential of whatever
/// comes through its door.
#[derive(Debug)]
pub struct Occupant {
    /// Whose agent it is.
    pub tenant: TenantId,
    /// The agent.
    pub agent: AgentName,
    /// Its version.
    pub version: u64,
    /// The kind of its box.
    pub isolation: &'static str,
    stay: OnceLock<Stay>,
    gone: AtomicBool,
}

/// What a box was given to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The session.
    pub session: SessionId,
    /// The request that began it.
    pub correlation_id: CorrelationId,
    /// The rotation that it is there for, and nothing else, if it is for one.
    pub task: Option<RotationTask>,
    /// Whether what its grants do not allow is reported, and let out all the same.
    pub observed: bool,
}

impl Occupant {
    /// An agent that was not given to a session yet.
    pub fn new(tenant: TenantId, (agent, version): (AgentName, u64), isolation: &'static str) -> Self {
        Self { tenant, agent, version, isolation, stay: OnceLock::new(), gone: AtomicBool::new(false) }
    }

    /// The box is that session's from now on, and never another's.
    pub fn settle(&self, stay: Stay) {
        let _ = self.stay.set(stay);
    }

    /// The box is gone; what still comes from it is nobody's.
    pub fn leave(&self) {
        self.gone.store(true, Ordering::Release);
    }

    /// Whether the box is gone.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// The session, once there is one: a box that is kept ready has none.
    pub fn session(&self) -> Option<&SessionId> {
        self.stay.get().map(|stay| &stay.session)
    }

    /// The request that began the session, once there is one.
    pub fn correlation_id(&self) -> Option<&CorrelationId> {
        self.stay.get().map(|stay| &stay.correlation_id)
    }

    /// Whether what its grants do not allow is reported, and let out all the same.
    pub fn is_observed(&self) -> bool {
        self.stay.get().is_some_and(|stay| stay.observed)
    }

    /// The rotation that the box is there for, if it is for one.
    pub fn task(&self) -> Option<&RotationTask> {
        self.stay.get()?.task.as_ref()
    }
}

/// Serves what is opened inside boxes. Never waits; what is not served is closed.
pub trait Door: Send + Sync {
    /// Serves it for whoever lives in the box, on its own from now on.
    fn attend(&self, occupant: Arc<Occupant>, opening: Opening);
}
