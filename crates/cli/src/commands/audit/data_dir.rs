//! `aegis audit verify DATA_DIR`: the database of a server, every row of it, without asking
//! the server. Must not know how rows are marked.

use std::path::Path;

use aegis_server::{DataReport, UpOptions, verify_data_dir};

use crate::context::Context;
use crate::failure::Failure;
use crate::passphrase::{ask_for, refused};

/// Whether this is a server's data directory rather than an export.
pub(super) fn is_data_dir(directory: &Path) -> bool {
    directory.join("aegis.db").exists()
}

pub(super) fn verify(context: &mut Context, directory: &Path) -> Result<(), Failure> {
    let mut options = UpOptions {
        data_dir: Some(directory.to_owned()),
        config_file: context.environment.config_file.clone(),
        ..UpOptions::default()
    };
    ask_for(context, &mut options)?;
    context.terminal.progress("checking every row…");
    let checked = verify_data_dir(&options);
    context.terminal.clear_progress();
    let report = checked.map_err(|error| match error.exit_code() {
        // A passphrase that is missing or wrong says nothing about the data.
        2 | 4 => refused(&error),
        _ => {
            let advice = "restore the directory from the last good backup";
            Failure::tampered(format!("the data directory cannot be checked: {error}"), advice)
        }
    })?;
    if !report.intact {
        let first = report.problems.first().cloned().unwrap_or_default();
        let message = format!("the data was altered: {first} ({} problems in all)", report.problems_count);
        return Err(Failure::tampered(message, "restore the directory from the last good backup"));
    }
    context.show(&report, |_| draw(&report))
}

fn draw(report: &DataReport) -> String {
    let DataReport { records, events, entries, ledgers, .. } = report;
    format!("intact: {records} documents, {events} events, {entries} entries in {ledgers} ledgers\n")
}
