//! What a batch may look like, whatever the back end. Pure; knows no SQL.

use aegis_model::id::TenantId;
use aegis_model::port::{StoreError, StoreResult};
use aegis_model::record::{
    BODY_SIZE_MAX_BYTES, Batch, Change, EventDraft, Kind, ListQuery, RECORD_ID_LENGTH_MAX, RecordKey, WorkDraft,
};

/// Most changes in one batch.
pub const CHANGES_MAX: usize = 10_000;
/// Most bytes of bodies in one batch.
pub const BATCH_SIZE_MAX_BYTES: usize = 64 * 1024 * 1024;
/// Most bytes of the body of a number.
const COUNT_SIZE_BYTES: usize = 32;

/// Refuses a batch that breaks a rule, before anything of it is done.
pub fn acceptable(batch: &Batch) -> StoreResult<()> {
    if batch.changes.len() > CHANGES_MAX {
        return unacceptable(format!("{} changes, at most {CHANGES_MAX} are allowed", batch.changes.len()));
    }
    let size = batch_size(batch);
    if size > BATCH_SIZE_MAX_BYTES {
        return unacceptable(format!("{size} bytes, at most {BATCH_SIZE_MAX_BYTES} are allowed"));
    }
    batch.changes.iter().try_for_each(acceptable_change)
}

/// Refuses a question by an index that the kind does not declare.
pub fn acceptable_query(query: &ListQuery) -> StoreResult<()> {
    match &query.index {
        Some((name, _)) => declared(query.kind, name),
        None => Ok(()),
    }
}

/// Bytes of bodies in a batch.
pub fn batch_size(batch: &Batch) -> usize {
    batch.changes.iter().map(body_length).sum()
}

fn body_length(change: &Change) -> usize {
    match change {
        Change::Put(put) => put.body.len(),
        Change::Append(draft) => draft.body.len(),
        Change::Enter(draft) => draft.bytes.len(),
        Change::Enqueue(draft) => draft.body.len(),
        Change::Count { .. } => COUNT_SIZE_BYTES,
        Change::Delete { .. } | Change::Require { .. } | Change::Finish(_) | Change::Release { .. } => 0,
    }
}

fn acceptable_change(change: &Change) -> StoreResult<()> {
    let size = body_length(change);
    if size > BODY_SIZE_MAX_BYTES {
        return unacceptable(format!("a body of {size} bytes, at most {BODY_SIZE_MAX_BYTES} are allowed"));
    }
    match change {
        Change::Put(put) => acceptable_place(&put.key, &put.index),
        Change::Count { key, index, .. } => acceptable_place(key, index),
        Change::Delete { key, .. } | Change::Require { key, .. } => acceptable_key(key),
        Change::Append(EventDraft { stream, name, .. }) => {
            acceptable_text("stream", stream)?;
            acceptable_text("event name", name)
        }
        Change::Enqueue(WorkDraft { queue, id, .. }) => {
            acceptable_text("queue", queue)?;
            acceptable_text("id", id)
        }
        Change::Enter(_) | Change::Finish(_) | Change::Release { .. } => Ok(()),
    }
}

fn acceptable_place(key: &RecordKey, index: &[(&'static str, String)]) -> StoreResult<()> {
    acceptable_key(key)?;
    for (place, (name, value)) in index.iter().enumerate() {
        declared(key.kind, name)?;
        if index.iter().take(place).any(|(earlier, _)| earlier == name) {
            return unacceptable(format!("index `{name}` is given twice"));
        }
        bounded("index value", value)?;
    }
    Ok(())
}

fn acceptable_key(key: &RecordKey) -> StoreResult<()> {
    acceptable_text("id", &key.id)
}

fn acceptable_text(what: &str, text: &str) -> StoreResult<()> {
    if text.is_empty() {
        return unacceptable(format!("an empty {what}"));
    }
    bounded(what, text)
}

/// A zero byte is refused because PostgreSQL cannot keep one in a text.
fn bounded(what: &str, text: &str) -> StoreResult<()> {
    if text.len() > RECORD_ID_LENGTH_MAX {
        return unacceptable(format!("{what} of {} bytes, at most {RECORD_ID_LENGTH_MAX} are allowed", text.len()));
    }
    if text.contains('\0') {
        return unacceptable(format!("a zero byte in {what}"));
    }
    Ok(())
}

fn declared(kind: Kind, name: &str) -> StoreResult<()> {
    if kind.indexes().contains(&name) {
        return Ok(());
    }
    unacceptable(format!("`{}` declares no index `{name}`", kind.as_str()))
}

fn unacceptable<T>(why: String) -> StoreResult<T> {
    Err(StoreError::Unacceptable(why))
}

/// The message of a tree that is not as it was written.
pub fn altered_tree(tenant: &TenantId) -> StoreError {
    StoreError::Tampered(format!("tree of tenant `{tenant}`"))
}
