//! What holds for every batch, whatever is in it.

use std::sync::Arc;

use aegis_model::port::{Store, StoreError};
use aegis_model::record::{BODY_SIZE_MAX_BYTES, Batch, Change, EntryDraft, Expect, Put, RECORD_ID_LENGTH_MAX};
use bytes::Bytes;

use crate::store::Home;
use crate::store::draft::{agent, all_agents, at, batch, claim, commit, create, entry, event, ok, put, tenant, work};

/// No batches, no results.
pub async fn an_empty_call_answers_nothing(home: &dyn Home) {
    assert_eq!(home.open().commit_many(Vec::new()).await, []);
    let nothing = ok(commit(&*home.open(), []).await);
    assert_eq!(nothing, aegis_model::record::Committed::default());
}

/// Every kind of change before the one that fails is undone.
pub async fn a_failed_batch_changes_nothing(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [create("there"), work("old", 0)]).await);
    let held = ok(store.claim(&claim(1, 10, 1)).await).remove(0).lease;
    let failed = commit(
        &*store,
        [
            create("new"),
            Change::Put(put(agent("there"), Expect::Version(1), "{\"changed\":1}", "deleted")),
            event("agents", "created"),
            entry("one"),
            work("fresh", 0),
            Change::Finish(held.clone()),
            create("there"),
        ],
    )
    .await;
    assert!(matches!(failed, Err(StoreError::Conflict { found: 2, .. })), "{failed:?}");
    assert_eq!(ok(store.get(&agent("new")).await), None);
    assert_eq!(ok(store.get(&agent("there")).await).map(|record| record.version), Some(1));
    assert_eq!(ok(store.list(&all_agents()).await).len(), 1);
    assert_eq!(ok(store.tail(&tenant("acme"), None, 0, 10).await), []);
    assert_eq!(ok(store.tree_head(&tenant("acme")).await).size, 0);
    assert_eq!(ok(store.entries(&tenant("acme"), 0, 10).await), []);
    ok(store.renew(&held, at(50)).await);
    assert_eq!(ok(store.claim(&claim(20, 10, 10)).await), []);
}

/// The neighbours of a failed batch hold.
pub async fn a_failed_batch_spoils_no_other(home: &dyn Home) {
    let store = home.open();
    let batches = vec![
        batch([create("a"), event("agents", "a"), entry("a")]),
        batch([create("b"), event("agents", "b"), entry("b"), create("a")]),
        batch([create("c"), event("agents", "c"), entry("c")]),
    ];
    let results = store.commit_many(batches).await;
    let outcomes: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(outcomes, [true, false, true]);
    let ids: Vec<String> = ok(store.list(&all_agents()).await).into_iter().map(|record| record.key.id).collect();
    assert_eq!(ids, ["a", "c"]);
    let entries = ok(store.entries(&tenant("acme"), 0, 10).await);
    let texts: Vec<&[u8]> = entries.iter().map(|entry| entry.bytes.as_ref()).collect();
    assert_eq!(texts, [b"a", b"c"]);
    assert_eq!(results.last().and_then(|last| last.as_ref().ok()).map(|done| done.positions.clone()), Some(vec![1]));
}

/// A later batch builds on an earlier one of the same call.
pub async fn batches_of_one_call_see_each_other_in_order(home: &dyn Home) {
    let store = home.open();
    let change = |version| Change::Put(put(agent("a"), Expect::Version(version), "{}", "active"));
    let results =
        store.commit_many(vec![batch([create("a"), change(1)]), batch([change(2)]), batch([change(2)])]).await;
    let versions: Vec<Vec<u64>> = results.iter().flatten().map(|done| done.versions.clone()).collect();
    assert_eq!(versions, [vec![1, 2], vec![3]]);
    assert!(matches!(results.last(), Some(Err(StoreError::Conflict { found: 3, .. }))), "{results:?}");
}

/// Results do not get mixed up, and none is lost.
pub async fn concurrent_callers_each_get_their_own_results(home: &dyn Home) {
    let store = home.open();
    let one = |store: Arc<dyn Store>, number: usize| async move {
        let name = format!("agent-{number}");
        let good = batch([create(&name), event("agents", &name), entry(&name)]);
        let bad = batch([entry("never"), Change::Require { key: agent(&name), expect: Expect::Version(9) }]);
        let mut results = store.commit_many(vec![good, bad]).await;
        assert!(matches!(results.pop(), Some(Err(StoreError::Conflict { key, .. })) if key.id == name));
        let done = ok(results.remove(0));
        let sequence = done.sequences.first().copied().unwrap_or_default();
        let position = done.positions.first().copied().unwrap_or_default();
        let events = ok(store.tail(&tenant("acme"), None, sequence - 1, 1).await);
        assert_eq!(events.first().map(|event| event.draft.name.as_str()), Some(name.as_str()));
        let entries = ok(store.entries(&tenant("acme"), position, 1).await);
        assert_eq!(entries.first().map(|entry| entry.bytes.as_ref()), Some(name.as_bytes()));
    };
    let callers: Vec<_> = (0..200).map(|number| tokio::spawn(one(store.clone(), number))).collect();
    for caller in callers {
        caller.await.unwrap_or_else(|error| panic!("a caller failed: {error}"));
    }
    assert_eq!(ok(store.list(&all_agents()).await).len(), 200);
    assert_eq!(ok(store.tree_head(&tenant("acme")).await).size, 200);
}

/// Everything is there again, to the last field.
pub async fn what_was_acknowledged_survives_reopening(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [create("a"), event("agents", "a"), entry("a"), work("a", 5)]).await);
    let before = (
        ok(store.get(&agent("a")).await),
        ok(store.list(&all_agents()).await),
        ok(store.tail(&tenant("acme"), None, 0, 10).await),
        ok(store.entries(&tenant("acme"), 0, 10).await),
        ok(store.tree_head(&tenant("acme")).await),
    );
    drop(store);
    let store = home.open();
    let after = (
        ok(store.get(&agent("a")).await),
        ok(store.list(&all_agents()).await),
        ok(store.tail(&tenant("acme"), None, 0, 10).await),
        ok(store.entries(&tenant("acme"), 0, 10).await),
        ok(store.tree_head(&tenant("acme")).await),
    );
    assert_eq!(before, after);
    assert!(before.0.is_some() && before.4.size == 1);
    assert_eq!(ok(store.claim(&claim(5, 10, 10)).await).len(), 1);
}

/// Order is given by the store, not by anybody's clock.
pub async fn a_clock_that_goes_backwards_loses_nothing(home: &dyn Home) {
    let store = home.open();
    for (number, ms) in [5_000, 4_000, 0, 6_000].into_iter().enumerate() {
        let changes = vec![create(&number.to_string()), event("agents", &number.to_string()), entry("x")];
        let mut results = store.commit_many(vec![Batch { at: at(ms), changes }]).await;
        let done = ok(results.remove(0));
        assert_eq!(done.positions, [number as u64]);
    }
    let events = ok(store.tail(&tenant("acme"), None, 0, 10).await);
    let names: Vec<&str> = events.iter().map(|event| event.draft.name.as_str()).collect();
    assert_eq!(names, ["0", "1", "2", "3"]);
    assert!(events.is_sorted_by(|left, right| left.sequence < right.sequence));
    assert_eq!(events.get(2).map(|event| event.at), Some(at(0)));
    assert_eq!(ok(store.get(&agent("2")).await).map(|record| record.changed_at), Some(at(0)));
}

/// A sound store says so, and changes nothing by saying it.
pub async fn the_store_answers_when_it_works(home: &dyn Home) {
    let store = home.open();
    ok(store.check().await);
    ok(commit(&*store, [create("a"), entry("a")]).await);
    ok(store.check().await);
    assert_eq!(ok(store.tree_head(&tenant("acme")).await).size, 1);
}

/// Each rule of a batch, broken once.
pub async fn unacceptable_batches_are_refused(home: &dyn Home) {
    let store = home.open();
    let with = |change: fn(&mut Put)| {
        let mut put = put(agent("a"), Expect::Any, "{}", "active");
        change(&mut put);
        Change::Put(put)
    };
    let huge = Bytes::from(vec![b' '; BODY_SIZE_MAX_BYTES + 1]);
    let cases = [
        with(|put| put.key.id.clear()),
        with(|put| put.key.id = "x".repeat(RECORD_ID_LENGTH_MAX + 1)),
        with(|put| put.key.id = "a\0b".to_owned()),
        with(|put| put.index = vec![("colour", "red".to_owned())]),
        with(|put| put.index = vec![("state", "a".to_owned()), ("state", "b".to_owned())]),
        with(|put| put.index = vec![("state", "a\0".to_owned())]),
        with(|put| put.body = Bytes::from(vec![b' '; BODY_SIZE_MAX_BYTES + 1])),
        Change::Enter(EntryDraft { tenant: tenant("acme"), bytes: huge }),
        Change::Delete { key: agent(""), expect: Expect::Any },
        Change::Require { key: agent(""), expect: Expect::Absent },
        event("", "created"),
        event("agents", ""),
        work("", 0),
    ];
    for case in cases {
        let refused = commit(&*store, [create("b"), case]).await;
        assert!(matches!(refused, Err(StoreError::Unacceptable(_))), "{:.200}", format!("{refused:?}"));
    }
    let refused = commit(&*store, (0..10_001).map(|number| event("agents", &number.to_string()))).await;
    assert!(matches!(refused, Err(StoreError::Unacceptable(_))));
    assert_eq!(ok(store.list(&all_agents()).await), []);
    assert_eq!(ok(store.tail(&tenant("acme"), None, 0, 10).await), []);
}

/// The limits themselves are within the limits; bytes come back as they were.
pub async fn the_largest_acceptable_texts_are_kept(home: &dyn Home) {
    let store = home.open();
    let id = "ü".repeat(RECORD_ID_LENGTH_MAX / 2);
    let body = Bytes::from((0..BODY_SIZE_MAX_BYTES).map(|place| (place % 251) as u8).collect::<Vec<u8>>());
    let largest = Put { body: body.clone(), ..put(agent(&id), Expect::Absent, "", "active") };
    ok(commit(&*store, [Change::Put(largest)]).await);
    let odd = "quote ' \" % _ \n — 漢";
    ok(commit(&*store, [create(odd)]).await);
    assert_eq!(ok(store.get(&agent(&id)).await).map(|record| record.body), Some(body));
    assert_eq!(ok(store.get(&agent(odd)).await).map(|record| record.key.id), Some(odd.to_owned()));
}
