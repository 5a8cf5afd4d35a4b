//! The data directory: who may read it, and what lies where in it.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aegis_adapters::key_ring::KeyRingFile;
use aegis_adapters::private_file;
use aegis_identity::ApiKey;

use crate::StartError;

/// The directory that holds everything.
#[derive(Clone, Debug)]
pub struct DataDir {
    path: PathBuf,
}

impl DataDir {
    /// Opens the directory, and makes it if need be: for the owner only.
    ///
    /// # Errors
    /// When it cannot be made or others may look into it.
    pub fn open(path: &Path) -> Result<Self, StartError> {
        let fail = |cause| StartError::DataDir { path: path.to_owned(), cause };
        if !path.exists() {
            DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fail)?;
        }
        let meta = fs::metadata(path).map_err(fail)?;
        if !meta.is_dir() {
            return Err(fail(io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory")));
        }
        if meta.mode() & 0o022 != 0 {
            return Err(fail(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "others may write to it; `chmod 700` it",
            )));
        }
        probe(path).map_err(fail)?;
        Ok(Self { path: path.to_owned() })
    }

    /// The directory, unopened: for looking only.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The directory itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where bundles lie.
    pub fn objects(&self) -> PathBuf {
        self.path.join("objects")
    }

    /// Where the code of versions lies, unpacked.
    pub fn code(&self) -> PathBuf {
        self.path.join("code")
    }

    /// Where the logs of agents lie.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// Where what boxes are made of lies.
    pub fn boxes(&self) -> PathBuf {
        self.path.join("boxes")
    }

    /// Where the first admin's key lies.
    pub fn admin_key(&self) -> PathBuf {
        self.path.join("admin.key")
    }

    /// Where the keys lie.
    pub fn key_ring(&self) -> KeyRingFile {
        KeyRingFile::at(self.path.join("master.key"))
    }

    /// Whether there is data already.
    pub fn has_database(&self) -> bool {
        self.path.join("aegis.db").exists()
    }

    /// Keeps the first admin's key, alone on one line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_admin_key(&self, key: &ApiKey) -> Result<(), StartError> {
        let path = self.admin_key();
        let line = format!("{}\n", key.reveal());
        private_file::write(&path, line.as_bytes()).map_err(|cause| StartError::DataDir { path, cause })
    }
}

/// Says at once, and by its cause, when the directory cannot be written to.
fn probe(dir: &Path) -> io::Result<()> {
    let path = dir.join(".probe");
    let result = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    result.and_then(|mut file| file.write_all(b"probe"))?;
    fs::remove_file(&path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_that_others_may_write_to_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(DataDir::open(dir.path()).is_err());
        let file = dir.path().join("f");
        fs::write(&file, b"x").unwrap();
        assert!(DataDir::open(&file).is_err());
    }
}
