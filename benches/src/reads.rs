//! How long a document takes to read: from the cache, and from SQLite below it, in the same
//! run. The cache is on the way of every authenticated request.

use std::error::Error;
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use aegis_ledger::Sealer;
use aegis_model::port::Store;
use aegis_model::record::{Batch, Change, Expect, Kind, Put, RecordKey};
use aegis_model::{TenantId, Timestamp};
use aegis_store::{Cached, SqliteStore};
use bytes::Bytes;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Documents that are asked for in turn.
const DOCUMENTS: usize = 1_000;
/// Rounds; the median counts.
const ROUNDS: usize = 9;
const BODY: &[u8] = &[b'x'; 400];

/// Prints both medians.
///
/// # Errors
/// When a directory cannot be used.
pub fn run() -> Outcome {
    let dir = tempfile::Builder::new().prefix("reads").tempdir_in("target")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let sqlite = Arc::new(SqliteStore::open(dir.path(), Arc::new(Sealer::new(&[7; 32])))?);
        let cached = Cached::new(sqlite.clone());
        let keys: Vec<RecordKey> = (0..DOCUMENTS).map(key).collect();
        fill(&cached, &keys).await?;
        let below = median_ns(sqlite.as_ref(), &keys, 2).await?;
        median_ns(&cached, &keys, 1).await?;
        let hit = median_ns(&cached, &keys, 100).await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "a document by id, median of {ROUNDS} rounds")?;
        writeln!(out, "{:<28}{hit:>12.0} ns", "cache")?;
        writeln!(out, "{:<28}{below:>12.0} ns   {:.0} × the cache", "sqlite", below / hit)?;
        Ok(())
    })
}

fn key(number: usize) -> RecordKey {
    RecordKey::new(Kind::Key, TenantId::platform(), format!("key_{number:026}"))
}

async fn fill(store: &dyn Store, keys: &[RecordKey]) -> Outcome {
    let put = |key: &RecordKey| {
        let body = Bytes::from_static(BODY);
        Change::Put(Put { key: key.clone(), expect: Expect::Any, body, index: Vec::new(), terminal: false })
    };
    let changes = keys.iter().map(put).collect();
    for result in store.commit_many(vec![Batch { at: Timestamp::from_millis(0), changes }]).await {
        result?;
    }
    Ok(())
}

async fn median_ns(store: &dyn Store, keys: &[RecordKey], times: usize) -> Outcome<f64> {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        for _ in 0..times {
            for key in keys {
                black_box(store.get(key).await?);
            }
        }
        rounds.push(begun.elapsed().as_nanos() as f64 / (times * keys.len()) as f64);
    }
    rounds.sort_by(f64::total_cmp);
    Ok(rounds.get(ROUNDS / 2).copied().unwrap_or_default())
}
