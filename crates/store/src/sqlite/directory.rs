//! The data directory: made if it is missing, locked against a second process, and the
//! database file in it kept from other users. Opens no database.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::open_error::OpenError;

/// The name of the database in the data directory.
pub(super) const DATABASE_NAME: &str = "aegis.db";
const LOCK_NAME: &str = "lock";

/// A data directory that belongs to this process for as long as the value lives.
pub struct DirectoryLock {
    dir: PathBuf,
    _lock: File,
}

impl DirectoryLock {
    /// Makes the directory if need be and takes it.
    ///
    /// # Errors
    /// When somebody else has it, or it cannot be used.
    pub fn take(dir: &Path) -> Result<Self, OpenError> {
        make(dir)?;
        let lock = lock(dir)?;
        Ok(Self { dir: dir.to_owned(), _lock: lock })
    }

    /// The directory.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the database file if need be.
    pub(super) fn database(&self) -> Result<PathBuf, OpenError> {
        let database = self.dir.join(DATABASE_NAME);
        make_database(&self.dir, &database)?;
        Ok(database)
    }
}

fn unusable(dir: &Path) -> impl Fn(std::io::Error) -> OpenError {
    move |source| OpenError::of_io(dir, source)
}

fn make(dir: &Path) -> Result<(), OpenError> {
    if dir.exists() && !dir.is_dir() {
        return Err(OpenError::NotADirectory { dir: dir.to_owned() });
    }
    if dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(unusable(dir))?;
    match dir.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_directory(parent),
        _ => Ok(()),
    }
}

/// A name is durable only when its directory is.
fn sync_directory(dir: &Path) -> Result<(), OpenError> {
    File::open(dir).and_then(|opened| opened.sync_all()).map_err(unusable(dir))
}

/// The file stays when the process ends, the lock does not: the kernel drops it even after
/// a crash, so there is no stale lock to clean up.
fn lock(dir: &Path) -> Result<File, OpenError> {
    let mut file = private_file(&dir.join(LOCK_NAME)).map_err(unusable(dir))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => return Err(OpenError::InUse { dir: dir.to_owned(), pid: holder(&mut file) }),
        Err(error) => return Err(OpenError::of_io(dir, error.into())),
    }
    let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| writeln!(file, "{}", std::process::id()));
    written.map_err(unusable(dir))?;
    Ok(file)
}

/// The process that holds the lock, as far as it has said so.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// Opens a file that only its owner can read; never through a symbolic link.
fn private_file(path: &Path) -> std::io::Result<File> {
    let no_follow = OFlags::NOFOLLOW.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

fn make_database(dir: &Path, database: &Path) -> Result<(), OpenError> {
    let is_new = !database.exists();
    private_file(database).map_err(unusable(dir))?;
    if is_new { sync_directory(dir) } else { Ok(()) }
}
