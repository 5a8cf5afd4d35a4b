//! Short ways to write down what a test commits.

use aegis_model::id::TenantId;
use aegis_model::port::{Store, StoreResult};
use aegis_model::record::{
    Batch, Change, ClaimQuery, Committed, EntryDraft, EventDraft, Expect, Kind, ListQuery, Put, RecordKey, WorkDraft,
};
use aegis_model::time::Timestamp;
use bytes::Bytes;

/// The tenant `name`.
pub fn tenant(name: &str) -> TenantId {
    name.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// A moment.
pub fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

/// The key of the agent `id` of tenant `acme`.
pub fn agent(id: &str) -> RecordKey {
    RecordKey::new(Kind::Agent, tenant("acme"), id)
}

/// A document with the index `state`.
pub fn put(key: RecordKey, expect: Expect, body: &str, state: &str) -> Put {
    let index = if key.kind.indexes().contains(&"state") { vec![("state", state.to_owned())] } else { Vec::new() };
    Put { key, expect, body: Bytes::copy_from_slice(body.as_bytes()), index, terminal: false }
}

/// A new agent.
pub fn create(id: &str) -> Change {
    Change::Put(put(agent(id), Expect::Absent, "{}", "active"))
}

/// The key of the number `id` of tenant `acme`.
pub fn tally(id: &str) -> RecordKey {
    RecordKey::new(Kind::Tally, tenant("acme"), id)
}

/// Adds to a number, which is found under `calls` when it is made.
pub fn count(id: &str, by: i64) -> Change {
    Change::Count { key: tally(id), by, index: vec![("counter", "calls".to_owned())] }
}

/// An event of tenant `acme`.
pub fn event(stream: &str, name: &str) -> Change {
    let body = Bytes::from_static(b"{}");
    Change::Append(EventDraft { tenant: tenant("acme"), stream: stream.to_owned(), name: name.to_owned(), body })
}

/// A ledger entry of tenant `acme`.
pub fn entry(text: &str) -> Change {
    Change::Enter(EntryDraft { tenant: tenant("acme"), bytes: Bytes::copy_from_slice(text.as_bytes()) })
}

/// Work in the queue `mail`.
pub fn work(id: &str, due_ms: u64) -> Change {
    Change::Enqueue(WorkDraft {
        queue: "mail".to_owned(),
        id: id.to_owned(),
        tenant: tenant("acme"),
        due: at(due_ms),
        body: Bytes::copy_from_slice(id.as_bytes()),
    })
}

/// A batch at moment 1000.
pub fn batch(changes: impl IntoIterator<Item = Change>) -> Batch {
    Batch { at: at(1_000), changes: changes.into_iter().collect() }
}

/// All agents of tenant `acme`.
pub fn all_agents() -> ListQuery {
    ListQuery { kind: Kind::Agent, tenant: tenant("acme"), index: None, after: None, newest_first: false, limit: 1_000 }
}

/// A claim of work in the queue `mail`.
pub fn claim(now_ms: u64, lease_ms: u64, limit: usize) -> ClaimQuery {
    ClaimQuery { queue: "mail".to_owned(), now: at(now_ms), lease_ms, limit }
}

/// Commits one batch.
pub async fn commit(store: &dyn Store, changes: impl IntoIterator<Item = Change>) -> StoreResult<Committed> {
    let mut results = store.commit_many(vec![batch(changes)]).await;
    assert_eq!(results.len(), 1, "one result per batch");
    results.remove(0)
}

/// The value, or the failure of the test.
pub fn ok<T>(result: StoreResult<T>) -> T {
    result.unwrap_or_else(|error| panic!("the store refused: {error}"))
}
