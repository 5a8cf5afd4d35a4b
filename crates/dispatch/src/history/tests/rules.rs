//! What rules about the past say: so many in a window, not twice, only after, each on its own.

use super::*;
use crate::history::sweep;
use tempfile::TempDir;

/// Asks, and commits what is allowed.
async fn done(world: &World, counters: &[Counter], ask: Ask<'_>) -> bool {
    let (allowed, counted) = world.ask(counters, ask).await;
    if allowed {
        world.commit(counted, true).await.unwrap();
    }
    allowed
}

#[tokio::test]
async fn a_window_moves_on_step_by_step_and_is_never_too_short() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    let counters = [calls(Some(HOUR))];
    let ask = |ms| Ask { at_ms: BEGUN + ms, limits: &[("calls", 2)], ..CALL };
    assert!(done(&world, &counters, ask(MINUTE - 1)).await);
    assert!(done(&world, &counters, ask(10 * MINUTE)).await);
    assert!(!done(&world, &counters, ask(10 * MINUTE)).await);
    assert!(!done(&world, &counters, ask(HOUR + MINUTE - 1)).await, "the first is within the hour");
    drop(world);
    for (ms, seen) in [(HOUR + MINUTE - 1, 2), (HOUR + MINUTE, 1)] {
        let world = World::open(dir.path());
        assert_eq!(world.count(&calls(Some(HOUR)), ask(ms)).await, seen, "what is read is what was remembered");
    }
    let world = World::open(dir.path());
    assert!(done(&world, &counters, ask(HOUR + MINUTE)).await);
    assert!(!done(&world, &counters, ask(HOUR + 10 * MINUTE)).await);
    assert!(done(&world, &counters, ask(HOUR + 11 * MINUTE)).await);
}

#[tokio::test]
async fn what_is_forbidden_twice_happens_once_for_ever() {
    let dir = TempDir::new().unwrap();
    let counters = [calls(None)];
    for at_ms in [BEGUN, BEGUN + 1, BEGUN + 24 * 365 * HOUR] {
        let world = World::open(dir.path());
        let allowed = done(&world, &counters, Ask { at_ms, limits: &[("calls", 1)], ..CALL }).await;
        assert_eq!(allowed, at_ms == BEGUN, "{at_ms}");
    }
}

#[tokio::test]
async fn what_must_come_first_is_counted_for_another_action() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    let counters = [Counter { name: "reviews".to_owned(), actions: vec!["review".to_owned()], ..calls(None) }];
    let only_after = |counts: &std::collections::BTreeMap<String, i64>| {
        let allowed = counts["reviews"] > 0;
        (allowed, allowed)
    };
    let ask = Ask { action: "deploy", ..CALL };
    let (allowed, _) = world.histories.decide(&acme(), &ask.counting(&counters), only_after).await.unwrap();
    assert!(!allowed);
    assert!(done(&world, &counters, Ask { action: "review", ..CALL }).await);
    let (allowed, counted) = world.histories.decide(&acme(), &ask.counting(&counters), only_after).await.unwrap();
    assert!(allowed);
    assert!(counted.is_none(), "deploying is not counted");
}

#[tokio::test]
async fn each_key_is_counted_on_its_own() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    let per =
        |name: &str, per: &[CounterKey]| Counter { name: name.to_owned(), per: per.to_vec(), ..calls(Some(HOUR)) };
    let counters = [
        per("all", &[]),
        per("principal", &[CounterKey::Principal]),
        per("resource", &[CounterKey::Resource]),
        per("session", &[CounterKey::Session]),
        per("both", &[CounterKey::Resource, CounterKey::Principal]),
    ];
    let asks = [
        CALL,
        Ask { principal: "bob", ..CALL },
        Ask { resource: "disk", ..CALL },
        Ask { session: Some("s1"), ..CALL },
        Ask { principal: "bob", session: Some("s2"), ..CALL },
    ];
    for ask in asks {
        assert!(done(&world, &counters, ask).await);
    }
    let counts = |ask| {
        let (world, counters) = (&world, &counters);
        async move {
            let counts = world.counts(counters, ask).await;
            ["all", "principal", "resource", "session", "both"].map(|name| counts[name])
        }
    };
    assert_eq!(counts(CALL).await, [5, 3, 4, 3, 2]);
    assert_eq!(counts(Ask { principal: "bob", resource: "disk", ..CALL }).await, [5, 2, 1, 3, 0]);
    assert_eq!(counts(Ask { session: Some("s2"), ..CALL }).await, [5, 3, 4, 1, 2]);
    let other: TenantId = "other".parse().unwrap();
    let decide = |counts: &std::collections::BTreeMap<String, i64>| (false, counts.values().sum::<i64>());
    let (sum, _) = world.histories.decide(&other, &CALL.counting(&counters), decide).await.unwrap();
    assert_eq!(sum, 0, "another tenant has done nothing");
}

#[tokio::test]
async fn circumstances_add_up_and_those_that_are_missing_make_it_unknown() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    let counters =
        [Counter { name: "bytes".to_owned(), sum: Some("bytes".to_owned()), ..calls(Some(HOUR)) }, calls(Some(HOUR))];
    let send = |amount| Ask { amount, limits: &[("bytes", 12)], ..CALL };
    assert!(done(&world, &counters, send(Some(5))).await);
    assert!(done(&world, &counters, send(Some(0))).await);
    assert!(done(&world, &counters, send(Some(7))).await);
    assert!(!done(&world, &counters, send(Some(5))).await);
    for unknown in [None, Some(-1)] {
        assert!(!done(&world, &counters, send(unknown)).await, "{unknown:?}");
        let counts = world.counts(&counters, send(unknown)).await;
        assert_eq!((counts.get("bytes"), counts.get("calls")), (None, Some(&3)), "{unknown:?}");
    }
    assert_eq!(world.counts(&counters, Ask { action: "look", ..CALL }).await["bytes"], 12, "looking adds nothing");
    let (_, largest) = world.ask(&counters, Ask { amount: Some(i64::MAX), ..CALL }).await;
    let (_, once_more) = world.ask(&counters, Ask { amount: Some(i64::MAX), ..CALL }).await;
    assert_eq!(world.counts(&counters, send(Some(5))).await["bytes"], i64::MAX);
    drop(largest);
    assert_eq!(world.counts(&counters, send(Some(5))).await["bytes"], i64::MAX);
    drop(once_more);
    assert_eq!(world.counts(&counters, send(Some(5))).await["bytes"], 12, "exactly what was taken is given back");
}

#[tokio::test]
async fn a_counter_that_is_declared_anew_with_another_meaning_begins_anew() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    assert!(done(&world, &[calls(Some(HOUR))], CALL).await);
    let more = Counter { actions: vec!["call".to_owned(), "send".to_owned()], ..calls(Some(HOUR)) };
    assert_eq!(world.count(&more, CALL).await, 0);
    assert_eq!(world.count(&calls(Some(HOUR)), CALL).await, 1);
}

#[tokio::test]
async fn a_clock_that_goes_back_forgets_nothing() {
    let dir = TempDir::new().unwrap();
    let world = World::open(dir.path());
    let counter = calls(Some(HOUR));
    let counters = std::slice::from_ref(&counter);
    assert!(done(&world, counters, Ask { at_ms: BEGUN + 2 * HOUR, ..CALL }).await);
    assert!(done(&world, counters, CALL).await);
    assert_eq!(world.count(&counter, CALL).await, 2);
    let soon = Ask { at_ms: BEGUN + 2 * HOUR + 59 * MINUTE, ..CALL };
    assert_eq!(world.count(&counter, soon).await, 2, "both happened at the newest time");
    drop(world);
    let world = World::open(dir.path());
    assert_eq!(world.count(&counter, CALL).await, 2, "what lies in the future is counted");
}

/// Every step on its own, looked at from every moment after the sweep.
#[tokio::test]
async fn what_is_swept_is_what_no_window_sees() {
    for window_ms in [10 * MINUTE, HOUR, 5 * HOUR] {
        let dir = TempDir::new().unwrap();
        let world = World::open(dir.path());
        let counters = [calls(Some(window_ms)), Counter { name: "ever".to_owned(), ..calls(None) }];
        for number in 0..40 {
            assert!(done(&world, &counters, Ask { at_ms: BEGUN + number * 13 * MINUTE, ..CALL }).await);
        }
        let now = BEGUN + 39 * 13 * MINUTE;
        let looked_at: Vec<u64> = (0..40).map(|number| now + number * window_ms / 39).collect();
        drop(world);
        let mut before = Vec::new();
        for at_ms in &looked_at {
            let fresh = World::open(dir.path());
            before.push(fresh.counts(&counters, Ask { at_ms: *at_ms, ..CALL }).await);
        }
        let world = World::open(dir.path());
        let stored = world.stored().await;
        sweep(&*world.store, &acme(), at(now)).await.unwrap();
        let left = world.stored().await;
        drop(world);
        for (at_ms, expected) in looked_at.iter().zip(before) {
            let fresh = World::open(dir.path());
            assert_eq!(fresh.counts(&counters, Ask { at_ms: *at_ms, ..CALL }).await, expected, "{window_ms}");
        }
        assert!(left < stored, "{window_ms}: something is old");
        let world = World::open(dir.path());
        sweep(&*world.store, &acme(), at(now + 2 * HOUR + 2 * window_ms)).await.unwrap();
        assert_eq!(world.stored().await, 40, "only what is counted for ever is left");
    }
}
