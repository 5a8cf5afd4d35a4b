//! Group commit and the cache over a store that fails on purpose, and what happens to those
//! who wait when it does.
#![expect(clippy::expect_used, reason = "helpers of tests fail by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aegis_conformance::store::draft::{agent, all_agents, batch, commit, create, entry, event, ok, put, tenant};
use aegis_conformance::store::{Fault, FaultyStore, TestIntegrity};
use aegis_model::id::TenantId;
use aegis_model::ledger::{Hash, TreeHead};
use aegis_model::port::{Store, StoreError, StoreResult};
use aegis_model::record::{
    Batch, Change, ClaimQuery, Committed, Event, Expect, Lease, ListQuery, Record, RecordKey, StoredEntry, Work,
};
use aegis_model::time::Timestamp;
use aegis_store::{Cached, GroupCommit, SqliteStore, verify_rows};
use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::Semaphore;

fn sqlite(dir: &TempDir) -> Arc<SqliteStore> {
    Arc::new(SqliteStore::open(dir.path(), Arc::new(TestIntegrity::default())).expect("it opens"))
}

/// Counts calls and lets each pass only when a permit is there.
struct Gated {
    inner: Arc<dyn Store>,
    commits: Semaphore,
    reads: Semaphore,
    calls: AtomicUsize,
    batches_max: AtomicUsize,
    /// Reads that have their answer and wait at the gate.
    waiting: AtomicUsize,
}

impl Gated {
    fn new(inner: Arc<dyn Store>) -> Arc<Self> {
        Arc::new(Self {
            inner,
            commits: Semaphore::new(0),
            reads: Semaphore::new(0),
            calls: AtomicUsize::new(0),
            batches_max: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
        })
    }

    async fn pass(gate: &Semaphore) {
        gate.acquire().await.expect("the gate stays").forget();
    }
}

#[async_trait]
impl Store for Gated {
    async fn commit_many(&self, batches: Vec<Batch>) -> Vec<StoreResult<Committed>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.batches_max.fetch_max(batches.len(), Ordering::SeqCst);
        Self::pass(&self.commits).await;
        self.inner.commit_many(batches).await
    }

    /// Reads first and then waits: the answer may be old when it arrives.
    async fn get(&self, key: &RecordKey) -> StoreResult<Option<Record>> {
        let found = self.inner.get(key).await;
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Self::pass(&self.reads).await;
        found
    }

    async fn list(&self, query: &ListQuery) -> StoreResult<Vec<Record>> {
        self.inner.list(query).await
    }

    async fn tail(&self, tenant: &TenantId, stream: Option<&str>, after: u64, limit: usize) -> StoreResult<Vec<Event>> {
        self.inner.tail(tenant, stream, after, limit).await
    }

    async fn claim(&self, query: &ClaimQuery) -> StoreResult<Vec<Work>> {
        self.inner.claim(query).await
    }

    async fn renew(&self, lease: &Lease, until: Timestamp) -> StoreResult<()> {
        self.inner.renew(lease, until).await
    }

    async fn tree_head(&self, tenant: &TenantId) -> StoreResult<TreeHead> {
        self.inner.tree_head(tenant).await
    }

    async fn entries(&self, tenant: &TenantId, position: u64, limit: usize) -> StoreResult<Vec<StoredEntry>> {
        self.inner.entries(tenant, position, limit).await
    }

    async fn leaves(&self, tenant: &TenantId, position: u64, limit: usize) -> StoreResult<Vec<Hash>> {
        self.inner.leaves(tenant, position, limit).await
    }

    async fn nodes(&self, tenant: &TenantId, level: u8, index: u64, limit: usize) -> StoreResult<Vec<Hash>> {
        self.inner.nodes(tenant, level, index, limit).await
    }

    async fn check(&self) -> StoreResult<()> {
        self.inner.check().await
    }
}

/// Lets every other task run until it waits for something.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn callers_that_arrive_during_a_commit_share_the_next_one() {
    let dir = TempDir::new().expect("a directory");
    let gated = Gated::new(sqlite(&dir));
    let store = Arc::new(GroupCommit::new(gated.clone()));
    let callers: Vec<_> = (0..100)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { commit(&*store, [create(&number.to_string())]).await })
        })
        .collect();
    settle().await;
    assert!(gated.calls.load(Ordering::SeqCst) <= 2, "one is under way, at most one lies ready");
    gated.commits.add_permits(100);
    for caller in callers {
        ok(caller.await.expect("no panic"));
    }
    assert!(gated.calls.load(Ordering::SeqCst) <= 3, "{:?}", gated.calls);
    assert_eq!(ok(gated.list(&all_agents()).await).len(), 100);
}

#[tokio::test]
async fn a_group_is_bounded_and_a_large_caller_still_passes() {
    let dir = TempDir::new().expect("a directory");
    let gated = Gated::new(sqlite(&dir));
    gated.commits.add_permits(1_000_000);
    let store = Arc::new(GroupCommit::new(gated.clone()));
    let callers: Vec<_> = (0..2_000)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { commit(&*store, [create(&number.to_string())]).await })
        })
        .collect();
    for caller in callers {
        ok(caller.await.expect("no panic"));
    }
    assert!(gated.batches_max.load(Ordering::SeqCst) <= 512);
    let many = (0..1_000).map(|number| batch([create(&format!("many-{number}"))])).collect();
    assert!(store.commit_many(many).await.iter().all(Result::is_ok));
    assert_eq!(gated.batches_max.load(Ordering::SeqCst), 1_000);
}

#[tokio::test]
async fn a_panic_below_turns_everybody_away_and_nobody_waits_for_ever() {
    let dir = TempDir::new().expect("a directory");
    let faulty = Arc::new(FaultyStore::scripted(sqlite(&dir), [Fault::Panic]));
    let store = Arc::new(Cached::new(Arc::new(GroupCommit::new(faulty))));
    let callers: Vec<_> = (0..50)
        .map(|number| {
            let store = store.clone();
            tokio::spawn(async move { commit(&*store, [create(&number.to_string())]).await })
        })
        .collect();
    let mut turned_away = 0;
    for caller in callers {
        let answer = tokio::time::timeout(Duration::from_secs(10), caller).await.expect("nobody waits for ever");
        match answer.expect("the caller itself does not panic") {
            Err(StoreError::Unavailable(_)) => turned_away += 1,
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(turned_away > 0);
    ok(commit(&*store, [create("after")]).await);
}

#[tokio::test]
async fn who_waits_behind_a_panic_is_turned_away_too() {
    let dir = TempDir::new().expect("a directory");
    let gated = Gated::new(Arc::new(FaultyStore::scripted(sqlite(&dir), [Fault::Panic, Fault::Panic])));
    let store = Arc::new(GroupCommit::new(gated.clone()));
    let mut callers = Vec::new();
    for number in 0..12 {
        let store = store.clone();
        callers.push(tokio::spawn(async move { commit(&*store, [create(&number.to_string())]).await }));
        settle().await;
    }
    assert_eq!(gated.calls.load(Ordering::SeqCst), 2, "two groups are under way, the other callers wait");
    gated.commits.add_permits(2);
    for caller in callers {
        let answer = tokio::time::timeout(Duration::from_secs(10), caller).await.expect("nobody waits for ever");
        assert!(matches!(answer, Ok(Err(StoreError::Unavailable(_)))), "{answer:?}");
    }
    gated.commits.add_permits(1);
    ok(commit(&*store, [create("after")]).await);
}

#[tokio::test]
async fn a_caller_who_goes_away_spoils_no_other_and_leaves_no_stale_answer() {
    let dir = TempDir::new().expect("a directory");
    let gated = Gated::new(sqlite(&dir));
    gated.reads.add_permits(1_000);
    let store = Arc::new(Cached::new(Arc::new(GroupCommit::new(gated.clone()))));
    assert_eq!(ok(store.get(&agent("a")).await), None);
    let impatient = tokio::spawn({
        let store = store.clone();
        async move { commit(&*store, [create("a")]).await }
    });
    settle().await;
    impatient.abort();
    assert!(impatient.await.is_err(), "the caller is gone");
    assert_eq!(ok(store.get(&agent("a")).await), None, "not committed yet");
    let patient = tokio::spawn({
        let store = store.clone();
        async move { commit(&*store, [create("b")]).await }
    });
    gated.commits.add_permits(10);
    ok(patient.await.expect("no panic"));
    assert!(ok(store.get(&agent("a")).await).is_some(), "the commit went on, and the cache knows");
}

#[tokio::test]
async fn a_read_that_overlaps_a_commit_is_not_kept() {
    let dir = TempDir::new().expect("a directory");
    let gated = Gated::new(sqlite(&dir));
    gated.commits.add_permits(100);
    let store = Arc::new(Cached::new(gated.clone()));
    ok(commit(&*store, [create("a")]).await);
    // The slow reader has read version 1 and waits.
    let slow = tokio::spawn({
        let store = store.clone();
        async move { store.get(&agent("a")).await }
    });
    while gated.waiting.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    ok(commit(&*store, [Change::Put(put(agent("a"), Expect::Version(1), "{}", "changed"))]).await);
    gated.reads.add_permits(100);
    assert_eq!(ok(slow.await.expect("no panic")).map(|record| record.version), Some(1));
    assert_eq!(ok(store.get(&agent("a")).await).map(|record| record.version), Some(2));
    assert_eq!(ok(store.get(&agent("a")).await).map(|record| record.version), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cache_never_shows_less_than_what_was_acknowledged() {
    let dir = TempDir::new().expect("a directory");
    let store = aegis_store::open(dir.path(), Arc::new(TestIntegrity::default())).expect("it opens");
    let newest: Arc<Vec<AtomicUsize>> = Arc::new((0..3).map(|_| AtomicUsize::new(0)).collect());
    let writers: Vec<_> = (0..3)
        .map(|who| {
            let (store, newest) = (store.clone(), newest.clone());
            tokio::spawn(async move {
                for _ in 0..300 {
                    let put = put(agent(&who.to_string()), Expect::Any, "{}", "active");
                    let version = ok(commit(&*store, [Change::Put(put)]).await).versions[0];
                    newest[who].store(version as usize, Ordering::SeqCst);
                }
            })
        })
        .collect();
    let readers: Vec<_> = (0..3)
        .map(|who| {
            let (store, newest) = (store.clone(), newest.clone());
            tokio::spawn(async move {
                while newest[who].load(Ordering::SeqCst) < 300 {
                    let acknowledged = newest[who].load(Ordering::SeqCst);
                    let seen = ok(store.get(&agent(&who.to_string())).await).map_or(0, |record| record.version);
                    assert!(seen as usize >= acknowledged, "saw {seen}, {acknowledged} was acknowledged");
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for task in writers.into_iter().chain(readers) {
        task.await.expect("no stale read");
    }
}

#[tokio::test]
async fn a_hit_asks_nobody_below() {
    let dir = TempDir::new().expect("a directory");
    let gated = Gated::new(sqlite(&dir));
    gated.commits.add_permits(1);
    gated.reads.add_permits(2);
    let store = Cached::new(gated.clone());
    ok(commit(&store, [create("a")]).await);
    for _ in 0..100 {
        assert!(ok(store.get(&agent("a")).await).is_some());
        assert_eq!(ok(store.get(&agent("absent")).await), None);
    }
    assert_eq!(gated.reads.available_permits(), 0, "one read each");
    assert_eq!(store.len(), 2);
}

#[tokio::test]
async fn the_cache_is_bounded() {
    let dir = TempDir::new().expect("a directory");
    let store = Cached::new(sqlite(&dir));
    ok(commit(&store, [create("hot")]).await);
    for number in 0..80_000_u32 {
        let _ = ok(store.get(&agent("hot")).await);
        if number % 8 == 0 {
            assert_eq!(ok(store.get(&agent(&format!("absent-{number}"))).await), None);
        }
    }
    assert!(store.len() <= 65_536, "{}", store.len());
}

/// The invariant of every fault: what was acknowledged is there, what was refused is not,
/// and of what nothing is known, all or nothing is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_lose_nothing_that_was_acknowledged() {
    for seed in 0..6 {
        let dir = TempDir::new().expect("a directory");
        let faulty = Arc::new(FaultyStore::seeded(sqlite(&dir), seed, 400));
        let store: Arc<dyn Store> = Arc::new(Cached::new(Arc::new(GroupCommit::new(faulty))));
        let one = |store: Arc<dyn Store>, number: u32| async move {
            let name = format!("a{number}");
            (name.clone(), commit(&*store, [create(&name), event("agents", &name), entry(&name)]).await)
        };
        let callers: Vec<_> = (0..120).map(|number| tokio::spawn(one(store.clone(), number))).collect();
        let entries_of = |store: Arc<dyn Store>| async move {
            let entries = ok(store.entries(&tenant("acme"), 0, usize::MAX).await);
            entries.into_iter().map(|entry| String::from_utf8_lossy(&entry.bytes).into_owned()).collect::<Vec<_>>()
        };
        let mut answers = Vec::new();
        for caller in callers {
            answers.push(caller.await.expect("no panic"));
        }
        let entered = entries_of(store.clone()).await;
        for (name, answer) in answers {
            let is_there = ok(store.get(&agent(&name)).await).is_some();
            assert_eq!(entered.contains(&name), is_there, "`{name}` is half there");
            match answer {
                Ok(_) => assert!(is_there, "`{name}` was acknowledged and is lost"),
                Err(StoreError::Unavailable(_)) => {}
                Err(_) => assert!(!is_there, "`{name}` was refused and is there"),
            }
        }
        drop(store);
        assert!(verify_rows(dir.path(), &TestIntegrity::default()).expect("a report").is_intact());
    }
}
