//! A cache of documents, above the port. Within one process it is exactly coherent: a key
//! that a commit touches is out of the cache from before the commit until it is settled, and
//! what a reader saw before is never put in afterwards. It must therefore be the only way by
//! which this process writes. Knows no back end.
//!
//! That a document is absent is cached too: the hot path asks for freezes, which mostly are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aegis_model::id::TenantId;
use aegis_model::ledger::{Hash, TreeHead};
use aegis_model::port::{Store, StoreError, StoreResult};
use aegis_model::record::{
    Batch, Change, ClaimQuery, Committed, Event, Lease, ListQuery, Record, RecordKey, StoredEntry, Work,
};
use aegis_model::time::Timestamp;
use async_trait::async_trait;

/// Shards, so that threads seldom meet. A power of two.
const SHARDS: usize = 16;
/// Most documents in each of a shard's two generations: 65,536 in all.
const GENERATION_COUNT_MAX: usize = 2_048;
/// Most bytes in each of a shard's two generations: 64 MiB in all.
const GENERATION_SIZE_MAX_BYTES: usize = 2 * 1024 * 1024;
/// What a cached answer weighs beside its texts and its body.
const SLOT_OVERHEAD_BYTES: usize = 256;

/// A store that answers `get` from memory where it can.
pub struct Cached {
    inner: Arc<dyn Store>,
    shards: Arc<[Mutex<Shard>; SHARDS]>,
}

/// Answers live in two generations. One that is asked for moves to the young generation;
/// when that is full, the old one is dropped and the young one grows old. So what is used
/// stays, and a scan of keys pushes out only what nobody asks for.
#[derive(Default)]
struct Shard {
    young: HashMap<RecordKey, Option<Record>>,
    old: HashMap<RecordKey, Option<Record>>,
    young_size_bytes: usize,
    /// Grows whenever a commit begins or is settled here.
    commits: u64,
    /// How many commits under way touch a key.
    touched: HashMap<RecordKey, u32>,
}

impl Shard {
    fn find(&mut self, key: &RecordKey) -> Option<Option<Record>> {
        if let Some(found) = self.young.get(key) {
            return Some(found.clone());
        }
        let (key, found) = self.old.remove_entry(key)?;
        self.keep(key, found.clone());
        Some(found)
    }

    fn keep(&mut self, key: RecordKey, found: Option<Record>) {
        let size = size_bytes(&key, found.as_ref());
        if size > GENERATION_SIZE_MAX_BYTES / 4 {
            return;
        }
        if self.young.len() >= GENERATION_COUNT_MAX || self.young_size_bytes + size > GENERATION_SIZE_MAX_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_size_bytes = 0;
        }
        if let Some(replaced) = self.young.insert(key.clone(), found) {
            self.young_size_bytes -= size_bytes(&key, replaced.as_ref());
        }
        self.young_size_bytes += size;
    }

    fn forget(&mut self, key: &RecordKey) {
        if let Some(found) = self.young.remove(key) {
            self.young_size_bytes -= size_bytes(key, found.as_ref());
        }
        self.old.remove(key);
    }

    /// A commit that touches `key` begins: nothing is cached for it until it is settled.
    fn touch(&mut self, key: &RecordKey) {
        self.commits += 1;
        self.forget(key);
        *self.touched.entry(key.clone()).or_default() += 1;
    }

    fn settle(&mut self, key: &RecordKey) {
        self.commits += 1;
        match self.touched.get_mut(key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(self.touched.remove(key)),
        }
    }

    /// Whether what was read since `commits` may still be kept.
    fn may_keep(&self, key: &RecordKey, commits: u64) -> bool {
        self.commits == commits && !self.touched.contains_key(key)
    }
}

fn size_bytes(key: &RecordKey, found: Option<&Record>) -> usize {
    SLOT_OVERHEAD_BYTES + 2 * key.id.len() + found.map_or(0, |record| record.body.len())
}

type Shards = [Mutex<Shard>; SHARDS];

/// The shard of a key. Ids end in random letters; one who chooses ids to meet in one shard
/// gains a slower cache of their own.
fn shard<'a>(shards: &'a Shards, key: &RecordKey) -> MutexGuard<'a, Shard> {
    let place = key.id.bytes().rev().take(2).fold(key.kind as usize, |sum, byte| sum * 5 + usize::from(byte));
    let [first, ..] = shards;
    shards.get(place % SHARDS).unwrap_or(first).lock().unwrap_or_else(PoisonError::into_inner)
}

/// The keys of the documents that batches may change.
fn keys_changed(batches: &[Batch]) -> Vec<RecordKey> {
    let key = |change: &Change| match change {
        Change::Put(put) => Some(put.key.clone()),
        Change::Delete { key, .. } | Change::Count { key, .. } => Some(key.clone()),
        _ => None,
    };
    batches.iter().flat_map(|batch| batch.changes.iter().filter_map(key)).collect()
}

impl Cached {
    /// Caches the documents of `inner`.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, shards: Arc::default() }
    }

    /// Documents, and absences of documents, in memory now.
    pub fn len(&self) -> usize {
        let count = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard.young.len() + shard.old.len()
        };
        self.shards.iter().map(count).sum()
    }

    /// Whether nothing is in memory.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    async fn read(&self, key: &RecordKey, commits: u64) -> StoreResult<Option<Record>> {
        let found = self.inner.get(key).await?;
        let mut shard = shard(&self.shards, key);
        if shard.may_keep(key, commits) {
            shard.keep(key.clone(), found.clone());
        }
        Ok(found)
    }
}

/// Commits in a task of its own: a caller that goes away must not leave the cache in doubt
/// about when the commit took place. If the task itself is dropped, the keys stay out of
/// the cache for good.
async fn commit_and_settle(
    inner: Arc<dyn Store>,
    shards: Arc<Shards>,
    keys: Vec<RecordKey>,
    batches: Vec<Batch>,
) -> Vec<StoreResult<Committed>> {
    let results = inner.commit_many(batches).await;
    for key in &keys {
        shard(&shards, key).settle(key);
    }
    results
}

#[async_trait]
impl Store for Cached {
    async fn commit_many(&self, batches: Vec<Batch>) -> Vec<StoreResult<Committed>> {
        let keys = keys_changed(&batches);
        if keys.is_empty() {
            return self.inner.commit_many(batches).await;
        }
        let count = batches.len();
        for key in &keys {
            shard(&self.shards, key).touch(key);
        }
        let commit = tokio::spawn(commit_and_settle(self.inner.clone(), self.shards.clone(), keys, batches));
        commit.await.unwrap_or_else(|error| {
            let error = StoreError::Unavailable(error.to_string());
            std::iter::repeat_n(Err(error), count).collect()
        })
    }

    async fn get(&self, key: &RecordKey) -> StoreResult<Option<Record>> {
        let commits = {
            let mut shard = shard(&self.shards, key);
            if let Some(found) = shard.find(key) {
                return Ok(found);
            }
            shard.commits
        };
        self.read(key, commits).await
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
