//! Verifies an export offline, and names the first broken record. Trusts nothing in the
//! export but what the signed root covers. Must not know where the files are.

use std::fmt;
use std::io;

use aegis_model::TenantId;
use aegis_model::ledger::{Hash, TreeHead};

use crate::canonical::{EntryError, parse_entry};
use crate::checkpoint::{Checkpoint, CheckpointError, tenant_of};
use crate::export::{ExportPath, Files, Span, Tile, TileStack};
use crate::note::{KeyError, Note, NoteError, VerifierKey};
use crate::tree::{self, LEVEL_HEIGHT, MalformedHead, TILE_WIDTH, leaf_hash};

/// What a sound export is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The signed head.
    pub checkpoint: Checkpoint,
    /// The key that signed it, in its printed form.
    pub verifier_key: String,
    /// Who vouches for the key.
    pub trust: Trust,
    /// Size of the checkpoint kept elsewhere that this export extends, if one was given.
    pub extends: Option<u64>,
    /// Signatures on the checkpoint by others, which were not checked.
    pub signatures_unchecked: usize,
}

/// Who vouches for the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Whoever verifies: the key was pinned.
    Pinned,
    /// Nobody: the key came with the export, whose maker could have made any. It proves that
    /// the export fits together, not who wrote it.
    Unpinned,
}

/// Why a record does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordProblem {
    /// It is not a ledger entry, or not in canonical form.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// It is an entry of another tenant.
    #[error("the entry is of tenant `{0}`")]
    OtherTenant(TenantId),
    /// The bundle ends before or within it.
    #[error("the bundle ends before the entry does")]
    CutShort,
    /// The bundle goes on after its last entry.
    #[error("the bundle goes on after its last entry")]
    GoesOn,
    /// The signed root covers another entry in its place.
    #[error("the entry is not the one that was signed")]
    Altered,
    /// The entry and the hash beside it are at odds, and neither leads to the signed root.
    #[error("the entry and its hash in `{0}` are at odds, and neither is what was signed")]
    AtOdds(String),
}

/// The first thing that is wrong with an export.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// A file is missing.
    #[error("`{path}` is missing{}", shown(*position))]
    Missing {
        /// Which.
        path: String,
        /// The first record it is needed for.
        position: Option<u64>,
    },
    /// A file cannot be read.
    #[error("`{path}` cannot be read{}", shown(*position))]
    Unreadable {
        /// Which.
        path: String,
        /// The first record it is needed for.
        position: Option<u64>,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The files cannot be listed.
    #[error("the files cannot be listed")]
    Unlisted(#[source] io::Error),
    /// There is a file that is no part of this export.
    #[error("`{path}` is no part of this export")]
    Foreign {
        /// Which.
        path: String,
    },
    /// The key file does not hold a key.
    #[error("`vkey` is damaged: {0}")]
    Key(#[from] KeyError),
    /// The key file holds another key than the pinned one.
    #[error("`vkey` holds another key than the pinned one, and the pinned one does not sign along")]
    OtherKey,
    /// The checkpoint does not count.
    #[error("`checkpoint` does not count: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The export is of another ledger than the checkpoint kept elsewhere.
    #[error("the export is of `{found}`, the checkpoint kept elsewhere is of `{kept}`")]
    OtherLedger {
        /// Origin by the checkpoint kept elsewhere.
        kept: String,
        /// Origin by the export.
        found: String,
    },
    /// The export ends before the checkpoint kept elsewhere.
    #[error("the ledger was truncated: it has {found} records, {kept} were signed before")]
    Truncated {
        /// Size by the checkpoint kept elsewhere.
        kept: u64,
        /// Size by the export.
        found: u64,
    },
    /// The records under the checkpoint kept elsewhere are others.
    #[error("the ledger was forked: its first {kept} records are not those that were signed before")]
    Forked {
        /// Size by the checkpoint kept elsewhere.
        kept: u64,
    },
    /// A record.
    #[error("record {position} in `{path}`: {problem}")]
    Record {
        /// Its position.
        position: u64,
        /// The bundle it is in.
        path: String,
        /// What is wrong.
        problem: RecordProblem,
    },
    /// A hash tile, while the records fit the signed root or were not reached.
    #[error("`{path}` is damaged at the hash over record {position}")]
    Tile {
        /// Which tile.
        path: String,
        /// The first record under the first wrong hash.
        position: u64,
    },
    /// Records and tiles fit each other, but the signed root is over others.
    #[error(
        "records and tiles were made to fit each other, but are not those of the signed root; the first {since} records are known to be right"
    )]
    Rebuilt {
        /// Records that a checkpoint kept elsewhere vouches for.
        since: u64,
    },
    /// The tree cannot be.
    #[error(transparent)]
    Head(#[from] MalformedHead),
}

impl Broken {
    /// The first record it concerns, where one can be named.
    pub fn position(&self) -> Option<u64> {
        match self {
            Self::Missing { position, .. } | Self::Unreadable { position, .. } => *position,
            Self::Record { position, .. } | Self::Tile { position, .. } => Some(*position),
            _ => None,
        }
    }
}

/// The record, for a message.
fn shown(position: Option<u64>) -> impl fmt::Display {
    position.map(|position| format!(", needed for record {position}")).unwrap_or_default()
}

/// Verifies an export: the signature, every record, every hash, and that nothing is missing
/// or in excess. Without a pinned key the export vouches for itself, and the report says so.
/// A checkpoint kept elsewhere, already opened with the key, uncovers truncation and forks.
///
/// # Errors
/// Names the first thing that is wrong.
pub fn verify_export(
    files: &dyn Files,
    pinned: Option<&VerifierKey>,
    kept: Option<&Checkpoint>,
) -> Result<Report, Broken> {
    let mut buffer = Vec::new();
    let own = read_key(files, &mut buffer)?;
    read(files, ExportPath::Checkpoint, None, &mut buffer)?;
    let (checkpoint, checked) = open_checkpoint(&buffer, &own, pinned)?;
    let signatures = Note::parse(&buffer).map_err(CheckpointError::from)?.signature_count();
    require_growth(&checkpoint, kept)?;
    let mut walk = Walk::new(files, &checkpoint, kept);
    walk.records().map_err(|later| walk.earlier().unwrap_or(later))?;
    walk.right_edge()?;
    walk.verdict()?;
    require_nothing_foreign(files, checkpoint.size)?;
    Ok(Report {
        checkpoint,
        verifier_key: pinned.unwrap_or(&own).to_string(),
        trust: if pinned.is_some() { Trust::Pinned } else { Trust::Unpinned },
        extends: kept.map(|kept| kept.size),
        signatures_unchecked: signatures.saturating_sub(checked),
    })
}

fn read(files: &dyn Files, path: ExportPath, position: Option<u64>, into: &mut Vec<u8>) -> Result<(), Broken> {
    let name = path.to_string();
    match files.read(&name, path.limit_bytes(), into) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Broken::Missing { path: name, position }),
        Err(source) => Err(Broken::Unreadable { path: name, position, source }),
    }
}

fn read_key(files: &dyn Files, buffer: &mut Vec<u8>) -> Result<VerifierKey, Broken> {
    read(files, ExportPath::VerifierKey, None, buffer)?;
    let text = std::str::from_utf8(buffer).ok().and_then(|text| text.strip_suffix('\n'));
    Ok(text.ok_or(KeyError::Form)?.parse()?)
}

/// The checkpoint, signed by the export's own key and by the pinned one; and by how many keys
/// that was seen. The two differ when the key was rotated since it was pinned: the pinned one
/// then signs along.
fn open_checkpoint(
    note: &[u8],
    own: &VerifierKey,
    pinned: Option<&VerifierKey>,
) -> Result<(Checkpoint, usize), Broken> {
    let Some(pinned) = pinned.filter(|pinned| *pinned != own) else { return Ok((Checkpoint::open(note, own)?, 1)) };
    let by_pinned = Checkpoint::open(note, pinned).map_err(|error| match error {
        CheckpointError::Note(NoteError::NotSigned(_)) => Broken::OtherKey,
        error => Broken::from(error),
    })?;
    Checkpoint::open(note, own)?;
    Ok((by_pinned, 2))
}

fn require_growth(checkpoint: &Checkpoint, kept: Option<&Checkpoint>) -> Result<(), Broken> {
    let Some(kept) = kept else { return Ok(()) };
    if kept.origin != checkpoint.origin {
        return Err(Broken::OtherLedger { kept: kept.origin.clone(), found: checkpoint.origin.clone() });
    }
    if kept.size > checkpoint.size {
        return Err(Broken::Truncated { kept: kept.size, found: checkpoint.size });
    }
    Ok(())
}

fn require_nothing_foreign(files: &dyn Files, size: u64) -> Result<(), Broken> {
    let mut foreign: Option<String> = None;
    let mut visit = |path: &str| {
        let belongs = path.parse::<ExportPath>().is_ok_and(|path| path.belongs(size));
        if !belongs && foreign.as_deref().is_none_or(|first| path < first) {
            foreign = Some(path.to_owned());
        }
    };
    files.list(&mut visit).map_err(Broken::Unlisted)?;
    foreign.map_or(Ok(()), |path| Err(Broken::Foreign { path }))
}

/// The first place where a stored hash is not the one that the records give.
#[derive(Clone, Copy)]
struct Difference {
    position: u64,
    tile: ExportPath,
}

/// A walk over all records, from the first to the last.
///
/// The tree is computed from the records, and every stored hash is compared with it. At the
/// first leaf that differs a second tree begins, over the stored leaf hashes: whichever of
/// the two has the signed root says whether the tile or the record is broken.
struct Walk<'a> {
    files: &'a dyn Files,
    checkpoint: &'a Checkpoint,
    kept: Option<&'a Checkpoint>,
    tenant: Option<TenantId>,
    computed: TileStack,
    stored: Option<(Difference, TreeHead)>,
    above: Option<Difference>,
    bundle: Vec<u8>,
    tile: Vec<u8>,
}

impl<'a> Walk<'a> {
    fn new(files: &'a dyn Files, checkpoint: &'a Checkpoint, kept: Option<&'a Checkpoint>) -> Self {
        Self {
            files,
            checkpoint,
            kept,
            tenant: tenant_of(&checkpoint.origin),
            computed: TileStack::default(),
            stored: None,
            above: None,
            bundle: Vec::new(),
            tile: Vec::new(),
        }
    }

    fn records(&mut self) -> Result<(), Broken> {
        self.compare_with_kept()?;
        for span in Span::all(self.checkpoint.size) {
            let first = span.index * TILE_WIDTH as u64;
            let (entries, leaves) = (ExportPath::Entries(span), ExportPath::Tile(0, span));
            read(self.files, entries, Some(first), &mut self.bundle)?;
            read(self.files, leaves, Some(first), &mut self.tile)?;
            let hashes = hashes_of(&self.tile, leaves, first)?;
            let bundle = std::mem::take(&mut self.bundle);
            self.records_of(&bundle, entries, &hashes)?;
            self.bundle = bundle;
        }
        Ok(())
    }

    fn records_of(&mut self, bundle: &[u8], path: ExportPath, hashes: &[Hash]) -> Result<(), Broken> {
        let mut rest = bundle;
        for stored in hashes {
            let position = self.computed.head.size;
            let broken = |problem| Broken::Record { position, path: path.to_string(), problem };
            let entry = next_entry(&mut rest).ok_or_else(|| broken(RecordProblem::CutShort))?;
            let found = parse_entry(entry).map_err(|problem| broken(problem.into()))?;
            if self.tenant.as_ref().is_some_and(|tenant| *tenant != found.tenant) {
                return Err(broken(RecordProblem::OtherTenant(found.tenant)));
            }
            self.grow(leaf_hash(entry), stored, hashes.len() as u64)?;
        }
        if rest.is_empty() {
            return Ok(());
        }
        let position = self.computed.head.size.saturating_sub(1);
        Err(Broken::Record { position, path: path.to_string(), problem: RecordProblem::GoesOn })
    }

    /// Takes the next leaf, as the record gives it and as the tile stores it.
    fn grow(&mut self, leaf: Hash, stored: &Hash, width: u64) -> Result<(), Broken> {
        if leaf != *stored && self.stored.is_none() {
            let position = self.computed.head.size;
            let span = Span { index: position / TILE_WIDTH as u64, width };
            let difference = Difference { position, tile: ExportPath::Tile(0, span) };
            self.stored = Some((difference, self.computed.head.clone()));
        }
        if let Some((_, head)) = &mut self.stored {
            tree::append(head, *stored);
        }
        for tile in self.computed.push(leaf).into_iter().filter(|tile| tile.level > 0) {
            self.compare(&tile)?;
        }
        self.compare_with_kept()
    }

    /// Compares a computed tile with the stored one.
    fn compare(&mut self, tile: &Tile) -> Result<(), Broken> {
        let below = u32::from(tile.level) * LEVEL_HEIGHT;
        let first = (tile.span.index * TILE_WIDTH as u64) << below;
        read(self.files, tile.path(), Some(first), &mut self.tile)?;
        let stored = hashes_of(&self.tile, tile.path(), first)?;
        let wrong = stored.iter().zip(&tile.hashes).position(|(stored, computed)| stored != computed);
        if let (Some(place), None) = (wrong, &self.above) {
            self.above = Some(Difference { position: first + ((place as u64) << below), tile: tile.path() });
        }
        Ok(())
    }

    fn compare_with_kept(&self) -> Result<(), Broken> {
        match self.kept {
            Some(kept) if kept.size == self.computed.head.size && kept.root != tree::root(&self.computed.head)? => {
                Err(Broken::Forked { kept: kept.size })
            }
            _ => Ok(()),
        }
    }

    /// Compares the tiles that are not complete. Those of level 0 were compared leaf by leaf.
    fn right_edge(&mut self) -> Result<(), Broken> {
        let partial: Vec<Tile> = self.computed.partial().filter(|tile| tile.level > 0).collect();
        partial.iter().try_for_each(|tile| self.compare(tile))
    }

    /// The difference that was seen before the walk had to stop.
    fn earlier(&self) -> Option<Broken> {
        let leaf = self.stored.as_ref().map(|(difference, _)| *difference);
        Some(self.at_odds(leaf.or(self.above)?))
    }

    /// Says what is broken, now that the whole tree is known.
    fn verdict(&self) -> Result<(), Broken> {
        let signed = self.checkpoint.root;
        let records_hold = tree::root(&self.computed.head)? == signed;
        match (&self.stored, self.above) {
            (None, None) if records_hold => Ok(()),
            (None, None) => Err(Broken::Rebuilt { since: self.kept.map_or(0, |kept| kept.size) }),
            (Some((leaf, _)), above) if records_hold => Err(damaged(*leaf, above)),
            (None, Some(above)) if records_hold => Err(damaged(above, None)),
            (Some((leaf, head)), _) if tree::root(head)? == signed => {
                Err(self.broken_record(leaf.position, RecordProblem::Altered))
            }
            (Some((leaf, _)), _) => Err(self.at_odds(*leaf)),
            (None, Some(above)) => Err(self.at_odds(above)),
        }
    }

    fn at_odds(&self, difference: Difference) -> Broken {
        self.broken_record(difference.position, RecordProblem::AtOdds(difference.tile.to_string()))
    }

    fn broken_record(&self, position: u64, problem: RecordProblem) -> Broken {
        let span = Span::of(position / TILE_WIDTH as u64, self.checkpoint.size);
        let path = span.map(|span| ExportPath::Entries(span).to_string()).unwrap_or_default();
        Broken::Record { position, path, problem }
    }
}

/// The tile that is damaged first, by the records under it.
fn damaged(leaf: Difference, above: Option<Difference>) -> Broken {
    let first = above.filter(|above| above.position < leaf.position).unwrap_or(leaf);
    Broken::Tile { path: first.tile.to_string(), position: first.position }
}

/// The hashes of a tile file, which has exactly as many as its path says.
fn hashes_of(bytes: &[u8], path: ExportPath, first: u64) -> Result<Vec<Hash>, Broken> {
    let (hashes, _) = bytes.as_chunks::<{ size_of::<Hash>() }>();
    if bytes.len() == path.limit_bytes() {
        return Ok(hashes.to_vec());
    }
    let level = if let ExportPath::Tile(level, _) = path { level } else { 0 };
    let position = first + ((hashes.len() as u64) << (u32::from(level) * LEVEL_HEIGHT));
    Err(Broken::Tile { path: path.to_string(), position })
}

/// Takes the next length-prefixed entry off a bundle.
fn next_entry<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = after;
    Some(entry)
}

#[cfg(test)]
#[path = "verify_tests.rs"]
mod tests;
