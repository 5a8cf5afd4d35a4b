//! Verifies a ledger where it lives: entries, leaf hashes, kept nodes and the head as the
//! store gives them. Must not know how the store keeps them.

use aegis_model::TenantId;
use aegis_model::ledger::{Hash, TreeHead, TreeNode};
use aegis_model::port::{Store, StoreError};
use aegis_model::record::StoredEntry;

use crate::canonical::{EntryError, parse_entry};
use crate::checkpoint::Checkpoint;
use crate::tree::{self, MalformedHead, leaf_hash};

/// Entries read from the store at once.
const PAGE_ENTRIES: usize = 512;

/// The first thing that is wrong with a ledger in the store.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LiveProblem {
    /// The store cannot answer, or noticed by itself that something was altered.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A position has no entry, or two.
    #[error("record {expected} is missing; record {found} is in its place")]
    Position {
        /// The position that is due.
        expected: u64,
        /// The position that was read.
        found: u64,
    },
    /// The ledger ends before its head says.
    #[error("record {position} is missing: the ledger ends before its head says")]
    Ends {
        /// The first missing position.
        position: u64,
    },
    /// The bytes are not a canonical entry.
    #[error("record {position}: {problem}")]
    Entry {
        /// Its position.
        position: u64,
        /// What is wrong.
        problem: EntryError,
    },
    /// An entry of another tenant.
    #[error("record {position} is of tenant `{tenant}`")]
    OtherTenant {
        /// Its position.
        position: u64,
        /// Whose it is.
        tenant: TenantId,
    },
    /// The stored leaf hash is not the hash of the entry.
    #[error("record {position} is not what its leaf hash says")]
    Leaf {
        /// Its position.
        position: u64,
    },
    /// A kept node is not the root over its entries.
    #[error("kept node {index} of level {level} is not the root over its records")]
    Node {
        /// Its level.
        level: u8,
        /// Its index.
        index: u64,
    },
    /// The head is not the head over the entries.
    #[error("the head of the ledger does not fit its {size} records")]
    Head {
        /// The size by the head.
        size: u64,
    },
    /// The head cannot be the head of any tree.
    #[error(transparent)]
    MalformedHead(#[from] MalformedHead),
    /// The ledger ends before a checkpoint kept elsewhere.
    #[error("the ledger was truncated: it has {found} records, {kept} were signed before")]
    Truncated {
        /// Size by the checkpoint.
        kept: u64,
        /// Size by the head.
        found: u64,
    },
    /// The entries under a checkpoint kept elsewhere are others.
    #[error("the ledger was forked: its first {kept} records are not those that were signed before")]
    Forked {
        /// Size by the checkpoint.
        kept: u64,
    },
}

/// Verifies the entries of one ledger as they come.
#[derive(Clone, Debug)]
pub struct EntriesVerifier {
    tenant: TenantId,
    head: TreeHead,
}

impl EntriesVerifier {
    /// A verifier that waits for the first entry.
    pub fn new(tenant: TenantId) -> Self {
        Self { tenant, head: TreeHead::default() }
    }

    /// Takes the next entry, and names the kept nodes that it completes.
    ///
    /// # Errors
    /// When the entry is not the one that is due, or not what it should be.
    pub fn push(&mut self, stored: &StoredEntry) -> Result<Vec<TreeNode>, LiveProblem> {
        let position = self.head.size;
        if stored.position != position {
            return Err(LiveProblem::Position { expected: position, found: stored.position });
        }
        let entry = parse_entry(&stored.bytes).map_err(|problem| LiveProblem::Entry { position, problem })?;
        if entry.tenant != self.tenant {
            return Err(LiveProblem::OtherTenant { position, tenant: entry.tenant });
        }
        let leaf = leaf_hash(&stored.bytes);
        if leaf != stored.leaf {
            return Err(LiveProblem::Leaf { position });
        }
        Ok(tree::append(&mut self.head, leaf))
    }

    /// Entries taken so far.
    pub fn size(&self) -> u64 {
        self.head.size
    }

    /// The root over the entries taken so far.
    ///
    /// # Errors
    /// Never in practice: the head was grown here.
    pub fn root(&self) -> Result<Hash, LiveProblem> {
        Ok(tree::root(&self.head)?)
    }

    /// Checks that the entries taken are all and exactly those of `head`, and gives the root.
    ///
    /// # Errors
    /// When the head is another one.
    pub fn finish(self, head: &TreeHead) -> Result<Hash, LiveProblem> {
        let root = tree::root(head)?;
        if self.head.size < head.size {
            return Err(LiveProblem::Ends { position: self.head.size });
        }
        if self.head != *head {
            return Err(LiveProblem::Head { size: head.size });
        }
        Ok(root)
    }
}

/// Verifies a tenant's whole ledger in the store, as it is at this moment, and gives its head.
/// A checkpoint kept elsewhere uncovers truncation and forks.
///
/// # Errors
/// Names the first thing that is wrong.
pub async fn verify_store(
    store: &dyn Store,
    tenant: &TenantId,
    kept: Option<&Checkpoint>,
) -> Result<TreeHead, LiveProblem> {
    let head = store.tree_head(tenant).await?;
    if let Some(kept) = kept.filter(|kept| kept.size > head.size) {
        return Err(LiveProblem::Truncated { kept: kept.size, found: head.size });
    }
    let mut verifier = EntriesVerifier::new(tenant.clone());
    require_kept(&verifier, kept)?;
    while verifier.size() < head.size {
        let due = (head.size - verifier.size()).min(PAGE_ENTRIES as u64) as usize;
        let page = store.entries(tenant, verifier.size(), due).await?;
        if page.is_empty() {
            break;
        }
        for entry in page.iter().take(due) {
            for node in verifier.push(entry)? {
                require_node(store, tenant, node).await?;
            }
            require_kept(&verifier, kept)?;
        }
    }
    verifier.finish(&head)?;
    Ok(head)
}

async fn require_node(store: &dyn Store, tenant: &TenantId, node: TreeNode) -> Result<(), LiveProblem> {
    let kept = store.nodes(tenant, node.level, node.index, 1).await?;
    if kept.first() == Some(&node.hash) {
        return Ok(());
    }
    Err(LiveProblem::Node { level: node.level, index: node.index })
}

fn require_kept(verifier: &EntriesVerifier, kept: Option<&Checkpoint>) -> Result<(), LiveProblem> {
    match kept {
        Some(kept) if kept.size == verifier.size() && kept.root != verifier.root()? => {
            Err(LiveProblem::Forked { kept: kept.size })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "live_tests.rs"]
mod tests;
