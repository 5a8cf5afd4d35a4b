//! Objects as files in a directory of their own.
//!
//! ```text
//! DIR/ab/cdef…      an object; the digest is cut after two letters
//! DIR/incoming/…    a file on its way in
//! DIR/lock          says whether somebody is at work here
//! ```
//!
//! An object is written under `incoming`, synced, renamed to its place, and the directory is
//! synced: at every moment the place holds nothing or everything. What a crash leaves behind
//! lies in `incoming` and is swept away by the next opening.
//! Must not know: what the objects are, or who may read them.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aegis_model::port::{ObjectError, Objects};
use async_trait::async_trait;
use bytes::Bytes;
use sha2::{Digest, Sha256};

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
/// Hexadecimal digits of a SHA-256.
const DIGEST_LENGTH: usize = 64;
/// Digits of a digest that name its directory.
const FOLDER_LENGTH: usize = 2;
const INCOMING: &str = "incoming";
const LOCK: &str = "lock";

/// Objects in a directory. Clones share it.
#[derive(Clone, Debug)]
pub struct DiskObjects(Arc<Shelf>);

#[derive(Debug)]
struct Shelf {
    root: PathBuf,
    incoming: PathBuf,
    /// Makes names in `incoming` unique.
    arrivals: AtomicU64,
    /// Held for as long as somebody may write, so that nobody sweeps meanwhile.
    _lock: File,
}

impl DiskObjects {
    /// Opens the directory, creates what is missing and sweeps away what a crash left behind.
    /// A second process may open the same directory; the sweep is left to whoever is alone.
    /// Blocks: to be called at start-up.
    ///
    /// # Errors
    /// When the directory cannot be created, made private, or synced.
    pub fn open(directory: impl AsRef<Path>) -> io::Result<Self> {
        let directory = directory.as_ref();
        let is_new = !directory.exists();
        DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory)?;
        let root = directory.canonicalize()?;
        fs::set_permissions(&root, Permissions::from_mode(DIRECTORY_MODE))?;
        let incoming = root.join(INCOMING);
        create_directory(&incoming)?;
        for folder in 0..=u8::MAX {
            create_directory(&root.join(format!("{folder:02x}")))?;
        }
        let lock = sweep_if_alone(&root, &incoming)?;
        sync_directory(&root)?;
        if is_new {
            root.parent().map_or(Ok(()), sync_directory)?;
        }
        Ok(Self(Arc::new(Shelf { root, incoming, arrivals: AtomicU64::new(0), _lock: lock })))
    }
}

#[async_trait]
impl Objects for DiskObjects {
    async fn put(&self, bytes: Bytes) -> Result<String, ObjectError> {
        let shelf = Arc::clone(&self.0);
        blocking(move || shelf.put(&bytes)).await
    }

    async fn get(&self, digest: &str) -> Result<Option<Bytes>, ObjectError> {
        if !is_digest(digest) {
            return Ok(None);
        }
        let (shelf, digest) = (Arc::clone(&self.0), digest.to_owned());
        blocking(move || shelf.get(digest)).await
    }
}

impl Shelf {
    fn put(&self, bytes: &[u8]) -> Result<String, ObjectError> {
        let digest = digest_of(bytes);
        let place = self.place(&digest);
        if !is_kept(&place, bytes) {
            self.bring_in(bytes, &digest, &place).map_err(refused)?;
        }
        // Also for what is there already: the writer who renamed it may not have come to its
        // own sync yet, and what is answered here must hold.
        place.parent().map_or(Ok(()), sync_directory).map_err(refused)?;
        Ok(digest)
    }

    fn get(&self, digest: String) -> Result<Option<Bytes>, ObjectError> {
        let place = self.place(&digest);
        match fs::read(&place) {
            Ok(bytes) if digest_of(&bytes) == digest => Ok(Some(Bytes::from(bytes))),
            Ok(_) => Err(ObjectError::Damaged { digest }),
            // Every folder was there at the opening: without it the disk is gone, not the object.
            Err(error) if error.kind() == ErrorKind::NotFound && place.parent().is_some_and(Path::is_dir) => Ok(None),
            Err(error) => Err(refused(error)),
        }
    }

    /// Writes the bytes aside and moves them whole to their place.
    fn bring_in(&self, bytes: &[u8], digest: &str, place: &Path) -> io::Result<()> {
        let (file, aside) = self.create_aside(digest)?;
        let brought = write_synced(file, bytes).and_then(|()| fs::rename(&aside, place));
        if brought.is_err() {
            // The first error counts; what cannot be removed now is swept at the next opening.
            let _ = fs::remove_file(&aside);
        }
        brought
    }

    /// A new file under a name that nobody else writes to.
    fn create_aside(&self, digest: &str) -> io::Result<(File, PathBuf)> {
        loop {
            let number = self.arrivals.fetch_add(1, Ordering::Relaxed);
            let aside = self.incoming.join(format!("{digest}.{number}"));
            match OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(&aside) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                opened => return opened.map(|file| (file, aside)),
            }
        }
    }

    /// Where the object lies. `digest` is one: it came from [`digest_of`] or passed [`is_digest`].
    fn place(&self, digest: &str) -> PathBuf {
        let (folder, name) = digest.split_at_checked(FOLDER_LENGTH).unwrap_or_default();
        self.root.join(folder).join(name)
    }
}

/// Runs file work off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ObjectError> + Send + 'static,
) -> Result<T, ObjectError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) => Err(ObjectError::Unavailable(io::Error::other(stopped))),
    }
}

/// Empties `incoming` if no other process is at work here, and says from then on that this
/// one is.
fn sweep_if_alone(root: &Path, incoming: &Path) -> io::Result<File> {
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(root.join(LOCK))?;
    match lock.try_lock() {
        Ok(()) => sweep(incoming)?,
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    lock.lock_shared()?;
    Ok(lock)
}

fn sweep(incoming: &Path) -> io::Result<()> {
    fs::read_dir(incoming)?.try_for_each(|entry| fs::remove_file(entry?.path()))
}

fn create_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(DIRECTORY_MODE).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        created => created,
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn write_synced(mut file: File, bytes: &[u8]) -> io::Result<()> {
    file.write_all(bytes)?;
    file.sync_all()
}

/// Whether these very bytes lie there. A damaged object does not count, so that putting it
/// again heals it.
fn is_kept(place: &Path, bytes: &[u8]) -> bool {
    let same_size = fs::metadata(place).is_ok_and(|found| usize::try_from(found.len()) == Ok(bytes.len()));
    same_size && fs::read(place).is_ok_and(|kept| kept == bytes)
}

/// What an error of the file system means to the caller.
fn refused(error: io::Error) -> ObjectError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => ObjectError::Full(error),
        _ => ObjectError::Unavailable(error),
    }
}

fn is_digest(text: &str) -> bool {
    text.len() == DIGEST_LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn digest_of(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value & 15), 16).unwrap_or_default();
    Sha256::digest(bytes).iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_device_is_told_apart_from_other_failures() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let error = write_synced(full, b"x").unwrap_err();
        assert!(matches!(refused(error), ObjectError::Full(_)));
        let error = File::open("/dev/null/x").unwrap_err();
        assert!(matches!(refused(error), ObjectError::Unavailable(_)));
    }

    #[test]
    fn only_64_lower_case_hexadecimal_digits_are_a_digest() {
        assert!(is_digest(&digest_of(b"abc")));
        for bad in ["", "..", &"A".repeat(64), &"0".repeat(63), &"0".repeat(65), &"/".repeat(64), &"é".repeat(32)] {
            assert!(!is_digest(bad), "{bad}");
        }
    }
}
