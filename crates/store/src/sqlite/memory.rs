//! What the writer remembers between statements: the seal and the tree heads. Both are read
//! from the database, changed in memory, and written once per transaction; a batch that
//! fails takes its share of them back.

use std::collections::HashMap;

use aegis_model::id::TenantId;
use aegis_model::ledger::TreeHead;
use aegis_model::port::Integrity;
use rusqlite::{Connection, OptionalExtension, params};

use super::row::{self, Mark};
use super::trouble::Trouble;

/// Heads kept between transactions.
const HEADS_MAX: usize = 10_000;

/// The counters and sums that no single row can tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seal {
    /// The last sequence given to an event.
    pub sequence: u64,
    /// The last epoch given to a lease.
    pub epoch: u64,
    /// XOR of the marks of all documents.
    pub records: Mark,
    /// XOR of the marks of all tree heads.
    pub heads: Mark,
    /// XOR of the marks of all work.
    pub work: Mark,
}

/// Takes a row's mark into a sum, or out of it.
pub(super) fn toggle(sum: &mut Mark, mark: &Mark) {
    for (left, right) in sum.iter_mut().zip(mark) {
        *left ^= right;
    }
}

impl Seal {
    fn mark(&self, integrity: &dyn Integrity) -> Mark {
        integrity.mark(&[
            b"seal",
            &self.sequence.to_be_bytes(),
            &self.epoch.to_be_bytes(),
            &self.records,
            &self.heads,
            &self.work,
        ])
    }

    /// The seal as it is stored.
    pub(super) fn load(connection: &Connection, integrity: &dyn Integrity) -> Result<Self, Trouble> {
        let query = "SELECT sequence, epoch, records, heads, work, mark FROM seal WHERE one = 1";
        let mut statement = connection.prepare_cached(query)?;
        let found = statement.query_row([], |row| {
            let seal = Self {
                sequence: row.get::<_, i64>(0)?.cast_unsigned(),
                epoch: row.get::<_, i64>(1)?.cast_unsigned(),
                records: row.get(2)?,
                heads: row.get(3)?,
                work: row.get(4)?,
            };
            Ok((seal, row.get::<_, Mark>(5)?))
        });
        match found.optional()? {
            Some((seal, mark)) if seal.mark(integrity) == mark => Ok(seal),
            _ => Err(row::altered("seal", "1").into()),
        }
    }

    /// Writes the seal.
    pub(super) fn save(&self, connection: &Connection, integrity: &dyn Integrity) -> Result<(), Trouble> {
        let query = "INSERT OR REPLACE INTO seal (one, sequence, epoch, records, heads, work, mark) \
                     VALUES (1, ?, ?, ?, ?, ?, ?)";
        connection.prepare_cached(query)?.execute(params![
            self.sequence.cast_signed(),
            self.epoch.cast_signed(),
            self.records,
            self.heads,
            self.work,
            self.mark(integrity),
        ])?;
        Ok(())
    }
}

/// A head in memory, and the mark of its row.
struct KeptHead {
    head: TreeHead,
    stored: Option<Mark>,
    changed: bool,
}

/// What the writer remembers.
pub(super) struct Memory {
    /// The counters and sums, with the changes of this transaction.
    pub seal: Seal,
    seal_stored: Seal,
    heads: HashMap<TenantId, KeptHead>,
    undo_seal: Seal,
    undo_heads: Vec<(TenantId, TreeHead)>,
}

impl Memory {
    /// Reads the seal; heads are read when they are needed.
    pub(super) fn load(connection: &Connection, integrity: &dyn Integrity) -> Result<Self, Trouble> {
        let seal = Seal::load(connection, integrity)?;
        Ok(Self { seal, seal_stored: seal, heads: HashMap::new(), undo_seal: seal, undo_heads: Vec::new() })
    }

    /// A batch begins: what follows can be taken back.
    pub(super) fn begin_batch(&mut self) {
        self.undo_seal = self.seal;
        self.undo_heads.clear();
    }

    /// The batch failed: memory is as it was when the batch began.
    pub(super) fn undo_batch(&mut self) {
        self.seal = self.undo_seal;
        for (tenant, head) in self.undo_heads.drain(..) {
            if let Some(kept) = self.heads.get_mut(&tenant) {
                kept.head = head;
            }
        }
    }

    /// A tenant's head, to be changed.
    pub(super) fn head(
        &mut self,
        connection: &Connection,
        integrity: &dyn Integrity,
        tenant: &TenantId,
    ) -> Result<&mut TreeHead, Trouble> {
        if !self.heads.contains_key(tenant) {
            let found = load_head(connection, integrity, tenant)?;
            let (head, stored) = found.map_or_else(Default::default, |(head, mark)| (head, Some(mark)));
            self.heads.insert(tenant.clone(), KeptHead { head, stored, changed: false });
        }
        let Some(kept) = self.heads.get_mut(tenant) else {
            return Err(row::altered("tree", tenant).into());
        };
        if !self.undo_heads.iter().any(|(noted, _)| noted == tenant) {
            self.undo_heads.push((tenant.clone(), kept.head.clone()));
        }
        kept.changed = true;
        Ok(&mut kept.head)
    }

    /// Writes what this transaction changed. Called once, right before the commit.
    pub(super) fn save(&mut self, connection: &Connection, integrity: &dyn Integrity) -> Result<(), Trouble> {
        for (tenant, kept) in self.heads.iter_mut().filter(|(_, kept)| kept.changed) {
            kept.changed = false;
            let mark = row::head_mark(integrity, tenant, &kept.head);
            if kept.stored == Some(mark) || kept.head.size == 0 {
                continue;
            }
            save_head(connection, tenant, &kept.head, &mark)?;
            toggle(&mut self.seal.heads, &mark);
            if let Some(old) = kept.stored.replace(mark) {
                toggle(&mut self.seal.heads, &old);
            }
        }
        if self.seal != self.seal_stored {
            self.seal.save(connection, integrity)?;
            self.seal_stored = self.seal;
        }
        if self.heads.len() > HEADS_MAX {
            self.heads.clear();
        }
        Ok(())
    }
}

fn save_head(connection: &Connection, tenant: &TenantId, head: &TreeHead, mark: &Mark) -> Result<(), Trouble> {
    let query = "INSERT OR REPLACE INTO tree_heads (tenant, size, frontier, mark) VALUES (?, ?, ?, ?)";
    let size = head.size.cast_signed();
    connection.prepare_cached(query)?.execute(params![tenant.as_str(), size, head.frontier.as_flattened(), mark])?;
    Ok(())
}

/// A tenant's head as it is stored. Its size must be that of the entries, or one of the two
/// was cut.
pub(super) fn load_head(
    connection: &Connection,
    integrity: &dyn Integrity,
    tenant: &TenantId,
) -> Result<Option<(TreeHead, Mark)>, Trouble> {
    let query = "SELECT size, frontier, mark FROM tree_heads WHERE tenant = ?";
    let mut statement = connection.prepare_cached(query)?;
    let mut rows = statement.query([tenant.as_str()])?;
    let found = rows.next()?.map(|found| row::head(integrity, tenant, found)).transpose()?;
    let query = "SELECT max(position) FROM entries WHERE tenant = ?";
    let last: Option<i64> = connection.prepare_cached(query)?.query_row([tenant.as_str()], |row| row.get(0))?;
    let entries = last.map_or(0, |position| position.cast_unsigned().wrapping_add(1));
    if entries != found.as_ref().map_or(0, |(head, _)| head.size) {
        return Err(row::altered("tree", tenant).into());
    }
    Ok(found)
}
