//! Of many at once no more pass than a rule allows, whatever becomes of their commits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aegis_conformance::store::{Fault, FaultyStore};
use aegis_model::Code;
use aegis_model::port::StoreError;
use tempfile::TempDir;

use super::*;

const LIMIT: i64 = 50;
const LIMITED: Ask<'_> = Ask { limits: &[("calls", LIMIT)], ..CALL };

/// Two hundred at once; how many were committed, as far as they were told.
async fn rush(world: &Arc<World>, fails: impl Fn(usize) -> bool) -> usize {
    let passed = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..200)
        .map(|number| {
            let (world, passed, holds) = (Arc::clone(world), Arc::clone(&passed), !fails(number));
            tokio::spawn(async move {
                let (allowed, counted) = world.ask(&[calls(Some(HOUR))], LIMITED).await;
                if allowed && world.commit(counted, holds).await.is_ok() {
                    passed.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    passed.load(Ordering::SeqCst)
}

/// One after the other, until no more pass.
async fn exhaust(world: &World) -> usize {
    for number in 0..1_000 {
        let (allowed, counted) = world.ask(&[calls(Some(HOUR))], LIMITED).await;
        if !allowed {
            return number;
        }
        world.commit(counted, true).await.unwrap();
    }
    panic!("no limit holds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_hundred_at_once_fifty_pass() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    assert_eq!(rush(&world, |_| false).await, 50);
    assert_eq!(exhaust(&world).await, 0);
    assert_eq!(world.stored().await, LIMIT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_the_store_refuses_is_given_back_exactly() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    let passed = rush(&world, |number| number % 3 == 0).await;
    assert!(passed <= 50, "{passed} passed");
    assert_eq!(world.stored().await, passed as i64);
    assert_eq!(world.count(&calls(Some(HOUR)), CALL).await, passed as i64);
    assert_eq!(passed + exhaust(&world).await, 50);
    assert_eq!(world.stored().await, LIMIT);
}

/// Whether it holds that nobody was told of, only the store knows.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_nobody_was_told_of_is_counted_as_the_store_has_it() {
    let dir = TempDir::new().unwrap();
    let faults = [Fault::Pass, Fault::AnswerLost, Fault::Torn { kept: 0 }, Fault::Slow { ms: 3 }, Fault::Full];
    let script = faults.into_iter().cycle().take(60);
    let world = World::over(Arc::new(FaultyStore::scripted(open(dir.path()), script)));
    let told = rush(&world, |_| false).await as i64;
    let stored = world.stored().await;
    assert!(told < stored && stored <= LIMIT, "{told} were told, {stored} are there");
    assert_eq!(world.count(&calls(Some(HOUR)), CALL).await, stored);
    drop(world);
    let world = World::open(dir.path());
    assert_eq!(stored + exhaust(&world).await as i64, LIMIT);
}

#[tokio::test]
async fn the_count_is_the_same_after_a_restart() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    assert_eq!(exhaust(&world).await, 50);
    drop(world);
    let world = World::open(dir.path());
    assert_eq!(exhaust(&world).await, 0);
    let later = Ask { at_ms: BEGUN + HOUR + 2 * MINUTE, ..CALL };
    assert_eq!(world.count(&calls(Some(HOUR)), later).await, 0);
}

#[tokio::test]
async fn what_is_dropped_before_it_is_committed_is_given_back() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    let (_, counted) = world.ask(&[calls(Some(HOUR))], LIMITED).await;
    let again = counted.clone();
    assert_eq!(world.count(&calls(Some(HOUR)), CALL).await, 1);
    drop(counted);
    assert_eq!(world.count(&calls(Some(HOUR)), CALL).await, 1, "somebody still holds it");
    drop(again);
    assert_eq!(world.count(&calls(Some(HOUR)), CALL).await, 0);
    assert_eq!(world.stored().await, 0);
}

#[tokio::test]
async fn an_act_that_is_committed_twice_counts_once() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    let (_, counted) = world.ask(&[calls(Some(HOUR))], LIMITED).await;
    world.commit(counted.clone(), false).await.unwrap_err();
    assert_eq!(world.count(&calls(Some(HOUR)), CALL).await, 1, "it may be tried again");
    world.commit(counted.clone(), true).await.unwrap();
    world.commit(counted.clone(), true).await.unwrap();
    drop(counted);
    assert_eq!((world.count(&calls(Some(HOUR)), CALL).await, world.stored().await), (1, 1));
}

/// The commit may be on its way without anybody who waits for it.
#[tokio::test]
async fn what_was_being_committed_when_its_owner_went_away_counts() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    let (_, counted) = world.ask(&[calls(Some(HOUR))], LIMITED).await;
    assert_eq!(counted.as_ref().unwrap().changes().len(), 1);
    drop(counted);
    assert_eq!(world.count(&calls(Some(HOUR)), CALL).await, 1);
}

/// What is read while something is on its way to the store could hold it, or not.
#[tokio::test]
async fn a_counter_in_doubt_is_read_when_nothing_is_under_way() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    let (_, first) = world.ask(&[calls(Some(HOUR))], LIMITED).await;
    let (_, second) = world.ask(&[calls(Some(HOUR))], LIMITED).await;
    let (first, second) = (first.unwrap(), second.unwrap());
    commit_changes(&*world.store, &*first).await;
    commit_changes(&*world.store, &*second).await;
    second.failed(&StoreError::Unavailable("the answer was lost".to_owned()));
    drop(second);
    let asking = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { world.count(&calls(Some(HOUR)), CALL).await })
    };
    tokio::task::yield_now().await;
    let early = tokio::time::timeout(Duration::from_millis(50), world.count(&calls(Some(HOUR)), CALL)).await;
    assert!(early.is_err(), "nobody knows yet: {early:?}");
    first.settle();
    assert_eq!(asking.await.unwrap(), 2, "both are in the store");
    assert_eq!(world.stored().await, 2);
}

#[tokio::test]
async fn nothing_is_decided_when_the_store_cannot_tell_what_was_counted() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    let (_, counted) = world.ask(&[calls(Some(HOUR))], LIMITED).await;
    let changes = counted.unwrap().changes();
    let Some(Change::Count { key, index, .. }) = changes.first().cloned() else { panic!("{changes:?}") };
    drop(world);
    let world = World::open(dir.path());
    let body = "{\"count\":true}".into();
    let broken = Change::Put(aegis_model::record::Put { key, expect: Expect::Absent, body, index, terminal: false });
    let batch = Batch { at: at(BEGUN), changes: vec![broken] };
    assert!(world.store.commit_many(vec![batch]).await.iter().all(Result::is_ok));
    let decide = |_: &std::collections::BTreeMap<String, i64>| -> (bool, ()) { panic!("it is not asked") };
    let refused = world.histories.decide(&acme(), &CALL.counting(&[calls(Some(HOUR))]), decide).await;
    assert_eq!(refused.map(drop).unwrap_err().code(), Code::Tampered);
}

/// What nobody asks for is forgotten and read again; what an act holds is not.
#[tokio::test]
async fn memory_is_bounded_and_what_was_forgotten_is_read_again() {
    let dir = TempDir::new().unwrap();
    let store = open(dir.path());
    let journal = Journal::new(Arc::clone(&store), Arc::new(Keys));
    let histories = Histories::with_room(Arc::clone(&store), 32);
    let world = World { store, journal, histories };
    let counter = Counter { per: vec![CounterKey::Principal], ..calls(Some(HOUR)) };
    let counters = std::slice::from_ref(&counter);
    let (_, held) = world.ask(counters, Ask { principal: "held", ..CALL }).await;
    for round in 0..2 {
        for number in 0..100 {
            let name = format!("p{number}");
            let ask = Ask { principal: &name, ..CALL };
            assert_eq!(world.count(&counter, ask).await, round);
            let (_, counted) = world.ask(counters, ask).await;
            world.commit(counted, true).await.unwrap();
            let shelf = world.histories.shelf(&acme());
            let known = shelf.open().len();
            assert!(known <= 33, "{known} keys");
            assert_eq!(world.histories.keys.load(Ordering::SeqCst), known);
        }
    }
    assert_eq!(world.count(&counter, Ask { principal: "held", ..CALL }).await, 1);
    drop(held);
    assert_eq!(world.count(&counter, Ask { principal: "held", ..CALL }).await, 0);
}
