//! Counts: numbers that are added to, exactly, whoever else adds at the same time.

use aegis_model::port::{Store, StoreError};
use aegis_model::record::{Change, Expect, Kind, ListQuery, Put, RECORD_ID_LENGTH_MAX, RecordKey, count_of};

use crate::store::Home;
use crate::store::draft::{agent, all_agents, at, batch, commit, count, create, entry, ok, put, tally, tenant};

/// The number that is kept, and its version.
async fn read(store: &dyn Store, id: &str) -> Option<(i64, u64)> {
    let record = ok(store.get(&tally(id)).await)?;
    let number = count_of(&record.body).unwrap_or_else(|| panic!("`{id}` is no number: {record:?}"));
    Some((number, record.version))
}

async fn ids(store: &dyn Store, index: (&'static str, &str)) -> Vec<String> {
    let query = ListQuery { kind: Kind::Tally, index: Some((index.0, index.1.to_owned())), ..all_agents() };
    ok(store.list(&query).await).into_iter().map(|record| record.key.id).collect()
}

/// Within a batch, across batches, downwards too; versions grow, and nobody is told of them.
pub async fn a_count_begins_at_nothing_and_adds_up(home: &dyn Home) {
    let store = home.open();
    assert_eq!(read(&*store, "a").await, None);
    let done = ok(commit(&*store, [count("a", 3), create("b"), count("a", 4)]).await);
    assert_eq!(done.versions, [1], "only the document that was put has a version to tell");
    assert_eq!(read(&*store, "a").await, Some((7, 2)));
    ok(commit(&*store, [count("a", -10)]).await);
    assert_eq!(read(&*store, "a").await, Some((-3, 3)));
    ok(commit(&*store, [count("a", 0), count("z", 0)]).await);
    assert_eq!((read(&*store, "a").await, read(&*store, "z").await), (Some((-3, 4)), Some((0, 1))));
    let record = ok(store.get(&tally("a")).await);
    assert_eq!(record.map(|record| (record.terminal, record.changed_at)), Some((false, at(1_000))));
    ok(commit(&*store, [Change::Delete { key: tally("a"), expect: Expect::Version(4) }, count("a", 1)]).await);
    assert_eq!(read(&*store, "a").await, Some((1, 1)));
}

/// Batches that are refused in between count nothing, and take nothing from the others.
pub async fn many_that_count_at_once_lose_nothing(home: &dyn Home) {
    let store = home.open();
    let callers: Vec<_> = (0..200_u32)
        .map(|number| {
            let store = store.clone();
            let refused = Change::Require { key: agent("nobody"), expect: Expect::Version(1) };
            let mut changes = vec![count("all", 1), count(&format!("of-{}", number % 3), 2), entry("counted")];
            changes.extend((number % 4 == 0).then_some(refused));
            tokio::spawn(async move { store.commit_many(vec![batch(changes), batch([count("all", 1)])]).await })
        })
        .collect();
    let mut held = 0;
    for caller in callers {
        let results = caller.await.unwrap_or_else(|error| panic!("a caller failed: {error}"));
        held += results.iter().filter(|result| result.is_ok()).count();
    }
    assert_eq!(held, 350);
    assert_eq!(read(&*store, "all").await, Some((350, 350)));
    let mut of_each = 0;
    for id in ["of-0", "of-1", "of-2"] {
        of_each += read(&*store, id).await.map_or(0, |(number, _)| number);
    }
    assert_eq!(of_each, 300);
}

/// Neither one that was there nor one that would have been made.
pub async fn a_refused_batch_counts_nothing(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [count("there", 5)]).await);
    let refused = Change::Require { key: agent("nobody"), expect: Expect::Version(1) };
    let batches = vec![
        batch([count("there", 1)]),
        batch([count("there", 100), count("new", 100), refused]),
        batch([count("there", 1)]),
    ];
    let results = store.commit_many(batches).await;
    assert!(matches!(results.as_slice(), [Ok(_), Err(StoreError::Conflict { .. }), Ok(_)]), "{results:?}");
    assert_eq!((read(&*store, "there").await, read(&*store, "new").await), (Some((7, 3)), None));
    assert_eq!(ids(&*store, ("counter", "calls")).await, ["there"]);
}

/// It neither turns over nor is refused.
pub async fn a_count_holds_at_the_ends_of_the_numbers(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [count("up", i64::MAX), count("up", 1), count("down", i64::MIN), count("down", -1)]).await);
    assert_eq!((read(&*store, "up").await, read(&*store, "down").await), (Some((i64::MAX, 2)), Some((i64::MIN, 2))));
    ok(commit(&*store, [count("up", -1), count("down", 1)]).await);
    assert_eq!(read(&*store, "up").await, Some((i64::MAX - 1, 3)));
    assert_eq!(read(&*store, "down").await, Some((i64::MIN + 1, 3)));
}

/// Like every other change.
pub async fn a_final_document_is_not_counted_on(home: &dyn Home) {
    let store = home.open();
    let last = Put { terminal: true, ..put(tally("a"), Expect::Version(1), "{\"count\":9}", "") };
    ok(commit(&*store, [count("a", 1), Change::Put(last)]).await);
    assert_eq!(commit(&*store, [count("a", 1)]).await, Err(StoreError::Immutable { key: tally("a") }));
    assert_eq!(read(&*store, "a").await, Some((9, 2)));
}

/// A document of another shape is not overwritten, and spoils no other batch.
pub async fn what_is_no_number_was_altered(home: &dyn Home) {
    let store = home.open();
    let bodies = ["{}", "7", "{\"count\":\"7\"}", "{\"count\":1.5}", "{\"count\":1,\"of\":2}", "", "{\"count\":1"];
    for (number, body) in bodies.into_iter().enumerate() {
        let id = number.to_string();
        ok(commit(&*store, [Change::Put(put(tally(&id), Expect::Absent, body, ""))]).await);
        let batches = vec![batch([count("other", 1)]), batch([count("other", 50), count(&id, 1)])];
        let results = store.commit_many(batches).await;
        assert!(matches!(results.as_slice(), [Ok(_), Err(StoreError::Tampered(_))]), "{body}: {results:?}");
        assert_eq!(ok(store.get(&tally(&id)).await).map(|found| found.body), Some(body.into()));
    }
    assert_eq!(read(&*store, "other").await.map(|(number, _)| number), Some(bodies.len() as i64));
}

/// Whatever is said when it is added to.
pub async fn a_number_is_found_by_what_it_was_made_with(home: &dyn Home) {
    let store = home.open();
    let with = |counter: &str| {
        let index = vec![("counter", counter.to_owned()), ("expires", "7".to_owned())];
        Change::Count { key: tally("a"), by: 1, index }
    };
    ok(commit(&*store, [with("first")]).await);
    ok(commit(&*store, [with("second"), Change::Count { key: tally("a"), by: 1, index: Vec::new() }]).await);
    for (index, found) in [(("counter", "first"), 1), (("expires", "7"), 1), (("counter", "second"), 0)] {
        assert_eq!(ids(&*store, index).await.len(), found, "{index:?}");
    }
    ok(commit(&*store, [Change::Delete { key: tally("a"), expect: Expect::Any }]).await);
    assert_eq!(ids(&*store, ("counter", "first")).await, [""; 0]);
}

/// No cache stands between.
pub async fn what_was_read_before_is_not_read_after(home: &dyn Home) {
    let store = home.open();
    for number in 0..5 {
        assert_eq!(read(&*store, "a").await.map_or(0, |(number, _)| number), number);
        ok(commit(&*store, [count("a", 1)]).await);
    }
}

/// Each rule of a document, broken once.
pub async fn unacceptable_counts_are_refused(home: &dyn Home) {
    let store = home.open();
    let indexed = |name, value: &str| Change::Count { key: tally("a"), by: 1, index: vec![(name, value.to_owned())] };
    let twice = vec![("counter", "a".to_owned()), ("counter", "b".to_owned())];
    let cases = [
        count("", 1),
        count("a\0b", 1),
        count(&"x".repeat(RECORD_ID_LENGTH_MAX + 1), 1),
        indexed("state", "active"),
        indexed("counter", "a\0"),
        Change::Count { key: tally("a"), by: 1, index: twice },
        Change::Count {
            key: RecordKey::new(Kind::Freeze, tenant("acme"), "a"),
            by: 1,
            index: vec![("counter", String::new())],
        },
    ];
    for case in cases {
        let refused = commit(&*store, [count("b", 1), case]).await;
        assert!(matches!(refused, Err(StoreError::Unacceptable(_))), "{refused:?}");
    }
    assert_eq!((read(&*store, "a").await, read(&*store, "b").await), (None, None));
}

/// And goes on from there.
pub async fn what_was_counted_survives_reopening(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [count("a", 41)]).await);
    drop(store);
    let store = home.open();
    ok(commit(&*store, [count("a", 1)]).await);
    assert_eq!(read(&*store, "a").await, Some((42, 2)));
    assert_eq!(ids(&*store, ("counter", "calls")).await, ["a"]);
}
