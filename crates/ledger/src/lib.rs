//! The tamper-evident record: canonical entries, the RFC 6962 tree of each tenant, signed
//! checkpoints, proofs, exports and their verification.
//!
//! Owns the forms and the arithmetic. Must not know how the store keeps entries, who asks,
//! or what an act means. The only I/O is in [`export::dir`], for verifying offline.
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

pub mod canonical;
pub mod checkpoint;
pub mod export;
pub mod journal;
pub mod live;
pub mod note;
pub mod passages;
pub mod proof;
pub mod reader;
pub mod sealer;
pub mod tlog_proof;
pub mod tree;
pub mod verify;
mod watched;

#[cfg(test)]
mod samples;

pub use canonical::{ENTRY_SIZE_MAX_BYTES, EntryError, entry_bytes, parse_entry};
pub use checkpoint::{Checkpoint, CheckpointError};
pub use note::{KeyError, NoteError, Signer, VerifierKey};
pub use proof::{StoreTree, TreeSource, consistency_proof, inclusion_proof, verify_consistency, verify_inclusion};
pub use sealer::Sealer;
pub use tlog_proof::TlogProof;
