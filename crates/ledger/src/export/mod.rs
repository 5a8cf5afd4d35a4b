//! The layout of an exported ledger, after C2SP tlog-tiles: a `checkpoint`, hash tiles,
//! entry bundles, and `vkey` beside them. Must not know whether the files are on a disk.

pub mod dir;
mod write;

use std::fmt;
use std::io;
use std::str::FromStr;

use aegis_model::ledger::Hash;

use crate::canonical::ENTRY_SIZE_MAX_BYTES;
use crate::checkpoint::decimal;
use crate::note::NOTE_SIZE_MAX_BYTES;
use crate::tree::{LEVEL_HEIGHT, TILE_WIDTH};

pub use dir::Directory;
pub use write::{ExportError, Exporter};
pub(crate) use write::{Tile, TileStack};

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportFile {
    /// Where, with `/` between names; never absolute, never `..`.
    pub path: String,
    /// What.
    pub bytes: Vec<u8>,
}

/// Where the files of an export are read from.
pub trait Files {
    /// Reads a plain file whole into `into`; false if there is none. Refuses a file with more
    /// than `limit_bytes`, and everything that is not a plain file.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn read(&self, path: &str, limit_bytes: usize, into: &mut Vec<u8>) -> io::Result<bool>;

    /// Shows the path of everything that is not a directory.
    ///
    /// # Errors
    /// When a directory cannot be read.
    fn list(&self, visit: &mut dyn FnMut(&str)) -> io::Result<()>;
}

/// A file that an export may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExportPath {
    /// The signed head.
    Checkpoint,
    /// The key that signed it; information, not trust.
    VerifierKey,
    /// Entries `256 × index` and on.
    Entries(Span),
    /// Hashes `256 × index` and on, of a level.
    Tile(u8, Span),
}

/// Up to 256 neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// Which 256.
    pub index: u64,
    /// How many of them: 1 to 256.
    pub width: u64,
}

impl Span {
    /// The span `index` of `count` things; `None` if it would be empty.
    pub fn of(index: u64, count: u64) -> Option<Self> {
        let width = count.saturating_sub(index.checked_mul(TILE_WIDTH as u64)?).min(TILE_WIDTH as u64);
        (width > 0).then_some(Self { index, width })
    }

    /// All spans of `count` things.
    pub fn all(count: u64) -> impl Iterator<Item = Self> {
        (0..count.div_ceil(TILE_WIDTH as u64)).filter_map(move |index| Self::of(index, count))
    }
}

/// How many kept hashes a level has in a tree of `size` entries; leaves at level 0.
pub(crate) fn level_width(size: u64, level: u8) -> u64 {
    size.checked_shr(u32::from(level) * LEVEL_HEIGHT).unwrap_or(0)
}

impl ExportPath {
    /// Whether an export of `size` entries has this file.
    pub fn belongs(self, size: u64) -> bool {
        match self {
            Self::Checkpoint | Self::VerifierKey => true,
            Self::Entries(span) => Span::of(span.index, size) == Some(span),
            Self::Tile(level, span) => Span::of(span.index, level_width(size, level)) == Some(span),
        }
    }

    /// The largest the file can be.
    pub fn limit_bytes(self) -> usize {
        match self {
            Self::Checkpoint => NOTE_SIZE_MAX_BYTES,
            Self::VerifierKey => 1024,
            Self::Entries(span) => span.width as usize * (ENTRY_SIZE_MAX_BYTES + 2),
            Self::Tile(_, span) => span.width as usize * size_of::<Hash>(),
        }
    }
}

impl fmt::Display for ExportPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Checkpoint => f.write_str("checkpoint"),
            Self::VerifierKey => f.write_str("vkey"),
            Self::Entries(span) => write!(f, "tile/entries/{span}"),
            Self::Tile(level, span) => write!(f, "tile/{level}/{span}"),
        }
    }
}

/// The number in groups of three digits, all but the last marked: `x001/x234/067`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut groups = vec![format!("{:03}", self.index % 1_000)];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1_000));
            rest /= 1_000;
        }
        groups.reverse();
        f.write_str(&groups.join("/"))?;
        if self.width < TILE_WIDTH as u64 {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

/// The path names no file of any export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreign;

impl FromStr for ExportPath {
    type Err = Foreign;

    fn from_str(text: &str) -> Result<Self, Foreign> {
        let path = match text {
            "checkpoint" => Self::Checkpoint,
            "vkey" => Self::VerifierKey,
            _ => tile_path(text).ok_or(Foreign)?,
        };
        // Whatever reads back otherwise was another way to write the same number.
        if path.to_string() == text { Ok(path) } else { Err(Foreign) }
    }
}

fn tile_path(text: &str) -> Option<ExportPath> {
    let (level, span) = text.strip_prefix("tile/")?.split_once('/')?;
    let (index, width) = match span.split_once(".p/") {
        Some((index, width)) => (index, decimal(width)?),
        None => (span, TILE_WIDTH as u64),
    };
    let digits: String = index.split('/').map(|group| group.strip_prefix('x').unwrap_or(group)).collect();
    let span = Span { index: digits.parse().ok()?, width };
    match level {
        "entries" => Some(ExportPath::Entries(span)),
        _ => Some(ExportPath::Tile(level.parse().ok()?, span)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn full(index: u64) -> Span {
        Span { index, width: 256 }
    }

    #[test]
    fn paths_are_written_as_the_standard_says() {
        assert_eq!(ExportPath::Tile(0, full(0)).to_string(), "tile/0/000");
        assert_eq!(ExportPath::Tile(2, full(1_234_067)).to_string(), "tile/2/x001/x234/067");
        assert_eq!(ExportPath::Entries(full(1_000)).to_string(), "tile/entries/x001/000");
        let partial = Span { index: 273, width: 112 };
        assert_eq!(ExportPath::Entries(partial).to_string(), "tile/entries/273.p/112");
    }

    #[test]
    fn a_tree_has_the_tiles_of_the_standards_example() {
        let spans = |level| Span::all(level_width(70_000, level)).collect::<Vec<_>>();
        assert_eq!((spans(0).len(), spans(0)[273]), (274, Span { index: 273, width: 112 }));
        assert_eq!(spans(1), [full(0), Span { index: 1, width: 17 }]);
        assert_eq!(spans(2), [Span { index: 0, width: 1 }]);
        assert_eq!(spans(3), []);
        assert_eq!(Span::all(256).collect::<Vec<_>>(), [full(0)]);
        assert_eq!(Span::all(level_width(256, 1)).collect::<Vec<_>>(), [Span { index: 0, width: 1 }]);
    }

    #[test]
    fn other_ways_to_write_a_path_are_foreign() {
        for bad in [
            "",
            "/checkpoint",
            "./checkpoint",
            "Checkpoint",
            "tile/0/0",
            "tile/0/0000",
            "tile/00/000",
            "tile/0/000/",
            "tile/0/x000/000",
            "tile/0/x001/x000",
            "tile/0/001/000",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/007",
            "tile/0/000.p",
            "tile/0/-01",
            "tile/0/+01",
            "tile/256/000",
            "tile/entries/000.p/1/x",
            "tile/entries/../000",
            "tile/0/x999/x999/x999/x999/x999/x999/999",
        ] {
            let verdict = bad.parse::<ExportPath>().map(|path| path.belongs(1_000_000));
            assert!(verdict != Ok(true), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn every_path_reads_back(index in any::<u64>(), width in 1_u64..=256, level in 0_u8..64, entries in any::<bool>()) {
            let span = Span { index, width };
            let path = if entries { ExportPath::Entries(span) } else { ExportPath::Tile(level, span) };
            prop_assert_eq!(path.to_string().parse::<ExportPath>(), Ok(path));
        }

        #[test]
        fn exactly_the_spans_of_a_tree_belong_to_it(size in 0_u64..200_000, index in 0_u64..800, width in 1_u64..=256) {
            let span = Span { index, width };
            prop_assert_eq!(ExportPath::Entries(span).belongs(size), Span::all(size).any(|other| other == span));
        }
    }
}
