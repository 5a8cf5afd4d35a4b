//! Proofs of inclusion and consistency: made from leaves and kept nodes, a few hundred
//! hashes at any size, and verified from nothing but the proof. Must not know where the
//! hashes come from.

use std::collections::BTreeMap;

use async_trait::async_trait;

use aegis_model::TenantId;
use aegis_model::ledger::Hash;
use aegis_model::port::{Store, StoreError};

use crate::tree::{LEVEL_HEIGHT, TILE_WIDTH, empty_root, folded, node_hash, root_of_complete};

/// Where proofs read the hashes of one tree.
#[async_trait]
pub trait TreeSource: Sync {
    /// Why the hashes cannot be read.
    type Error: std::error::Error;

    /// `count` hashes of `level` from `index` on: leaves at level 0, kept nodes above.
    async fn hashes(&self, level: u8, index: u64, count: usize) -> Result<Vec<Hash>, Self::Error>;
}

/// The tree of a tenant in the store.
#[derive(Clone, Copy)]
pub struct StoreTree<'a> {
    /// The store.
    pub store: &'a dyn Store,
    /// Whose tree.
    pub tenant: &'a TenantId,
}

#[async_trait]
impl TreeSource for StoreTree<'_> {
    type Error = StoreError;

    async fn hashes(&self, level: u8, index: u64, count: usize) -> Result<Vec<Hash>, StoreError> {
        match level {
            0 => self.store.leaves(self.tenant, index, count).await,
            _ => self.store.nodes(self.tenant, level, index, count).await,
        }
    }
}

/// Why a proof cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError<E> {
    /// There is no such position.
    #[error("position {position} is not in a ledger of {size} entries")]
    NoSuchPosition {
        /// Which was asked for.
        position: u64,
        /// Size of the ledger.
        size: u64,
    },
    /// A later ledger cannot be smaller.
    #[error("a ledger of {to} entries cannot extend one of {from}")]
    Shrunk {
        /// The earlier size.
        from: u64,
        /// The later size.
        to: u64,
    },
    /// The source has fewer hashes than the tree must have.
    #[error("hash {index} of level {level} is missing")]
    Missing {
        /// Which level.
        level: u8,
        /// The first that is missing.
        index: u64,
    },
    /// The source cannot be read.
    #[error("the hashes cannot be read")]
    Source(#[source] E),
}

/// Why a proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofProblem {
    /// There is no such position, or the later size is the smaller one.
    #[error("the proof is for a place that cannot be")]
    Place,
    /// It has too few or too many hashes.
    #[error("the proof has the wrong number of hashes")]
    Length,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// The positions from `start` up to and without `end`.
type Range = (u64, u64);

/// Proves that the entry at `position` is in the tree of `size` entries.
///
/// # Errors
/// When there is no such position, or the source lacks hashes.
pub async fn inclusion_proof<S: TreeSource + ?Sized>(
    source: &S,
    size: u64,
    position: u64,
) -> Result<Vec<Hash>, ProofError<S::Error>> {
    if position >= size {
        return Err(ProofError::NoSuchPosition { position, size });
    }
    Tiles::new(source, size).roots_of(&inclusion_ranges(size, position)).await
}

/// Proves that the tree of `to` entries extends the tree of `from` entries. The proof from
/// nothing, or to the same size, is empty.
///
/// # Errors
/// When `to` is smaller than `from`, or the source lacks hashes.
pub async fn consistency_proof<S: TreeSource + ?Sized>(
    source: &S,
    from: u64,
    to: u64,
) -> Result<Vec<Hash>, ProofError<S::Error>> {
    if from > to {
        return Err(ProofError::Shrunk { from, to });
    }
    if from == 0 || from == to {
        return Ok(Vec::new());
    }
    Tiles::new(source, to).roots_of(&consistency_ranges(from, to)).await
}

/// The root of the first `size` entries, from a few reads.
///
/// # Errors
/// When the source lacks hashes.
pub async fn root_at<S: TreeSource + ?Sized>(source: &S, size: u64) -> Result<Hash, ProofError<S::Error>> {
    Tiles::new(source, size).root_of((0, size)).await
}

/// PATH of RFC 6962, section 2.1.1: the ranges whose roots are the proof, from the leaf up.
fn inclusion_ranges(size: u64, position: u64) -> Vec<Range> {
    let (mut start, mut end) = (0, size);
    let mut ranges = Vec::new();
    while end - start > 1 {
        let middle = start + split(end - start);
        if position < middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// SUBPROOF of RFC 6962, section 2.1.2, for `0 < from < to`. The root of the older tree is
/// left out where it is a subtree of the newer one, as the verifier has it.
fn consistency_ranges(from: u64, to: u64) -> Vec<Range> {
    let (mut start, mut end) = (0, to);
    let mut ranges = Vec::new();
    while end != from {
        let middle = start + split(end - start);
        if from <= middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    if start > 0 {
        ranges.push((start, end));
    }
    ranges.reverse();
    ranges
}

/// The largest power of two smaller than `size`, for sizes from 2.
fn split(size: u64) -> u64 {
    1 << (size - 1).ilog2()
}

/// The complete subtrees that make up a range, largest first, as height and start.
fn subtrees((mut start, end): Range) -> Vec<(u32, u64)> {
    let mut parts = Vec::new();
    while start < end {
        let height = start.trailing_zeros().min((end - start).ilog2());
        parts.push((height, start));
        start += 1 << height;
    }
    parts
}

/// Whole tiles of hashes, each read once. One proof touches at most two for each level.
struct Tiles<'a, S: ?Sized> {
    source: &'a S,
    size: u64,
    read: BTreeMap<(u8, u64), Vec<Hash>>,
}

impl<'a, S: TreeSource + ?Sized> Tiles<'a, S> {
    fn new(source: &'a S, size: u64) -> Self {
        Self { source, size, read: BTreeMap::new() }
    }

    async fn roots_of(&mut self, ranges: &[Range]) -> Result<Vec<Hash>, ProofError<S::Error>> {
        let mut roots = Vec::with_capacity(ranges.len());
        for range in ranges {
            roots.push(self.root_of(*range).await?);
        }
        Ok(roots)
    }

    async fn root_of(&mut self, range: Range) -> Result<Hash, ProofError<S::Error>> {
        let mut roots = Vec::new();
        for (height, start) in subtrees(range) {
            roots.push(self.subtree(height, start).await?);
        }
        Ok(folded(&roots))
    }

    /// The root of a complete subtree, from the highest kept level below it.
    async fn subtree(&mut self, height: u32, start: u64) -> Result<Hash, ProofError<S::Error>> {
        let level = (height / LEVEL_HEIGHT) as u8;
        let first = start >> (u32::from(level) * LEVEL_HEIGHT);
        let count = 1_usize << (height % LEVEL_HEIGHT);
        let (tile, offset) = (first >> LEVEL_HEIGHT, (first % TILE_WIDTH as u64) as usize);
        let hashes = self.tile(level, tile).await?;
        let missing = ProofError::Missing { level, index: (tile << LEVEL_HEIGHT) + hashes.len() as u64 };
        hashes.get(offset..offset + count).map(root_of_complete).ok_or(missing)
    }

    async fn tile(&mut self, level: u8, tile: u64) -> Result<&[Hash], ProofError<S::Error>> {
        let first = tile << LEVEL_HEIGHT;
        let there = (self.size >> (u32::from(level) * LEVEL_HEIGHT)).saturating_sub(first);
        let count = there.min(TILE_WIDTH as u64) as usize;
        if !self.read.contains_key(&(level, tile)) {
            let hashes = self.source.hashes(level, first, count).await.map_err(ProofError::Source)?;
            self.read.insert((level, tile), hashes);
        }
        Ok(self.read.get(&(level, tile)).map_or(&[], Vec::as_slice))
    }
}

/// Checks that `leaf` is at `position` in the tree of `size` entries with this root.
///
/// # Errors
/// When the proof does not hold.
pub fn verify_inclusion(leaf: &Hash, position: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), ProofProblem> {
    if position >= size {
        return Err(ProofProblem::Place);
    }
    let (mut place, mut last, mut sum) = (position, size - 1, *leaf);
    for sibling in path {
        if last == 0 {
            return Err(ProofProblem::Length);
        }
        if place & 1 == 1 || place == last {
            sum = node_hash(sibling, &sum);
            (place, last) = to_left_turn(place, last);
        } else {
            sum = node_hash(&sum, sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    match last {
        0 if sum == *root => Ok(()),
        0 => Err(ProofProblem::Root),
        _ => Err(ProofProblem::Length),
    }
}

/// Climbs as long as the node has no sibling on its right: to the next odd place, or the top.
fn to_left_turn(mut place: u64, mut last: u64) -> (u64, u64) {
    while place & 1 == 0 && place != 0 {
        (place, last) = (place >> 1, last >> 1);
    }
    (place, last)
}

/// An earlier and a later tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// Size of the earlier tree.
    pub from: u64,
    /// Its root.
    pub from_root: Hash,
    /// Size of the later tree.
    pub to: u64,
    /// Its root.
    pub to_root: Hash,
}

/// Checks that the later tree extends the earlier one.
///
/// # Errors
/// When the proof does not hold.
pub fn verify_consistency(growth: &Growth, path: &[Hash]) -> Result<(), ProofProblem> {
    let Growth { from, from_root, to, to_root } = *growth;
    if from > to {
        return Err(ProofProblem::Place);
    }
    if from == 0 || from == to {
        return unchanged(growth, path);
    }
    let whole = from.is_power_of_two().then_some(from_root);
    let mut path = whole.into_iter().chain(path.iter().copied());
    let skipped = (from - 1).trailing_ones();
    let (mut place, mut last) = ((from - 1) >> skipped, (to - 1) >> skipped);
    let first = path.next().ok_or(ProofProblem::Length)?;
    let (mut earlier, mut later) = (first, first);
    for sibling in path {
        if last == 0 {
            return Err(ProofProblem::Length);
        }
        if place & 1 == 1 || place == last {
            earlier = node_hash(&sibling, &earlier);
            later = node_hash(&sibling, &later);
            (place, last) = to_left_turn(place, last);
        } else {
            later = node_hash(&later, &sibling);
        }
        (place, last) = (place >> 1, last >> 1);
    }
    match last {
        0 if earlier == from_root && later == to_root => Ok(()),
        0 => Err(ProofProblem::Root),
        _ => Err(ProofProblem::Length),
    }
}

/// From nothing, or to the same size, there is nothing to prove but the roots themselves.
fn unchanged(growth: &Growth, path: &[Hash]) -> Result<(), ProofProblem> {
    if !path.is_empty() {
        return Err(ProofProblem::Length);
    }
    let due = if growth.from == 0 { empty_root() } else { growth.to_root };
    let later_holds = growth.to != 0 || growth.to_root == empty_root();
    if growth.from_root == due && later_holds { Ok(()) } else { Err(ProofProblem::Root) }
}

#[cfg(test)]
#[path = "proof_tests.rs"]
mod tests;
