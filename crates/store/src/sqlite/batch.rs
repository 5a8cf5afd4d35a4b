//! One batch inside the writer's transaction: each change checked and written. Knows
//! nothing of transactions; whoever calls it undoes what a refused batch has written.

use aegis_model::port::{Integrity, StoreError};
use aegis_model::record::{
    Batch, Change, Committed, EntryDraft, EventDraft, Expect, Put, RecordKey, count_body, count_of,
};
use aegis_model::time::Timestamp;
use rusqlite::{Connection, params};

use super::memory::{Memory, toggle};
use super::read;
use super::row::{self, Mark, RecordRow};
use super::trouble::Trouble;

/// The writer's hands inside a transaction.
pub(super) struct Writing<'a> {
    pub connection: &'a Connection,
    pub integrity: &'a dyn Integrity,
    pub memory: &'a mut Memory,
}

impl Writing<'_> {
    /// Does every change of the batch, or stops at the first that does not hold.
    pub(super) fn apply(&mut self, batch: &Batch) -> Result<Committed, Trouble> {
        let mut done = Committed::default();
        for change in &batch.changes {
            match change {
                Change::Put(put) => done.versions.push(self.put(put, batch.at)?),
                Change::Delete { key, expect } => self.delete(key, *expect)?,
                Change::Require { key, expect } => {
                    self.expected(key, *expect)?;
                }
                Change::Count { key, by, index } => self.count(key, (*by, index), batch.at)?,
                Change::Append(draft) => done.sequences.push(self.append(draft, batch.at)?),
                Change::Enter(draft) => done.positions.push(self.enter(draft)?),
                Change::Enqueue(draft) => self.enqueue(draft)?,
                Change::Finish(lease) => self.finish(lease)?,
                Change::Release { lease, due } => self.release(lease, *due)?,
            }
        }
        Ok(done)
    }

    /// The document that is there, if it is as expected.
    fn expected(&self, key: &RecordKey, expect: Expect) -> Result<Option<RecordRow>, Trouble> {
        let present = read::record(self.connection, self.integrity, key)?;
        let found = present.as_ref().map_or(0, |row| row.record.version);
        let holds = match expect {
            Expect::Any => true,
            Expect::Absent => present.is_none(),
            Expect::Version(version) => present.is_some() && version == found,
        };
        if holds { Ok(present) } else { Err(StoreError::Conflict { key: key.clone(), expected: expect, found }.into()) }
    }

    /// The document that is there, if it is as expected and may still change.
    fn changeable(&self, key: &RecordKey, expect: Expect) -> Result<Option<RecordRow>, Trouble> {
        let present = self.expected(key, expect)?;
        match &present {
            Some(row) if row.record.terminal => Err(StoreError::Immutable { key: key.clone() }.into()),
            _ => Ok(present),
        }
    }

    fn put(&mut self, put: &Put, at: Timestamp) -> Result<u64, Trouble> {
        if put.expect == Expect::Absent {
            return self.create(put, at);
        }
        let present = self.changeable(&put.key, put.expect)?;
        let version = present.as_ref().map_or(0, |row| row.record.version).saturating_add(1);
        let written = Written::of(self.integrity, put, version, at)?;
        let statement = if present.is_some() { UPDATE_RECORD } else { INSERT_RECORD };
        self.write(put, &written, statement)?;
        if let Some(old) = &present {
            toggle(&mut self.memory.seal.records, &old.mark);
        }
        if present.as_ref().map_or("[]", |old| old.indexed.as_str()) != written.indexed {
            self.index_anew(put, present.as_ref())?;
        }
        Ok(version)
    }

    /// Writes first, and asks only if something is in the way: creating is the commonest
    /// change, and a question costs as much as the write.
    fn create(&mut self, put: &Put, at: Timestamp) -> Result<u64, Trouble> {
        let written = Written::of(self.integrity, put, 1, at)?;
        if !self.write(put, &written, INSERT_RECORD)? {
            self.expected(&put.key, put.expect)?;
            return Err(row::altered_record(&put.key).into());
        }
        self.index(&put.key, put.index.iter().map(|(name, value)| (*name, value.as_str())))?;
        Ok(1)
    }

    /// Adds to a number. What it is found by stays as it was when the document was made.
    fn count(&mut self, key: &RecordKey, (by, index): (i64, &Index), at: Timestamp) -> Result<(), Trouble> {
        let put = |number: i64| Put {
            key: key.clone(),
            expect: Expect::Any,
            body: count_body(number),
            index: index.clone(),
            terminal: false,
        };
        let Some(old) = self.changeable(key, Expect::Any)? else {
            return self.create(&put(by), at).map(drop);
        };
        let number = count_of(&old.record.body).ok_or_else(|| row::altered_record(key))?;
        let (put, version) = (put(number.saturating_add(by)), old.record.version.saturating_add(1));
        let mark = row::record_mark(self.integrity, key, (version, false, at), (&old.indexed, &put.body));
        let written = Written { version, at, indexed: old.indexed, mark };
        self.write(&put, &written, UPDATE_RECORD)?;
        toggle(&mut self.memory.seal.records, &old.mark);
        Ok(())
    }

    /// Takes out what does not hold any more, and puts in what is new: most values of a
    /// document stay as they are.
    fn index_anew(&self, put: &Put, present: Option<&RecordRow>) -> Result<(), Trouble> {
        let old = present.map_or(Ok(Vec::new()), |row| row::indexed_values(&put.key, &row.indexed))?;
        let stays = |old: &(String, String), new: &(&str, String)| old.0 == new.0 && old.1 == new.1;
        let gone = old.iter().filter(|old| !put.index.iter().any(|new| stays(old, new)));
        self.unindex(&put.key, gone)?;
        let new = put.index.iter().filter(|new| !old.iter().any(|old| stays(old, new)));
        self.index(&put.key, new.map(|(name, value)| (*name, value.as_str())))
    }

    /// Whether the row was written.
    fn write(&mut self, put: &Put, written: &Written, statement: &str) -> Result<bool, Trouble> {
        let count = self.connection.prepare_cached(statement)?.execute(params![
            put.key.kind.as_str(),
            put.key.tenant.as_str(),
            put.key.id,
            written.version.cast_signed(),
            i64::from(put.terminal),
            written.at.as_millis().cast_signed(),
            written.indexed,
            written.mark,
            put.body.as_ref(),
        ])?;
        if count == 1 {
            toggle(&mut self.memory.seal.records, &written.mark);
        }
        Ok(count == 1)
    }

    fn index<'v>(&self, key: &RecordKey, values: impl Iterator<Item = (&'v str, &'v str)>) -> Result<(), Trouble> {
        let query = "INSERT INTO record_index (kind, tenant, name, value, id) VALUES (?, ?, ?, ?, ?)";
        let mut statement = self.connection.prepare_cached(query)?;
        for (name, value) in values {
            statement.execute(params![key.kind.as_str(), key.tenant.as_str(), name, value, key.id])?;
        }
        Ok(())
    }

    fn unindex<'v>(
        &self,
        key: &RecordKey,
        values: impl IntoIterator<Item = &'v (String, String)>,
    ) -> Result<(), Trouble> {
        let query = "DELETE FROM record_index WHERE kind = ? AND tenant = ? AND name = ? AND value = ? AND id = ?";
        let mut statement = self.connection.prepare_cached(query)?;
        for (name, value) in values {
            let removed = statement.execute(params![key.kind.as_str(), key.tenant.as_str(), name, value, key.id])?;
            if removed != 1 {
                return Err(row::altered("index of", &key.id).into());
            }
        }
        Ok(())
    }

    fn delete(&mut self, key: &RecordKey, expect: Expect) -> Result<(), Trouble> {
        let Some(present) = self.changeable(key, expect)? else { return Ok(()) };
        self.unindex(key, &row::indexed_values(key, &present.indexed)?)?;
        let query = "DELETE FROM records WHERE kind = ? AND tenant = ? AND id = ?";
        let mut statement = self.connection.prepare_cached(query)?;
        statement.execute(params![key.kind.as_str(), key.tenant.as_str(), key.id])?;
        toggle(&mut self.memory.seal.records, &present.mark);
        Ok(())
    }

    fn append(&mut self, draft: &EventDraft, at: Timestamp) -> Result<u64, Trouble> {
        let sequence = self.memory.seal.sequence.saturating_add(1);
        let mark = row::event_mark(self.integrity, sequence, at, draft);
        let query = "INSERT INTO events (tenant, sequence, at, stream, name, mark, body) VALUES (?, ?, ?, ?, ?, ?, ?)";
        self.connection.prepare_cached(query)?.execute(params![
            draft.tenant.as_str(),
            sequence.cast_signed(),
            at.as_millis().cast_signed(),
            draft.stream,
            draft.name,
            mark,
            draft.body.as_ref(),
        ])?;
        self.memory.seal.sequence = sequence;
        Ok(sequence)
    }

    fn enter(&mut self, draft: &EntryDraft) -> Result<u64, Trouble> {
        let leaf = self.integrity.leaf(&draft.bytes);
        let head = self.memory.head(self.connection, self.integrity, &draft.tenant)?;
        let position = head.size;
        let completed = self.integrity.append(head, leaf);
        let mark = row::entry_mark(self.integrity, &draft.tenant, position, &leaf);
        let query = "INSERT INTO entries (tenant, position, leaf, mark, bytes) VALUES (?, ?, ?, ?, ?)";
        let mut statement = self.connection.prepare_cached(query)?;
        let tenant = draft.tenant.as_str();
        statement.execute(params![tenant, position.cast_signed(), leaf, mark, draft.bytes.as_ref()])?;
        for node in completed {
            let mark = row::node_mark(self.integrity, &draft.tenant, &node);
            let query = "INSERT INTO tree_nodes (tenant, level, place, hash, mark) VALUES (?, ?, ?, ?, ?)";
            let mut statement = self.connection.prepare_cached(query)?;
            statement.execute(params![tenant, node.level, node.index.cast_signed(), node.hash, mark])?;
        }
        Ok(position)
    }
}

/// Values of index columns.
type Index = Vec<(&'static str, String)>;

/// What a put adds to the document before it is written.
struct Written {
    version: u64,
    at: Timestamp,
    indexed: String,
    mark: Mark,
}

impl Written {
    fn of(integrity: &dyn Integrity, put: &Put, version: u64, at: Timestamp) -> Result<Self, Trouble> {
        let Put { key, body, terminal, .. } = put;
        let indexed = row::indexed_text(&put.index)?;
        let state = (version, *terminal, at);
        let mark = row::record_mark(integrity, key, state, (&indexed, body));
        Ok(Self { version, at, indexed, mark })
    }
}

const INSERT_RECORD: &str = "INSERT INTO records (kind, tenant, id, version, terminal, changed_at, indexed, mark, body) \
                             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING";
const UPDATE_RECORD: &str = "UPDATE records SET version = ?4, terminal = ?5, changed_at = ?6, indexed = ?7, mark = ?8, \
                             body = ?9 WHERE kind = ?1 AND tenant = ?2 AND id = ?3";
