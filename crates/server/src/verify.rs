//! A data directory, checked offline: every row is what was written, every tree is what its
//! entries make it. A running server may go on meanwhile.

use std::path::Path;

use aegis_store::verify_rows;
use serde::Serialize;

use crate::data_dir::DataDir;
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

/// Checks the data directory `path`.
///
/// # Errors
/// When it cannot be checked at all, e.g. because its master key is missing.
pub fn verify_data_dir(path: &Path) -> Result<DataReport, StartError> {
    let master = DataDir::at(path).read_master_key()?;
    let report = verify_rows(path, &*wire_integrity(&master))?;
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
