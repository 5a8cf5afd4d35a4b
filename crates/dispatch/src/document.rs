//! Documents of this room as the store keeps them. Pure.

use aegis_model::record::{Change, Expect, Put, Record, RecordKey};
use aegis_model::{Code, Fault};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Writes a document; one that is final for the last time.
pub fn put(
    key: RecordKey,
    expect: Expect,
    document: &impl Serialize,
    index: Vec<(&'static str, String)>,
    terminal: bool,
) -> Result<Change, Fault> {
    let body = serde_json::to_vec(document).map_err(Fault::internal)?.into();
    Ok(Change::Put(Put { key, expect, body, index, terminal }))
}

/// That nobody has changed a document, or made it, since it was looked at.
pub fn unchanged(present: Option<Record>) -> Expect {
    present.map_or(Expect::Absent, |present| Expect::Version(present.version))
}

/// A document in its type; one that cannot be read was altered.
pub fn read<T: DeserializeOwned>(record: &Record) -> Result<T, Fault> {
    serde_json::from_slice(&record.body)
        .map_err(|error| Fault::new(Code::Tampered, "stored data was altered; refusing to use it").caused_by(error))
}
