//! Proofs against the definition, the published vectors, and every small lie.

use std::convert::Infallible;
use std::sync::Mutex;

use aegis_model::ledger::TreeHead;
use proptest::prelude::*;

use super::*;
use crate::tree::tests::{KNOWN_ENTRIES, KNOWN_ROOTS, hash, leaves, naive_root};
use crate::tree::{append, leaf_hash};

/// A tree in memory that counts what is read from it.
#[derive(Default)]
struct Kept {
    levels: Vec<Vec<Hash>>,
    reads: Mutex<Vec<usize>>,
}

impl Kept {
    fn of(leaves: &[Hash]) -> Self {
        let mut head = TreeHead::default();
        let mut levels = vec![leaves.to_vec()];
        for node in leaves.iter().flat_map(|leaf| append(&mut head, *leaf)) {
            levels.resize_with(levels.len().max(usize::from(node.level) + 1), Vec::new);
            levels[usize::from(node.level)].push(node.hash);
        }
        Self { levels, reads: Mutex::default() }
    }
}

#[async_trait]
impl TreeSource for Kept {
    type Error = Infallible;

    async fn hashes(&self, level: u8, index: u64, count: usize) -> Result<Vec<Hash>, Infallible> {
        self.reads.lock().unwrap().push(count);
        let level = self.levels.get(usize::from(level)).map_or(&[][..], Vec::as_slice);
        Ok(level.iter().skip(index as usize).take(count).copied().collect())
    }
}

/// PATH as RFC 6962 defines it, word for word.
fn naive_path(position: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = match position.checked_sub(left.len()) {
        None => (naive_path(position, left), right),
        Some(position) => (naive_path(position, right), left),
    };
    path.push(naive_root(sibling));
    path
}

/// SUBPROOF as RFC 6962 defines it, word for word.
fn naive_subproof(from: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if from == leaves.len() {
        return if known { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
    let (mut path, sibling) = if from <= left.len() {
        (naive_subproof(from, left, known), right)
    } else {
        (naive_subproof(from - left.len(), right, false), left)
    };
    path.push(naive_root(sibling));
    path
}

async fn included(kept: &Kept, size: u64, position: u64) -> Vec<Hash> {
    inclusion_proof(kept, size, position).await.unwrap()
}

async fn check_inclusion(kept: &Kept, leaves: &[Hash], size: usize, position: usize) {
    let path = included(kept, size as u64, position as u64).await;
    assert_eq!(path, naive_path(position, &leaves[..size]), "{position} in {size}");
    let root = naive_root(&leaves[..size]);
    assert_eq!(verify_inclusion(&leaves[position], position as u64, size as u64, &path, &root), Ok(()));
}

async fn check_consistency(kept: &Kept, leaves: &[Hash], from: usize, to: usize) {
    let path = consistency_proof(kept, from as u64, to as u64).await.unwrap();
    if 0 < from && from < to {
        assert_eq!(path, naive_subproof(from, &leaves[..to], true), "{from} to {to}");
    }
    let growth = Growth {
        from: from as u64,
        from_root: naive_root(&leaves[..from]),
        to: to as u64,
        to_root: naive_root(&leaves[..to]),
    };
    assert_eq!(verify_consistency(&growth, &path), Ok(()), "{from} to {to}");
    assert_eq!(root_at(kept, from as u64).await, Ok(growth.from_root));
}

/// A few sizes at which something begins or ends, and all the small ones.
fn telling_sizes() -> Vec<usize> {
    (1..40).chain([63, 64, 65, 127, 128, 129, 255, 256, 257, 258, 300, 511, 512, 513, 600]).collect()
}

#[tokio::test]
async fn every_inclusion_in_every_small_tree_is_proved_as_defined() {
    let leaves = leaves(600);
    let kept = Kept::of(&leaves);
    for size in (1..40).chain([64, 65, 128, 255, 256, 257, 300]) {
        for position in 0..size {
            check_inclusion(&kept, &leaves, size, position).await;
        }
    }
}

#[tokio::test]
async fn every_tree_up_to_six_hundred_proves_its_edges_and_its_middle() {
    let leaves = leaves(600);
    let kept = Kept::of(&leaves);
    for size in 1..=600 {
        for position in [0, size / 3, size / 2, size - 1] {
            check_inclusion(&kept, &leaves, size, position).await;
        }
    }
}

#[tokio::test]
async fn every_growth_of_every_small_tree_is_proved_as_defined() {
    let leaves = leaves(600);
    let kept = Kept::of(&leaves);
    let sizes: Vec<usize> = std::iter::once(0).chain(telling_sizes()).collect();
    for to in &sizes {
        for from in sizes.iter().filter(|from| *from <= to) {
            check_consistency(&kept, &leaves, *from, *to).await;
        }
    }
}

#[tokio::test]
async fn a_proof_reads_a_few_hundred_hashes_at_any_size() {
    let leaves = leaves(70_000);
    let (kept, root) = (Kept::of(&leaves), naive_root(&leaves));
    for position in [0, 255, 256, 40_000, 65_535, 65_536, 69_999] {
        kept.reads.lock().unwrap().clear();
        let path = included(&kept, 70_000, position).await;
        assert_eq!(verify_inclusion(&leaves[position as usize], position, 70_000, &path, &root), Ok(()));
        let reads = kept.reads.lock().unwrap().clone();
        assert!(reads.len() <= 5 && reads.iter().sum::<usize>() <= 1_000, "{position}: {reads:?}");
    }
}

#[tokio::test]
async fn the_known_proofs_of_certificate_transparency_come_out() {
    let leaves: Vec<Hash> = KNOWN_ENTRIES.iter().map(|entry| leaf_hash(entry)).collect();
    let kept = Kept::of(&leaves);
    let known = |path: &[&str]| path.iter().map(|text| hash(text)).collect::<Vec<_>>();
    assert_eq!(
        included(&kept, 8, 0).await,
        known(&[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ])
    );
    assert_eq!(included(&kept, 3, 2).await, known(&[KNOWN_ROOTS[1]]));
    assert_eq!(
        consistency_proof(&kept, 6, 8).await.unwrap(),
        known(&[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            KNOWN_ROOTS[3],
        ])
    );
    assert_eq!(
        consistency_proof(&kept, 2, 5).await.unwrap(),
        known(&[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ])
    );
}

#[tokio::test]
async fn an_inclusion_proof_holds_for_nothing_else() {
    let leaves = leaves(40);
    let kept = Kept::of(&leaves);
    for size in 1..=40_u64 {
        let root = naive_root(&leaves[..size as usize]);
        for position in 0..size {
            let path = included(&kept, size, position).await;
            let leaf = leaves[position as usize];
            for other in (0..64).filter(|other| *other != position) {
                assert!(verify_inclusion(&leaf, other, size, &path, &root).is_err(), "{position} as {other} in {size}");
            }
            for at in 0..path.len() {
                let mut lie = path.clone();
                lie[at][31] ^= 1;
                assert_eq!(verify_inclusion(&leaf, position, size, &lie, &root), Err(ProofProblem::Root));
                lie.remove(at);
                assert!(verify_inclusion(&leaf, position, size, &lie, &root).is_err());
            }
            let longer = [&path[..], &[root]].concat();
            assert_eq!(verify_inclusion(&leaf, position, size, &longer, &root), Err(ProofProblem::Length));
            assert_eq!(verify_inclusion(&[0; 32], position, size, &path, &root), Err(ProofProblem::Root));
        }
    }
}

#[tokio::test]
async fn a_consistency_proof_holds_for_nothing_else() {
    let leaves = leaves(40);
    let kept = Kept::of(&leaves);
    for to in 1..=40_u64 {
        for from in 1..to {
            let path = consistency_proof(&kept, from, to).await.unwrap();
            let root = |size: u64| naive_root(&leaves[..size as usize]);
            let growth = Growth { from, from_root: root(from), to, to_root: root(to) };
            let lies = [
                Growth { from_root: [1; 32], ..growth },
                Growth { to_root: [1; 32], ..growth },
                Growth { from_root: growth.to_root, to_root: growth.from_root, ..growth },
                Growth { from: to, to: from, ..growth },
            ];
            for lie in lies {
                assert!(verify_consistency(&lie, &path).is_err(), "{lie:?}");
            }
            for at in 0..path.len() {
                let mut lie = path.clone();
                lie[at][0] ^= 1;
                assert!(verify_consistency(&growth, &lie).is_err());
                lie.remove(at);
                assert!(verify_consistency(&growth, &lie).is_err());
            }
            assert!(verify_consistency(&growth, &[&path[..], &[[3; 32]]].concat()).is_err());
        }
    }
}

#[tokio::test]
async fn what_cannot_be_proved_is_refused() {
    let kept = Kept::of(&leaves(10));
    assert_eq!(inclusion_proof(&kept, 10, 10).await, Err(ProofError::NoSuchPosition { position: 10, size: 10 }));
    assert_eq!(inclusion_proof(&kept, 0, 0).await, Err(ProofError::NoSuchPosition { position: 0, size: 0 }));
    assert_eq!(consistency_proof(&kept, 3, 2).await, Err(ProofError::Shrunk { from: 3, to: 2 }));
    assert_eq!(inclusion_proof(&kept, 16, 3).await, Err(ProofError::Missing { level: 0, index: 10 }));
    let nothing = Growth { from: 0, from_root: empty_root(), to: 0, to_root: empty_root() };
    assert_eq!(verify_consistency(&nothing, &[]), Ok(()));
    assert!(verify_consistency(&Growth { to_root: [1; 32], ..nothing }, &[]).is_err());
    assert!(verify_consistency(&Growth { from_root: [1; 32], to: 4, ..nothing }, &[]).is_err());
    assert!(verify_consistency(&nothing, &[[1; 32]]).is_err());
}

#[test]
fn the_largest_numbers_do_not_break_the_arithmetic() {
    let (all, path) = (u64::MAX, [[1; 32]; 70]);
    assert_eq!(verify_inclusion(&[0; 32], all - 1, all, &path, &[2; 32]), Err(ProofProblem::Length));
    assert_eq!(verify_inclusion(&[0; 32], 0, all, &path[..64], &[2; 32]), Err(ProofProblem::Root));
    let growth = Growth { from: all - 1, from_root: [1; 32], to: all, to_root: [2; 32] };
    assert!(verify_consistency(&growth, &path).is_err());
    assert_eq!(inclusion_ranges(all, all - 1).len(), 63);
    assert!(subtrees((0, all)).len() == 64);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn random_larger_trees_are_proved_as_defined(to in 600_usize..8_000, part in 0.0..1.0_f64, other in 0.0..1.0_f64) {
        let leaves = leaves(to as u64);
        let kept = Kept::of(&leaves);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (from, position) = ((to as f64 * part) as usize, (to as f64 * other) as usize);
        runtime.block_on(check_inclusion(&kept, &leaves, to, position));
        runtime.block_on(check_consistency(&kept, &leaves, from, to));
    }
}
