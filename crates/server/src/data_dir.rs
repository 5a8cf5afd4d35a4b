//! The data directory: who may read it, and the keys that lie in it.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aegis_identity::{ApiKey, MasterKey};
use aegis_model::port::Entropy;

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

    fn master_key(&self) -> PathBuf {
        self.path.join("master.key")
    }

    /// The key under which everything is sealed; made when there is no data yet.
    ///
    /// # Errors
    /// When it is missing although there is data, damaged, or readable by others.
    pub fn open_master_key(&self, entropy: &dyn Entropy) -> Result<MasterKey, StartError> {
        match self.master_key().exists() {
            true => self.read_master_key(),
            false => self.make_master_key(entropy),
        }
    }

    /// The key under which everything is sealed, which must be there.
    ///
    /// # Errors
    /// When it is missing, damaged, or readable by others.
    pub fn read_master_key(&self) -> Result<MasterKey, StartError> {
        let path = self.master_key();
        if !path.exists() {
            return Err(StartError::MasterKey { path, problem: "is missing" });
        }
        let meta = fs::metadata(&path).map_err(|cause| StartError::DataDir { path: path.clone(), cause })?;
        if meta.mode() & 0o077 != 0 {
            return Err(StartError::NotPrivate { path });
        }
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| file.take(64).read_to_end(&mut bytes));
        read.map_err(|cause| StartError::DataDir { path: path.clone(), cause })?;
        let key: [u8; 32] =
            bytes.try_into().map_err(|_| StartError::MasterKey { path, problem: "does not hold 32 bytes" })?;
        Ok(MasterKey::new(key))
    }

    fn make_master_key(&self, entropy: &dyn Entropy) -> Result<MasterKey, StartError> {
        let path = self.master_key();
        if self.path.join("aegis.db").exists() {
            return Err(StartError::MasterKey { path, problem: "is missing" });
        }
        let mut key = [0; 32];
        entropy.fill(&mut key).map_err(|error| StartError::System(io::Error::other(error)))?;
        write_private(&path, &key).map_err(|cause| StartError::DataDir { path, cause })?;
        Ok(MasterKey::new(key))
    }

    /// Keeps the first admin's key, alone on one line.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep_admin_key(&self, key: &ApiKey) -> Result<(), StartError> {
        let path = self.admin_key();
        let line = format!("{}\n", key.reveal());
        write_private(&path, line.as_bytes()).map_err(|cause| StartError::DataDir { path, cause })
    }
}

/// Says at once, and by its cause, when the directory cannot be written to.
fn probe(dir: &Path) -> io::Result<()> {
    let path = dir.join(".probe");
    let result = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    result.and_then(|mut file| file.write_all(b"probe"))?;
    fs::remove_file(&path)
}

/// Writes a file for the owner only, whole or not at all, durably.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let _ = fs::remove_file(&temporary);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::SystemEntropy;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_master_key_is_made_once_and_kept_private() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(&dir.path().join("d")).unwrap();
        let made = data.open_master_key(&SystemEntropy).unwrap();
        let read = data.open_master_key(&SystemEntropy).unwrap();
        assert_eq!(made.derive("x"), read.derive("x"));
        assert_eq!(fs::metadata(data.master_key()).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(data.master_key(), fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(data.open_master_key(&SystemEntropy), Err(StartError::NotPrivate { .. })));
    }

    #[test]
    fn a_lost_master_key_is_not_replaced_when_there_is_data() {
        let dir = tempfile::tempdir().unwrap();
        let data = DataDir::open(&dir.path().join("d")).unwrap();
        fs::write(data.path().join("aegis.db"), b"x").unwrap();
        assert!(matches!(data.open_master_key(&SystemEntropy), Err(StartError::MasterKey { .. })));
    }

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
