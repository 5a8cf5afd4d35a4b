//! Why a data directory cannot be opened.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use aegis_model::port::StoreError;

use super::trouble::{Trouble, is_corrupt, is_full, told};

/// Why the data directory cannot be opened. The message names the cause.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another store of this one, has it.
    #[error("data directory `{}` is in use by {}", dir.display(), named(*pid))]
    InUse {
        /// Which.
        dir: PathBuf,
        /// By whom, where known.
        pid: Option<u32>,
    },
    /// Something else has the name.
    #[error("data directory `{}` is not a directory", dir.display())]
    NotADirectory {
        /// Which.
        dir: PathBuf,
    },
    /// This user may not write there.
    #[error("data directory `{}` cannot be written to", dir.display())]
    Unwritable {
        /// Which.
        dir: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// There is no space left for it.
    #[error("no space left for data directory `{}`", dir.display())]
    Full {
        /// Which.
        dir: PathBuf,
    },
    /// The system failed otherwise.
    #[error("data directory `{}` cannot be opened", dir.display())]
    Io {
        /// Which.
        dir: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A newer program has written it.
    #[error("database `{}` has schema {found}, this program knows up to {known}", path.display())]
    Newer {
        /// Which.
        path: PathBuf,
        /// The schema that is there.
        found: u32,
        /// The newest this program knows.
        known: u32,
    },
    /// The schema is older than what an offline check reads.
    #[error("database `{}` has schema {found}, the check reads {known}: start the server once to migrate it", path.display())]
    Older {
        /// Which.
        path: PathBuf,
        /// The schema that is there.
        found: u32,
        /// The only one the check reads.
        known: u32,
    },
    /// The file is no sound database.
    #[error("database `{}` is damaged: {detail}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// What is stored was not written by this program with this key.
    #[error("database `{}` was altered or belongs to another key: {detail}", path.display())]
    Altered {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The database failed otherwise.
    #[error("database `{}` cannot be opened: {detail}", path.display())]
    Database {
        /// Which.
        path: PathBuf,
        /// What the database says.
        detail: String,
    },
}

fn named(pid: Option<u32>) -> String {
    pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
}

impl OpenError {
    /// The error of a file operation in `dir`.
    pub(super) fn of_io(dir: &Path, source: std::io::Error) -> Self {
        let dir = dir.to_owned();
        match source.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::Unwritable { dir, source },
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::Full { dir },
            ErrorKind::NotADirectory => Self::NotADirectory { dir },
            _ => Self::Io { dir, source },
        }
    }

    /// The error of a database operation on `path`.
    pub(super) fn of_database(path: &Path, error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        if is_corrupt(&error) {
            return Self::Damaged { path: path.to_owned(), detail };
        }
        if is_full(&error) {
            return Self::Full { dir: path.parent().unwrap_or(path).to_owned() };
        }
        match told(error) {
            StoreError::Tampered(detail) => Self::Altered { path: path.to_owned(), detail },
            _ => Self::Database { path: path.to_owned(), detail },
        }
    }

    /// The error of checked work on `path`.
    pub(super) fn of_trouble(path: &Path, trouble: Trouble) -> Self {
        match trouble {
            Trouble::Database(error) => Self::of_database(path, error),
            Trouble::Refused(StoreError::Tampered(detail)) => Self::Altered { path: path.to_owned(), detail },
            other => Self::Database { path: path.to_owned(), detail: StoreError::from(other).to_string() },
        }
    }
}
