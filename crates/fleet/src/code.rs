//! The code of versions as directories, for boxes to see as `/app`: unpacked once, never
//! changed. Must not know: what a box is.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aegis_model::port::Objects;
use aegis_model::{Code, Fault};
use bytes::Bytes;
use ruzstd::decoding::StreamingDecoder;

use crate::deploy::object_fault;

/// Everybody may read what is in it; only its owner could change it.
const DIRECTORY_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
const EXECUTABLE_BITS: u32 = 0o111;

/// Unpacked bundles, named by their digest.
pub struct CodeDirectories {
    directory: PathBuf,
    objects: Arc<dyn Objects>,
    /// Held while one is unpacked: twice the same at once is work for nothing.
    unpacking: tokio::sync::Mutex<()>,
}

impl CodeDirectories {
    /// Unpacks into `directory`, which is nobody else's.
    ///
    /// # Errors
    /// When the directory cannot be made.
    pub fn open(directory: PathBuf, objects: Arc<dyn Objects>) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        Ok(Self { directory, objects, unpacking: tokio::sync::Mutex::default() })
    }

    /// The directory with the code of that digest.
    ///
    /// # Errors
    /// When the bundle is gone or damaged, or cannot be unpacked.
    pub async fn of(&self, digest: &str) -> Result<PathBuf, Fault> {
        let place = self.directory.join(digest);
        if place.is_dir() {
            return Ok(place);
        }
        let _turn = self.unpacking.lock().await;
        if place.is_dir() {
            return Ok(place);
        }
        let lost = || Fault::new(Code::Tampered, "the code of this version is gone; deploy it again");
        let bundle = self.objects.get(digest).await.map_err(object_fault)?.ok_or_else(lost)?;
        let (half, whole) = (self.directory.join(format!("{digest}.half")), place.clone());
        let unpacked = tokio::task::spawn_blocking(move || {
            // What an earlier attempt left.
            let _ = fs::remove_dir_all(&half);
            unpack(&bundle, &half)?;
            fs::rename(&half, &whole)
        });
        match unpacked.await.map_err(Fault::internal)? {
            Ok(()) => Ok(place),
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                Err(Fault::new(Code::StorageFull, "the disk is full; the code cannot be unpacked").caused_by(error))
            }
            Err(error) => Err(Fault::internal(error)),
        }
    }
}

/// Unpacks a bundle that was judged before it was kept.
fn unpack(bundle: &Bytes, directory: &Path) -> io::Result<()> {
    let stream = StreamingDecoder::new(&bundle[..]).map_err(io::Error::other)?;
    let mut archive = tar::Archive::new(stream);
    archive.set_preserve_mtime(true);
    archive.set_overwrite(false);
    fs::create_dir_all(directory)?;
    for entry in archive.entries()? {
        entry?.unpack_in(directory)?;
    }
    open_to_all(directory)
}

/// A box is another user than the server.
fn open_to_all(directory: &Path) -> io::Result<()> {
    fs::set_permissions(directory, fs::Permissions::from_mode(DIRECTORY_MODE))?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let about = entry.metadata()?;
        if about.is_dir() {
            open_to_all(&entry.path())?;
        } else if about.is_file() {
            let executable = about.permissions().mode() & EXECUTABLE_BITS != 0;
            let mode = if executable { DIRECTORY_MODE } else { FILE_MODE };
            fs::set_permissions(entry.path(), fs::Permissions::from_mode(mode))?;
        }
    }
    Ok(())
}
