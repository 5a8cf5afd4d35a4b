//! What the store needs to know of cryptography: how a tree grows, and how a row is marked
//! so that a change made behind the server's back is noticed.

use crate::ledger::{Hash, TreeHead, TreeNode};

/// Pure functions; implemented by `ledger`, called by the store inside its transaction so
/// that a tree's head is committed together with the entries and the state they describe.
pub trait Integrity: Send + Sync {
    /// The leaf hash of an entry.
    fn leaf(&self, entry: &[u8]) -> Hash;

    /// Appends one leaf, and names every kept node that this completes.
    fn append(&self, head: &mut TreeHead, leaf: Hash) -> Vec<TreeNode>;

    /// A mark over the parts of a row, under a key that is not in the database. Parts are
    /// length-prefixed, so that no two rows share a marking input.
    fn mark(&self, parts: &[&[u8]]) -> [u8; 16];
}
