//! RFC 6962 hashing and the growth of a tree. A tree is its head: the roots of the complete
//! subtrees that make it up. Must not know where heads and nodes are kept.

use sha2::{Digest, Sha256};

use aegis_model::ledger::{Hash, TreeHead, TreeNode};

/// Levels of hashing between two kept levels: a kept node stands for 2^8 nodes below.
pub const LEVEL_HEIGHT: u32 = 8;
/// Nodes below a kept node.
pub const TILE_WIDTH: usize = 1 << LEVEL_HEIGHT;

/// The head does not have one root for every one bit of its size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tree of size {size} cannot have {roots} subtree roots")]
pub struct MalformedHead {
    /// The size it claims.
    pub size: u64,
    /// The roots it has.
    pub roots: usize,
}

/// The hash of an entry: SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

/// The hash of two neighbours: SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of the tree without entries: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// Appends one leaf, and names every kept node that this completes, lowest level first.
///
/// A malformed head never becomes well-formed by appending, so that `root` refuses it.
pub fn append(head: &mut TreeHead, leaf: Hash) -> Vec<TreeNode> {
    let mut completed = Vec::new();
    let size_after = head.size.saturating_add(1);
    let mut root = leaf;
    for height in 1..=head.size.trailing_ones() {
        let Some(left) = head.frontier.pop() else {
            head.size = size_after;
            return Vec::new();
        };
        root = node_hash(&left, &root);
        if height % LEVEL_HEIGHT == 0 {
            let level = (height / LEVEL_HEIGHT) as u8;
            completed.push(TreeNode { level, index: (size_after >> height) - 1, hash: root });
        }
    }
    head.frontier.push(root);
    head.size = size_after;
    completed
}

/// The root of the tree.
///
/// # Errors
/// When the head cannot be the head of any tree.
pub fn root(head: &TreeHead) -> Result<Hash, MalformedHead> {
    if head.frontier.len() != head.size.count_ones() as usize {
        return Err(MalformedHead { size: head.size, roots: head.frontier.len() });
    }
    Ok(folded(&head.frontier))
}

/// The root over the roots of complete subtrees, largest first.
pub(crate) fn folded(roots: &[Hash]) -> Hash {
    let mut roots = roots.iter().rev().copied();
    roots.next().map_or_else(empty_root, |smallest| roots.fold(smallest, |right, left| node_hash(&left, &right)))
}

/// The root over the hashes of a complete subtree; their number is a power of two.
pub(crate) fn root_of_complete(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [only] => *only,
        _ => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            node_hash(&root_of_complete(left), &root_of_complete(right))
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The tree hash as RFC 6962 defines it, word for word.
    pub fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves.len() {
            0 => empty_root(),
            1 => leaves[0],
            size => {
                let split = size.next_power_of_two() / 2;
                node_hash(&naive_root(&leaves[..split]), &naive_root(&leaves[split..]))
            }
        }
    }

    pub fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|position| leaf_hash(&position.to_be_bytes())).collect()
    }

    pub fn head_of(leaves: &[Hash]) -> TreeHead {
        let mut head = TreeHead::default();
        for leaf in leaves {
            append(&mut head, *leaf);
        }
        head
    }

    pub fn hash(hex: &str) -> Hash {
        let byte = |place: usize| u8::from_str_radix(&hex[place * 2..place * 2 + 2], 16).unwrap();
        std::array::from_fn(byte)
    }

    /// The entries of the Certificate Transparency test vectors.
    pub const KNOWN_ENTRIES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    /// Their roots at every size from 1.
    pub const KNOWN_ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    #[test]
    fn the_known_roots_of_certificate_transparency_come_out() {
        assert_eq!(empty_root(), hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
        let mut head = TreeHead::default();
        assert_eq!(root(&head), Ok(empty_root()));
        for (entry, known) in KNOWN_ENTRIES.iter().zip(KNOWN_ROOTS) {
            append(&mut head, leaf_hash(entry));
            assert_eq!(root(&head), Ok(hash(known)), "size {}", head.size);
        }
    }

    #[test]
    fn every_size_has_the_root_of_the_definition() {
        let leaves = leaves(600);
        let mut head = TreeHead::default();
        for (before, leaf) in leaves.iter().enumerate() {
            append(&mut head, *leaf);
            assert_eq!(root(&head), Ok(naive_root(&leaves[..=before])), "size {}", head.size);
        }
    }

    #[test]
    fn every_completed_node_is_named_once_and_in_order() {
        let leaves = leaves(66_000);
        let mut head = TreeHead::default();
        let nodes: Vec<TreeNode> = leaves.iter().flat_map(|leaf| append(&mut head, *leaf)).collect();
        let first: Vec<&TreeNode> = nodes.iter().filter(|node| node.level == 1).collect();
        assert_eq!(first.len(), 257);
        for (index, node) in first.iter().enumerate() {
            assert_eq!(node.index, index as u64);
            assert_eq!(node.hash, naive_root(&leaves[index * 256..(index + 1) * 256]));
        }
        let second: Vec<&TreeNode> = nodes.iter().filter(|node| node.level == 2).collect();
        assert_eq!(second, [&TreeNode { level: 2, index: 0, hash: naive_root(&leaves[..65_536]) }]);
        assert_eq!(nodes.len(), 258);
    }

    #[test]
    fn a_malformed_head_is_never_healed_by_appending() {
        for size in 1..200_u64 {
            for roots in (0..10).filter(|roots| *roots != size.count_ones() as usize) {
                let mut head = TreeHead { size, frontier: vec![[1; 32]; roots] };
                for _ in 0..300 {
                    append(&mut head, [2; 32]);
                    assert!(root(&head).is_err(), "size {size} with {roots} roots became well-formed");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn a_random_larger_size_has_the_root_of_the_definition(size in 600_u64..6_000) {
            let leaves = leaves(size);
            prop_assert_eq!(root(&head_of(&leaves)), Ok(naive_root(&leaves)));
        }
    }
}
