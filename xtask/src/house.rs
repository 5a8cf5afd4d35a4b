//! Where the house stands: the repository and the target directory, which may be shared.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand};

use crate::failure::Failure;
use crate::process;

/// The platform whose dependency graph is checked: the one we ship for.
pub const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// The repository, as cargo sees it.
pub struct House {
    /// The repository.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// Our own packages and what they depend on.
    pub metadata: Metadata,
}

impl House {
    /// The house this program was started in.
    pub fn find() -> Result<Self, Failure> {
        let own = process::variable("CARGO_MANIFEST_DIR").ok_or(Failure::NotUnderCargo)?;
        let own = PathBuf::from(own);
        let root = own.parent().unwrap_or(Path::new("/")).to_owned();
        let metadata = MetadataCommand::new()
            .manifest_path(root.join("Cargo.toml"))
            .no_deps()
            .other_options(vec!["--locked".to_owned()])
            .exec()
            .map_err(|error| Failure::Metadata(Box::new(error)))?;
        Ok(Self { root, target: metadata.target_directory.clone().into(), metadata })
    }

    /// A directory of our own below the target directory, made anew and empty.
    pub fn scratch(&self, name: &str) -> Result<PathBuf, Failure> {
        let path = self.target.join("xtask").join(name);
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(Failure::file(&path))?;
        }
        std::fs::create_dir_all(&path).map_err(Failure::file(&path))?;
        Ok(path)
    }
}
