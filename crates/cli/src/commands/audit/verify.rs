//! `aegis audit verify`: works without a server when there is an export.

use std::fs;
use std::path::{Path, PathBuf};

use aegis_ledger::export::Directory;
use aegis_ledger::verify::{Report, Trust, verify_export};
use aegis_ledger::{Checkpoint, VerifierKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::data_dir;
use crate::context::Context;
use crate::export;
use crate::failure::{Failure, chain};
use crate::input;
use crate::output::{Style, clean};

/// Larger files are not checkpoints, and not keys.
const CHECKPOINT_SIZE_MAX_BYTES: u64 = 128 * 1024;

/// Check that no entry of the ledger was changed, dropped or reordered
///
/// With a directory, an export is checked and no server is asked; a server's data directory is
/// checked row by row. Without one, the server's ledger is copied and checked here. Pin the key with `--key`: without it, the ledger only
/// vouches for itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  aegis audit verify
  aegis audit verify ledger-2026-11 --key 'aegis/default+0a1b2c3d+AQID' --known known.checkpoint")]
pub(crate) struct Arguments {
    /// An export, or a server's data directory; the server's ledger when absent
    dir: Option<PathBuf>,
    /// The key that must have signed, as `aegis audit checkpoint` once said it
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// An earlier checkpoint that was kept elsewhere; `-` for stdin
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,
}

pub(crate) fn run(context: &mut Context, arguments: &Arguments) -> Result<(), Failure> {
    let pinned = arguments.key.as_deref().map(key).transpose()?;
    match &arguments.dir {
        Some(directory) if !directory.is_dir() => {
            let message = format!("`{}` is not a directory", directory.display());
            Err(Failure::usage(message, "make an export with `aegis audit export --out DIR`"))
        }
        Some(directory) if data_dir::is_data_dir(directory) => data_dir::verify(context, directory),
        Some(directory) => verify(context, directory, pinned.as_ref(), arguments.known.as_deref()),
        None => {
            let copy =
                tempfile::tempdir().map_err(|error| Failure::internal(format!("no place for a copy: {error}")))?;
            let client = context.client()?;
            export::export(context, &client, copy.path())?;
            verify(context, copy.path(), pinned.as_ref(), arguments.known.as_deref())
        }
    }
}

/// Reads a key that was pinned.
pub(super) fn key(text: &str) -> Result<VerifierKey, Failure> {
    text.trim().parse().map_err(|error| {
        Failure::usage(format!("`--key` is not a verifier key: {error}"), "`aegis audit checkpoint` says the key")
    })
}

fn verify(
    context: &mut Context,
    directory: &Path,
    pinned: Option<&VerifierKey>,
    known: Option<&Path>,
) -> Result<(), Failure> {
    let known = known.map(|path| open_known(context, path, directory, pinned)).transpose()?;
    context.terminal.progress("verifying…");
    let verified = verify_export(&Directory::new(directory), pinned, known.as_ref());
    context.terminal.clear_progress();
    let report = verified.map_err(|broken| {
        let message = format!("the ledger does not verify: {}", chain(&broken));
        Failure::tampered(message, "compare with another copy; from there on nothing in this one can be trusted")
    })?;
    context.show(&describe(&report), |style| draw(&report, style))?;
    if report.trust == Trust::Unpinned {
        context.warn("no key was pinned: the ledger fits together, but this does not say who wrote it");
        context.tell(&format!("if you know this key to be right, pin it: --key '{}'", clean(&report.verifier_key)));
    }
    Ok(())
}

/// Opens the checkpoint that was kept elsewhere. Without a pinned key the export's own opens
/// it: had somebody made up that key, the kept signature would not be by it.
fn open_known(
    context: &mut Context,
    path: &Path,
    directory: &Path,
    pinned: Option<&VerifierKey>,
) -> Result<Checkpoint, Failure> {
    let note = input::read(context, path, CHECKPOINT_SIZE_MAX_BYTES)?;
    let key = match pinned {
        Some(key) => key.clone(),
        None => exported_key(directory)?,
    };
    Checkpoint::open(&note, &key).map_err(|error| {
        let message = format!("`{}` does not count under the ledger's key: {}", path.display(), chain(&error));
        Failure::tampered(message, "check that it is a checkpoint of this ledger; if it is, the key was exchanged")
    })
}

fn exported_key(directory: &Path) -> Result<VerifierKey, Failure> {
    let path = directory.join("vkey");
    let text = fs::read_to_string(&path).map_err(|error| Failure::unreadable(&path, &error))?;
    let damaged = |error| Failure::tampered(format!("`vkey` is damaged: {error}"), "pin the key with `--key`");
    text.trim().parse().map_err(damaged)
}

fn describe(report: &Report) -> Value {
    json!({
        "verified": true,
        "origin": report.checkpoint.origin,
        "size": report.checkpoint.size,
        "root": STANDARD.encode(report.checkpoint.root),
        "verifier_key": report.verifier_key,
        "pinned": report.trust == Trust::Pinned,
        "extends": report.extends,
        "signatures_unchecked": report.signatures_unchecked,
    })
}

fn draw(report: &Report, style: Style) -> String {
    let head = &report.checkpoint;
    let root = STANDARD.encode(head.root);
    let trust = if report.trust == Trust::Pinned { "the pinned key" } else { "a key that came with it" };
    let mut text = style.good("verified");
    text.push_str(&clean(&format!(": {} entries of {}, signed by {trust}, root {root}", head.size, head.origin)));
    if let Some(size) = report.extends {
        text.push_str(&format!("\nit extends the known checkpoint of {size} entries"));
    }
    text
}
