//! `aegis agent deploy`: sends a manifest, and the code it names.

use std::path::PathBuf;

use aegis_model::agent::GrantState;
use aegis_model::api::VersionView;
use aegis_model::manifest::Manifest;
use aegis_sdk::Deployment;
use bytes::Bytes;

use super::validate;
use crate::bundle::{self, Packed};
use crate::context::Context;
use crate::failure::Failure;
use crate::manifest_file::ManifestFile;
use crate::output::{plural, size};

/// Deploy a new version of an agent
///
/// The directory that `spec.runtime.source` names is packed and sent with the manifest. Only
/// `.git` is left out, so keep what the agent does not need elsewhere.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis agent deploy
  aegis agent deploy agents/triage
  aegis agent deploy agents/triage/agent.yaml --output json")]
pub(crate) struct Arguments {
    /// The manifest, or the directory that holds `agent.yaml`
    #[arg(default_value = ".")]
    path: PathBuf,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let file = ManifestFile::find(context, &arguments.path)?;
    let parsed = match file.parse() {
        Ok(parsed) => parsed,
        Err(problems) => return Err(validate::invalid(context, &file, &problems)),
    };
    let client = context.client()?;
    let bundle = pack(context, &file, &parsed.manifest)?;
    let format = file.format();
    let deployment = Deployment { manifest: Bytes::from(file.bytes), format, bundle };
    let version = context.wait(client.agent_deploy(&deployment))?;
    context.show(&version, |_| format!("agent `{}` has version {}", version.agent, version.version))?;
    tell(context, &version);
    Ok(())
}

/// The code that the manifest names, packed.
fn pack(context: &mut Context, file: &ManifestFile, manifest: &Manifest) -> Result<Option<Bytes>, Failure> {
    let runtime = &manifest.spec.runtime;
    let source = runtime.source.as_ref().map(|source| source.as_str());
    let root = runtime.root.as_ref().map(|root| root.as_str()).filter(|root| *root != "host");
    let paths: Vec<&str> = source.into_iter().chain(root).collect();
    if paths.is_empty() {
        return Ok(None);
    }
    let packed = bundle::pack(&file.directory, &paths)
        .map_err(|error| Failure::usage(error.to_string(), "correct it, or name another `spec.runtime.source`"))?;
    context.tell(&summary(&paths, &packed));
    Ok(Some(Bytes::from(packed.bytes)))
}

fn summary(paths: &[&str], packed: &Packed) -> String {
    let names = paths.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(" and ");
    let (before, after) = (size(packed.unpacked_bytes), size(packed.bytes.len() as u64));
    let skipped = if packed.skipped { ", without `.git`" } else { "" };
    format!("packed {names}: {}, {before}, {after} compressed{skipped}", plural(packed.files, "file"))
}

/// Says what a person should know of the new version.
fn tell(context: &mut Context, version: &VersionView) {
    validate::tell_notes(context, &version.notes);
    if version.grants == GrantState::Pending {
        let approve = format!("aegis agent approve {} {}", version.agent, version.version);
        context.tell(&format!("its grants are pending, none of them holds: an admin approves them with `{approve}`"));
    }
}
