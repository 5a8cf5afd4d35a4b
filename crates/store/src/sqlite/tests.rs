//! Tests that reach inside: migrations from every earlier schema, settings, and what is
//! noticed when the database is altered behind the store's back.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use aegis_conformance::store::TestIntegrity;
use aegis_conformance::store::draft::{
    agent, all_agents, batch, claim, commit, count, create, entry, event, ok, put, tally, tenant, work,
};
use aegis_model::port::{Store, StoreError, StoreResult};
use aegis_model::record::{Change, Expect, Kind, ListQuery, Put, RecordKey};
use rusqlite::Connection;
use tempfile::TempDir;

use super::directory::DATABASE_NAME;
use super::writer::Command;
use super::{OpenError, RowReport, SqliteStore, schema, verify_rows};

fn open(dir: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(dir, Arc::new(TestIntegrity::default()))
}

fn verify(dir: &Path) -> RowReport {
    verify_rows(dir, &TestIntegrity::default()).expect("it can be checked")
}

fn raw(dir: &Path) -> Connection {
    Connection::open(dir.join(DATABASE_NAME)).expect("it opens")
}

/// A store with something of everything in it, closed again.
async fn filled(dir: &Path) {
    let store = open(dir).expect("it opens");
    let one = |number| {
        let name = format!("a{number:03}");
        let second =
            Put { index: vec![("state", "other".to_owned())], ..put(agent(&name), Expect::Version(1), "[]", "") };
        batch([create(&name), event("agents", &name), entry(&name), work(&name, number), Change::Put(second)])
    };
    for result in store.commit_many((0..300).map(one).collect()).await {
        ok(result);
    }
    assert_eq!(ok(store.claim(&claim(10, 1_000, 3)).await).len(), 3);
}

/// The bytes of a database that [`filled`] has made.
async fn filled_database() -> Vec<u8> {
    let dir = TempDir::new().expect("a directory");
    filled(dir.path()).await;
    fs::read(dir.path().join(DATABASE_NAME)).expect("it can be read")
}

async fn pragma(store: &SqliteStore, text: &str) -> i64 {
    let text = text.to_owned();
    ok(ok(store.ask(|reply| Command::Pragma { text, reply }).await))
}

#[tokio::test]
async fn a_commit_waits_for_the_disk() {
    let dir = TempDir::new().expect("a directory");
    let store = open(dir.path()).expect("it opens");
    assert_eq!(pragma(&store, "PRAGMA synchronous").await, 2, "FULL");
}

/// What is to be gone, a key that somebody destroyed for example, stands in no corner of a page.
#[tokio::test]
async fn of_what_was_replaced_or_deleted_no_part_is_left_in_the_file() {
    let dir = TempDir::new().expect("a directory");
    filled(dir.path()).await;
    let store = open(dir.path()).expect("it opens");
    for (id, length) in [("small", 200), ("page", 3_000), ("pages", 40_000)] {
        for fate in ["replaced", "deleted"] {
            let key = agent(&format!("{id}-{fate}"));
            let body = format!("\"{}\"", "kept-nowhere-".repeat(length / 13));
            ok(commit(&store, [Change::Put(put(key.clone(), Expect::Absent, &body, "active"))]).await);
            let change = match fate {
                "replaced" => Change::Put(put(key, Expect::Version(1), "{}", "active")),
                _ => Change::Delete { key, expect: Expect::Version(1) },
            };
            ok(commit(&store, [change]).await);
        }
    }
    drop(store);
    for entry in fs::read_dir(dir.path()).expect("it can be listed").flatten() {
        let bytes = fs::read(entry.path()).expect("it can be read");
        assert!(!bytes.windows(13).any(|window| window == b"kept-nowhere-"), "{}", entry.path().display());
    }
}

#[test]
fn a_sound_store_has_no_problems() {
    let dir = TempDir::new().expect("a directory");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(filled(dir.path()));
    let report = verify(dir.path());
    assert!(report.is_intact(), "{report:?}");
    let counts = (report.records, report.index_rows, report.events, report.entries, report.work);
    assert_eq!(counts, (300, 300, 300, 300, 300));
    assert_eq!((report.trees, report.nodes), (1, 1));
}

#[tokio::test]
async fn the_check_runs_beside_an_open_store() {
    let dir = TempDir::new().expect("a directory");
    let store = open(dir.path()).expect("it opens");
    ok(commit(&store, [create("a"), entry("a")]).await);
    assert_eq!(verify(dir.path()).records, 1);
}

#[tokio::test]
async fn every_earlier_schema_is_migrated() {
    for earlier in 0..=schema::NEWEST {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().join(DATABASE_NAME);
        let mut connection = raw(dir.path());
        schema::migrate_to(&mut connection, &path, &TestIntegrity::default(), earlier).expect("it migrates");
        assert_eq!(schema::version(&connection).expect("it can be read"), earlier);
        drop(connection);
        let store = open(dir.path()).expect("it opens");
        ok(commit(&store, [create("a"), event("s", "a"), entry("a"), work("a", 0)]).await);
        drop(store);
        assert!(verify(dir.path()).is_intact(), "from schema {earlier}");
    }
}

#[test]
fn a_newer_schema_is_refused_by_name() {
    let dir = TempDir::new().expect("a directory");
    drop(open(dir.path()).expect("it opens"));
    raw(dir.path()).pragma_update(None, "user_version", 99).expect("it is set");
    let message = open(dir.path()).err().expect("it is refused").to_string();
    assert!(message.ends_with(&format!("has schema 99, this program knows up to {}", schema::NEWEST)), "{message}");
}

#[test]
fn a_migration_that_fails_leaves_nothing_behind() {
    let dir = TempDir::new().expect("a directory");
    raw(dir.path()).execute_batch("CREATE TABLE work (mine TEXT)").expect("it is made");
    assert!(open(dir.path()).is_err(), "somebody else's database");
    let tables: i64 =
        raw(dir.path()).query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).expect("it can be read");
    assert_eq!(tables, 1);
}

#[test]
fn a_schema_that_somebody_extended_is_refused() {
    let dir = TempDir::new().expect("a directory");
    drop(open(dir.path()).expect("it opens"));
    let trigger = "CREATE TRIGGER thief AFTER INSERT ON records BEGIN DELETE FROM records WHERE kind = 'freeze'; END";
    raw(dir.path()).execute_batch(trigger).expect("it is made");
    assert!(matches!(open(dir.path()), Err(OpenError::Altered { .. })));
}

#[tokio::test]
async fn a_full_database_fails_one_batch_and_spares_the_others() {
    let dir = TempDir::new().expect("a directory");
    let store = open(dir.path()).expect("it opens");
    ok(commit(&store, [create("before"), entry("before")]).await);
    let pages = pragma(&store, "PRAGMA page_count").await;
    pragma(&store, &format!("PRAGMA max_page_count = {}", pages + 40)).await;
    let large = Put { body: vec![1; 1_000_000].into(), ..put(agent("large"), Expect::Absent, "", "active") };
    let batches = vec![
        batch([create("left"), entry("left")]),
        batch([entry("lost"), Change::Put(large)]),
        batch([create("right"), entry("right"), event("s", "right")]),
    ];
    let results = store.commit_many(batches).await;
    assert!(matches!(results.as_slice(), [Ok(_), Err(StoreError::Full), Ok(_)]), "{results:?}");
    assert_eq!(ok(store.tree_head(&tenant("acme")).await).size, 3);
    assert_eq!(ok(store.list(&all_agents()).await).len(), 3);
    pragma(&store, "PRAGMA max_page_count = 1000000").await;
    ok(commit(&store, [create("after"), entry("after")]).await);
    drop(store);
    assert!(verify(dir.path()).is_intact());
}

/// Every way to ask for what [`filled`] has written.
async fn reads(store: &SqliteStore) -> Vec<StoreResult<String>> {
    let acme = tenant("acme");
    let by_state = ListQuery { index: Some(("state", "other".to_owned())), ..all_agents() };
    let forged = ListQuery { index: Some(("state", "forged".to_owned())), ..all_agents() };
    let mut all = vec![
        store.list(&all_agents()).await.map(|found| format!("{found:?}")),
        store.list(&forged).await.map(|found| format!("{found:?}")),
        store.list(&by_state).await.map(|found| format!("{found:?}")),
        store.tail(&acme, None, 0, 1_000).await.map(|found| format!("{found:?}")),
        store.tail(&acme, Some("agents"), 0, 1_000).await.map(|found| format!("{found:?}")),
        store.entries(&acme, 0, 1_000).await.map(|found| format!("{found:?}")),
        store.leaves(&acme, 0, 1_000).await.map(|found| format!("{found:?}")),
        store.nodes(&acme, 1, 0, 1_000).await.map(|found| format!("{found:?}")),
        store.tree_head(&acme).await.map(|found| format!("{found:?}")),
    ];
    for number in [0, 150, 299] {
        all.push(store.get(&agent(&format!("a{number:03}"))).await.map(|found| format!("{found:?}")));
    }
    all
}

/// Alters the database; says which reads and checks notice.
async fn alter(whole: &[u8], statement: &str) -> (Vec<StoreResult<String>>, StoreResult<usize>, RowReport) {
    let dir = TempDir::new().expect("a directory");
    fs::write(dir.path().join(DATABASE_NAME), whole).expect("it is written");
    let connection = raw(dir.path());
    connection.execute_batch(statement).expect(statement);
    assert!(connection.total_changes() > 0, "{statement} changes something");
    drop(connection);
    let report = verify(dir.path());
    let Ok(store) = open(dir.path()) else { return (Vec::new(), Ok(0), report) };
    let answers = reads(&store).await;
    let claimed = store.claim(&claim(10_000, 10, 1_000)).await.map(|claimed| claimed.len());
    (answers, claimed, report)
}

fn is_tampered<T>(answer: &StoreResult<T>) -> bool {
    matches!(answer, Err(StoreError::Tampered(_)))
}

/// An altered row is noticed by whoever reads it, and by the check.
#[tokio::test]
async fn an_altered_row_is_noticed_when_it_is_read() {
    let cases = [
        "UPDATE records SET body = CAST('{}' AS BLOB) WHERE id = 'a150'",
        "UPDATE records SET version = 1 WHERE id = 'a150'",
        "UPDATE records SET terminal = 1 WHERE id = 'a150'",
        "UPDATE records SET terminal = 7 WHERE id = 'a150'",
        "UPDATE records SET changed_at = changed_at + 1 WHERE id = 'a150'",
        "UPDATE records SET changed_at = -1 WHERE id = 'a150'",
        "UPDATE records SET indexed = '[]' WHERE id = 'a150'",
        "UPDATE records SET mark = zeroblob(16) WHERE id = 'a150'",
        "UPDATE records SET mark = zeroblob(15) WHERE id = 'a150'",
        "UPDATE records SET id = 'a150x' WHERE id = 'a150'",
        "UPDATE record_index SET id = 'a999' WHERE id = 'a150'",
        "INSERT INTO record_index VALUES ('agent', 'acme', 'state', 'other', 'ghost')",
        "INSERT INTO record_index VALUES ('agent', 'acme', 'state', 'forged', 'a150')",
        "UPDATE events SET body = CAST('[]' AS BLOB) WHERE sequence = 7",
        "UPDATE events SET name = 'x' WHERE sequence = 7",
        "UPDATE events SET stream = 'x' WHERE sequence = 7",
        "UPDATE events SET at = 7 WHERE sequence = 7",
        "UPDATE events SET sequence = 999 WHERE sequence = 7",
        "UPDATE entries SET bytes = CAST('x' AS BLOB) WHERE position = 7",
        "UPDATE entries SET leaf = zeroblob(32) WHERE position = 7",
        "UPDATE entries SET position = 999 WHERE position = 7",
        "DELETE FROM entries WHERE position = 7",
        "DELETE FROM entries WHERE position = 299",
        "DELETE FROM entries",
        "UPDATE tree_heads SET size = 299",
        "UPDATE tree_heads SET frontier = zeroblob(128)",
        "UPDATE tree_heads SET frontier = zeroblob(3)",
        "DELETE FROM tree_heads",
        "UPDATE tree_nodes SET hash = zeroblob(32)",
        "UPDATE tree_nodes SET place = 1",
        "DELETE FROM tree_nodes",
        "UPDATE work SET body = CAST('x' AS BLOB) WHERE id = 'a200'",
        "UPDATE work SET due = 1 WHERE id = 'a200'",
        "UPDATE work SET epoch = 0, held_until = 0 WHERE id = 'a000'",
        "UPDATE work SET tenant = 'other' WHERE id = 'a200'",
    ];
    let whole = filled_database().await;
    for case in cases {
        let (answers, claimed, report) = alter(&whole, case).await;
        assert!(answers.iter().any(is_tampered) || is_tampered(&claimed), "reads: {case}");
        assert!(!report.is_intact(), "check: {case}");
    }
}

/// The sum over all documents follows every count, made, added to, refused, or removed.
#[tokio::test]
async fn what_was_counted_passes_the_check() {
    let dir = TempDir::new().expect("a directory");
    let store = open(dir.path()).expect("it opens");
    let refused = Change::Require { key: agent("nobody"), expect: Expect::Version(1) };
    let one = |number: u32| batch([count("all", 1), count(&number.to_string(), 7), entry("counted")]);
    let undone = batch([count("all", 1), count("never", 1), refused]);
    let results = store.commit_many((0..50).map(one).chain([undone]).chain((0..50).map(one)).collect()).await;
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 100);
    ok(commit(&store, [Change::Delete { key: tally("7"), expect: Expect::Version(2) }]).await);
    drop(store);
    let report = verify(dir.path());
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.records, report.index_rows), (50, 50));
}

/// Otherwise whoever can write to the file could begin a limit anew.
#[tokio::test]
async fn a_number_that_was_altered_is_not_counted_on() {
    let cases = [
        "UPDATE records SET body = CAST('{\"count\":0}' AS BLOB)",
        "UPDATE records SET id = 'b'",
        "UPDATE records SET version = 1",
        "UPDATE records SET mark = zeroblob(16)",
        "DELETE FROM records",
    ];
    for case in cases {
        let dir = TempDir::new().expect("a directory");
        let store = open(dir.path()).expect("it opens");
        ok(commit(&store, [count("a", 5), count("a", 5)]).await);
        assert_eq!(raw(dir.path()).execute(case, []).expect(case), 1);
        let id = if case.contains("'b'") { "b" } else { "a" };
        let results = store.commit_many(vec![batch([create("c")]), batch([create("d"), count(id, 1)])]).await;
        assert!(matches!(results.as_slice(), [Ok(_), Err(StoreError::Tampered(_))]), "{case}: {results:?}");
        assert_eq!(ok(store.list(&all_agents()).await).len(), 1, "{case}");
        drop(store);
        assert!(!verify(dir.path()).is_intact(), "{case}");
    }
}

/// What no reader can see, the check does.
#[tokio::test]
async fn a_removed_or_revived_row_is_noticed_by_the_check() {
    let cases = [
        "DELETE FROM records WHERE id = 'a150'",
        "DELETE FROM record_index WHERE id = 'a150'",
        "UPDATE record_index SET value = 'elsewhere' WHERE id = 'a150'",
        "DELETE FROM events WHERE sequence = 300",
        "DELETE FROM events WHERE sequence = 7",
        "DELETE FROM work WHERE id = 'a200'",
        "DELETE FROM work",
        "DELETE FROM entries; DELETE FROM tree_nodes; DELETE FROM tree_heads",
    ];
    let whole = filled_database().await;
    for case in cases {
        let (_, _, report) = alter(&whole, case).await;
        assert!(!report.is_intact(), "{case}");
    }
}

#[tokio::test]
async fn an_altered_seal_is_refused_when_it_is_opened() {
    for case in ["UPDATE seal SET sequence = 1", "UPDATE seal SET epoch = 0", "DELETE FROM seal"] {
        let dir = TempDir::new().expect("a directory");
        filled(dir.path()).await;
        raw(dir.path()).execute(case, []).expect(case);
        assert!(matches!(open(dir.path()), Err(OpenError::Altered { .. })), "{case}");
        assert!(!verify(dir.path()).is_intact(), "{case}");
    }
}

/// A key that was revoked, put back as it was: its row is genuine, only old.
#[tokio::test]
async fn a_row_put_back_as_it_once_was_is_noticed_by_the_check() {
    let dir = TempDir::new().expect("a directory");
    let key = RecordKey::new(Kind::Freeze, tenant("acme"), "all");
    let store = open(dir.path()).expect("it opens");
    ok(commit(&store, [Change::Put(put(key.clone(), Expect::Absent, "\"open\"", ""))]).await);
    drop(store);
    let old: (i64, Vec<u8>, Vec<u8>) = raw(dir.path())
        .query_row("SELECT version, body, mark FROM records", [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .expect("it can be read");
    let store = open(dir.path()).expect("it opens");
    ok(commit(&store, [Change::Put(Put { key: key.clone(), ..put(key, Expect::Version(1), "\"frozen\"", "") })]).await);
    drop(store);
    raw(dir.path()).execute("UPDATE records SET version = ?, body = ?, mark = ?", (old.0, old.1, old.2)).expect("done");
    let report = verify(dir.path());
    assert!(report.problems.iter().any(|problem| problem.contains("put back")), "{report:?}");
}

/// One byte in every region of the file, on a store at rest. Whatever is flipped is either
/// noticed, or changes no answer at all (a free byte, a hint that SQLite does not trust).
#[tokio::test]
async fn a_flipped_byte_in_any_region_is_noticed_or_means_nothing() {
    let dir = TempDir::new().expect("a directory");
    filled(dir.path()).await;
    let whole = fs::read(dir.path().join(DATABASE_NAME)).expect("it can be read");
    let truth = reads(&open(dir.path()).expect("it opens")).await;
    assert!(truth.iter().all(Result::is_ok));
    let (mut noticed, mut harmless) = (0, 0);
    for place in (0..whole.len()).step_by(1_777).chain([0, 18, 24, 28, 60, 100]) {
        let dir = TempDir::new().expect("a directory");
        let mut bytes = whole.clone();
        bytes[place] ^= 0x55;
        fs::write(dir.path().join(DATABASE_NAME), &bytes).expect("it is written");
        let is_noticed = verify_rows(dir.path(), &TestIntegrity::default()).map_or(true, |report| !report.is_intact());
        let Ok(store) = open(dir.path()) else {
            noticed += 1;
            continue;
        };
        let answers = reads(&store).await;
        if is_noticed {
            noticed += 1;
        } else {
            harmless += 1;
            assert_eq!(answers, truth, "byte {place} changed an answer and nobody noticed");
        }
    }
    println!("{noticed} flips noticed, {harmless} without meaning, in {} bytes", whole.len());
    assert!(noticed > harmless, "{noticed} noticed, {harmless} not");
}
