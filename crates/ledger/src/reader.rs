//! The ledger for reading: signed heads, entries, proofs. Reads through the store's port and
//! the tenants' keys; must not know how either is kept.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use aegis_model::api::{CheckpointView, ConsistencyView, LedgerItem, LedgerItems, ProofView};
use aegis_model::ledger::TreeHead;
use aegis_model::port::{Store, StoreError, TenantKeys};
use aegis_model::record::StoredEntry;
use aegis_model::{Code, Fault, TenantId};

use crate::canonical::parse_entry;
use crate::checkpoint::{Checkpoint, origin};
use crate::note::Signer;
use crate::proof::{ProofError, StoreTree, consistency_proof, inclusion_proof, root_at};
use crate::tlog_proof::TlogProof;
use crate::tree::leaf_hash;

/// Reads tenants' ledgers.
pub struct LedgerReader {
    store: Arc<dyn Store>,
    keys: Arc<dyn TenantKeys>,
}

impl LedgerReader {
    /// A reader over `store`.
    pub fn new(store: Arc<dyn Store>, keys: Arc<dyn TenantKeys>) -> Self {
        Self { store, keys }
    }

    /// The head of the tenant's ledger, signed now. Two checkpoints of the same size have
    /// the same head, because what is committed never changes.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn checkpoint(&self, tenant: &TenantId) -> Result<CheckpointView, Fault> {
        let head = self.store.tree_head(tenant).await?;
        self.signed(tenant, &head).await
    }

    async fn signed(&self, tenant: &TenantId, head: &TreeHead) -> Result<CheckpointView, Fault> {
        let keys = self.keys.of(tenant).await?;
        let origin = origin(tenant);
        let signer = |seed: &[u8; 32]| Signer::from_seed(&origin, seed).map_err(Fault::internal);
        let (current, previous) =
            (signer(&keys.signing_seed)?, keys.previous_signing_seed.as_ref().map(signer).transpose()?);
        let checkpoint = Checkpoint::of_head(&origin, head).map_err(altered)?;
        let signed = match &previous {
            Some(previous) => checkpoint.sign_with(&current, previous),
            None => checkpoint.sign(&current),
        };
        Ok(CheckpointView {
            checkpoint: signed.map_err(Fault::internal)?,
            verifier_key: current.verifier().to_string(),
            previous_verifier_key: previous.map(|previous| previous.verifier().to_string()),
            size: head.size,
            root: STANDARD.encode(checkpoint.root),
        })
    }

    /// Entries from a position on, or the newest; oldest first.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn entries(&self, tenant: &TenantId, from: Option<u64>, limit: usize) -> Result<LedgerItems, Fault> {
        let size = self.store.tree_head(tenant).await?.size;
        let from = from.unwrap_or_else(|| size.saturating_sub(limit as u64));
        let entries = self.store.entries(tenant, from, limit).await?;
        let items = entries.iter().map(item).collect::<Result<_, _>>()?;
        Ok(LedgerItems { items, size })
    }

    /// Proves that the entry at `position` is in the ledger of `size` entries.
    ///
    /// # Errors
    /// `NotFound` when there is no such entry or the ledger was never that large.
    pub async fn proof(&self, tenant: &TenantId, position: u64, size: Option<u64>) -> Result<ProofView, Fault> {
        let head = self.store.tree_head(tenant).await?;
        let size = self.size_within(&head, size, "/size")?;
        let missing = || Fault::not_found("entry", &position.to_string()).at("/position");
        if position >= size {
            return Err(missing());
        }
        let source = StoreTree { store: &*self.store, tenant };
        let path = inclusion_proof(&source, size, position).await.map_err(proof_fault)?;
        let root = root_at(&source, size).await.map_err(proof_fault)?;
        let entry = self.store.entries(tenant, position, 1).await?.into_iter().next().ok_or_else(missing)?;
        let tlog_proof = match size == head.size {
            true => Some(TlogProof {
                position,
                path: path.clone(),
                checkpoint: self.signed(tenant, &head).await?.checkpoint,
            }),
            false => None,
        };
        Ok(ProofView {
            position,
            size,
            leaf: STANDARD.encode(leaf_hash(&entry.bytes)),
            root: STANDARD.encode(root),
            path: path.iter().map(|hash| STANDARD.encode(hash)).collect(),
            tlog_proof: tlog_proof.map(|proof| proof.text()),
        })
    }

    /// Proves that the ledger of `to` entries extends the ledger of `from` entries.
    ///
    /// # Errors
    /// `Validation` when the sizes cannot be.
    pub async fn consistency(&self, tenant: &TenantId, from: u64, to: Option<u64>) -> Result<ConsistencyView, Fault> {
        let head = self.store.tree_head(tenant).await?;
        let to = self.size_within(&head, to, "/to")?;
        if from > to {
            return Err(Fault::new(Code::Validation, "`from` must not be greater than `to`").at("/from"));
        }
        let source = StoreTree { store: &*self.store, tenant };
        let path = consistency_proof(&source, from, to).await.map_err(proof_fault)?;
        Ok(ConsistencyView {
            from,
            to,
            from_root: STANDARD.encode(root_at(&source, from).await.map_err(proof_fault)?),
            to_root: STANDARD.encode(root_at(&source, to).await.map_err(proof_fault)?),
            path: path.iter().map(|hash| STANDARD.encode(hash)).collect(),
        })
    }

    fn size_within(&self, head: &TreeHead, asked: Option<u64>, pointer: &str) -> Result<u64, Fault> {
        match asked {
            None => Ok(head.size),
            Some(size) if size <= head.size => Ok(size),
            Some(_) => Err(Fault::new(Code::Validation, format!("the ledger has {} entries", head.size)).at(pointer)),
        }
    }
}

fn item(stored: &StoredEntry) -> Result<LedgerItem, Fault> {
    let entry = parse_entry(&stored.bytes).map_err(altered)?;
    Ok(LedgerItem { position: stored.position, entry, bytes: STANDARD.encode(&stored.bytes) })
}

fn altered(error: impl std::error::Error + Send + Sync + 'static) -> Fault {
    Fault::new(Code::Tampered, "the ledger was altered; refusing to use it").caused_by(error)
}

fn proof_fault(error: ProofError<StoreError>) -> Fault {
    match error {
        ProofError::Source(error) => error.into(),
        other => altered(other),
    }
}
