//! A data directory, checked offline: every row is what was written, every tree is what its
//! entries make it. A running server may go on meanwhile.

use aegis_store::verify_rows;
use serde::Serialize;

use crate::config::{Config, UpOptions};
use crate::data_dir::DataDir;
use crate::keys;
use crate::start_error::StartError;
use crate::wire::wire_integrity;

/// What the check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataReport {
    /// Whether nothing is wrong.
    pub intact: bool,
    /// Documents that were checked.
    pub records: u64,
    /// Events that were checked.
    pub events: u64,
    /// Ledger entries that were checked.
    pub entries: u64,
    /// Ledgers that were checked.
    pub ledgers: u64,
    /// What is wrong, at most the first hundred.
    pub problems: Vec<String>,
    /// How many things are wrong in all.
    pub problems_count: u64,
}

/// Checks the data directory that the options name. The configuration is read only for what
/// they do not say.
///
/// # Errors
/// When it cannot be checked at all, e.g. because its keys are missing.
pub fn verify_data_dir(options: &UpOptions) -> Result<DataReport, StartError> {
    let data = match &options.data_dir {
        Some(path) => DataDir::at(path),
        None => DataDir::at(&Config::load(options)?.data_dir),
    };
    let root = keys::root(options, &data)?;
    let report = verify_rows(data.path(), &*wire_integrity(&root))?;
    Ok(DataReport {
        intact: report.is_intact(),
        records: report.records,
        events: report.events,
        entries: report.entries,
        ledgers: report.trees,
        problems: report.problems,
        problems_count: report.problems_count,
    })
}
