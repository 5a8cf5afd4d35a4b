//! A plain implementation of the port `Integrity`, for tests: SHA-256 by the rules of
//! RFC 6962, and marks under a key that everybody can read here.

use aegis_model::ledger::{Hash, TreeHead, TreeNode};
use aegis_model::port::Integrity;
use sha2::{Digest, Sha256};

/// Integrity under the key of a test.
#[derive(Clone, Debug, Default)]
pub struct TestIntegrity {
    /// Another key makes other marks.
    pub key: [u8; 16],
}

/// Levels of the tree under one kept node: 256 leaves.
const KEPT_EVERY: u32 = 8;

impl Integrity for TestIntegrity {
    fn leaf(&self, entry: &[u8]) -> Hash {
        Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
    }

    fn append(&self, head: &mut TreeHead, leaf: Hash) -> Vec<TreeNode> {
        let mut kept = Vec::new();
        let (mut hash, mut height) = (leaf, 0);
        let carries = head.size.trailing_ones();
        head.size += 1;
        while height < carries {
            let left = head.frontier.pop().unwrap_or_default();
            hash = Sha256::new().chain_update([1]).chain_update(left).chain_update(hash).finalize().into();
            height += 1;
            if height % KEPT_EVERY == 0 {
                let level = u8::try_from(height / KEPT_EVERY).unwrap_or(u8::MAX);
                kept.push(TreeNode { level, index: (head.size >> height) - 1, hash });
            }
        }
        head.frontier.push(hash);
        kept
    }

    fn mark(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut hasher = Sha256::new();
        hasher.update(self.key);
        for part in parts {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        let whole: Hash = hasher.finalize().into();
        whole.first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The root as RFC 6962 defines it, by splitting at the largest power of two.
    fn root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Sha256::digest([]).into(),
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                Sha256::new().chain_update([1]).chain_update(root(left)).chain_update(root(right)).finalize().into()
            }
        }
    }

    #[test]
    fn the_frontier_folds_to_the_root_of_the_standard() {
        let integrity = TestIntegrity::default();
        let (mut head, mut leaves) = (TreeHead::default(), Vec::new());
        for number in 0..600_u32 {
            let leaf = integrity.leaf(&number.to_be_bytes());
            leaves.push(leaf);
            for node in integrity.append(&mut head, leaf) {
                assert_eq!(node.level, 1);
                let from = node.index as usize * 256;
                assert_eq!(node.hash, root(&leaves[from..from + 256]));
            }
            assert_eq!(head.frontier.len(), head.size.count_ones() as usize);
            let folded = head.frontier.iter().rev().copied().reduce(|right, left| {
                Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
            });
            assert_eq!(folded, Some(root(&leaves)));
        }
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let integrity = TestIntegrity::default();
        assert_ne!(integrity.mark(&[b"ab", b"c"]), integrity.mark(&[b"a", b"bc"]));
        assert_ne!(integrity.mark(&[b"ab"]), TestIntegrity { key: [1; 16] }.mark(&[b"ab"]));
    }
}
