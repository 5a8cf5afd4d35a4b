//! Copies the ledger from a server into a directory that verifies offline. The checkpoint is
//! written last, so that a copy that was broken off never looks whole. Must not know: what
//! makes an export sound (the ledger does).

use std::fs;
use std::path::Path;

use aegis_ledger::VerifierKey;
use aegis_ledger::export::{Directory, ExportFile, Exporter};
use aegis_model::api::{CheckpointView, EntriesQuery, LedgerItem, PAGE_LIMIT_MAX};
use aegis_sdk::Client;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::context::Context;
use crate::failure::{Failure, chain};

/// What the last file of an export is called.
const CHECKPOINT: &str = "checkpoint";

/// What to do when a server's ledger does not fit together.
const ADVICE: &str = "keep what was written, and look at the server; somebody may have changed its data";

/// Copies the ledger up to its present head, and returns that head.
pub(crate) fn export(context: &mut Context, client: &Client, directory: &Path) -> Result<CheckpointView, Failure> {
    require_empty(directory)?;
    let head = context.wait(client.ledger_checkpoint())?;
    let key: VerifierKey = head
        .verifier_key
        .parse()
        .map_err(|error| Failure::tampered(format!("the server's verifier key is damaged: {error}"), ADVICE))?;
    let files = Directory::new(directory);
    let mut exporter = Exporter::new();
    while exporter.size() < head.size {
        progress(context, exporter.size(), head.size);
        for item in page(context, client, exporter.size(), head.size)? {
            let bytes = entry_bytes(&item)?;
            let done = exporter.push(&bytes).map_err(|error| Failure::tampered(chain(&error), ADVICE))?;
            write(&files, directory, done)?;
        }
    }
    let last = exporter.finish(&head.checkpoint, &key).map_err(|error| Failure::tampered(chain(&error), ADVICE))?;
    let (checkpoint, others) = last.into_iter().partition(|file| file.path == CHECKPOINT);
    write(&files, directory, others)?;
    write(&files, directory, checkpoint)?;
    context.terminal.clear_progress();
    Ok(head)
}

/// Refuses a directory that holds anything, because an export is checked for what is too much.
fn require_empty(directory: &Path) -> Result<(), Failure> {
    fs::create_dir_all(directory).map_err(|error| Failure::unwritable(directory, &error))?;
    let mut entries = fs::read_dir(directory).map_err(|error| Failure::unreadable(directory, &error))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(Failure::usage(
            format!("`{}` is not empty", directory.display()),
            "name a directory that is not there yet",
        )),
    }
}

fn progress(context: &mut Context, done: u64, size: u64) {
    let percent = u128::from(done) * 100 / u128::from(size.max(1));
    context.terminal.progress(&format!("exporting: {done} of {size} entries ({percent} %)"));
}

/// The next entries, none of them beyond the head.
fn page(context: &mut Context, client: &Client, from: u64, size: u64) -> Result<Vec<LedgerItem>, Failure> {
    let limit = (size - from).min(PAGE_LIMIT_MAX as u64);
    let query = EntriesQuery { from: Some(from), limit: u32::try_from(limit).ok() };
    let mut items = context.wait(client.ledger_entries(&query))?.items;
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let in_order = items.iter().zip(from..).all(|(item, position)| item.position == position);
    if items.is_empty() || !in_order {
        let message = format!("the server does not give the entries from position {from} on, though it signed {size}");
        return Err(Failure::tampered(message, ADVICE));
    }
    Ok(items)
}

/// An entry's exact bytes.
pub(crate) fn entry_bytes(item: &LedgerItem) -> Result<Vec<u8>, Failure> {
    STANDARD
        .decode(&item.bytes)
        .map_err(|_| Failure::tampered(format!("entry {} is not base64", item.position), ADVICE))
}

fn write(directory: &Directory, path: &Path, files: Vec<ExportFile>) -> Result<(), Failure> {
    files
        .iter()
        .try_for_each(|file| directory.write(file).map_err(|error| Failure::unwritable(&path.join(&file.path), &error)))
}
