//! A box from its creation to its end.

use std::time::Duration;

use aegis_model::boxes::{BoxEnd, BoxError, BoxPlan, BoxResources, Exit};
use aegis_model::life::box_cycle::State;
use bytes::Bytes;

use super::{Subject, agent_of, case, exec};

pub(super) async fn cases(subject: &Subject) {
    case("a box goes from warm to hot and back", warm_hot_warm(subject)).await;
    case("an agent is invoked once, and only when claimed", invoked_once(subject)).await;
    case("a kill ends everything and is safe to repeat", killed(subject)).await;
    case("a killed box takes nothing any more", after_the_end(subject)).await;
    case("a stop is told from a kill", stopped(subject)).await;
    case("whoever ignores a stop is killed", stubborn(subject)).await;
    case("a box whose handle is dropped is gone", dropped(subject)).await;
    case("a box lives as long as it may", lifetime(subject)).await;
    case("a paused box does nothing, and goes on", paused(subject)).await;
    case("a paused box can be killed", paused_and_killed(subject)).await;
    case("all boxes can be killed at once", all_killed(subject)).await;
    case("a plan that cannot be is refused", unacceptable(subject)).await;
    case("many boxes are made at a time", many(subject)).await;
}

async fn warm_hot_warm(subject: &Subject) {
    let made = subject.plain().await;
    assert_eq!(made.state(), State::Warm);
    made.claim().await.expect("claimed");
    assert_eq!(made.state(), State::Hot);
    assert!(matches!(made.claim().await, Err(BoxError::State(_))));
    made.release().await.expect("released");
    assert_eq!(made.state(), State::Warm);
    made.kill().await;
    assert_eq!(made.state(), State::Terminated);
}

async fn invoked_once(subject: &Subject) {
    let made = subject.with_agent(&["answer"]).await;
    assert!(matches!(made.invoke(Bytes::new()).await, Err(BoxError::State(_))), "invoked without a claim");
    made.claim().await.expect("claimed");
    let answer = made.invoke(Bytes::from_static(b"{}")).await.expect("invoked").collect(1_024).await.expect("answer");
    assert_eq!((answer.ending.exit, answer.output.as_ref()), (Exit::Code(0), b"{\"ok\":true}\n".as_slice()));
    assert!(matches!(made.invoke(Bytes::new()).await, Err(BoxError::State(_))), "invoked twice");
    made.kill().await;
}

async fn killed(subject: &Subject) {
    let made = subject.plain().await;
    let running = exec(&*made, &["ignore-term"]).await.expect("started");
    assert_eq!(made.kill().await, BoxEnd::Killed);
    assert_eq!(running.steering.ending().await.exit, Exit::BoxEnded(BoxEnd::Killed));
    assert_eq!(made.kill().await, BoxEnd::Killed);
    assert_eq!(made.ended().await, BoxEnd::Killed);
}

async fn after_the_end(subject: &Subject) {
    let made = subject.plain().await;
    made.kill().await;
    let ended = BoxError::Ended(BoxEnd::Killed);
    assert_eq!(exec(&*made, &["true"]).await.err(), Some(ended.clone()));
    assert_eq!(made.claim().await.err(), Some(ended.clone()));
    assert_eq!(made.stats().await.err(), Some(ended.clone()));
    assert_eq!(made.file_get("a", 1).await.err(), Some(ended.clone()));
    assert_eq!(made.pause().await.err(), Some(ended));
}

async fn stopped(subject: &Subject) {
    let made = subject.with_agent(&["idle"]).await;
    assert_eq!(made.stop(10_000).await, BoxEnd::Stopped);
    assert_eq!(made.state(), State::Terminated);
}

async fn stubborn(subject: &Subject) {
    let made = subject.plain().await;
    let mut running = exec(&*made, &["ignore-term"]).await.expect("started");
    running.output.read().await.expect("ready");
    assert_eq!(made.stop(50).await, BoxEnd::Stopped);
}

async fn dropped(subject: &Subject) {
    let made = subject.plain().await;
    let running = exec(&*made, &["idle"]).await.expect("started");
    drop(made);
    assert_eq!(running.steering.ending().await.exit, Exit::BoxEnded(BoxEnd::Killed));
    emptied(subject).await;
}

/// Waits until no box is left.
async fn emptied(subject: &Subject) {
    while subject.runtime.alive() > 0 {
        tokio::task::yield_now().await;
    }
}

async fn lifetime(subject: &Subject) {
    let plan = subject.plan();
    let resources = BoxResources { lifetime_ms: 100, ..plan.resources };
    let made = subject.runtime.create(BoxPlan { resources, ..plan }).await.expect("a box");
    let running = exec(&*made, &["ignore-term"]).await.expect("started");
    assert_eq!(made.ended().await, BoxEnd::Lifetime);
    assert_eq!(running.steering.ending().await.exit, Exit::BoxEnded(BoxEnd::Lifetime));
    assert_eq!(made.state(), State::Failed);
}

async fn paused(subject: &Subject) {
    let made = subject.plain().await;
    let mut running = exec(&*made, &["echo"]).await.expect("started");
    made.pause().await.expect("paused");
    running.input.write(Bytes::from_static(b"now")).await.expect("written");
    let early = tokio::time::timeout(Duration::from_millis(100), running.output.read()).await;
    assert!(early.is_err(), "a paused box answers");
    made.resume().await.expect("resumed");
    assert_eq!(running.output.read().await, Ok(Some(Bytes::from_static(b"now"))));
    made.kill().await;
}

async fn paused_and_killed(subject: &Subject) {
    let made = subject.with_agent(&["idle"]).await;
    made.pause().await.expect("paused");
    assert_eq!(made.kill().await, BoxEnd::Killed);
}

async fn all_killed(subject: &Subject) {
    let mut boxes = Vec::new();
    for _ in 0..5 {
        boxes.push(subject.with_agent(&["idle"]).await);
    }
    assert_eq!(subject.runtime.alive(), 5);
    subject.runtime.kill_all().await;
    assert_eq!(subject.runtime.alive(), 0);
    for made in boxes {
        assert_eq!(made.ended().await, BoxEnd::Killed);
    }
}

async fn unacceptable(subject: &Subject) {
    let plan = subject.plan();
    let without = [
        BoxResources { memory_bytes: 0, ..plan.resources },
        BoxResources { pids: 0, ..plan.resources },
        BoxResources { cpu_millis: 0, ..plan.resources },
    ];
    for resources in without {
        let refused = subject.runtime.create(BoxPlan { resources, ..plan.clone() }).await.err();
        assert!(matches!(refused, Some(BoxError::Unacceptable(_))), "{refused:?}");
    }
    assert_eq!(subject.runtime.alive(), 0);
}

async fn many(subject: &Subject) {
    let mut making = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let subject = subject.clone();
        making.spawn(async move {
            let plan = BoxPlan { agent: Some(agent_of(&["answer"])), ..subject.plan() };
            let made = subject.runtime.create(plan).await.expect("a box");
            made.claim().await.expect("claimed");
            let answer = made.invoke(Bytes::new()).await.expect("invoked").collect(1_024).await.expect("answer");
            made.kill().await;
            answer.ending.exit
        });
    }
    while let Some(exit) = making.join_next().await {
        assert_eq!(exit.expect("no panic"), Exit::Code(0));
    }
}

/// The last case: nothing can be made afterwards.
pub async fn closed(subject: &Subject) {
    let mut making = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let subject = subject.clone();
        making.spawn(async move { subject.runtime.create(subject.plan()).await });
    }
    let lives = subject.plain().await;
    subject.runtime.close().await;
    assert_eq!(lives.ended().await, BoxEnd::Killed);
    while let Some(made) = making.join_next().await {
        if let Ok(made) = made.expect("no panic") {
            assert_eq!(made.ended().await, BoxEnd::Killed);
        }
    }
    assert_eq!(subject.runtime.alive(), 0);
    let refused = subject.runtime.create(subject.plan()).await.err();
    assert!(matches!(refused, Some(BoxError::NoRoom(_))), "{refused:?}");
    subject.runtime.close().await;
}
