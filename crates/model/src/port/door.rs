//! The door service: what something in a box opens is served by it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use super::Connection;
use crate::id::{AgentName, SessionId, TenantId};
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
    stay: OnceLock<Stay>,
    gone: AtomicBool,
}

/// What a box was given to.
#[derive(Debug)]
struct Stay {
    session: SessionId,
    task: Option<RotationTask>,
}

impl Occupant {
    /// An agent that was not given to a session yet.
    pub fn new(tenant: TenantId, agent: AgentName, version: u64) -> Self {
        Self { tenant, agent, version, stay: OnceLock::new(), gone: AtomicBool::new(false) }
    }

    /// The box is that session's from now on, and never another's. With a task, it is there
    /// for that and nothing else.
    pub fn settle(&self, session: &SessionId, task: Option<&RotationTask>) {
        let _ = self.stay.set(Stay { session: session.clone(), task: task.cloned() });
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

    /// The rotation that the box is there for, if it is for one.
    pub fn task(&self) -> Option<&RotationTask> {
        self.stay.get()?.task.as_ref()
    }
}

/// Serves what is opened inside boxes. Never waits; a stream that is not served is closed.
pub trait Door: Send + Sync {
    /// Serves a stream for whoever lives in the box, on its own from now on.
    fn attend(&self, occupant: Arc<Occupant>, stream: Connection);
}
