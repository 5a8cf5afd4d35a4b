//! Runs and sessions as documents. Pure.

use aegis_model::record::{Change, Expect, Kind, Put, Record, RecordKey};
use aegis_model::run::{Run, Session};
use aegis_model::{Code, Fault, RunId, SessionId, TenantId};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The index value of what has not ended; what has is not in that index.
pub const OPEN: &str = "open";

/// Where a run lies.
pub fn run_key(tenant: &TenantId, id: &RunId) -> RecordKey {
    RecordKey::new(Kind::Run, tenant.clone(), id.as_str())
}

/// Where a session lies.
pub fn session_key(tenant: &TenantId, id: &SessionId) -> RecordKey {
    RecordKey::new(Kind::Session, tenant.clone(), id.as_str())
}

/// Writes a run; one that has ended for the last time.
pub fn put_run(tenant: &TenantId, run: &Run, expect: Expect) -> Result<Change, Fault> {
    let terminal = run.state.is_terminal();
    let mut index = vec![("agent", run.agent.as_str().to_owned()), ("session", run.session_id.as_str().to_owned())];
    index.extend(open(terminal));
    put(run_key(tenant, &run.id), expect, run, index, terminal)
}

/// Writes a session; one that has ended for the last time.
pub fn put_session(tenant: &TenantId, session: &Session, expect: Expect) -> Result<Change, Fault> {
    let terminal = session.state.is_terminal();
    let index = std::iter::once(("agent", session.agent.as_str().to_owned())).chain(open(terminal)).collect();
    put(session_key(tenant, &session.id), expect, session, index, terminal)
}

fn open(terminal: bool) -> Option<(&'static str, String)> {
    (!terminal).then(|| ("open", OPEN.to_owned()))
}

fn put(
    key: RecordKey,
    expect: Expect,
    document: &impl Serialize,
    index: Vec<(&'static str, String)>,
    terminal: bool,
) -> Result<Change, Fault> {
    let body = serde_json::to_vec(document).map_err(Fault::internal)?.into();
    Ok(Change::Put(Put { key, expect, body, index, terminal }))
}

/// A document in its type; one that cannot be read was altered.
pub fn read<T: DeserializeOwned>(record: &Record) -> Result<T, Fault> {
    serde_json::from_slice(&record.body)
        .map_err(|error| Fault::new(Code::Tampered, "stored data was altered; refusing to use it").caused_by(error))
}
