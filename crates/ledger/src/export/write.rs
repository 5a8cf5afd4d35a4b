//! Turns a stream of entries into the files of an export, with no more than one bundle and
//! one tile for each level in memory. Must not know where entries come from or files go.

use aegis_model::ledger::{Hash, TreeHead};

use crate::canonical::{EntryError, parse_entry};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::note::VerifierKey;
use crate::tree::{self, MalformedHead, TILE_WIDTH, leaf_hash};

use super::{ExportFile, ExportPath, Span};

/// Why an export was not made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// What was given is not an entry.
    #[error("entry {position}: {problem}")]
    Entry {
        /// Its position.
        position: u64,
        /// What is wrong with it.
        problem: EntryError,
    },
    /// The checkpoint does not count.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The entries are not those of the checkpoint.
    #[error("the {found} entries given are not the {signed} entries of the checkpoint")]
    OtherEntries {
        /// Size by the checkpoint.
        signed: u64,
        /// Entries given.
        found: u64,
    },
    /// The tree cannot be.
    #[error(transparent)]
    Head(#[from] MalformedHead),
}

/// Up to 256 hashes of one level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    /// 0 for leaves.
    pub level: u8,
    /// Which hashes.
    pub span: Span,
    /// The hashes.
    pub hashes: Vec<Hash>,
}

impl Tile {
    /// Where the tile is in an export.
    pub fn path(&self) -> ExportPath {
        ExportPath::Tile(self.level, self.span)
    }
}

/// A tree and the tiles at its right edge.
#[derive(Clone, Debug, Default)]
pub(crate) struct TileStack {
    /// The head of the tree.
    pub head: TreeHead,
    edge: Vec<Vec<Hash>>,
}

impl TileStack {
    /// Appends a leaf and gives the tiles that it completes, lowest level first.
    pub fn push(&mut self, leaf: Hash) -> Vec<Tile> {
        self.put(0, leaf);
        let completed = tree::append(&mut self.head, leaf);
        let mut tiles = Vec::with_capacity(completed.len());
        for node in completed {
            let below = usize::from(node.level) - 1;
            let hashes = self.edge.get_mut(below).map(std::mem::take).unwrap_or_default();
            let span = Span { index: node.index, width: TILE_WIDTH as u64 };
            tiles.push(Tile { level: node.level - 1, span, hashes });
            self.put(usize::from(node.level), node.hash);
        }
        tiles
    }

    /// The tiles at the right edge that are not complete, lowest level first.
    pub fn partial(&self) -> impl Iterator<Item = Tile> {
        self.edge.iter().enumerate().filter(|(_, hashes)| !hashes.is_empty()).map(|(level, hashes)| {
            let level = level as u8;
            let index = super::level_width(self.head.size, level) / TILE_WIDTH as u64;
            Tile { level, span: Span { index, width: hashes.len() as u64 }, hashes: hashes.clone() }
        })
    }

    fn put(&mut self, level: usize, hash: Hash) {
        if self.edge.len() <= level {
            self.edge.resize_with(level + 1, Vec::new);
        }
        if let Some(hashes) = self.edge.get_mut(level) {
            hashes.push(hash);
        }
    }
}

/// Writes an export, entry by entry.
#[derive(Clone, Debug, Default)]
pub struct Exporter {
    tiles: TileStack,
    bundle: Vec<u8>,
}

impl Exporter {
    /// An export without entries yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Entries taken so far.
    pub fn size(&self) -> u64 {
        self.tiles.head.size
    }

    /// Takes the next entry, and gives the files that it completes.
    ///
    /// # Errors
    /// When the bytes are not a canonical entry; nothing was taken then.
    pub fn push(&mut self, entry: &[u8]) -> Result<Vec<ExportFile>, ExportError> {
        let position = self.size();
        let refused = |problem| ExportError::Entry { position, problem };
        parse_entry(entry).map_err(refused)?;
        let length = u16::try_from(entry.len());
        let length = length.map_err(|_| refused(EntryError::TooLarge { size_bytes: entry.len() }))?;
        self.bundle.extend_from_slice(&length.to_be_bytes());
        self.bundle.extend_from_slice(entry);
        let tiles = self.tiles.push(leaf_hash(entry));
        let mut files: Vec<ExportFile> = tiles.iter().map(tile_file).collect();
        if self.size().is_multiple_of(TILE_WIDTH as u64) {
            files.extend(self.bundle_file(position / TILE_WIDTH as u64));
        }
        Ok(files)
    }

    /// Gives the files that were not complete, the checkpoint and the key.
    ///
    /// # Errors
    /// When the checkpoint does not count, or is over other entries than those taken.
    pub fn finish(mut self, checkpoint: &str, key: &VerifierKey) -> Result<Vec<ExportFile>, ExportError> {
        let signed = Checkpoint::open(checkpoint.as_bytes(), key)?;
        if signed.size != self.size() || signed.root != tree::root(&self.tiles.head)? {
            return Err(ExportError::OtherEntries { signed: signed.size, found: self.size() });
        }
        let mut files: Vec<ExportFile> = self.tiles.partial().map(|tile| tile_file(&tile)).collect();
        files.extend(self.bundle_file(signed.size / TILE_WIDTH as u64));
        files.push(file(ExportPath::Checkpoint, checkpoint.as_bytes().to_vec()));
        files.push(file(ExportPath::VerifierKey, format!("{key}\n").into_bytes()));
        Ok(files)
    }

    fn bundle_file(&mut self, index: u64) -> Option<ExportFile> {
        let span = Span::of(index, self.size())?;
        Some(file(ExportPath::Entries(span), std::mem::take(&mut self.bundle)))
    }
}

fn tile_file(tile: &Tile) -> ExportFile {
    file(tile.path(), tile.hashes.concat())
}

fn file(path: ExportPath, bytes: Vec<u8>) -> ExportFile {
    ExportFile { path: path.to_string(), bytes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{checkpoint, entries, export, signer};

    fn paths(count: u64) -> Vec<String> {
        export(&entries(count)).0.into_keys().collect()
    }

    #[test]
    fn an_export_has_exactly_the_files_of_its_size() {
        assert_eq!(paths(0), ["checkpoint", "vkey"]);
        assert_eq!(paths(1), ["checkpoint", "tile/0/000.p/1", "tile/entries/000.p/1", "vkey"]);
        assert_eq!(paths(256), ["checkpoint", "tile/0/000", "tile/1/000.p/1", "tile/entries/000", "vkey"]);
        assert_eq!(
            paths(600),
            [
                "checkpoint",
                "tile/0/000",
                "tile/0/001",
                "tile/0/002.p/88",
                "tile/1/000.p/2",
                "tile/entries/000",
                "tile/entries/001",
                "tile/entries/002.p/88",
                "vkey"
            ]
        );
    }

    #[test]
    fn tiles_hold_the_hashes_of_the_level_below() {
        let entries = entries(300);
        let files = export(&entries).0;
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        assert_eq!(files["tile/0/000"], leaves[..256].concat());
        assert_eq!(files["tile/0/001.p/44"], leaves[256..].concat());
        assert_eq!(files["tile/1/000.p/1"], tree::tests::naive_root(&leaves[..256]));
        let bundle = &files["tile/entries/001.p/44"];
        let first = &entries[256];
        assert_eq!(bundle[..2], (first.len() as u16).to_be_bytes());
        assert_eq!(&bundle[2..2 + first.len()], first);
    }

    #[test]
    fn higher_levels_fill_up_and_continue() {
        let mut stack = TileStack::default();
        let mut completed = Vec::new();
        for position in 0..66_000_u64 {
            completed.extend(stack.push(leaf_hash(&position.to_be_bytes())));
        }
        let count = |level| completed.iter().filter(|tile| tile.level == level).count();
        assert_eq!((count(0), count(1), count(2)), (257, 1, 0));
        let partial: Vec<String> = stack.partial().map(|tile| tile.path().to_string()).collect();
        assert_eq!(partial, ["tile/0/257.p/208", "tile/1/001.p/1", "tile/2/000.p/1"]);
    }

    #[test]
    fn a_checkpoint_over_other_entries_is_refused() {
        let entries = entries(3);
        let export = |given: &[Vec<u8>], signed: &[Vec<u8>]| {
            let mut exporter = Exporter::new();
            for entry in given {
                exporter.push(entry).unwrap();
            }
            exporter.finish(&checkpoint(signed).sign(&signer()).unwrap(), signer().verifier())
        };
        assert!(export(&entries, &entries).is_ok());
        assert_eq!(export(&entries[..2], &entries), Err(ExportError::OtherEntries { signed: 3, found: 2 }));
        assert_eq!(export(&entries[1..], &entries[..2]), Err(ExportError::OtherEntries { signed: 2, found: 2 }));
    }

    #[test]
    fn what_is_not_an_entry_is_not_exported() {
        let mut exporter = Exporter::new();
        assert!(matches!(exporter.push(b"{}"), Err(ExportError::Entry { position: 0, .. })));
        assert_eq!(exporter.size(), 0);
    }
}
