//! A store that fails on purpose: by a script, or by a seed. Wraps a sound store, and
//! never breaks a guarantee of the port; it only uses the freedom to fail that the port has.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aegis_model::id::TenantId;
use aegis_model::ledger::{Hash, TreeHead};
use aegis_model::port::{Store, StoreError, StoreResult};
use aegis_model::record::{
    Batch, Change, ClaimQuery, Committed, Event, Expect, Lease, ListQuery, Record, RecordKey, StoredEntry, Work,
};
use aegis_model::time::Timestamp;
use async_trait::async_trait;

/// What happens to one call of `commit_many`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing out of the ordinary.
    Pass,
    /// Every batch that names a document meets somebody else's change.
    Conflict,
    /// The disk is full.
    Full,
    /// The disk takes its time.
    Slow {
        /// How long.
        ms: u64,
    },
    /// The store goes away after so many batches: those hold, the others do not, and of
    /// the first that does not hold nothing is left.
    Torn {
        /// How many hold.
        kept: usize,
    },
    /// Everything holds, but the answer is lost.
    AnswerLost,
    /// The store has a defect.
    Panic,
}

/// Wraps a store and fails as it is told.
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    plan: Mutex<Plan>,
}

struct Plan {
    script: VecDeque<Fault>,
    seed: u64,
    faults_per_mille: u64,
}

impl FaultyStore {
    /// Fails as the script says, call by call; then no more.
    pub fn scripted(inner: Arc<dyn Store>, script: impl IntoIterator<Item = Fault>) -> Self {
        let plan = Plan { script: script.into_iter().collect(), seed: 0, faults_per_mille: 0 };
        Self { inner, plan: Mutex::new(plan) }
    }

    /// Fails so many times in a thousand calls, the same way for the same seed. Never panics.
    pub fn seeded(inner: Arc<dyn Store>, seed: u64, faults_per_mille: u64) -> Self {
        let plan = Plan { script: VecDeque::new(), seed, faults_per_mille };
        Self { inner, plan: Mutex::new(plan) }
    }

    /// Adds to the script.
    pub fn then(&self, fault: Fault) {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).script.push_back(fault);
    }

    fn next(&self) -> Fault {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        plan.script.pop_front().unwrap_or_else(|| plan.draw())
    }
}

impl Plan {
    fn draw(&mut self) -> Fault {
        if self.random() % 1_000 >= self.faults_per_mille {
            return Fault::Pass;
        }
        match self.random() % 5 {
            0 => Fault::Conflict,
            1 => Fault::Full,
            2 => Fault::Slow { ms: self.random() % 4 },
            3 => Fault::Torn { kept: (self.random() % 4) as usize },
            _ => Fault::AnswerLost,
        }
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.seed = self.seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.seed ^ (self.seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

#[expect(clippy::disallowed_methods, reason = "the pause is the fault itself")]
async fn pause(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
}

fn lost() -> StoreError {
    StoreError::Unavailable("the connection was lost".to_owned())
}

/// The conflict that the batch would meet if somebody had changed its first document. What
/// counts expects nothing, so nobody can be in its way.
fn conflict(batch: &Batch) -> Option<StoreError> {
    batch.changes.iter().find_map(|change| {
        let (key, expected) = match change {
            Change::Put(put) => (&put.key, put.expect),
            Change::Delete { key, expect } | Change::Require { key, expect } => (key, *expect),
            _ => return None,
        };
        let found = match expected {
            Expect::Any => return None,
            Expect::Absent => 1,
            Expect::Version(version) => version.saturating_add(1),
        };
        Some(StoreError::Conflict { key: key.clone(), expected, found })
    })
}

impl FaultyStore {
    async fn conflicting(&self, batches: Vec<Batch>) -> Vec<StoreResult<Committed>> {
        let mut results = Vec::new();
        for batch in batches {
            match conflict(&batch) {
                Some(error) => results.push(Err(error)),
                None => results.extend(self.inner.commit_many(vec![batch]).await),
            }
        }
        results
    }

    async fn torn(&self, mut batches: Vec<Batch>, kept: usize) -> Vec<StoreResult<Committed>> {
        let rest = batches.split_off(kept.min(batches.len())).len();
        let mut results = self.inner.commit_many(batches).await;
        results.extend(std::iter::repeat_n(Err(lost()), rest));
        results
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn commit_many(&self, batches: Vec<Batch>) -> Vec<StoreResult<Committed>> {
        let count = batches.len();
        match self.next() {
            Fault::Pass => self.inner.commit_many(batches).await,
            Fault::Conflict => self.conflicting(batches).await,
            Fault::Full => vec![Err(StoreError::Full); count],
            Fault::Slow { ms } => {
                pause(ms).await;
                self.inner.commit_many(batches).await
            }
            Fault::Torn { kept } => self.torn(batches, kept).await,
            Fault::AnswerLost => {
                self.inner.commit_many(batches).await;
                vec![Err(lost()); count]
            }
            Fault::Panic => panic!("a defect of the store, on purpose"),
        }
    }

    async fn get(&self, key: &RecordKey) -> StoreResult<Option<Record>> {
        self.inner.get(key).await
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
