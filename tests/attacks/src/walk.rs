//! A bounded walk through a part of the file system. Owns its bounds; never follows a link.

use std::fs::FileType;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// How far a walk goes.
pub struct Walk<'a> {
    /// How many directories deep.
    pub depth: usize,
    /// How many entries at most.
    pub entries_max: usize,
    /// Directories that are not entered.
    pub skip: &'a [&'a str],
}

impl Walk<'_> {
    /// Visits everything below `root` until `visit` breaks. Answers whether all of it was seen.
    pub fn visit(&self, root: &str, mut visit: impl FnMut(&Path, FileType) -> ControlFlow<()>) -> bool {
        let mut waiting: Vec<(PathBuf, usize)> = vec![(root.into(), self.depth)];
        let mut seen = 0;
        while let Some((directory, depth)) = waiting.pop() {
            // A directory that cannot be listed holds nothing that can be found.
            let Ok(entries) = std::fs::read_dir(&directory) else { continue };
            for entry in entries.flatten() {
                // Not `entry.file_type()`: of a file that is mounted over it tells what is beneath.
                let path = entry.path();
                let Ok(kind) = std::fs::symlink_metadata(&path).map(|metadata| metadata.file_type()) else { continue };
                seen += 1;
                if seen > self.entries_max || visit(&path, kind).is_break() {
                    return false;
                }
                if kind.is_dir() && depth > 1 && !self.skips(&path) {
                    waiting.push((path, depth - 1));
                }
            }
        }
        true
    }

    fn skips(&self, path: &Path) -> bool {
        self.skip.iter().any(|skipped| path == Path::new(skipped))
    }
}

/// The most entries that are named in a reason.
const NAMED_MAX: usize = 5;

/// Names what was found: the first few, and how many there were.
pub fn summary(found: &[String]) -> String {
    let named: Vec<&str> = found.iter().take(NAMED_MAX).map(String::as_str).collect();
    match found.len().saturating_sub(NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::{Walk, summary};
    use std::ops::ControlFlow;

    #[test]
    fn a_summary_names_a_few_and_counts_the_rest() {
        let found: Vec<String> = (0..7).map(|number| number.to_string()).collect();
        assert_eq!(summary(&found), "0, 1, 2, 3, 4 and 2 more");
        assert_eq!(summary(&found[..2]), "0, 1");
    }

    #[test]
    fn a_walk_stops_at_its_bounds() {
        let mut seen = 0;
        let whole = Walk { depth: 3, entries_max: 2, skip: &[] }.visit("/usr", |_, _| {
            seen += 1;
            ControlFlow::Continue(())
        });
        assert!(!whole && seen == 2);
    }
}
