//! The one durable memory of the house.

use async_trait::async_trait;

use crate::error::{Code, Fault};
use crate::id::TenantId;
use crate::ledger::{Hash, TreeHead};
use crate::record::{
    Batch, ClaimQuery, Committed, Event, Expect, Lease, ListQuery, Record, RecordKey, StoredEntry, Work,
};
use crate::time::Timestamp;

/// Why the store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A document is not as the change expects.
    #[error("`{}` `{}` is at version {found}, expected {expected:?}", key.kind.as_str(), key.id)]
    Conflict {
        /// Which document.
        key: RecordKey,
        /// What was expected.
        expected: Expect,
        /// The version that is there, 0 for none.
        found: u64,
    },
    /// The document is final.
    #[error("`{}` `{}` is final", key.kind.as_str(), key.id)]
    Immutable {
        /// Which document.
        key: RecordKey,
    },
    /// Somebody else holds the work now, or it is done.
    #[error("the lease on `{id}` of queue `{queue}` with epoch {epoch} is over")]
    LeaseLost {
        /// Which queue.
        queue: String,
        /// Which work.
        id: String,
        /// The epoch that was presented.
        epoch: u64,
    },
    /// The batch breaks a rule of the store: too large, an undeclared index, an empty id.
    #[error("the batch is not acceptable: {0}")]
    Unacceptable(String),
    /// The disk is full. Nothing of the batch holds.
    #[error("the disk is full")]
    Full,
    /// The store cannot answer. Nothing is known of the batch unless it is read back.
    #[error("the store cannot answer: {0}")]
    Unavailable(String),
    /// A row is not what was written.
    #[error("stored data was altered: {0}")]
    Tampered(String),
}

/// The result of asking the store.
pub type StoreResult<T> = Result<T, StoreError>;

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        let (code, message) = match &error {
            StoreError::Conflict { .. } => (Code::Conflict, "it was changed by somebody else in between"),
            StoreError::Immutable { .. } => (Code::Immutable, "it is final and cannot change"),
            StoreError::LeaseLost { .. } => (Code::Conflict, "somebody else does this work now"),
            StoreError::Full => (Code::StorageFull, "the disk is full; nothing was changed"),
            StoreError::Unavailable(_) => (Code::StoreUnavailable, "the store cannot answer now"),
            StoreError::Tampered(_) => (Code::Tampered, "stored data was altered; refusing to use it"),
            StoreError::Unacceptable(_) => (Code::Internal, "an internal error occurred"),
        };
        Fault::new(code, message).caused_by(error)
    }
}

/// Documents, events, ledger entries and work, durable and consistent.
///
/// Guarantees every adapter keeps (the conformance suite tests them):
/// - a batch holds all or nothing, also across a crash; a failed batch changes nothing and
///   spoils no other batch of the same call;
/// - when `commit_many` has answered `Ok` for a batch, it is on disk (fsync) and every later
///   read sees it;
/// - batches hold in the order given; event sequences and ledger positions follow that order;
/// - a terminal document never changes and is never deleted;
/// - a tree head is committed together with the entries it covers, positions have no holes;
/// - an epoch of a piece of work is never given twice;
/// - a row that was altered behind the adapter's back is answered with `Tampered`.
#[async_trait]
pub trait Store: Send + Sync {
    /// Commits every batch, each on its own; one result per batch, in order.
    async fn commit_many(&self, batches: Vec<Batch>) -> Vec<StoreResult<Committed>>;

    /// The document, if there is one.
    async fn get(&self, key: &RecordKey) -> StoreResult<Option<Record>>;

    /// A page of documents, in the byte order of their ids.
    async fn list(&self, query: &ListQuery) -> StoreResult<Vec<Record>>;

    /// Events of a tenant after `sequence`, oldest first; of one stream, or of all.
    async fn tail(&self, tenant: &TenantId, stream: Option<&str>, after: u64, limit: usize) -> StoreResult<Vec<Event>>;

    /// Takes a hold on due work that nobody holds, oldest first. Commits (fsync) the holds.
    async fn claim(&self, query: &ClaimQuery) -> StoreResult<Vec<Work>>;

    /// Keeps a hold until a later moment, if it is still held.
    async fn renew(&self, lease: &Lease, until: Timestamp) -> StoreResult<()>;

    /// The head of a tenant's tree; of size 0 if the tenant has no entries.
    async fn tree_head(&self, tenant: &TenantId) -> StoreResult<TreeHead>;

    /// Entries of a tenant from `position` on.
    async fn entries(&self, tenant: &TenantId, position: u64, limit: usize) -> StoreResult<Vec<StoredEntry>>;

    /// Leaf hashes of a tenant from `position` on, without the entries.
    async fn leaves(&self, tenant: &TenantId, position: u64, limit: usize) -> StoreResult<Vec<Hash>>;

    /// Kept nodes of a level of a tenant's tree from `index` on.
    async fn nodes(&self, tenant: &TenantId, level: u8, index: u64, limit: usize) -> StoreResult<Vec<Hash>>;

    /// Answers only if the store can be read and written to.
    async fn check(&self) -> StoreResult<()>;
}
