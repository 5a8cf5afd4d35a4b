//! Where logs lie: two files for each session, the newer and the older half, so that the
//! oldest lines go first and nothing is ever rewritten.
//!
//! ```text
//! DIR/TENANT/DIGEST-OF-SESSION/new     lines of JSON
//! DIR/TENANT/DIGEST-OF-SESSION/old
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use aegis_model::run::{LogDraft, LogLine};
use aegis_model::{SessionId, TenantId};
use sha2::{Digest, Sha256};

/// A session's log is at most twice as large.
const HALF_BYTES_MAX: u64 = 512 * 1024;

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const NEW: &str = "new";
const OLD: &str = "old";

/// Where logs lie.
#[derive(Clone, Debug)]
pub struct Shelf {
    root: PathBuf,
    bytes_max: u64,
}

/// The log of a session, open for writing.
pub struct Book {
    folder: PathBuf,
    file: BufWriter<File>,
    bytes: u64,
    next: u64,
}

impl Shelf {
    /// Opens the directory; keeps up to `bytes_max` in it.
    pub fn open(root: PathBuf, bytes_max: u64) -> io::Result<Self> {
        make_directory(&root)?;
        Ok(Self { root, bytes_max })
    }

    fn folder(&self, tenant: &TenantId, session: &SessionId) -> PathBuf {
        let digest = Sha256::digest(session.as_str().as_bytes());
        let name: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.root.join(tenant.as_str()).join(name)
    }

    /// The log of a session, to go on writing.
    pub fn book(&self, tenant: &TenantId, session: &SessionId) -> io::Result<Book> {
        let folder = self.folder(tenant, session);
        make_directory(&folder)?;
        let last = lines(&folder, 0)?.last().map_or(0, |line| line.number);
        let file = append_to(&folder.join(NEW))?;
        let bytes = file.metadata()?.len();
        Ok(Book { folder, file: BufWriter::new(file), bytes, next: last + 1 })
    }

    /// Lines after that number.
    pub fn read(&self, tenant: &TenantId, session: &SessionId, after: u64, limit: usize) -> io::Result<Vec<LogLine>> {
        let mut found = lines(&self.folder(tenant, session), after)?;
        found.truncate(limit);
        Ok(found)
    }

    /// Removes whole logs, the ones that were written longest ago first, until the rest fits.
    pub fn sweep(&self) {
        let mut logs: Vec<(SystemTime, u64, PathBuf)> =
            folders(&self.root).iter().flat_map(|tenant| folders(tenant)).map(weighed).collect();
        let mut bytes: u64 = logs.iter().map(|(_, bytes, _)| *bytes).sum();
        logs.sort();
        for (_, size, folder) in logs {
            if bytes <= self.bytes_max {
                return;
            }
            if fs::remove_dir_all(&folder).is_ok() {
                bytes = bytes.saturating_sub(size);
            }
        }
    }
}

impl Book {
    /// Adds a line.
    pub fn write(&mut self, draft: LogDraft) -> io::Result<()> {
        if self.bytes > HALF_BYTES_MAX {
            self.file.flush()?;
            fs::rename(self.folder.join(NEW), self.folder.join(OLD))?;
            self.file = BufWriter::new(append_to(&self.folder.join(NEW))?);
            self.bytes = 0;
        }
        let LogDraft { at, run_id, correlation_id, text } = draft;
        let mut line = serde_json::to_vec(&LogLine { number: self.next, at, run_id, correlation_id, text })
            .map_err(io::Error::other)?;
        line.push(b'\n');
        self.file.write_all(&line)?;
        self.bytes += u64::try_from(line.len()).unwrap_or_default();
        self.next += 1;
        Ok(())
    }

    /// Everything is on its file.
    pub fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Lines after that number, oldest first. What a crash left half written is left out.
fn lines(folder: &Path, after: u64) -> io::Result<Vec<LogLine>> {
    let mut found = Vec::new();
    for name in [OLD, NEW] {
        let file = match File::open(folder.join(name)) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for line in BufReader::new(file).split(b'\n') {
            let line: Option<LogLine> = serde_json::from_slice(&line?).ok();
            found.extend(line.filter(|line| line.number > after));
        }
    }
    Ok(found)
}

fn make_directory(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(path)
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(FILE_MODE).open(path)
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// When a log was written last, and how large it is.
fn weighed(folder: PathBuf) -> (SystemTime, u64, PathBuf) {
    let about = |name: &str| fs::metadata(folder.join(name)).ok();
    let (new, old) = (about(NEW), about(OLD));
    let written = new.as_ref().and_then(|about| about.modified().ok()).unwrap_or(SystemTime::UNIX_EPOCH);
    let bytes = new.map_or(0, |about| about.len()) + old.map_or(0, |about| about.len());
    (written, bytes, folder)
}
