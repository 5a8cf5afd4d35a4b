//! Runs and sessions as documents. Pure.

use aegis_model::record::{Change, Expect, Kind, RecordKey};
use aegis_model::run::{Run, Session};
use aegis_model::{Fault, RunId, SessionId, TenantId};

use crate::document::put;
pub use crate::document::read;

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
