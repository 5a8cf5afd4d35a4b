//! Durable commits per second, fsync on: a document, an event and a ledger entry each time.
//! Ours at concurrency 1 and 64, against a naive transaction per call on tables that can
//! answer the same questions, and against what the disk can do. Must not know how the store
//! works.

use std::error::Error;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use aegis_ledger::Sealer;
use aegis_model::ledger::TreeHead;
use aegis_model::port::{Integrity, Store};
use aegis_model::record::{Batch, Change, EntryDraft, EventDraft, Expect, Kind, Put, RecordKey};
use aegis_model::{TenantId, Timestamp};
use bytes::Bytes;
use rusqlite::{Connection, params};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Rounds; the median of each column counts, and the rounds interleave what is compared.
const ROUNDS: usize = 5;
/// How long each measurement runs.
const MEASURED: Duration = Duration::from_millis(1_500);
/// What a document or an event holds.
const BODY: &str =
    r#"{"name":"github-triage","state":"active","isolation":"process","labels":{"team":"platform"},"version":7}"#;

/// One row of the table.
struct Contender {
    name: &'static str,
    measure: fn(&Path) -> Outcome<f64>,
    per_second: Vec<f64>,
}

/// Prints the table.
///
/// # Errors
/// When a directory cannot be used.
pub fn run() -> Outcome {
    let contender = |name, measure| Contender { name, measure, per_second: Vec::new() };
    let mut contenders = [
        contender("fdatasync of 4 KiB (floor)", floor),
        contender("naive transaction per call", naive),
        contender("ours, concurrency 1", |dir| ours(dir, 1)),
        contender("ours, concurrency 64", |dir| ours(dir, 64)),
    ];
    for _ in 0..ROUNDS {
        for contender in &mut contenders {
            let dir = tempfile::Builder::new().prefix("commits").tempdir_in("target")?;
            contender.per_second.push((contender.measure)(dir.path())?);
        }
    }
    print(&contenders)
}

fn print(contenders: &[Contender]) -> Outcome {
    let mut out = std::io::stdout().lock();
    let naive = contenders.iter().find(|contender| contender.name.starts_with("naive"));
    let naive = naive.map(|contender| contender.per_second.clone()).unwrap_or_default();
    writeln!(out, "durable commits (document + event + ledger entry), fsync on, median of {ROUNDS} rounds")?;
    writeln!(out, "{:<28}{:>12}{:>12}{:>12}{:>12}", "", "per second", "lowest", "highest", "× naive")?;
    for Contender { name, per_second, .. } in contenders {
        let (low, median, high) = spread(per_second.clone());
        // Round by round, because a shared disk is fast in one round and slow in the next.
        let (_, ratio, _) = spread(per_second.iter().zip(&naive).map(|(ours, naive)| ours / naive).collect());
        writeln!(out, "{name:<28}{median:>12.0}{low:>12.0}{high:>12.0}{ratio:>12.1}")?;
    }
    Ok(())
}

/// The lowest, the middle and the highest.
fn spread(mut values: Vec<f64>) -> (f64, f64, f64) {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or_default();
    (at(0), at(values.len() / 2), at(values.len().saturating_sub(1)))
}

/// Counts how often `act` can be done one after the other.
fn repeat(mut act: impl FnMut(u64) -> Outcome) -> Outcome<f64> {
    let begun = Instant::now();
    let mut count = 0;
    while begun.elapsed() < MEASURED {
        act(count)?;
        count += 1;
    }
    Ok(count as f64 / begun.elapsed().as_secs_f64())
}

/// What the disk can do: one page written over, and made durable.
fn floor(dir: &Path) -> Outcome<f64> {
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(dir.join("floor"))?;
    file.write_all_at(&vec![1; 64 * 4096], 0)?;
    file.sync_all()?;
    repeat(|count| {
        file.write_all_at(&[count as u8; 4096], (count % 64) * 4096)?;
        Ok(file.sync_data()?)
    })
}

fn sealer() -> Sealer {
    Sealer::new(&[7; 32])
}

fn entry(number: u64) -> String {
    format!(
        r#"{{"action":"agent_update","correlation_id":"cor_01k0000000{number:016}","decision":{{"allowed":true,"id":"dec_01k0000000{number:016}","reason":"granted"}},"kind":"act","policy_hash":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","principal":"key_01k00000000000000000000000","request_mac":"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08","subject":"agent/a{number}","tenant":"default","time":"2026-01-01T00:00:00.000Z"}}"#
    )
}

/// Tables that can answer the same questions: a document by id and by index, events of a
/// tenant and of a stream, entries by position.
const NAIVE_SCHEMA: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE documents (kind TEXT, tenant TEXT, id TEXT, version INTEGER, body BLOB, mark BLOB,
        PRIMARY KEY (kind, tenant, id));
    CREATE TABLE document_index (kind TEXT, tenant TEXT, name TEXT, value TEXT, id TEXT,
        PRIMARY KEY (kind, tenant, name, value, id)) WITHOUT ROWID;
    CREATE TABLE events (sequence INTEGER PRIMARY KEY, tenant TEXT, stream TEXT, name TEXT, body BLOB, mark BLOB);
    CREATE INDEX events_by_tenant ON events (tenant);
    CREATE INDEX events_by_stream ON events (tenant, stream);
    CREATE TABLE entries (tenant TEXT, position INTEGER, bytes BLOB, leaf BLOB, mark BLOB,
        PRIMARY KEY (tenant, position));
    CREATE TABLE heads (tenant TEXT PRIMARY KEY, size INTEGER, frontier BLOB, mark BLOB) WITHOUT ROWID;";

/// What one would write first: one connection, one transaction per call, statements cached,
/// nobody to share with.
fn naive(dir: &Path) -> Outcome<f64> {
    let mut connection = Connection::open(dir.join("naive.db"))?;
    connection.execute_batch(NAIVE_SCHEMA)?;
    let sealer = sealer();
    let mut head = TreeHead::default();
    repeat(|number| naive_commit(&mut connection, &sealer, &mut head, number))
}

fn naive_commit(connection: &mut Connection, sealer: &Sealer, head: &mut TreeHead, number: u64) -> Outcome {
    let id = format!("a{number:016}");
    let transaction = connection.transaction()?;
    let mark = sealer.mark(&[b"agent", b"default", id.as_bytes(), BODY.as_bytes()]);
    let query = "INSERT INTO documents VALUES ('agent', 'default', ?, 1, ?, ?)";
    transaction.prepare_cached(query)?.execute(params![id, BODY, mark])?;
    let query = "INSERT INTO document_index VALUES ('agent', 'default', 'state', 'active', ?)";
    transaction.prepare_cached(query)?.execute([&id])?;
    let mark = sealer.mark(&[b"default", b"agents", b"created", BODY.as_bytes()]);
    let query = "INSERT INTO events (tenant, stream, name, body, mark) VALUES ('default', 'agents', 'created', ?, ?)";
    transaction.prepare_cached(query)?.execute(params![BODY, mark])?;
    let bytes = entry(number);
    let leaf = sealer.leaf(bytes.as_bytes());
    sealer.append(head, leaf);
    let mark = sealer.mark(&[b"default", &leaf]);
    let query = "INSERT INTO entries VALUES ('default', ?, ?, ?, ?)";
    transaction.prepare_cached(query)?.execute(params![number as i64, bytes, leaf, mark])?;
    let frontier = head.frontier.concat();
    let mark = sealer.mark(&[&frontier]);
    let query = "INSERT OR REPLACE INTO heads VALUES ('default', ?, ?, ?)";
    transaction.prepare_cached(query)?.execute(params![head.size as i64, frontier, mark])?;
    Ok(transaction.commit()?)
}

fn batch(number: u64) -> Batch {
    let (tenant, body) = (TenantId::first(), Bytes::from_static(BODY.as_bytes()));
    let put = Put {
        key: RecordKey::new(Kind::Agent, tenant.clone(), format!("a{number:016}")),
        expect: Expect::Absent,
        body: body.clone(),
        index: vec![("state", "active".to_owned())],
        terminal: false,
    };
    let (stream, name) = ("agents".to_owned(), "created".to_owned());
    let event = EventDraft { tenant: tenant.clone(), stream, name, body };
    let entry = EntryDraft { tenant, bytes: Bytes::from(entry(number)) };
    let changes = vec![Change::Put(put), Change::Append(event), Change::Enter(entry)];
    Batch { at: Timestamp::from_millis(number), changes }
}

/// So many callers, each waiting for one commit before it asks for the next.
fn ours(dir: &Path, callers: usize) -> Outcome<f64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = aegis_store::open(dir, Arc::new(sealer()))?;
        let next = Arc::new(AtomicU64::new(0));
        let begun = Instant::now();
        let tasks: Vec<_> = (0..callers).map(|_| tokio::spawn(caller(store.clone(), next.clone(), begun))).collect();
        let mut count = 0;
        for task in tasks {
            count += task.await??;
        }
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    })
}

async fn caller(
    store: Arc<dyn Store>,
    next: Arc<AtomicU64>,
    begun: Instant,
) -> Result<u64, aegis_model::port::StoreError> {
    let mut count = 0;
    while begun.elapsed() < MEASURED {
        let number = next.fetch_add(1, Ordering::Relaxed);
        for result in store.commit_many(vec![batch(number)]).await {
            result?;
            count += 1;
        }
    }
    Ok(count)
}
