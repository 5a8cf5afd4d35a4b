//! The check of every row, offline or beside a running server: marks, sums, the index, the
//! trees. Reads one snapshot and changes nothing.
//!
//! What it cannot notice: that the whole database was put back to an earlier state. That
//! takes a checkpoint of the ledger that is kept elsewhere.

use std::collections::HashMap;
use std::path::Path;

use aegis_model::id::TenantId;
use aegis_model::ledger::TreeHead;
use aegis_model::port::{Integrity, StoreError};
use aegis_model::record::{Kind, RecordKey};
use rusqlite::{Connection, Row, params};

use super::directory::DATABASE_NAME;
use super::memory::{Seal, toggle};
use super::open_error::OpenError;
use super::row::{self, ENTRY_COLUMNS, EVENT_COLUMNS, Mark, RECORD_COLUMNS, WORK_COLUMNS};
use super::schema;
use super::trouble::Trouble;

/// Problems that are told one by one; the rest is only counted.
const PROBLEMS_MAX: usize = 100;

/// What the check has seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowReport {
    /// Documents.
    pub records: u64,
    /// Rows of the index.
    pub index_rows: u64,
    /// Events.
    pub events: u64,
    /// Ledger entries.
    pub entries: u64,
    /// Tenants with a tree.
    pub trees: u64,
    /// Kept nodes of the trees.
    pub nodes: u64,
    /// Pieces of work.
    pub work: u64,
    /// What is wrong, at most the first hundred.
    pub problems: Vec<String>,
    /// How many things are wrong in all.
    pub problems_count: u64,
}

impl RowReport {
    /// Whether nothing is wrong.
    pub fn is_intact(&self) -> bool {
        self.problems_count == 0
    }

    fn problem(&mut self, text: impl Into<String>) {
        self.problems_count += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(text.into());
        }
    }

    fn require(&mut self, holds: bool, text: impl FnOnce() -> String) {
        if !holds {
            self.problem(text());
        }
    }
}

/// Checks every row of the database in `dir`. Takes no lock: a running server may go on.
///
/// # Errors
/// When there is no database that could be checked at all. Everything that is wrong *in* it
/// is in the report.
pub fn verify_rows(dir: &Path, integrity: &dyn Integrity) -> Result<RowReport, OpenError> {
    let path = dir.join(DATABASE_NAME);
    let failed = |error| OpenError::of_database(&path, error);
    std::fs::metadata(&path).map_err(|error| OpenError::of_io(dir, error))?;
    let connection = schema::connect_reader(&path).map_err(failed)?;
    let snapshot = connection.unchecked_transaction().map_err(failed)?;
    let (found, known) = (schema::version(&snapshot).map_err(failed)?, schema::NEWEST);
    match found {
        _ if found > known => return Err(OpenError::Newer { path, found, known }),
        _ if found < known => return Err(OpenError::Older { path, found, known }),
        _ => schema::check(&snapshot, &path)?,
    }
    let mut check = Check { connection: &snapshot, integrity, report: RowReport::default() };
    check.run();
    Ok(check.report)
}

struct Check<'a> {
    connection: &'a Connection,
    integrity: &'a dyn Integrity,
    report: RowReport,
}

/// One part of the check.
type Part<C> = fn(&mut C, &Seal) -> Result<(), Trouble>;

impl Check<'_> {
    fn run(&mut self) {
        let parts: [Part<Self>; 7] =
            [Self::pages, Self::records, Self::index, Self::events, Self::trees, Self::nodes, Self::work];
        let seal = Seal::load(self.connection, self.integrity).unwrap_or_else(|error| {
            self.report.problem(StoreError::from(error).to_string());
            Seal::default()
        });
        for part in parts {
            if let Err(error) = part(self, &seal) {
                self.report.problem(StoreError::from(error).to_string());
            }
        }
    }

    /// Runs `check` on every row; a row that cannot be read or is altered is one problem.
    fn rows(
        &mut self,
        query: &str,
        mut check: impl FnMut(&mut Self, &Row) -> Result<(), Trouble>,
    ) -> Result<(), Trouble> {
        let connection = self.connection;
        let mut statement = connection.prepare(query)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            if let Err(error) = check(self, row) {
                self.report.problem(StoreError::from(error).to_string());
            }
        }
        Ok(())
    }

    fn count(&self, query: &str) -> Result<u64, Trouble> {
        Ok(self.connection.query_row(query, [], |row| row.get::<_, i64>(0))?.cast_unsigned())
    }

    fn pages(&mut self, _: &Seal) -> Result<(), Trouble> {
        self.rows("PRAGMA integrity_check", |check, row| {
            let said: String = row.get(0)?;
            check.report.require(said == "ok", || said);
            Ok(())
        })
    }

    fn records(&mut self, seal: &Seal) -> Result<(), Trouble> {
        let mut sum = Mark::default();
        let text = format!("SELECT {RECORD_COLUMNS}, r.kind, r.tenant FROM records r");
        self.rows(&text, |check, row| {
            check.report.records += 1;
            toggle(&mut sum, &row.get(5)?);
            let kind = kind_of(&row.get::<_, String>(7)?)?;
            let found = row::record(check.integrity, kind, &tenant_of(row.get(8)?)?, row)?;
            check.indexed(&found.record.key, &found.indexed)
        })?;
        self.report.require(sum == seal.records, || "documents were removed or put back".to_owned());
        Ok(())
    }

    /// Every index value of a document has its row.
    fn indexed(&self, key: &RecordKey, indexed: &str) -> Result<(), Trouble> {
        let query =
            "SELECT count(*) FROM record_index WHERE kind = ? AND tenant = ? AND name = ? AND value = ? AND id = ?";
        let mut statement = self.connection.prepare_cached(query)?;
        for (name, value) in row::indexed_values(key, indexed)? {
            let given = params![key.kind.as_str(), key.tenant.as_str(), name, value, key.id];
            if statement.query_row(given, |row| row.get::<_, i64>(0))? != 1 {
                return Err(row::altered("index of", &key.id).into());
            }
        }
        Ok(())
    }

    /// Every row of the index has its document.
    fn index(&mut self, _: &Seal) -> Result<(), Trouble> {
        let query = "SELECT i.id, i.name, i.value, r.indexed FROM record_index i LEFT JOIN records r \
                     ON r.kind = i.kind AND r.tenant = i.tenant AND r.id = i.id";
        self.rows(query, |check, row| {
            check.report.index_rows += 1;
            let (id, name, value): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let indexed = row.get::<_, Option<String>>(3)?.unwrap_or_default();
            let values: Vec<(String, String)> = serde_json::from_str(&indexed).unwrap_or_default();
            let agrees = values.contains(&(name, value));
            check.report.require(agrees, || row::altered("index of", &id).to_string());
            Ok(())
        })
    }

    /// Sequences run from 1 to the last one given without a hole, over all tenants.
    fn events(&mut self, seal: &Seal) -> Result<(), Trouble> {
        let text = format!("SELECT {EVENT_COLUMNS}, tenant FROM events");
        self.rows(&text, |check, row| {
            check.report.events += 1;
            row::event(check.integrity, &tenant_of(row.get(6)?)?, row).map(|_| ())
        })?;
        let distinct = self.count("SELECT count(DISTINCT sequence) FROM events")?;
        let last = self.count("SELECT coalesce(max(sequence), 0) FROM events")?;
        let whole = distinct == seal.sequence && last == seal.sequence && self.report.events == seal.sequence;
        self.report.require(whole, || format!("events are missing: {distinct} of {} are there", seal.sequence));
        Ok(())
    }

    /// Every tree grows again from its entries, to the same nodes and the same head.
    fn trees(&mut self, seal: &Seal) -> Result<(), Trouble> {
        let mut heads = HashMap::new();
        let mut sum = Mark::default();
        self.rows("SELECT size, frontier, mark, tenant FROM tree_heads", |check, row| {
            check.report.trees += 1;
            toggle(&mut sum, &row.get(2)?);
            let tenant = tenant_of(row.get(3)?)?;
            let (head, _) = row::head(check.integrity, &tenant, row)?;
            heads.insert(tenant, head);
            Ok(())
        })?;
        self.report.require(sum == seal.heads, || "trees were removed or put back".to_owned());
        let mut regrown: HashMap<TenantId, TreeHead> = HashMap::new();
        let text = format!("SELECT {ENTRY_COLUMNS}, tenant FROM entries ORDER BY tenant, position");
        self.rows(&text, |check, row| {
            check.report.entries += 1;
            let tenant = tenant_of(row.get(4)?)?;
            let entry = row::entry(check.integrity, &tenant, row)?;
            check.regrow(regrown.entry(tenant.clone()).or_default(), &tenant, entry.position, entry.leaf)
        })?;
        self.report.require(regrown == heads, || "a tree does not agree with its entries".to_owned());
        Ok(())
    }

    fn regrow(&self, head: &mut TreeHead, tenant: &TenantId, position: u64, leaf: [u8; 32]) -> Result<(), Trouble> {
        if head.size != position {
            return Err(row::altered("entry", position).into());
        }
        let query = "SELECT count(*) FROM tree_nodes WHERE tenant = ? AND level = ? AND place = ? AND hash = ?";
        for node in self.integrity.append(head, leaf) {
            let given = params![tenant.as_str(), node.level, node.index.cast_signed(), node.hash];
            let count: i64 = self.connection.prepare_cached(query)?.query_row(given, |row| row.get(0))?;
            if count != 1 {
                return Err(row::altered("tree node", node.index).into());
            }
        }
        Ok(())
    }

    /// Every node is marked, and there are no more than its tree has completed.
    fn nodes(&mut self, _: &Seal) -> Result<(), Trouble> {
        self.rows("SELECT place, hash, mark, tenant, level FROM tree_nodes", |check, row| {
            check.report.nodes += 1;
            let level = row.get::<_, u8>(4)?;
            row::node(check.integrity, &tenant_of(row.get(3)?)?, level, row).map(|_| ())
        })?;
        let complete: u64 =
            (1..8).map(|level| format!("coalesce(sum(size >> {}), 0)", level * 8)).try_fold(0, |total, part| {
                Ok::<_, Trouble>(total + self.count(&format!("SELECT {part} FROM tree_heads"))?)
            })?;
        let found = self.report.nodes;
        self.report.require(found == complete, || format!("{found} tree nodes are there, {complete} are due"));
        Ok(())
    }

    fn work(&mut self, seal: &Seal) -> Result<(), Trouble> {
        let mut sum = Mark::default();
        let text = format!("SELECT {WORK_COLUMNS}, queue FROM work");
        self.rows(&text, |check, row| {
            check.report.work += 1;
            toggle(&mut sum, &row.get(5)?);
            let queue: String = row.get(7)?;
            let found = row::work(check.integrity, &queue, row)?;
            let given = found.work.lease.epoch <= seal.epoch;
            check.report.require(given, || format!("work `{}` has an epoch that was never given", found.work.lease.id));
            Ok(())
        })?;
        self.report.require(sum == seal.work, || "work was removed or put back".to_owned());
        Ok(())
    }
}

fn kind_of(name: &str) -> Result<Kind, Trouble> {
    let found = Kind::ALL.iter().find(|kind| kind.as_str() == name);
    found.copied().ok_or_else(|| row::altered("kind", name).into())
}

fn tenant_of(text: String) -> Result<TenantId, Trouble> {
    TenantId::try_from(text).map_err(|error| StoreError::Tampered(error.to_string()).into())
}
