//! Every question to the database. Each runs on one connection in one snapshot.

use aegis_model::id::TenantId;
use aegis_model::ledger::{Hash, TreeHead};
use aegis_model::port::Integrity;
use aegis_model::record::{Event, ListQuery, Record, RecordKey, StoredEntry};
use rusqlite::{Connection, Params, params};

use super::memory::load_head;
use super::row::{self, ENTRY_COLUMNS, EVENT_COLUMNS, RECORD_COLUMNS, RecordRow};
use super::trouble::Trouble;
use crate::rules;

/// A number as a bound of a query: nothing stored lies above the largest signed one.
pub(super) fn bound(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn record(
    connection: &Connection,
    integrity: &dyn Integrity,
    key: &RecordKey,
) -> Result<Option<RecordRow>, Trouble> {
    let mut statement = connection.prepare_cached(GET_RECORD)?;
    let mut rows = statement.query(params![key.kind.as_str(), key.tenant.as_str(), key.id])?;
    rows.next()?.map(|found| row::record(integrity, key.kind, &key.tenant, found)).transpose()
}

const GET_RECORD: &str = "SELECT r.id, r.version, r.terminal, r.changed_at, r.indexed, r.mark, r.body FROM records r \
                          WHERE r.kind = ? AND r.tenant = ? AND r.id = ?";

pub(super) fn list(
    connection: &Connection,
    integrity: &dyn Integrity,
    query: &ListQuery,
) -> Result<Vec<Record>, Trouble> {
    rules::acceptable_query(query)?;
    match &query.index {
        None => list_all(connection, integrity, query),
        Some((name, value)) => list_by_index(connection, integrity, query, (name, value)),
    }
}

/// Which ids come next. An id is never empty, so ascending needs no second form.
fn order(column: &str, query: &ListQuery) -> String {
    match (query.newest_first, &query.after) {
        (false, _) => format!("AND {column} > ?3 ORDER BY {column} LIMIT ?4"),
        (true, Some(_)) => format!("AND {column} < ?3 ORDER BY {column} DESC LIMIT ?4"),
        (true, None) => format!("AND ?3 = '' ORDER BY {column} DESC LIMIT ?4"),
    }
}

fn list_all(connection: &Connection, integrity: &dyn Integrity, query: &ListQuery) -> Result<Vec<Record>, Trouble> {
    let order = order("r.id", query);
    let text = format!("SELECT {RECORD_COLUMNS} FROM records r WHERE r.kind = ?1 AND r.tenant = ?2 {order}");
    let after = query.after.as_deref().unwrap_or("");
    let given = params![query.kind.as_str(), query.tenant.as_str(), after, bound(query.limit as u64)];
    let rows = records(connection, integrity, query, (&text, given))?;
    Ok(rows.into_iter().map(|row| row.record).collect())
}

/// The marked row must agree with the index that led to it.
fn list_by_index(
    connection: &Connection,
    integrity: &dyn Integrity,
    query: &ListQuery,
    (name, value): (&str, &str),
) -> Result<Vec<Record>, Trouble> {
    let order = order("i.id", query);
    let text = format!(
        "SELECT {RECORD_COLUMNS} FROM record_index i LEFT JOIN records r \
         ON r.kind = i.kind AND r.tenant = i.tenant AND r.id = i.id \
         WHERE i.kind = ?1 AND i.tenant = ?2 AND i.name = ?5 AND i.value = ?6 {order}"
    );
    let after = query.after.as_deref().unwrap_or("");
    let given = params![query.kind.as_str(), query.tenant.as_str(), after, bound(query.limit as u64), name, value];
    let rows = records(connection, integrity, query, (&text, given))?;
    for row in &rows {
        let agrees = row::indexed_values(&row.record.key, &row.indexed)?.iter().any(|(n, v)| n == name && v == value);
        if !agrees {
            return Err(row::altered("index of", &row.record.key.id).into());
        }
    }
    Ok(rows.into_iter().map(|row| row.record).collect())
}

fn records<P: Params>(
    connection: &Connection,
    integrity: &dyn Integrity,
    query: &ListQuery,
    (text, given): (&str, P),
) -> Result<Vec<RecordRow>, Trouble> {
    let mut statement = connection.prepare_cached(text)?;
    let mut rows = statement.query(given)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(row::record(integrity, query.kind, &query.tenant, row)?);
    }
    Ok(found)
}

/// Which events: `(stream, after, limit)`.
pub(super) type Tail<'a> = (Option<&'a str>, u64, usize);

pub(super) fn tail(
    connection: &Connection,
    integrity: &dyn Integrity,
    tenant: &TenantId,
    (stream, after, limit): Tail,
) -> Result<Vec<Event>, Trouble> {
    let only = if stream.is_some() { "AND stream = ?4" } else { "AND ?4 IS NULL" };
    let text = format!(
        "SELECT {EVENT_COLUMNS} FROM events WHERE tenant = ?1 AND sequence > ?2 {only} ORDER BY sequence LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&text)?;
    let mut rows = statement.query(params![tenant.as_str(), bound(after), bound(limit as u64), stream])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(row::event(integrity, tenant, row)?);
    }
    Ok(found)
}

pub(super) fn tree_head(
    connection: &Connection,
    integrity: &dyn Integrity,
    tenant: &TenantId,
) -> Result<TreeHead, Trouble> {
    let snapshot = connection.unchecked_transaction()?;
    let head = load_head(&snapshot, integrity, tenant)?;
    Ok(head.map(|(head, _)| head).unwrap_or_default())
}

/// A run of rows: from which number on, and at most how many.
pub(super) type Span = (u64, usize);

/// How many rows a span must give where `size` rows exist: fewer means that some were cut.
fn due_count(size: u64, (from, limit): Span) -> usize {
    usize::try_from(size.saturating_sub(from)).unwrap_or(usize::MAX).min(limit)
}

pub(super) fn entries(
    connection: &Connection,
    integrity: &dyn Integrity,
    tenant: &TenantId,
    span: Span,
) -> Result<Vec<StoredEntry>, Trouble> {
    let snapshot = connection.unchecked_transaction()?;
    let size = load_head(&snapshot, integrity, tenant)?.map_or(0, |(head, _)| head.size);
    let text =
        format!("SELECT {ENTRY_COLUMNS} FROM entries WHERE tenant = ? AND position >= ? ORDER BY position LIMIT ?");
    let mut statement = snapshot.prepare_cached(&text)?;
    let mut rows = statement.query(params![tenant.as_str(), bound(span.0), bound(span.1 as u64)])?;
    let mut found: Vec<StoredEntry> = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(row::entry(integrity, tenant, row)?);
    }
    let unbroken = found.iter().zip(span.0..).all(|(entry, position)| entry.position == position);
    if unbroken && found.len() == due_count(size, span) { Ok(found) } else { Err(rules::altered_tree(tenant).into()) }
}

/// The mark stands for the leaf, so the entries themselves are not read.
pub(super) fn leaves(
    connection: &Connection,
    integrity: &dyn Integrity,
    tenant: &TenantId,
    span: Span,
) -> Result<Vec<Hash>, Trouble> {
    let snapshot = connection.unchecked_transaction()?;
    let size = load_head(&snapshot, integrity, tenant)?.map_or(0, |(head, _)| head.size);
    let query = "SELECT position, leaf, mark FROM entries WHERE tenant = ? AND position >= ? ORDER BY position LIMIT ?";
    let mut statement = snapshot.prepare_cached(query)?;
    let mut rows = statement.query(params![tenant.as_str(), bound(span.0), bound(span.1 as u64)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(row::leaf(integrity, tenant, row)?);
    }
    let unbroken = found.iter().zip(span.0..).all(|((position, _), due)| *position == due);
    if !unbroken || found.len() != due_count(size, span) {
        return Err(rules::altered_tree(tenant).into());
    }
    Ok(found.into_iter().map(|(_, leaf)| leaf).collect())
}

pub(super) fn nodes(
    connection: &Connection,
    integrity: &dyn Integrity,
    (tenant, level): (&TenantId, u8),
    span: Span,
) -> Result<Vec<Hash>, Trouble> {
    let snapshot = connection.unchecked_transaction()?;
    let size = load_head(&snapshot, integrity, tenant)?.map_or(0, |(head, _)| head.size);
    let complete = if level == 0 { 0 } else { size.checked_shr(u32::from(level) * 8).unwrap_or(0) };
    let query = "SELECT place, hash, mark FROM tree_nodes WHERE tenant = ? AND level = ? AND place >= ? \
                 ORDER BY place LIMIT ?";
    let mut statement = snapshot.prepare_cached(query)?;
    let mut rows = statement.query(params![tenant.as_str(), level, bound(span.0), bound(span.1 as u64)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(row::node(integrity, tenant, level, row)?);
    }
    let unbroken = found.iter().zip(span.0..).all(|(node, place)| node.index == place);
    if !unbroken || found.len() != due_count(complete, span) {
        return Err(rules::altered_tree(tenant).into());
    }
    Ok(found.into_iter().map(|node| node.hash).collect())
}
