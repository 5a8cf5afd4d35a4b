//! How a connection is set up, and how the schema comes to be: numbered migrations that are
//! only ever appended. The number of the last one is the `user_version` of the database.

use std::path::Path;

use aegis_model::port::Integrity;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::memory::Seal;
use super::open_error::OpenError;

/// In order; never changed, only appended to.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_documents.sql"),
    include_str!("migrations/0002_events.sql"),
    include_str!("migrations/0003_ledger.sql"),
    include_str!("migrations/0004_work.sql"),
];

/// The number of the newest schema.
pub(super) const NEWEST: u32 = MIGRATIONS.len() as u32;

/// `synchronous` FULL in WAL mode is one fsync per commit: acknowledged is durable. The
/// larger checkpoint distance keeps the second and third fsync of a checkpoint rare. What is
/// replaced or deleted is overwritten, so that a key that was destroyed is not found in a page.
const WRITER_SETTINGS: &str = "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536; \
                               PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864; \
                               PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON";
const READER_SETTINGS: &str = "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -16384; \
                               PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON";
/// Statements that stay prepared on a connection: more than there are.
const STATEMENTS_MAX: usize = 64;
/// How long a connection waits for a lock of SQLite; there is one writer, so only recovery
/// and checkpoints of another connection can hold one.
const BUSY_TIMEOUT_MS: u64 = 10_000;

fn connect(path: &Path, flags: OpenFlags, settings: &str) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_TIMEOUT_MS))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.execute_batch(settings)?;
    Ok(connection)
}

/// The one connection that writes.
pub(super) fn connect_writer(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE, WRITER_SETTINGS)?;
    let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode == "wal" {
        Ok(connection)
    } else {
        Err(rusqlite::Error::InvalidParameterName(format!("journal mode {mode}")))
    }
}

/// A connection that only reads.
pub(super) fn connect_reader(path: &Path) -> rusqlite::Result<Connection> {
    connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY, READER_SETTINGS)
}

/// The number of the last migration that a database has seen.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0))
}

/// Brings a database to the newest schema, in one transaction, and checks that the schema
/// is exactly ours: a trigger or a view that somebody added would act behind our back.
pub(super) fn migrate(connection: &mut Connection, path: &Path, integrity: &dyn Integrity) -> Result<(), OpenError> {
    migrate_to(connection, path, integrity, NEWEST)?;
    check(connection, path)
}

/// Applies the migrations up to number `target`.
pub(super) fn migrate_to(
    connection: &mut Connection,
    path: &Path,
    integrity: &dyn Integrity,
    target: u32,
) -> Result<(), OpenError> {
    let failed = |error| OpenError::of_database(path, error);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let found = version(&transaction).map_err(failed)?;
    if found > NEWEST {
        return Err(OpenError::Newer { path: path.to_owned(), found, known: NEWEST });
    }
    if found >= target {
        return Ok(());
    }
    let pending = MIGRATIONS.iter().take(target as usize).skip(found as usize);
    for migration in pending {
        transaction.execute_batch(migration).map_err(failed)?;
    }
    if found == 0 {
        Seal::default().save(&transaction, integrity).map_err(|error| OpenError::of_trouble(path, error))?;
    }
    transaction.pragma_update(None, "user_version", target).map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// Compares the schema with the one that the migrations make.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |error| OpenError::of_database(path, error);
    let fresh = Connection::open_in_memory().map_err(failed)?;
    for migration in MIGRATIONS {
        fresh.execute_batch(migration).map_err(failed)?;
    }
    if definitions(connection).map_err(failed)? == definitions(&fresh).map_err(failed)? {
        return Ok(());
    }
    Err(OpenError::Altered { path: path.to_owned(), detail: "its schema is not the one this program makes".to_owned() })
}

type Definition = (String, String, String, Option<String>);

fn definitions(connection: &Connection) -> rusqlite::Result<Vec<Definition>> {
    let query = "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%' ORDER BY 1, 2";
    let mut statement = connection.prepare(query)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    rows.collect()
}
