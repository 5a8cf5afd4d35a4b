//! The declarative `agent.yaml`: its form, how it is read from YAML or JSON, and everything
//! that can be wrong with one, told with line, column and pointer. A manifest that has been
//! read is valid. Must not know: where manifests come from and where they are stored.
//!
//! ```text
//! bytes ─ yaml ─► tree ─ legacy ─► tree ─ schema_walk ─► checks ─► landing ─► Manifest
//!                  (of the older form)      └── problems, all of them ──┘
//! ```

pub mod amounts;
mod checks;
mod landing;
mod legacy;
mod names;
mod permissions;
mod problem;
mod schema_walk;
mod secret_look;
mod spec;
mod suggest;
mod tree;
mod units;
mod yaml;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde_json::Value;

pub use landing::refused_yet;
pub use names::{
    BoxPath, BundlePath, HeaderName, Host, HostPattern, ImageReference, LabelKey, ModelPattern, PathPattern, Root,
    SecretName, ToolPattern, VariableName, VolumeName,
};
pub use permissions::{
    BasicInjection, Cidr, FileAccess, FilesystemGrant, HttpMethod, Injection, NetworkGrant, NetworkProtocol,
    Oauth2Injection, Permissions, SecretGrant, Sigv4Injection, TlsMode,
};
pub use problem::{ManifestProblem, PROBLEMS_MAX};
pub use spec::{
    ApiVersion, Isolation, Limits, Manifest, ManifestKind, MemorySettings, Metadata, OnExceeded, Pool, Protocol,
    Reasoning, Resources, Runtime, Spec,
};
pub use units::{Cpu, Duration, Memory, UnitError};
pub use yaml::{MANIFEST_DEPTH_MAX, MANIFEST_NODES_MAX, MANIFEST_SIZE_MAX_BYTES};

pub(crate) use suggest::nearest;
pub(crate) use units::quoted;

use problem::{Place, arrange};
use tree::Node;

/// A manifest that was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// The manifest in its present form.
    pub manifest: Manifest,
    /// What became of what, where the older form was read.
    pub notes: Vec<String>,
}

/// Reads a manifest from YAML or JSON, in its present or its older form.
///
/// # Errors
/// Everything that is wrong with it, by place.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Vec<ManifestProblem>> {
    let written = yaml::read(bytes).map_err(|problem| vec![problem])?;
    if !legacy::is_older_form(&written) {
        let manifest = settle(&written).map_err(arrange)?;
        return Ok(Parsed { manifest, notes: Vec::new() });
    }
    let converted = legacy::convert(&written).map_err(arrange)?;
    let manifest = settle(&converted.tree).map_err(|problems| arrange(converted.origins.restore(problems)))?;
    Ok(Parsed { manifest, notes: converted.notes })
}

/// The manifest that a tree in the present form describes.
fn settle(tree: &Node) -> Result<Manifest, Vec<ManifestProblem>> {
    let mut problems = schema_walk::walk(tree, &FULL_SCHEMA);
    let value = tree.to_value();
    problems.extend(checks::check(tree, &value));
    problems.extend(landing::check(tree));
    if !problems.is_empty() {
        return Err(problems);
    }
    serde_json::from_value(value).map_err(|error| vec![Place::START.problem("", error.to_string())])
}

static FULL_SCHEMA: LazyLock<Value> = LazyLock::new(schema_of::<Manifest>);

/// The JSON Schema (2020-12) of `T`.
fn schema_of<T: JsonSchema>() -> Value {
    schemars::generate::SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value()
}

/// The JSON Schema (2020-12) of a manifest in its present form.
pub fn schema() -> Value {
    FULL_SCHEMA.clone()
}

/// Reads any document in YAML or JSON with the bounds of a manifest, as plain data.
///
/// # Errors
/// What is wrong with its form, and where.
pub fn document(bytes: &[u8]) -> Result<Value, ManifestProblem> {
    yaml::read(bytes).map(|tree| tree.to_value())
}
