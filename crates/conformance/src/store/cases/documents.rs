//! Documents: versions, expectations, finality, lists.

use aegis_model::port::{Store, StoreError};
use aegis_model::record::{Change, Expect, Kind, ListQuery, Put, RecordKey};

use crate::store::Home;
use crate::store::draft::{agent, all_agents, commit, create, ok, put, tenant};

fn change(id: &str, expect: Expect, state: &str) -> Change {
    Change::Put(put(agent(id), expect, "{}", state))
}

async fn ids(store: &dyn Store, query: &ListQuery) -> Vec<String> {
    ok(store.list(query).await).into_iter().map(|record| record.key.id).collect()
}

/// 1, 2, 3.
pub async fn versions_count_from_one(home: &dyn Home) {
    let store = home.open();
    let mut versions = ok(commit(&*store, [create("a")]).await).versions;
    versions.extend(ok(commit(&*store, [change("a", Expect::Version(1), "x")]).await).versions);
    versions.extend(ok(commit(&*store, [change("a", Expect::Any, "y")]).await).versions);
    versions.extend(ok(commit(&*store, [change("b", Expect::Any, "y")]).await).versions);
    assert_eq!(versions, [1, 2, 3, 1]);
    assert_eq!(ok(store.get(&agent("a")).await).map(|record| record.version), Some(3));
}

/// The conflict says what was expected and what is there.
pub async fn an_expectation_that_fails_is_a_conflict(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [create("a"), change("a", Expect::Version(1), "x")]).await);
    let cases = [
        ("a", Expect::Absent, 2),
        ("a", Expect::Version(1), 2),
        ("a", Expect::Version(3), 2),
        ("b", Expect::Version(1), 0),
        ("b", Expect::Version(0), 0),
    ];
    for (id, expect, found) in cases {
        let conflict = StoreError::Conflict { key: agent(id), expected: expect, found };
        let asks = [
            change(id, expect, "y"),
            Change::Delete { key: agent(id), expect },
            Change::Require { key: agent(id), expect },
        ];
        for ask in asks {
            assert_eq!(commit(&*store, [ask]).await, Err(conflict.clone()));
        }
    }
}

/// It only asks.
pub async fn a_requirement_changes_nothing(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [create("a")]).await);
    let require = |id, expect| Change::Require { key: agent(id), expect };
    let asks = [require("a", Expect::Version(1)), require("b", Expect::Absent), require("b", Expect::Any)];
    assert_eq!(ok(commit(&*store, asks).await).versions, [0_u64; 0]);
    assert_eq!(ids(&*store, &all_agents()).await, ["a"]);
    assert_eq!(ok(store.get(&agent("a")).await).map(|record| record.version), Some(1));
}

/// Whatever is tried.
pub async fn a_final_document_never_changes(home: &dyn Home) {
    let store = home.open();
    let last = Put { terminal: true, ..put(agent("a"), Expect::Version(1), "{\"last\":true}", "done") };
    ok(commit(&*store, [create("a"), Change::Put(last)]).await);
    let before = ok(store.get(&agent("a")).await);
    assert!(before.as_ref().is_some_and(|record| record.terminal));
    let tries = [
        change("a", Expect::Version(2), "x"),
        change("a", Expect::Any, "x"),
        Change::Delete { key: agent("a"), expect: Expect::Version(2) },
        Change::Delete { key: agent("a"), expect: Expect::Any },
    ];
    for attempt in tries {
        assert_eq!(commit(&*store, [attempt]).await, Err(StoreError::Immutable { key: agent("a") }));
    }
    let created = commit(&*store, [create("a")]).await;
    assert!(matches!(created, Err(StoreError::Conflict { found: 2, .. })), "a final document is there: {created:?}");
    ok(commit(&*store, [Change::Require { key: agent("a"), expect: Expect::Version(2) }]).await);
    assert_eq!(ok(store.get(&agent("a")).await), before);
}

/// Deleting what is not there is nothing, unless a version was expected.
pub async fn a_deleted_document_is_gone_and_starts_anew(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [create("a"), change("a", Expect::Any, "x")]).await);
    assert!(ok(store.get(&agent("a")).await).is_some());
    ok(commit(&*store, [Change::Delete { key: agent("a"), expect: Expect::Version(2) }]).await);
    ok(commit(&*store, [Change::Delete { key: agent("a"), expect: Expect::Any }]).await);
    assert_eq!(ok(store.get(&agent("a")).await), None);
    let by_state = ListQuery { index: Some(("state", "x".to_owned())), ..all_agents() };
    assert_eq!(ids(&*store, &by_state).await, [""; 0]);
    assert_eq!(ok(commit(&*store, [create("a")]).await).versions, [1]);
}

/// The same id elsewhere is another document.
pub async fn tenants_and_kinds_do_not_mix(home: &dyn Home) {
    let store = home.open();
    let places = [
        RecordKey::new(Kind::Agent, tenant("acme"), "a"),
        RecordKey::new(Kind::Agent, tenant("acme-2"), "a"),
        RecordKey::new(Kind::Freeze, tenant("acme"), "a"),
        RecordKey::new(Kind::Agent, tenant("acme"), "a2"),
    ];
    for (number, key) in places.iter().enumerate() {
        ok(commit(&*store, [Change::Put(put(key.clone(), Expect::Absent, &number.to_string(), "active"))]).await);
    }
    for (number, key) in places.iter().enumerate() {
        let body = ok(store.get(key).await).map(|record| record.body);
        assert_eq!(body.as_deref(), Some(number.to_string().as_bytes()));
    }
    assert_eq!(ids(&*store, &all_agents()).await, ["a", "a2"]);
    let other = ListQuery { tenant: tenant("acme-2"), index: Some(("state", "active".to_owned())), ..all_agents() };
    assert_eq!(ids(&*store, &other).await, ["a"]);
}

/// Both ways, page by page, with and without an index.
pub async fn pages_follow_the_byte_order_of_ids(home: &dyn Home) {
    let store = home.open();
    let sorted = ["10", "9", "A", "B", "_", "a", "a-", "aa", "é", "漢", "😀"];
    let mut mixed = sorted.to_vec();
    mixed.rotate_left(4);
    mixed.swap(1, 7);
    ok(commit(&*store, mixed.into_iter().map(create)).await);
    let reversed: Vec<&str> = sorted.iter().rev().copied().collect();
    for index in [None, Some(("state", "active".to_owned()))] {
        for (newest_first, expected) in [(false, sorted.as_slice()), (true, reversed.as_slice())] {
            let mut query = ListQuery { index: index.clone(), newest_first, limit: 3, ..all_agents() };
            let mut seen = Vec::new();
            loop {
                let page = ids(&*store, &query).await;
                assert!(page.len() <= 3);
                let Some(last) = page.last() else { break };
                query.after = Some(last.clone());
                seen.extend(page);
            }
            assert_eq!(seen, expected);
        }
    }
    assert_eq!(ids(&*store, &ListQuery { limit: 0, ..all_agents() }).await, [""; 0]);
    assert_eq!(ids(&*store, &ListQuery { limit: usize::MAX, ..all_agents() }).await.len(), sorted.len());
}

/// A document is found under what it is now, and no more under what it was.
pub async fn lists_by_index_follow_every_change(home: &dyn Home) {
    let store = home.open();
    let by = |state: &str| ListQuery { index: Some(("state", state.to_owned())), ..all_agents() };
    ok(commit(&*store, [create("a"), create("b")]).await);
    assert_eq!(ids(&*store, &by("active")).await, ["a", "b"]);
    ok(commit(&*store, [change("a", Expect::Any, "deleted")]).await);
    assert_eq!(ids(&*store, &by("active")).await, ["b"]);
    assert_eq!(ids(&*store, &by("deleted")).await, ["a"]);
    let plain = Put { index: Vec::new(), ..put(agent("a"), Expect::Any, "{}", "") };
    ok(commit(&*store, [Change::Put(plain), Change::Delete { key: agent("b"), expect: Expect::Any }]).await);
    assert_eq!(ids(&*store, &by("active")).await, [""; 0]);
    assert_eq!(ids(&*store, &by("deleted")).await, [""; 0]);
    assert_eq!(ids(&*store, &all_agents()).await, ["a"]);
}

/// A question that can never be answered is a defect, not an empty list.
pub async fn an_undeclared_index_is_refused(home: &dyn Home) {
    let store = home.open();
    let query = ListQuery { index: Some(("colour", "red".to_owned())), ..all_agents() };
    let refused = store.list(&query).await;
    assert!(matches!(refused, Err(StoreError::Unacceptable(_))), "{refused:?}");
}

/// The heart of every decision that is made twice.
pub async fn of_many_writers_with_the_same_expectation_one_wins(home: &dyn Home) {
    let store = home.open();
    ok(commit(&*store, [create("a")]).await);
    let writers: Vec<_> = (0..50)
        .map(|number: u32| {
            let store = store.clone();
            tokio::spawn(async move { commit(&*store, [change("a", Expect::Version(1), &number.to_string())]).await })
        })
        .collect();
    let mut won = 0;
    for writer in writers {
        match writer.await.unwrap_or_else(|error| panic!("a writer failed: {error}")) {
            Ok(done) => won += done.versions.len(),
            Err(StoreError::Conflict { found, .. }) => assert_eq!(found, 2),
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(won, 1);
}
