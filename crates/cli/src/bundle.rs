//! Packs code as tar.zst. The same files are always the same bytes: sorted, without times,
//! owners or the machine's own modes. Must not know: where a bundle goes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use ruzstd::encoding::{CompressionLevel, compress};
use tar::{Builder, EntryType, Header};

/// Largest bundle before compression; the whole of it is held in memory.
const UNPACKED_SIZE_MAX_BYTES: u64 = 512 * 1024 * 1024;
/// The one name that is left out: history is no code.
const SKIPPED: &str = ".git";

/// A packed bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed {
    /// tar.zst.
    pub(crate) bytes: Vec<u8>,
    /// Number of files.
    pub(crate) files: u64,
    /// Size of the files.
    pub(crate) unpacked_bytes: u64,
    /// Whether something was left out.
    pub(crate) skipped: bool,
}

/// Why a bundle cannot be packed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    #[error("cannot read `{path}`: {cause}")]
    Unreadable { path: String, cause: io::Error },
    #[error("`{path}` {problem}")]
    Unpackable { path: String, problem: &'static str },
    #[error("the files are larger than {UNPACKED_SIZE_MAX_BYTES} bytes in all")]
    TooLarge,
    #[error("cannot pack: {0}")]
    Archive(#[from] io::Error),
}

impl PackError {
    fn unpackable(path: &Path, problem: &'static str) -> Self {
        Self::Unpackable { path: path.display().to_string(), problem }
    }
}

/// Packs the paths, which are relative to `directory`, under their own names.
pub(crate) fn pack(directory: &Path, paths: &[&str]) -> Result<Packed, PackError> {
    let mut packer = Packer {
        directory,
        root: PathBuf::new(),
        archive: Builder::new(Vec::new()),
        files: 0,
        unpacked_bytes: 0,
        skipped: false,
    };
    let mut roots: Vec<PathBuf> = paths.iter().map(|path| normal(path)).collect();
    roots.sort();
    roots.dedup();
    // A path below another one is packed with it.
    let inner: Vec<PathBuf> = roots.iter().filter(|path| is_below_another(path, &roots)).cloned().collect();
    for root in roots.iter().filter(|root| !inner.contains(root)) {
        packer.root = root.clone();
        packer.add(root)?;
    }
    packer.finish()
}

/// The path without `.`; what it may hold was checked when the manifest was read.
fn normal(path: &str) -> PathBuf {
    Path::new(path).components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

fn is_below_another(path: &Path, roots: &[PathBuf]) -> bool {
    roots.iter().any(|root| root != path && path.starts_with(root))
}

struct Packer<'a> {
    directory: &'a Path,
    /// The path that is being packed; links may not lead out of it.
    root: PathBuf,
    archive: Builder<Vec<u8>>,
    files: u64,
    unpacked_bytes: u64,
    skipped: bool,
}

impl Packer<'_> {
    /// Adds what is at `path`, whatever it is.
    fn add(&mut self, path: &Path) -> Result<(), PackError> {
        if path.file_name() == Some(OsStr::new(SKIPPED)) {
            self.skipped = true;
            return Ok(());
        }
        if path.to_str().is_none_or(|text| text.contains('\\')) {
            return Err(PackError::unpackable(path, "has a name that is not plain text"));
        }
        let source = self.directory.join(path);
        let found = fs::symlink_metadata(&source).map_err(|error| unreadable(path, error))?;
        match found.file_type() {
            kind if kind.is_dir() => self.add_directory(path, &source),
            kind if kind.is_file() => self.add_file(path, &source),
            kind if kind.is_symlink() => self.add_link(path, &source),
            _ => Err(PackError::unpackable(path, "is neither a file nor a directory")),
        }
    }

    fn add_directory(&mut self, path: &Path, source: &Path) -> Result<(), PackError> {
        if !path.as_os_str().is_empty() {
            let mut header = header(EntryType::Directory, 0o755, 0);
            self.archive.append_data(&mut header, format!("{}/", path.display()), io::empty())?;
        }
        let entries = fs::read_dir(source).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let mut names: Vec<_> =
            entries.map_err(|error| unreadable(path, error))?.iter().map(fs::DirEntry::file_name).collect();
        names.sort();
        names.iter().try_for_each(|name| self.add(&path.join(name)))
    }

    fn add_file(&mut self, path: &Path, source: &Path) -> Result<(), PackError> {
        let file = File::open(source).map_err(|error| unreadable(path, error))?;
        let found = file.metadata().map_err(|error| unreadable(path, error))?;
        let is_program = found.permissions().mode() & 0o111 != 0;
        self.unpacked_bytes = self.unpacked_bytes.saturating_add(found.len());
        if self.unpacked_bytes > UNPACKED_SIZE_MAX_BYTES {
            return Err(PackError::TooLarge);
        }
        self.files += 1;
        let mut header = header(EntryType::Regular, if is_program { 0o755 } else { 0o644 }, found.len());
        let mut content = Exactly { file, left: found.len() };
        self.archive.append_data(&mut header, path, &mut content)?;
        if content.left > 0 {
            return Err(PackError::unpackable(path, "became shorter while it was read"));
        }
        Ok(())
    }

    /// Adds a symbolic link, if it stays inside of what is packed.
    fn add_link(&mut self, path: &Path, source: &Path) -> Result<(), PackError> {
        let target = fs::read_link(source).map_err(|error| unreadable(path, error))?;
        if !stays_inside(path.strip_prefix(&self.root).unwrap_or(path), &target) {
            return Err(PackError::unpackable(path, "is a link that leads out of what is packed"));
        }
        let mut header = header(EntryType::Symlink, 0o777, 0);
        self.archive.append_link(&mut header, path, &target)?;
        Ok(())
    }

    fn finish(self) -> Result<Packed, PackError> {
        let archive = self.archive.into_inner()?;
        let mut bytes = Vec::with_capacity(archive.len() / 3);
        compress(archive.as_slice(), &mut bytes, CompressionLevel::Fastest);
        bytes.flush()?;
        Ok(Packed { bytes, files: self.files, unpacked_bytes: self.unpacked_bytes, skipped: self.skipped })
    }
}

/// A file's content, of exactly the length that its header says, also if it grows meanwhile.
struct Exactly {
    file: File,
    left: u64,
}

impl io::Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let read = buffer.get_mut(..wanted).map_or(Ok(0), |part| self.file.read(part))?;
        self.left -= read as u64;
        Ok(read)
    }
}

fn header(kind: EntryType, mode: u32, size_bytes: u64) -> Header {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size_bytes);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Whether a link at `path`, counted from what is packed, ends inside. Only names are looked at.
fn stays_inside(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}

fn unreadable(path: &Path, cause: io::Error) -> PackError {
    PackError::Unreadable { path: path.display().to_string(), cause }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A directory with the given files.
    fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        for (path, content) in files {
            let path = directory.path().join(path);
            fs::create_dir_all(path.parent().expect("parent")).expect("directories");
            fs::write(path, content).expect("a file");
        }
        directory
    }

    /// Every entry: name, mode, content.
    fn entries(packed: &Packed) -> Vec<(String, u32, String)> {
        let mut archive = Vec::new();
        let mut decoder = ruzstd::decoding::StreamingDecoder::new(packed.bytes.as_slice()).expect("zstd");
        decoder.read_to_end(&mut archive).expect("content");
        let mut archive = tar::Archive::new(archive.as_slice());
        let entries = archive.entries().expect("tar").map(|entry| {
            let mut entry = entry.expect("entry");
            let header = entry.header().clone();
            assert_eq!((header.mtime().ok(), header.uid().ok(), header.gid().ok()), (Some(0), Some(0), Some(0)));
            let name = entry.path().expect("name").display().to_string();
            let mut content = String::new();
            entry.read_to_string(&mut content).expect("content");
            let link = entry.link_name().expect("link").map(|link| format!("-> {}", link.display()));
            (name, header.mode().expect("mode"), link.unwrap_or(content))
        });
        entries.collect()
    }

    fn names(packed: &Packed) -> Vec<String> {
        entries(packed).into_iter().map(|(name, _, _)| name).collect()
    }

    #[test]
    fn files_keep_their_place_in_the_project_and_history_is_left_out() {
        let directory =
            project(&[("src/agent.py", "print()"), ("src/a/b", "x"), ("src/.git/HEAD", "y"), ("other", "z")]);
        let packed = pack(directory.path(), &["./src"]).expect("packed");
        assert_eq!(names(&packed), ["src/", "src/a/", "src/a/b", "src/agent.py"]);
        assert_eq!((packed.files, packed.unpacked_bytes, packed.skipped), (2, 8, true));
    }

    #[test]
    fn the_project_itself_can_be_the_source() {
        let directory = project(&[("agent.py", "x"), (".git/HEAD", "y")]);
        assert_eq!(names(&pack(directory.path(), &["."]).expect("packed")), ["agent.py"]);
        assert_eq!(names(&pack(directory.path(), &[".", "./agent.py"]).expect("packed")), ["agent.py"]);
    }

    #[test]
    fn times_and_modes_of_the_machine_do_not_matter() {
        let one = project(&[("src/b", "1"), ("src/a", "2")]);
        let other = project(&[("src/a", "2"), ("src/b", "1")]);
        fs::set_permissions(other.path().join("src/a"), fs::Permissions::from_mode(0o600)).expect("mode");
        let file = File::open(other.path().join("src/b")).expect("file");
        file.set_modified(std::time::UNIX_EPOCH).expect("time");
        assert_eq!(pack(one.path(), &["src"]).expect("packed"), pack(other.path(), &["./src/"]).expect("packed"));
    }

    #[test]
    fn a_program_stays_one() {
        let directory = project(&[("src/run", "#!"), ("src/text", "")]);
        fs::set_permissions(directory.path().join("src/run"), fs::Permissions::from_mode(0o4711)).expect("mode");
        let modes: Vec<u32> = entries(&pack(directory.path(), &["src"]).expect("packed")).iter().map(|e| e.1).collect();
        assert_eq!(modes, [0o755, 0o755, 0o644]);
    }

    #[test]
    fn links_inside_are_kept_and_links_out_are_refused_by_name() {
        let directory = project(&[("src/a/file", "x")]);
        symlink("a/file", directory.path().join("src/link")).expect("link");
        symlink("../link", directory.path().join("src/a/up")).expect("link");
        let packed = pack(directory.path(), &["src"]).expect("packed");
        assert!(entries(&packed).contains(&("src/link".to_owned(), 0o777, "-> a/file".to_owned())));
        for target in ["/etc/passwd", "../../etc/passwd", "../../src/x", "b/../../../x"] {
            let path = directory.path().join("src/a/out");
            let _ = fs::remove_file(&path);
            symlink(target, &path).expect("link");
            let error = pack(directory.path(), &["src"]).expect_err("a link out");
            assert!(error.to_string().contains("src/a/out"), "{target}: {error}");
        }
    }

    #[test]
    fn long_names_and_empty_and_large_files_are_whole() {
        let long = format!("src/{}/{}", "d".repeat(120), "f".repeat(140));
        let large = "0123456789abcdef".repeat(40_000);
        let directory = project(&[(long.as_str(), "x"), ("src/empty", ""), ("src/large", large.as_str())]);
        let packed = pack(directory.path(), &["src"]).expect("packed");
        let entries = entries(&packed);
        assert!(entries.iter().any(|(name, _, content)| *name == long && content == "x"));
        assert!(entries.iter().any(|(name, _, content)| name == "src/large" && *content == large));
        assert!(packed.bytes.len() < large.len() / 4, "{}", packed.bytes.len());
    }

    #[test]
    fn what_is_missing_or_no_file_is_named() {
        let directory = project(&[]);
        assert!(pack(directory.path(), &["src"]).expect_err("missing").to_string().contains("`src`"));
        let _socket = std::os::unix::net::UnixListener::bind(directory.path().join("socket")).expect("a socket");
        assert!(pack(directory.path(), &["."]).expect_err("a socket").to_string().contains("`socket`"));
    }
}
