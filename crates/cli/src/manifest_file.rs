//! Finds a manifest by what a person names, and reads it. Must not know: how it is sent.

use std::fs;
use std::path::{Path, PathBuf};

use aegis_model::manifest::{self, MANIFEST_SIZE_MAX_BYTES, ManifestProblem, Parsed};
use aegis_sdk::ManifestFormat;

use crate::context::Context;
use crate::failure::Failure;
use crate::input;

/// The names a manifest has in a directory, in the order they are looked for.
const NAMES: [&str; 3] = ["agent.yaml", "agent.yml", "agent.json"];

/// A manifest as it was found.
pub(crate) struct ManifestFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The directory that its paths start from.
    pub(crate) directory: PathBuf,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

impl ManifestFile {
    /// Finds the manifest at `path`: the file itself, or the manifest in the directory.
    pub(crate) fn find(context: &mut Context, path: &Path) -> Result<Self, Failure> {
        let path = if path.is_dir() { in_directory(path)? } else { path.to_owned() };
        // One byte more than allowed, so that it is the parser that says what is wrong.
        let bytes = input::read(context, &path, MANIFEST_SIZE_MAX_BYTES as u64 * 2)?;
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
            _ => PathBuf::from("."),
        };
        Ok(Self { path, directory, bytes })
    }

    /// Reads it.
    pub(crate) fn parse(&self) -> Result<Parsed, Vec<ManifestProblem>> {
        manifest::parse(&self.bytes)
    }

    /// How it is written, by its name.
    pub(crate) fn format(&self) -> ManifestFormat {
        match self.path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => ManifestFormat::Json,
            _ => ManifestFormat::Yaml,
        }
    }
}

fn in_directory(directory: &Path) -> Result<PathBuf, Failure> {
    let found =
        NAMES.iter().map(|name| directory.join(name)).find(|path| fs::metadata(path).is_ok_and(|file| file.is_file()));
    found.ok_or_else(|| {
        let message = format!("there is no `agent.yaml` in `{}`", directory.display());
        Failure::usage(message, "name the manifest, or the directory that holds it")
    })
}
