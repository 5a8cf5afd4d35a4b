//! An export on a disk. The only place of this room that touches files.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::{ExportFile, Files};

/// Directories within each other that an export can have: `tile`, the level, and the groups
/// of digits of the largest index.
const DEPTH_MAX: usize = 12;

/// The directory of an export.
#[derive(Clone, Debug)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// The export in `root`, which need not exist yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Writes a file. Never overwrites one: an export is made in an empty directory.
    ///
    /// # Errors
    /// When there is such a file already, or it cannot be written.
    pub fn write(&self, file: &ExportFile) -> io::Result<()> {
        let path = self.root.join(&file.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        File::create_new(path)?.write_all(&file.bytes)
    }
}

impl Files for Directory {
    fn read(&self, path: &str, limit_bytes: usize, into: &mut Vec<u8>) -> io::Result<bool> {
        into.clear();
        let path = self.root.join(path);
        // A pipe or a device would block or never end, so the kind is looked at before opening.
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_file() => {}
            Ok(_) => return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain file")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        }
        File::open(path)?.take(limit_bytes as u64 + 1).read_to_end(into)?;
        if into.len() > limit_bytes {
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than such a file can be"));
        }
        Ok(true)
    }

    fn list(&self, visit: &mut dyn FnMut(&str)) -> io::Result<()> {
        walk(&self.root, "", DEPTH_MAX, visit)
    }
}

/// Links are shown, not followed.
fn walk(directory: &Path, prefix: &str, depth: usize, visit: &mut dyn FnMut(&str)) -> io::Result<()> {
    for found in fs::read_dir(directory)? {
        let found = found?;
        let path = format!("{prefix}{}", found.file_name().to_string_lossy());
        if found.file_type()?.is_dir() && depth > 0 {
            walk(&found.path(), &format!("{path}/"), depth - 1, visit)?;
        } else {
            visit(&path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, bytes: &[u8]) -> ExportFile {
        ExportFile { path: path.to_owned(), bytes: bytes.to_vec() }
    }

    #[test]
    fn files_are_written_once_and_read_back_within_their_limit() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::new(temporary.path().join("export"));
        directory.write(&file("tile/0/x001/000.p/3", b"abc")).unwrap();
        let mut bytes = b"left over".to_vec();
        assert!(directory.read("tile/0/x001/000.p/3", 3, &mut bytes).unwrap());
        assert_eq!(bytes, b"abc");
        assert!(directory.read("tile/0/x001/000.p/3", 2, &mut bytes).is_err());
        assert!(!directory.read("tile/0/x001/000.p/4", 3, &mut bytes).unwrap());
        assert!(bytes.is_empty());
        assert!(directory.write(&file("tile/0/x001/000.p/3", b"xyz")).is_err());
        let mut seen = Vec::new();
        directory.list(&mut |path| seen.push(path.to_owned())).unwrap();
        assert_eq!(seen, ["tile/0/x001/000.p/3"]);
    }

    #[test]
    fn what_is_not_a_plain_file_is_not_read_but_shown() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = Directory::new(temporary.path());
        std::os::unix::fs::symlink("/dev/zero", temporary.path().join("checkpoint")).unwrap();
        fs::create_dir(temporary.path().join("vkey")).unwrap();
        let mut bytes = Vec::new();
        assert!(directory.read("checkpoint", 10, &mut bytes).is_err());
        assert!(directory.read("vkey", 10, &mut bytes).is_err());
        let mut seen = Vec::new();
        directory.list(&mut |path| seen.push(path.to_owned())).unwrap();
        assert_eq!(seen, ["checkpoint"]);
    }
}
