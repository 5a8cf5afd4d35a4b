//! What the store knows of cryptography: the growth of a tree, and marks on rows under a key
//! that is not in the database. Must not know what a row holds.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use aegis_model::ledger::{Hash, TreeHead, TreeNode};
use aegis_model::port::Integrity;

use crate::tree;

/// HMAC-SHA-256 takes a whole block as key; a shorter one is filled up with zeros.
const BLOCK_SIZE_BYTES: usize = 64;

/// HMAC-SHA-256 under one key, with the key's part of the work done once.
#[derive(Clone)]
pub struct Keyed(Hmac<Sha256>);

impl Keyed {
    /// Takes the key in.
    pub fn new(key: &[u8; 32]) -> Self {
        let mut block = Zeroizing::new([0_u8; BLOCK_SIZE_BYTES]);
        for (place, byte) in block.iter_mut().zip(key) {
            *place = *byte;
        }
        Self(Hmac::new((&*block).into()))
    }

    /// The MAC over the parts, each with its length before it, so that no two lists of parts
    /// share an input.
    pub fn mac(&self, parts: &[&[u8]]) -> Hash {
        let mut mac = self.0.clone();
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyed(…)")
    }
}

/// The integrity of the store's rows and trees.
#[derive(Clone, Debug)]
pub struct Sealer {
    rows: Keyed,
}

impl Sealer {
    /// A sealer whose row marks are made under `row_key`.
    pub fn new(row_key: &[u8; 32]) -> Self {
        Self { rows: Keyed::new(row_key) }
    }
}

impl Integrity for Sealer {
    fn leaf(&self, entry: &[u8]) -> Hash {
        tree::leaf_hash(entry)
    }

    fn append(&self, head: &mut TreeHead, leaf: Hash) -> Vec<TreeNode> {
        tree::append(head, leaf)
    }

    fn mark(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mac = self.rows.mac(parts);
        let mut mark = [0; 16];
        for (place, byte) in mark.iter_mut().zip(mac) {
            *place = byte;
        }
        mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::hash;
    use proptest::prelude::*;

    #[test]
    fn the_mac_is_the_hmac_of_the_standard() {
        // Case 2 of RFC 4231, whose key is shorter than 32 bytes and so is filled up alike.
        let mut key = [0; 32];
        key[..4].copy_from_slice(b"Jefe");
        let mut mac = Keyed::new(&key).0;
        mac.update(b"what do ya want for nothing?");
        let known = hash("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        assert_eq!(<[u8; 32]>::from(mac.finalize().into_bytes()), known);
    }

    #[test]
    fn moving_a_byte_from_one_part_to_the_next_changes_the_mark() {
        let sealer = Sealer::new(&[1; 32]);
        let marks = [
            sealer.mark(&[b"ab", b"c"]),
            sealer.mark(&[b"a", b"bc"]),
            sealer.mark(&[b"abc"]),
            sealer.mark(&[b"abc", b""]),
            sealer.mark(&[b"", b"abc"]),
            sealer.mark(&[]),
            Sealer::new(&[2; 32]).mark(&[b"ab", b"c"]),
        ];
        let unique: std::collections::BTreeSet<_> = marks.iter().collect();
        assert_eq!(unique.len(), marks.len());
        assert_eq!(sealer.mark(&[b"ab", b"c"]), marks[0]);
    }

    #[test]
    fn a_key_is_never_printed() {
        assert_eq!(format!("{:?}", Sealer::new(&[0xAB; 32])), "Sealer { rows: Keyed(…) }");
    }

    proptest! {
        #[test]
        fn different_rows_have_different_marks(
            left in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..4), 0..4),
            right in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..4), 0..4),
        ) {
            let sealer = Sealer::new(&[1; 32]);
            let mark = |parts: &[Vec<u8>]| sealer.mark(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(mark(&left) == mark(&right), left == right);
        }
    }
}
