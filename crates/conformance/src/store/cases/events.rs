//! Events: order and tails.

use aegis_model::record::{Change, Event, EventDraft, Expect};

use crate::store::Home;
use crate::store::draft::{agent, at, batch, commit, event, ok, tenant};

fn names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.draft.name.as_str()).collect()
}

fn refuse() -> Change {
    Change::Require { key: agent("nobody"), expect: Expect::Version(1) }
}

/// Within a batch, across batches, across calls.
pub async fn sequences_grow_in_the_order_of_batches(home: &dyn Home) {
    let store = home.open();
    let mut sequences = Vec::new();
    for call in 0..3 {
        let name = |place: u32| format!("{call}-{place}");
        let batches = vec![
            batch([event("s", &name(0)), event("t", &name(1))]),
            batch([event("s", &name(9)), refuse()]),
            batch([event("s", &name(2))]),
        ];
        let done = store.commit_many(batches).await;
        sequences.extend(done.into_iter().flatten().flat_map(|done| done.sequences));
    }
    assert_eq!(sequences.len(), 9);
    assert!(sequences.is_sorted_by(|left, right| left < right), "{sequences:?}");
    let events = ok(store.tail(&tenant("acme"), None, 0, 100).await);
    assert_eq!(names(&events), ["0-0", "0-1", "0-2", "1-0", "1-1", "1-2", "2-0", "2-1", "2-2"]);
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), sequences);
    assert!(events.iter().all(|event| event.at == at(1_000)));
}

/// And nothing else, from where it was asked, at most so many.
pub async fn a_tail_sees_one_tenant_and_one_stream(home: &dyn Home) {
    let store = home.open();
    let foreign =
        EventDraft { tenant: tenant("other"), stream: "s".to_owned(), name: "x".to_owned(), body: "1".into() };
    let changes = [event("s", "1"), Change::Append(foreign.clone()), event("t", "2"), event("s", "3"), event("s", "4")];
    let sequences = ok(commit(&*store, changes).await).sequences;
    let acme = tenant("acme");
    assert_eq!(names(&ok(store.tail(&acme, None, 0, 100).await)), ["1", "2", "3", "4"]);
    assert_eq!(names(&ok(store.tail(&acme, Some("s"), 0, 100).await)), ["1", "3", "4"]);
    assert_eq!(names(&ok(store.tail(&acme, Some("s"), 0, 2).await)), ["1", "3"]);
    assert_eq!(names(&ok(store.tail(&acme, Some("none"), 0, 2).await)), [""; 0]);
    let third = sequences.get(3).copied().unwrap_or_default();
    assert_eq!(names(&ok(store.tail(&acme, Some("s"), third, 100).await)), ["4"]);
    assert_eq!(names(&ok(store.tail(&acme, None, third, 100).await)), ["4"]);
    assert_eq!(names(&ok(store.tail(&acme, None, u64::MAX, 100).await)), [""; 0]);
    let seen = ok(store.tail(&tenant("other"), None, 0, usize::MAX).await);
    assert_eq!(seen.into_iter().map(|event| event.draft).collect::<Vec<_>>(), [foreign]);
}

/// Not after a failure, not after reopening.
pub async fn a_sequence_is_never_reused(home: &dyn Home) {
    let store = home.open();
    let first = ok(commit(&*store, [event("s", "1")]).await).sequences;
    assert!(commit(&*store, [event("s", "lost"), refuse()]).await.is_err());
    drop(store);
    let store = home.open();
    let second = ok(commit(&*store, [event("s", "2")]).await).sequences;
    assert!(first < second, "{first:?} {second:?}");
    assert_eq!(names(&ok(store.tail(&tenant("acme"), None, 0, 10).await)), ["1", "2"]);
}
