//! A run that has not ended, or has just ended.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aegis_fleet::session::log::LineLog;
use aegis_fleet::session::speech::Listener;
use aegis_model::life::run::Event;
use aegis_model::run::{Run, RunSummary};
use aegis_model::{Fault, Outcome, RunId, TenantId};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::events::{EventKind, RunEvents};

/// The detail that says when to come back.
const RETRY_AFTER: &str = "retry_after_ms";

/// How a run ended, for whoever waits: recorded, or why it could not be.
pub type Ended = Result<Arc<Run>, Fault>;

/// A run that has not ended, or has just ended.
pub struct LiveRun {
    /// Which.
    pub id: RunId,
    /// Whose.
    pub tenant: TenantId,
    /// What it says.
    pub events: RunEvents,
    log: LineLog,
    run: Mutex<Arc<Run>>,
    stop: watch::Sender<Option<Event>>,
    ended: watch::Sender<Option<Ended>>,
}

impl LiveRun {
    /// A run that was just recorded.
    pub(super) fn new(log: LineLog, run: Run) -> Self {
        let events = RunEvents::default();
        let first = json!({
            "run_id": run.id, "session_id": run.session_id, "agent": run.agent, "version": run.version,
        });
        events.tell(EventKind::Run, &first);
        let (stop, ended) = (watch::Sender::new(None), watch::Sender::new(None));
        let (id, tenant) = (run.id.clone(), log.tenant.clone());
        Self { id, tenant, events, log, run: Mutex::new(Arc::new(run)), stop, ended }
    }

    /// The run as it is now.
    pub fn run(&self) -> Arc<Run> {
        Arc::clone(&self.locked())
    }

    fn locked(&self) -> MutexGuard<'_, Arc<Run>> {
        // What a panicking holder left is still whole: each change is a single step.
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The run as it is now, in short.
    pub fn summary(&self) -> RunSummary {
        RunSummary::from(Arc::unwrap_or_clone(self.run()))
    }

    /// Something happens to it. What does not fit its state is late, and changes nothing.
    pub(super) fn step(&self, event: Event) {
        let mut run = self.locked();
        if let Ok((next, _)) = run.state.step(event) {
            Arc::make_mut(&mut run).state = next;
        }
    }

    /// Asks it to end in that way. The first one who asks is heard.
    pub fn stop(&self, event: Event) {
        self.stop.send_if_modified(|stop| {
            let first = stop.is_none();
            stop.get_or_insert(event);
            first
        });
    }

    /// Waits until somebody asks it to end.
    pub(super) async fn stopped(&self) -> Event {
        let mut stop = self.stop.subscribe();
        let found = stop.wait_for(Option::is_some).await.map(|stop| *stop);
        found.ok().flatten().unwrap_or(Event::Crash)
    }

    /// It has ended: whoever waits learns of it.
    pub(super) fn end(&self, ended: Ended) {
        self.log.end();
        if let Ok(run) = &ended {
            *self.locked() = Arc::clone(run);
            self.events.tell(EventKind::Outcome, &run.outcome);
        }
        self.ended.send_replace(Some(ended));
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// Waits until it has ended and that is recorded.
    ///
    /// # Errors
    /// When it could not be recorded.
    pub async fn ended(&self) -> Ended {
        let mut ended = self.ended.subscribe();
        match ended.wait_for(Option::is_some).await.map(|ended| ended.clone()) {
            Ok(Some(ended)) => ended,
            _ => Err(Fault::new(aegis_model::Code::Internal, "an internal error occurred")),
        }
    }
}

impl Listener for LiveRun {
    fn event(&self, event: Value) {
        self.events.tell(EventKind::Event, &event);
    }

    fn log(&self, bytes: &[u8]) {
        self.log.take(bytes);
    }
}

/// The failure that a caller is told of, with the outcome in its details.
pub fn failure(outcome: &Outcome) -> Option<Fault> {
    let code = aegis_model::Code::ALL.iter().find(|code| code.as_str() == outcome.code)?;
    let fault = Fault::new(*code, outcome.message.clone()).with("outcome", json!(outcome));
    // When to come back is told to whoever was turned away, whatever turned him away.
    Some(match outcome.details.get(RETRY_AFTER) {
        Some(wait) => fault.with(RETRY_AFTER, wait.clone()),
        None => fault,
    })
}
