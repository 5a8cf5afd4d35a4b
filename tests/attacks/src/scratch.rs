//! A fresh directory that an attack may play in. Owns its place and its removal.

use crate::attack::Outcome;
use crate::errno::Errno;
use crate::sys;
use std::ffi::CString;
use std::path::{Path, PathBuf};

/// Where a box lets its agent write, and where a host does.
const PLACES: [&str; 2] = ["/workspace", "/tmp"];

/// A directory that is removed when it goes out of scope.
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Tries something in a fresh directory. Without one nothing was tried, so nothing held.
    pub fn with(attempt: impl FnOnce(&Self) -> Outcome) -> Outcome {
        match Self::new() {
            Ok(scratch) => attempt(&scratch),
            Err(errno) => Outcome::broken(format!("no directory to try it in: {errno}")),
        }
    }

    fn new() -> Result<Self, Errno> {
        let mut refused = Errno(libc::ENOENT);
        for place in PLACES {
            let path = Path::new(place).join(format!(".attack-{}", std::process::id()));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) => refused = error.into(),
            }
        }
        Err(refused)
    }

    /// The directory, for a system call.
    pub fn text(&self) -> CString {
        sys::text(&self.path)
    }

    /// A path in the directory.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.path);
    }
}
