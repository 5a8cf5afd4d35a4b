//! The tree of files that the entries of a bundle make, as far as it decides which entries
//! are acceptable. Must not know: archives.

use std::collections::BTreeMap;

use super::BundleError;
use super::path::EntryProblem;

/// What lies at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Directory,
    SymbolicLink,
}

struct Node {
    kind: Kind,
    path: String,
}

/// Every path that was named, in the form that file systems without case would see.
#[derive(Default)]
pub(super) struct Layout {
    nodes: BTreeMap<String, Node>,
    files: u64,
}

impl Layout {
    /// Adds an entry, unless its path is taken.
    pub(super) fn add(&mut self, parts: &[String], kind: Kind) -> Result<(), EntryProblem> {
        let path = parts.join("/");
        let folded = path.to_lowercase();
        match self.nodes.get(&folded) {
            Some(node) if node.path == path => return Err(EntryProblem::Repeated),
            Some(_) => return Err(EntryProblem::CaseClash),
            None => {}
        }
        self.nodes.insert(folded, Node { kind, path });
        self.files += u64::from(kind != Kind::Directory);
        Ok(())
    }

    /// Whether a file of exactly that path was there before.
    pub(super) fn has_file(&self, parts: &[String]) -> bool {
        let path = parts.join("/");
        let node = self.nodes.get(&path.to_lowercase());
        node.is_some_and(|node| node.kind == Kind::File && node.path == path)
    }

    /// Judges the whole tree: every parent that is an entry must be a directory, in the same
    /// spelling. Entries may come in any order, so that this is known only at the end.
    pub(super) fn finish(self) -> Result<u64, BundleError> {
        for node in self.nodes.values() {
            for (index, _) in node.path.match_indices('/') {
                let parent = node.path.get(..index).unwrap_or_default();
                let Some(above) = self.nodes.get(&parent.to_lowercase()) else { continue };
                if above.kind != Kind::Directory {
                    return Err(BundleError::entry(node.path.as_bytes(), EntryProblem::BelowFile));
                }
                if above.path != parent {
                    return Err(BundleError::entry(node.path.as_bytes(), EntryProblem::CaseClash));
                }
            }
        }
        if self.files == 0 { Err(BundleError::Empty) } else { Ok(self.files) }
    }
}
