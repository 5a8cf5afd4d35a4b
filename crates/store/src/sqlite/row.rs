//! Rows and their marks: what is written, and how it is checked when it is read. Every row
//! is read here and nowhere else, so that none is used unchecked.

use aegis_model::id::TenantId;
use aegis_model::ledger::{Hash, TreeHead, TreeNode};
use aegis_model::port::{Integrity, StoreError};
use aegis_model::record::{Event, EventDraft, Kind, Lease, Record, RecordKey, StoredEntry, Work, WorkDraft};
use aegis_model::time::Timestamp;
use bytes::Bytes;
use rusqlite::Row;

use super::trouble::Trouble;

/// What [`Integrity::mark`] makes of a row.
pub(super) type Mark = [u8; 16];

/// The columns that [`record`] reads.
pub(super) const RECORD_COLUMNS: &str = "r.id, r.version, r.terminal, r.changed_at, r.indexed, r.mark, r.body";
/// The columns that [`event`] reads.
pub(super) const EVENT_COLUMNS: &str = "sequence, at, stream, name, mark, body";
/// The columns that [`entry`] reads.
pub(super) const ENTRY_COLUMNS: &str = "position, leaf, mark, bytes";
/// The columns that [`work`] reads.
pub(super) const WORK_COLUMNS: &str = "id, tenant, due, epoch, held_until, mark, body";

/// A document with what is kept beside it.
pub(super) struct RecordRow {
    /// The document.
    pub record: Record,
    /// Its index values, as [`indexed_text`] writes them.
    pub indexed: String,
    /// Its mark.
    pub mark: Mark,
}

/// A piece of work with what is kept beside it.
pub(super) struct WorkRow {
    /// The work; epoch 0 if nobody holds it.
    pub work: Work,
    /// Its mark.
    pub mark: Mark,
}

/// Index values as they are kept in the row, under its mark.
pub(super) fn indexed_text(index: &[(&'static str, String)]) -> Result<String, Trouble> {
    if index.is_empty() {
        return Ok("[]".to_owned());
    }
    serde_json::to_string(index).map_err(|error| StoreError::Unacceptable(error.to_string()).into())
}

/// The index values of a row.
pub(super) fn indexed_values(key: &RecordKey, indexed: &str) -> Result<Vec<(String, String)>, Trouble> {
    serde_json::from_str(indexed).map_err(|_| altered_record(key).into())
}

pub(super) fn altered_record(key: &RecordKey) -> StoreError {
    altered(key.kind.as_str(), &key.id)
}

pub(super) fn altered(what: &str, which: impl std::fmt::Display) -> StoreError {
    StoreError::Tampered(format!("{what} `{which}`"))
}

/// Of `(version, terminal, changed_at)` and `(indexed, body)`.
pub(super) fn record_mark(
    integrity: &dyn Integrity,
    key: &RecordKey,
    (version, terminal, changed_at): (u64, bool, Timestamp),
    (indexed, body): (&str, &[u8]),
) -> Mark {
    integrity.mark(&[
        b"record",
        key.kind.as_str().as_bytes(),
        key.tenant.as_str().as_bytes(),
        key.id.as_bytes(),
        &version.to_be_bytes(),
        &[u8::from(terminal)],
        &changed_at.as_millis().to_be_bytes(),
        indexed.as_bytes(),
        body,
    ])
}

pub(super) fn record(
    integrity: &dyn Integrity,
    kind: Kind,
    tenant: &TenantId,
    row: &Row,
) -> Result<RecordRow, Trouble> {
    let key = RecordKey { kind, tenant: tenant.clone(), id: row.get(0)? };
    let found = RecordRow {
        record: Record {
            key,
            version: row.get::<_, i64>(1)?.cast_unsigned(),
            terminal: flag(row.get(2)?)?,
            changed_at: moment(row.get(3)?)?,
            body: bytes(row, 6)?,
        },
        indexed: row.get(4)?,
        mark: row.get(5)?,
    };
    let RecordRow { record, indexed, mark } = &found;
    let state = (record.version, record.terminal, record.changed_at);
    if record_mark(integrity, &record.key, state, (indexed, &record.body)) != *mark {
        return Err(altered_record(&record.key).into());
    }
    Ok(found)
}

pub(super) fn event_mark(integrity: &dyn Integrity, sequence: u64, at: Timestamp, draft: &EventDraft) -> Mark {
    integrity.mark(&[
        b"event",
        draft.tenant.as_str().as_bytes(),
        &sequence.to_be_bytes(),
        &at.as_millis().to_be_bytes(),
        draft.stream.as_bytes(),
        draft.name.as_bytes(),
        &draft.body,
    ])
}

pub(super) fn event(integrity: &dyn Integrity, tenant: &TenantId, row: &Row) -> Result<Event, Trouble> {
    let sequence = row.get::<_, i64>(0)?.cast_unsigned();
    let at = moment(row.get(1)?)?;
    let draft = EventDraft { tenant: tenant.clone(), stream: row.get(2)?, name: row.get(3)?, body: bytes(row, 5)? };
    if event_mark(integrity, sequence, at, &draft) != row.get::<_, Mark>(4)? {
        return Err(altered("event", sequence).into());
    }
    Ok(Event { sequence, at, draft })
}

/// The leaf stands for the bytes, so a long entry is not read a second time for its mark.
pub(super) fn entry_mark(integrity: &dyn Integrity, tenant: &TenantId, position: u64, leaf: &Hash) -> Mark {
    integrity.mark(&[b"entry", tenant.as_str().as_bytes(), &position.to_be_bytes(), leaf])
}

pub(super) fn entry(integrity: &dyn Integrity, tenant: &TenantId, row: &Row) -> Result<StoredEntry, Trouble> {
    let position = row.get::<_, i64>(0)?.cast_unsigned();
    let leaf: Hash = row.get(1)?;
    let bytes = bytes(row, 3)?;
    let marked = entry_mark(integrity, tenant, position, &leaf) == row.get::<_, Mark>(2)?;
    if !marked || integrity.leaf(&bytes) != leaf {
        return Err(altered("entry", position).into());
    }
    Ok(StoredEntry { position, bytes, leaf })
}

/// Reads `position, leaf, mark`.
pub(super) fn leaf(integrity: &dyn Integrity, tenant: &TenantId, row: &Row) -> Result<(u64, Hash), Trouble> {
    let position = row.get::<_, i64>(0)?.cast_unsigned();
    let leaf: Hash = row.get(1)?;
    if entry_mark(integrity, tenant, position, &leaf) != row.get::<_, Mark>(2)? {
        return Err(altered("entry", position).into());
    }
    Ok((position, leaf))
}

pub(super) fn node_mark(integrity: &dyn Integrity, tenant: &TenantId, node: &TreeNode) -> Mark {
    integrity.mark(&[b"node", tenant.as_str().as_bytes(), &[node.level], &node.index.to_be_bytes(), &node.hash])
}

/// Reads `place, hash, mark`.
pub(super) fn node(integrity: &dyn Integrity, tenant: &TenantId, level: u8, row: &Row) -> Result<TreeNode, Trouble> {
    let node = TreeNode { level, index: row.get::<_, i64>(0)?.cast_unsigned(), hash: row.get(1)? };
    if node_mark(integrity, tenant, &node) != row.get::<_, Mark>(2)? {
        return Err(altered("tree node", node.index).into());
    }
    Ok(node)
}

pub(super) fn head_mark(integrity: &dyn Integrity, tenant: &TenantId, head: &TreeHead) -> Mark {
    integrity.mark(&[b"head", tenant.as_str().as_bytes(), &head.size.to_be_bytes(), head.frontier.as_flattened()])
}

/// Reads `size, frontier, mark`.
pub(super) fn head(integrity: &dyn Integrity, tenant: &TenantId, row: &Row) -> Result<(TreeHead, Mark), Trouble> {
    let size = row.get::<_, i64>(0)?.cast_unsigned();
    let (frontier, rest) = row.get_ref(1)?.as_blob().map_err(|_| altered("tree", tenant))?.as_chunks::<32>();
    let head = TreeHead { size, frontier: frontier.to_vec() };
    let mark: Mark = row.get(2)?;
    let whole = rest.is_empty() && head.frontier.len() == size.count_ones() as usize;
    if !whole || head_mark(integrity, tenant, &head) != mark {
        return Err(altered("tree", tenant).into());
    }
    Ok((head, mark))
}

pub(super) fn work_mark(integrity: &dyn Integrity, work: &Work) -> Mark {
    integrity.mark(&[
        b"work",
        work.lease.queue.as_bytes(),
        work.lease.id.as_bytes(),
        work.draft.tenant.as_str().as_bytes(),
        &work.draft.due.as_millis().to_be_bytes(),
        &work.lease.epoch.to_be_bytes(),
        &work.until.as_millis().to_be_bytes(),
        &work.draft.body,
    ])
}

pub(super) fn work(integrity: &dyn Integrity, queue: &str, row: &Row) -> Result<WorkRow, Trouble> {
    let id: String = row.get(0)?;
    let tenant = row.get::<_, String>(1)?.try_into().map_err(|_| altered("work", &id))?;
    let epoch = row.get::<_, i64>(3)?.cast_unsigned();
    let work = Work {
        lease: Lease { queue: queue.to_owned(), id: id.clone(), epoch },
        until: moment(row.get(4)?)?,
        draft: WorkDraft { queue: queue.to_owned(), id, tenant, due: moment(row.get(2)?)?, body: bytes(row, 6)? },
    };
    let mark = row.get(5)?;
    if work_mark(integrity, &work) != mark {
        return Err(altered("work", &work.lease.id).into());
    }
    Ok(WorkRow { work, mark })
}

fn bytes(row: &Row, column: usize) -> Result<Bytes, Trouble> {
    Ok(Bytes::from(row.get::<_, Vec<u8>>(column)?))
}

/// A stored truth value; any other number was not written by us.
fn flag(stored: i64) -> Result<bool, Trouble> {
    match stored {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(altered("flag", other).into()),
    }
}

/// A stored moment; one that would be clamped was not written by us.
fn moment(stored: i64) -> Result<Timestamp, Trouble> {
    let read = Timestamp::from_millis(stored.cast_unsigned());
    if read.as_millis() == stored.cast_unsigned() { Ok(read) } else { Err(altered("time", stored).into()) }
}
