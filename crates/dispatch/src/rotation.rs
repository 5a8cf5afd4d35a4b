//! Rotation of secrets: what is due is given to its program, in a box of its own; what the
//! program proposed is verified in another one before it is used.
//!
//! Must not know: values of secrets, or how they are kept.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aegis_model::act::DecisionMark;
use aegis_model::outcome::OutcomeStatus;
use aegis_model::port::{Clock, Entropy, Rotations};
use aegis_model::rotation::{RotationDue, RotationStep, RotationTask};
use aegis_model::run::Run;
use aegis_model::{
    Act, Caller, Code, CorrelationId, DecisionId, Fault, Operation, Principal, ReasonClass, Role, SecretName, TenantId,
};
use serde_json::json;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::{Freezes, Runs};

/// How many rotations are worked on at a time.
const AT_ONCE: usize = 8;
/// And how many of one tenant: whoever hangs holds up his own.
const AT_ONCE_OF_TENANT: usize = 2;

/// What rotating needs.
pub struct RotatorParts {
    /// How far rotations are.
    pub rotations: Arc<dyn Rotations>,
    /// What runs their programs.
    pub runs: Arc<Runs>,
    /// The kill switch.
    pub freezes: Arc<Freezes>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids.
    pub entropy: Arc<dyn Entropy>,
}

/// Has secrets rotated when they are due.
pub struct Rotator {
    parts: RotatorParts,
    busy: Mutex<Busy>,
    wanted: Notify,
}

/// What is being worked on.
#[derive(Default)]
struct Busy {
    secrets: HashSet<(TenantId, SecretName)>,
    work: JoinSet<Result<(), Fault>>,
}

impl Rotator {
    /// Nothing is worked on yet.
    pub fn new(parts: RotatorParts) -> Arc<Self> {
        Arc::new(Self { parts, busy: Mutex::default(), wanted: Notify::new() })
    }

    fn busy(&self) -> MutexGuard<'_, Busy> {
        // What a panicking holder left is still whole: each change is a single step.
        self.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody wants a rotation now.
    pub fn wake(&self) {
        self.wanted.notify_one();
    }

    /// Waits until somebody wants one.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Begins what is due, and does not wait for it.
    ///
    /// # Errors
    /// When the store cannot answer, or could not take how an earlier one went: that is begun
    /// anew where it was.
    pub async fn look(self: &Arc<Self>) -> Result<(), Fault> {
        let due = self.parts.rotations.due(self.parts.clock.now()).await?;
        for due in due.into_iter().filter(|due| !self.parts.freezes.is_frozen(&due.tenant, &due.agent)) {
            let whose = (due.tenant.clone(), due.secret.clone());
            let mut busy = self.busy();
            let of_tenant = busy.secrets.iter().filter(|(tenant, _)| *tenant == whose.0).count();
            let full = busy.secrets.len() >= AT_ONCE || of_tenant >= AT_ONCE_OF_TENANT;
            if full || !busy.secrets.insert(whose.clone()) {
                continue;
            }
            let place = Place { rotator: Arc::clone(self), whose };
            busy.work.spawn(async move {
                place.rotator.rotate(due).await?;
                // Whoever waits for the place need not wait for the next look. After trouble with
                // the store nobody is called: what is due still is, and would fail again at once.
                let rotator = Arc::clone(&place.rotator);
                drop(place);
                rotator.wake();
                Ok(())
            });
        }
        self.gathered()
    }

    /// What became of those that have ended.
    fn gathered(&self) -> Result<(), Fault> {
        let mut busy = self.busy();
        let mut gathered = Ok(());
        while let Some(ended) = busy.work.try_join_next() {
            gathered = gathered.and(ended.map_err(Fault::internal).and_then(|rotated| rotated));
        }
        gathered
    }

    /// Works on one until it is rotated or has failed.
    async fn rotate(&self, mut due: RotationDue) -> Result<(), Fault> {
        loop {
            let act = self.act(&due.tenant, Operation::RotationStart)?;
            let task = match self.parts.rotations.begin(&act, &due).await {
                // Somebody chose another program, or none, since it was found due.
                Err(fault) if is_overtaken(&fault) => return Ok(()),
                begun => begun?,
            };
            let worked = match self.carry_out(&due, &task).await? {
                Worked::Stopped => return Ok(()),
                Worked::Well => self.done(&due, &task).await,
                Worked::Badly(reason) => Err(Fault::new(Code::AgentFailed, reason)),
            };
            match worked {
                Ok(true) => return Ok(()),
                Ok(false) => due.step = RotationStep::Verify,
                // Somebody chose another program, or none, or rotated it meanwhile.
                Err(fault) if is_overtaken(&fault) => return Ok(()),
                Err(fault) if matches!(fault.code(), Code::AgentFailed | Code::StateInvalid | Code::Tampered) => {
                    let act = self.act(&due.tenant, Operation::RotationStart)?;
                    return match self.parts.rotations.failed(&act, &task, fault.message()).await {
                        Err(fault) if fault.code() != Code::Denied => Err(fault),
                        _ => Ok(()),
                    };
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    async fn done(&self, due: &RotationDue, task: &RotationTask) -> Result<bool, Fault> {
        let act = self.act(&due.tenant, Operation::SecretRotate)?;
        self.parts.rotations.done(&act, task).await
    }

    /// Runs the program.
    async fn carry_out(&self, due: &RotationDue, task: &RotationTask) -> Result<Worked, Fault> {
        let act = self.act(&due.tenant, Operation::AgentInvoke)?;
        let input = json!({"rotate": {"secret": task.secret, "step": task.step}});
        let begun = self.parts.runs.rotate(&act, due, (input, task)).await;
        let ended = match begun {
            Ok(live) => live.ended().await,
            Err(fault) => Err(fault),
        };
        Ok(match ended {
            _ if self.parts.runs.is_stopping() => Worked::Stopped,
            Ok(run) => judged(&run),
            Err(fault) if fault.code().category().retryable() => return Err(fault),
            Err(fault) => Worked::Badly(format!("the program cannot be run: {}", fault.message())),
        })
    }

    /// What the server does of its own accord; that it may, was decided when the program was
    /// chosen.
    fn act(&self, tenant: &TenantId, operation: Operation) -> Result<Act, Fault> {
        let at = self.parts.clock.now();
        let random = || {
            let mut random = [0; 10];
            self.parts.entropy.fill(&mut random).map_err(Fault::internal).map(|()| random)
        };
        let caller = Caller {
            tenant: tenant.clone(),
            principal: Principal::System,
            role: Role::Admin,
            correlation_id: CorrelationId::generate(at, random()?),
        };
        let decision = DecisionMark {
            id: DecisionId::generate(at, random()?),
            class: ReasonClass::Permitted,
            policy_hash: String::new(),
        };
        Ok(Act {
            caller,
            operation,
            at,
            decision,
            request_digest: [0; 32],
            idempotency: None,
            beside: Vec::new(),
            counted: None,
        })
    }
}

/// A place among those that are worked on, free again when this is dropped.
struct Place {
    rotator: Arc<Rotator>,
    whose: (TenantId, SecretName),
}

impl Drop for Place {
    fn drop(&mut self) {
        self.rotator.busy().secrets.remove(&self.whose);
    }
}

/// What came of running a program.
enum Worked {
    /// It says that it did what was asked.
    Well,
    /// It did not.
    Badly(String),
    /// The server stops; the next one goes on.
    Stopped,
}

fn is_overtaken(fault: &Fault) -> bool {
    matches!(fault.code(), Code::Denied | Code::NotFound | Code::Conflict)
}

fn judged(run: &Run) -> Worked {
    match &run.outcome {
        Some(outcome) if outcome.status == OutcomeStatus::Succeeded => Worked::Well,
        Some(outcome) => Worked::Badly(format!("{} (run {}, {})", outcome.message, run.id, outcome.code)),
        None => Worked::Badly(format!("run {} has no outcome", run.id)),
    }
}
