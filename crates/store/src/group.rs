//! Group commit, above the port: callers that arrive while a commit is under way share the
//! next one. No timer: an idle store commits at once, a busy one in groups as large as the
//! disk is slow. Knows no back end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aegis_model::id::TenantId;
use aegis_model::ledger::{Hash, TreeHead};
use aegis_model::port::{Store, StoreError, StoreResult};
use aegis_model::record::{
    Batch, ClaimQuery, Committed, Event, Lease, ListQuery, Record, RecordKey, StoredEntry, Work,
};
use aegis_model::time::Timestamp;
use async_trait::async_trait;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::rules;

/// Most batches in one group, unless a single caller brings more.
const GROUP_BATCHES_MAX: usize = 512;
/// Most bytes in one group, unless a single caller brings more.
const GROUP_SIZE_MAX_BYTES: usize = 8 * 1024 * 1024;
/// What may wait, in units of [`UNIT_BYTES`]: 256 MiB. Beyond it callers wait to be let in.
const WAITING_UNITS_MAX: u32 = 65_536;
const UNIT_BYTES: usize = 4096;

/// Groups under way at the same time: while one is being written, the next lies ready, so
/// that the writer below never waits for a task to be woken.
const GROUPS_MAX: usize = 2;

type Results = Vec<StoreResult<Committed>>;

/// A store whose concurrent commits share one commit of the store below.
pub struct GroupCommit {
    inner: Arc<dyn Store>,
    waiting: Arc<Mutex<Waiting>>,
    room: Arc<Semaphore>,
}

#[derive(Default)]
struct Waiting {
    requests: VecDeque<Request>,
    /// Tasks that are committing and will look here again.
    committing: usize,
}

/// What one caller wants. The permit is given back when the answer is there, even if the
/// caller is gone.
struct Request {
    batches: Vec<Batch>,
    size_bytes: usize,
    reply: oneshot::Sender<Results>,
    _room: OwnedSemaphorePermit,
}

impl GroupCommit {
    /// Groups the commits to `inner`.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        let room = Arc::new(Semaphore::new(WAITING_UNITS_MAX as usize));
        Self { inner, waiting: Arc::default(), room }
    }

    /// Puts a request into the queue and sees to it that somebody commits.
    fn submit(&self, request: Request) {
        let mut waiting = locked(&self.waiting);
        waiting.requests.push_back(request);
        if waiting.committing < GROUPS_MAX {
            waiting.committing += 1;
            let turn = Turn { waiting: self.waiting.clone(), handed_over: false };
            tokio::spawn(commit_groups(self.inner.clone(), turn));
        }
    }

    async fn enqueue(&self, batches: Vec<Batch>) -> StoreResult<Results> {
        let size_bytes = batches.iter().map(rules::batch_size).sum();
        let units = u32::try_from(batches.len().saturating_add(size_bytes / UNIT_BYTES)).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(units.min(WAITING_UNITS_MAX)).await.map_err(|_| stopped())?;
        let (reply, answer) = oneshot::channel();
        self.submit(Request { batches, size_bytes, reply, _room: room });
        answer.await.map_err(|_| stopped())
    }
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the store stopped while it was committing".to_owned())
}

fn locked(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The right, and the duty, to commit what waits. Dropped without having been handed over
/// (a panic below, or the runtime going down), it turns everybody away who waits, so that
/// nobody waits for ever.
struct Turn {
    waiting: Arc<Mutex<Waiting>>,
    handed_over: bool,
}

impl Turn {
    /// The next group; an empty one means that the turn is over.
    fn next(&mut self) -> Vec<Request> {
        let mut waiting = locked(&self.waiting);
        let group = take_group(&mut waiting.requests);
        if group.is_empty() {
            waiting.committing -= 1;
            self.handed_over = true;
        }
        group
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.handed_over {
            let mut waiting = locked(&self.waiting);
            waiting.committing -= 1;
            waiting.requests.clear();
        }
    }
}

/// From the front of the queue as much as one group may hold, at least one request.
fn take_group(requests: &mut VecDeque<Request>) -> Vec<Request> {
    let (mut count, mut size) = (0_usize, 0_usize);
    let fits = |request: &&Request| {
        count = count.saturating_add(request.batches.len());
        size = size.saturating_add(request.size_bytes);
        count <= GROUP_BATCHES_MAX && size <= GROUP_SIZE_MAX_BYTES
    };
    let fitting = requests.iter().take_while(fits).count();
    let taken = fitting.max(1).min(requests.len());
    requests.drain(..taken).collect()
}

/// A caller who waits, and how many of the results are theirs.
struct Caller {
    count: usize,
    reply: oneshot::Sender<Results>,
    _room: OwnedSemaphorePermit,
}

fn gather(group: Vec<Request>) -> (Vec<Batch>, Vec<Caller>) {
    let mut all = Vec::new();
    let mut callers = Vec::with_capacity(group.len());
    for Request { batches, reply, _room, .. } in group {
        callers.push(Caller { count: batches.len(), reply, _room });
        all.extend(batches);
    }
    (all, callers)
}

/// Gives every caller exactly their results; one who is gone is passed over.
fn answer(callers: Vec<Caller>, results: Results) {
    let mut results = results.into_iter();
    for caller in callers {
        let own = results.by_ref().take(caller.count).collect();
        drop(caller.reply.send(own));
    }
}

/// Commits group after group. The last answers are given when the turn is over and the
/// store is let go, so that whoever is answered last can close the store at once.
async fn commit_groups(inner: Arc<dyn Store>, mut turn: Turn) {
    let mut group = turn.next();
    if group.is_empty() {
        return;
    }
    let (callers, results) = loop {
        let (batches, callers) = gather(group);
        let results = inner.commit_many(batches).await;
        group = turn.next();
        if group.is_empty() {
            break (callers, results);
        }
        answer(callers, results);
    };
    drop((turn, inner));
    answer(callers, results);
}

#[async_trait]
impl Store for GroupCommit {
    async fn commit_many(&self, batches: Vec<Batch>) -> Vec<StoreResult<Committed>> {
        let count = batches.len();
        if count == 0 {
            return Vec::new();
        }
        match self.enqueue(batches).await {
            Ok(results) if results.len() == count => results,
            Ok(_) => std::iter::repeat_n(Err(stopped()), count).collect(),
            Err(error) => std::iter::repeat_n(Err(error), count).collect(),
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
