//! How far a rotation is, across failures and crashes: nothing is lost, nobody is locked out.

use aegis_model::port::Stay;
use aegis_model::secret::{SecretState, SecretValue};
use aegis_model::{AgentName, CorrelationId, Operation, SessionId};

use super::*;
use crate::secrets::tests::{World, name};
use crate::world::{act, at};

const START: u64 = 1_000;

fn of(operation: Operation, ms: u64) -> Act {
    act("acme", operation, ms)
}

/// Whoever lives in a box that is there for that task.
fn occupant(task: Option<&RotationTask>) -> Occupant {
    let agent: AgentName = "rotator".parse().unwrap();
    let occupant = Occupant::new("acme".parse().unwrap(), (agent, 1), "process");
    occupant.settle(stay(task));
    occupant
}

impl World {
    /// A secret that a program rotates, and somebody wants that now.
    async fn wanted() -> Self {
        let world = Self::new().await;
        world.set("one", 10).await.unwrap();
        let wish = RotationSet { agent: "rotator".parse().unwrap(), agent_version: None, overlap_ms: Some(100) };
        world.tenancy.rotation_set(&of(Operation::RotationSet, 20), &name(), (wish, 1)).await.unwrap();
        assert!(world.due(30).await.is_none(), "nothing is due yet");
        world.tenancy.rotation_start(&of(Operation::RotationStart, 40), &name()).await.unwrap();
        world
    }

    async fn due(&self, ms: u64) -> Option<RotationDue> {
        let due = self.tenancy.due(at(ms)).await.unwrap();
        assert!(due.len() <= 1);
        due.into_iter().next()
    }

    async fn begin(&self, ms: u64) -> RotationTask {
        let due = self.due(ms).await.expect("due");
        self.tenancy.begin(&of(Operation::RotationStart, ms), &due).await.unwrap()
    }

    async fn values(&self, task: Option<&RotationTask>, ms: u64) -> Result<(Option<String>, Option<String>), Code> {
        let act = of(Operation::RotationRead, ms);
        let values = self.tenancy.rotation_read(&act, &name(), &occupant(task)).await;
        values.map(|values| (values.current, values.proposed)).map_err(|fault| fault.code())
    }

    async fn propose(&self, task: Option<&RotationTask>, value: &str, ms: u64) -> Result<(), Code> {
        let act = of(Operation::RotationPropose, ms);
        let proposal = RotationProposal { value: SecretValue::new(value.to_owned()) };
        let proposed = self.tenancy.rotation_propose(&act, (&name(), proposal), &occupant(task)).await;
        proposed.map_err(|fault| fault.code())
    }

    async fn done(&self, task: &RotationTask, ms: u64) -> Result<bool, Code> {
        self.tenancy.done(&of(Operation::SecretRotate, ms), task).await.map_err(|fault| fault.code())
    }

    async fn info(&self, ms: u64) -> SecretInfo {
        self.tenancy.secret_view(&of(Operation::SecretView, ms), &name()).await.unwrap()
    }

    /// Works on what is due until nothing is, as the engine does.
    async fn finish(&self, mut ms: u64) {
        while self.due(ms).await.is_some() {
            let task = self.begin(ms).await;
            if task.step == RotationStep::Propose {
                let (_, before) = self.values(Some(&task), ms + 1).await.unwrap();
                self.propose(Some(&task), before.as_deref().unwrap_or("two"), ms + 2).await.unwrap();
            }
            self.done(&task, ms + 3).await.unwrap();
            ms += 10;
        }
    }
}

fn text(value: &str) -> Option<String> {
    Some(value.to_owned())
}

#[tokio::test]
async fn a_value_is_proposed_verified_and_only_then_used() {
    let world = World::wanted().await;
    let proposing = world.begin(START).await;
    assert_eq!(proposing.step, RotationStep::Propose);
    assert_eq!(world.values(Some(&proposing), START).await, Ok((text("one"), None)));
    world.propose(Some(&proposing), "two", START).await.unwrap();
    assert_eq!(world.read(None, START).await.as_deref(), Ok("one"), "it is not used yet");
    assert_eq!(world.done(&proposing, START).await, Ok(false));
    let verifying = world.begin(START + 1).await;
    assert_eq!(verifying.step, RotationStep::Verify);
    assert_eq!(world.values(Some(&verifying), START + 1).await, Ok((None, text("two"))));
    assert_eq!(world.propose(Some(&verifying), "three", START + 1).await, Err(Code::Denied));
    assert_eq!(world.done(&verifying, START + 2).await, Ok(true));
    assert_eq!(world.read(None, START + 3).await.as_deref(), Ok("two"));
    let info = world.info(START + 3).await;
    assert_eq!(
        (info.versions[1].state, info.versions[1].overlaps_until),
        (SecretState::Overlapping, Some(at(START + 102)))
    );
    let rotation = info.rotation.unwrap();
    assert_eq!((rotation.step, rotation.proposed, rotation.failures), (None, false, 0));
    assert!(world.due(START + 4).await.is_none());
    let next = info.rotate_after.as_millis();
    assert!(world.due(next - 1).await.is_none() && world.due(next).await.is_some(), "by its age");
}

#[tokio::test]
async fn a_failure_keeps_both_values_and_is_tried_again_later_and_later() {
    let world = World::wanted().await;
    let mut ms = START;
    let mut waits = Vec::new();
    for failures in 1..=3 {
        let task = world.begin(ms).await;
        world.propose(Some(&task), &format!("two-{failures}"), ms).await.unwrap();
        let failed = world.tenancy.failed(&of(Operation::RotationStart, ms), &task, "it\nbroke").await.unwrap();
        let rotation = failed.rotation.unwrap();
        assert_eq!((rotation.failures, rotation.proposed), (failures, true));
        assert_eq!(rotation.last_failure.unwrap().reason, "itbroke");
        let retry = rotation.retry_after.unwrap().as_millis();
        assert!(world.due(retry - 1).await.is_none());
        waits.push(retry - ms);
        assert_eq!(world.values(Some(&task), ms).await, Err(Code::Denied), "it has no say any more");
        ms = retry;
    }
    assert_eq!(waits, [60_000, 120_000, 240_000]);
    assert_eq!(world.read(None, ms).await.as_deref(), Ok("one"));
    let task = world.begin(ms).await;
    assert_eq!(world.values(Some(&task), ms).await, Ok((text("one"), text("two-3"))), "it goes on from there");
    // Whoever wants it now does not wait.
    world.tenancy.failed(&of(Operation::RotationStart, ms), &task, "again").await.unwrap();
    assert!(world.due(ms + 1).await.is_none());
    world.tenancy.rotation_start(&of(Operation::RotationStart, ms + 1), &name()).await.unwrap();
    assert!(world.due(ms + 1).await.is_some());
}

#[tokio::test]
async fn only_the_box_of_this_try_has_a_say() {
    let world = World::wanted().await;
    let first = world.begin(START).await;
    let second = world.begin(START + 1).await;
    let foreign = RotationTask { secret: "other".parse().unwrap(), ..second.clone() };
    let later = RotationTask { attempt: second.attempt + 1, ..second.clone() };
    let verify = RotationTask { step: RotationStep::Verify, ..second.clone() };
    for task in [None, Some(&first), Some(&foreign), Some(&later), Some(&verify)] {
        assert_eq!(world.values(task, START + 2).await, Err(Code::Denied), "{task:?}");
        assert_eq!(world.propose(task, "two", START + 2).await, Err(Code::Denied), "{task:?}");
    }
    for task in [&first, &later, &verify] {
        assert_eq!(world.done(task, START + 2).await, Err(Code::Denied), "{task:?}");
    }
    assert!(world.done(&foreign, START + 2).await.is_err());
    assert!(world.values(Some(&second), START + 2).await.is_ok());
    // Nor has it once another program was chosen, or none.
    let wish = RotationSet { agent: "another".parse().unwrap(), agent_version: None, overlap_ms: None };
    world.tenancy.rotation_set(&of(Operation::RotationSet, START + 3), &name(), (wish, 1)).await.unwrap();
    assert_eq!(world.values(Some(&second), START + 4).await, Err(Code::Denied));
    world.tenancy.rotation_remove(&of(Operation::RotationRemove, START + 5), &name()).await.unwrap();
    assert_eq!(world.values(Some(&second), START + 6).await, Err(Code::Denied));
    assert!(world.due(u64::MAX / 2).await.is_none());
}

#[tokio::test]
async fn a_rotation_that_rotates_nothing_is_none() {
    let world = World::wanted().await;
    let task = world.begin(START).await;
    assert_eq!(world.propose(Some(&task), "one", START).await, Err(Code::Validation));
    assert_eq!(world.propose(Some(&task), "", START).await, Err(Code::Validation));
    assert_eq!(world.done(&task, START).await, Err(Code::StateInvalid));
    assert_eq!(world.read(None, START).await.as_deref(), Ok("one"));
}

#[tokio::test]
async fn a_crash_at_any_step_loses_nothing_and_locks_nobody_out() {
    for crash_after in 0..6 {
        let mut world = World::wanted().await;
        let mut steps = 0;
        let crashes = |steps: &mut i32| {
            *steps += 1;
            *steps > crash_after
        };
        'life: {
            if crashes(&mut steps) {
                break 'life;
            }
            let task = world.begin(START).await;
            if crashes(&mut steps) {
                break 'life;
            }
            world.propose(Some(&task), "two", START + 1).await.unwrap();
            if crashes(&mut steps) {
                break 'life;
            }
            world.done(&task, START + 2).await.unwrap();
            if crashes(&mut steps) {
                break 'life;
            }
            let task = world.begin(START + 3).await;
            if crashes(&mut steps) {
                break 'life;
            }
            world.done(&task, START + 4).await.unwrap();
        }
        world = world.restarted();
        let now = world.read(None, START + 5).await.unwrap();
        assert_eq!(now, if crash_after == 5 { "two" } else { "one" }, "after {crash_after} steps");
        world.finish(START + 10).await;
        assert_eq!(world.read(None, START + 50).await.as_deref(), Ok("two"), "after {crash_after} steps");
        assert_eq!(world.info(START + 50).await.version, 2, "after {crash_after} steps");
    }
}

#[tokio::test]
async fn what_somebody_does_by_hand_ends_what_is_under_way() {
    let world = World::wanted().await;
    let task = world.begin(START).await;
    world.propose(Some(&task), "two", START).await.unwrap();
    assert_eq!(world.done(&task, START).await, Ok(false));
    let verifying = world.begin(START + 1).await;
    // A value that may have leaked, and what followed from it, do not come back.
    world.set("three", START + 2).await.unwrap();
    assert_eq!(world.done(&verifying, START + 3).await, Err(Code::Denied));
    assert_eq!(world.values(Some(&verifying), START + 3).await, Err(Code::Denied));
    assert_eq!(world.read(None, START + 4).await.as_deref(), Ok("three"));
    assert!(world.due(START + 4).await.is_none() && !world.info(START + 4).await.rotation.unwrap().proposed);
    // A secret that is deleted takes its rotation along.
    world.tenancy.rotation_start(&of(Operation::RotationStart, START + 60), &name()).await.unwrap();
    world.tenancy.secret_delete(&of(Operation::SecretDelete, START + 61), &name()).await.unwrap();
    assert!(world.due(START + 62).await.is_none());
}

#[tokio::test]
async fn a_rotation_that_was_rolled_back_is_not_done_again_at_once() {
    let world = World::wanted().await;
    let month = world.info(START).await.rotate_every_ms;
    let old = month * 2;
    world.finish(old).await;
    assert_eq!(world.read(None, old + 50).await.as_deref(), Ok("two"));
    let act = of(Operation::SecretRollback, old + 51);
    world.tenancy.secret_rollback(&act, &name()).await.unwrap();
    assert_eq!(world.read(None, old + 52).await.as_deref(), Ok("one"));
    assert!(world.info(old + 52).await.overdue, "the value is as old as it was");
    assert!(world.due(old + 52).await.is_none() && world.due(old + 50 + month).await.is_none());
    assert!(world.due(old + 51 + month).await.is_some());
}

#[tokio::test]
async fn a_program_that_was_chosen_since_it_was_found_due_is_not_begun() {
    let world = World::wanted().await;
    let found = world.due(START).await.unwrap();
    let wish = RotationSet { agent: "another".parse().unwrap(), agent_version: None, overlap_ms: None };
    world.tenancy.rotation_set(&of(Operation::RotationSet, START), &name(), (wish, 1)).await.unwrap();
    world.tenancy.rotation_start(&of(Operation::RotationStart, START), &name()).await.unwrap();
    let begun = world.tenancy.begin(&of(Operation::RotationStart, START), &found).await;
    assert_eq!(begun.unwrap_err().code(), Code::Denied);
    let verify = RotationDue { step: RotationStep::Verify, ..world.due(START).await.unwrap() };
    assert!(world.tenancy.begin(&of(Operation::RotationStart, START), &verify).await.is_err(), "nothing was proposed");
}

fn stay(task: Option<&RotationTask>) -> Stay {
    let session = SessionId::generate(at(1), [1; 10]);
    let correlation_id = CorrelationId::generate(at(1), [1; 10]);
    Stay { session, correlation_id, task: task.cloned(), observed: false }
}
