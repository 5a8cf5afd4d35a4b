//! The file of a key ring: for its owner only, read to the last byte, written whole or not at
//! all. Must not know: what is done with the keys.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use aegis_identity::{FoundRing, KeyRing, Lock, Passphrase, RingError};
use aegis_model::port::EntropyError;
use aegis_model::{Code, Fault, Timestamp};
use zeroize::Zeroizing;

use crate::private_file;

/// Larger than any ring.
const SIZE_MAX_BYTES: u64 = 1024 * 1024;

/// Why a key ring cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyRingError {
    /// There is none.
    #[error("`{}` is missing", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// Others can read it.
    #[error("`{}` can be read by others", path.display())]
    NotPrivate {
        /// Which.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("`{}` cannot be used: {cause}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// What is in it cannot be used.
    #[error("`{}` {problem}", path.display())]
    Ring {
        /// Which.
        path: PathBuf,
        /// Why.
        problem: RingError,
    },
    /// There is no randomness.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// The machine cannot bear what a passphrase costs.
    #[error("a key cannot be derived from the passphrase")]
    Cost,
}

impl From<KeyRingError> for Fault {
    fn from(error: KeyRingError) -> Self {
        let full =
            |cause: &io::Error| matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        match &error {
            KeyRingError::Io { cause, .. } if full(cause) => {
                Self::new(Code::StorageFull, "the disk is full; the keys are as they were").caused_by(error)
            }
            _ => Self::internal(error),
        }
    }
}

/// Where a key ring lies.
#[derive(Clone, Debug)]
pub struct KeyRingFile(PathBuf);

/// What lies there.
#[derive(Debug)]
pub struct FoundFile {
    pub(super) file: KeyRingFile,
    ring: FoundRing,
}

impl KeyRingFile {
    /// The file at `path`.
    pub fn at(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads it; nothing is opened yet, and nothing changed.
    ///
    /// # Errors
    /// When it is missing, damaged, or readable by others.
    pub fn find(&self) -> Result<FoundFile, KeyRingError> {
        let path = || self.0.clone();
        let unusable = |cause: io::Error| match cause.kind() {
            io::ErrorKind::NotFound => KeyRingError::Missing { path: path() },
            _ => KeyRingError::Io { path: path(), cause },
        };
        let meta = fs::metadata(&self.0).map_err(unusable)?;
        if meta.mode() & 0o077 != 0 {
            return Err(KeyRingError::NotPrivate { path: path() });
        }
        // INVARIANT: the buffer does not grow, so that no copy of the keys is left behind.
        let size = meta.len().min(SIZE_MAX_BYTES);
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size).unwrap_or_default() + 32));
        let read = File::open(&self.0).and_then(|file| file.take(size).read_to_end(&mut bytes));
        read.map_err(unusable)?;
        let ring = FoundRing::read(&bytes).map_err(|problem| KeyRingError::Ring { path: path(), problem })?;
        Ok(FoundFile { file: self.clone(), ring })
    }

    pub(super) fn write(&self, ring: &KeyRing, lock: &Lock, nonce: [u8; 24]) -> Result<(), KeyRingError> {
        let written = private_file::write(&self.0, ring.to_text(lock, nonce).as_bytes());
        written.map_err(|cause| KeyRingError::Io { path: self.0.clone(), cause })
    }
}

impl FoundFile {
    /// Whether it takes a passphrase to open it.
    pub fn is_sealed(&self) -> bool {
        self.ring.is_sealed()
    }

    /// Whether it is older than key rings, and ought to be kept as one.
    pub fn is_plain(&self) -> bool {
        self.ring.is_plain()
    }

    /// Opens it.
    ///
    /// # Errors
    /// When the passphrase is missing or wrong.
    pub fn open(&self, passphrase: Option<&Passphrase>, at: Timestamp) -> Result<(KeyRing, Lock), KeyRingError> {
        let opened = self.ring.open(passphrase, at);
        opened.map_err(|problem| KeyRingError::Ring { path: self.file.0.clone(), problem })
    }
}
