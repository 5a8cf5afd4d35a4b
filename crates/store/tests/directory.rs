//! The data directory: who may open it, and what is said when it cannot be opened.
#![expect(clippy::disallowed_methods, reason = "these tests start a second process and talk to it")]
#![expect(clippy::expect_used, clippy::panic, clippy::print_stderr, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use aegis_conformance::store::TestIntegrity;
use aegis_conformance::store::draft::{agent, commit, create, ok};
use aegis_store::{OpenError, SqliteStore};
use tempfile::TempDir;

fn open(dir: &Path) -> Result<SqliteStore, OpenError> {
    SqliteStore::open(dir, Arc::new(TestIntegrity::default()))
}

fn refusal(dir: &Path) -> OpenError {
    open(dir).err().expect("the directory should be refused")
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// Tells what a test cannot do here, so that a gap is seen.
fn skip(why: &str) {
    eprintln!("SKIPPED: {why}");
}

#[test]
fn a_missing_directory_is_made_for_its_owner_only() {
    let parent = TempDir::new().expect("a directory");
    let dir = parent.path().join("a/b");
    let store = open(&dir).expect("it opens");
    assert_eq!(mode(&dir), 0o700);
    for name in ["aegis.db", "aegis.db-wal", "aegis.db-shm", "lock"] {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
    drop(store);
    assert!(!dir.join("aegis.db-wal").exists(), "a closed store is at rest");
}

#[test]
fn a_database_that_others_could_read_is_closed_to_them() {
    let dir = TempDir::new().expect("a directory");
    drop(open(dir.path()).expect("it opens"));
    let database = dir.path().join("aegis.db");
    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).expect("the mode is set");
    let _store = open(dir.path()).expect("it opens");
    assert_eq!(mode(&database), 0o600);
    assert_eq!(mode(&dir.path().join("aegis.db-wal")), 0o600);
}

#[test]
fn a_second_store_on_the_same_directory_is_refused_by_name() {
    let dir = TempDir::new().expect("a directory");
    let first = open(dir.path()).expect("it opens");
    let message = refusal(dir.path()).to_string();
    let expected = format!("data directory `{}` is in use by process {}", dir.path().display(), std::process::id());
    assert_eq!(message, expected);
    drop(first);
    open(dir.path()).expect("it is free again");
}

/// Run by the next test in a second process; alone it has nothing to do.
#[test]
fn a_second_process_tries() {
    if let Ok(dir) = std::env::var("AEGIS_TEST_SECOND_PROCESS") {
        println!("refused: {}", refusal(Path::new(&dir)));
    }
}

#[test]
fn a_second_process_on_the_same_directory_is_refused_by_name() {
    let dir = TempDir::new().expect("a directory");
    let _first = open(dir.path()).expect("it opens");
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "a_second_process_tries", "--nocapture"])
        .env("AEGIS_TEST_SECOND_PROCESS", dir.path())
        .output()
        .expect("the second process runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let expected =
        format!("refused: data directory `{}` is in use by process {}", dir.path().display(), std::process::id());
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn a_lock_file_that_was_left_behind_does_not_matter() {
    let dir = TempDir::new().expect("a directory");
    fs::write(dir.path().join("lock"), "1\n").expect("a lock file");
    open(dir.path()).expect("nobody holds it");
}

#[test]
fn a_file_in_the_place_of_the_directory_is_refused_by_name() {
    let parent = TempDir::new().expect("a directory");
    let file = parent.path().join("data");
    fs::write(&file, "").expect("a file");
    assert_eq!(refusal(&file).to_string(), format!("data directory `{}` is not a directory", file.display()));
    assert!(matches!(refusal(&file.join("below")), OpenError::NotADirectory { .. }));
}

#[test]
fn an_unwritable_directory_is_refused_by_name() {
    let own = TempDir::new().expect("a directory");
    fs::set_permissions(own.path(), fs::Permissions::from_mode(0o500)).expect("the mode is set");
    let is_root = fs::write(own.path().join("probe"), "").is_ok();
    // The superuser may write anywhere but where the kernel itself says no.
    let dir = if is_root { Path::new("/sys/kernel") } else { own.path() };
    let refused = refusal(dir);
    assert!(matches!(refused, OpenError::Unwritable { .. }), "{refused:?}");
    assert_eq!(refused.to_string(), format!("data directory `{}` cannot be written to", dir.display()));
    let missing = refusal(&dir.join("below"));
    assert!(matches!(missing, OpenError::Unwritable { .. }), "{missing:?}");
}

#[test]
fn a_link_in_the_place_of_the_database_is_refused() {
    let dir = TempDir::new().expect("a directory");
    let elsewhere = TempDir::new().expect("a directory");
    let target = elsewhere.path().join("target");
    fs::write(&target, "precious").expect("a file");
    std::os::unix::fs::symlink(&target, dir.path().join("aegis.db")).expect("a link");
    assert!(matches!(refusal(dir.path()), OpenError::Io { .. }));
    assert_eq!(fs::read(&target).expect("it is there"), b"precious");
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let dir = TempDir::new().expect("a directory");
    let text = "this is no database, but somebody's diary. ".repeat(200);
    fs::write(dir.path().join("aegis.db"), &text).expect("a file");
    let refused = refusal(dir.path());
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused:?}");
    assert!(refused.to_string().contains("is damaged"), "{refused}");
    assert_eq!(fs::read_to_string(dir.path().join("aegis.db")).expect("it is there"), text);
}

#[test]
fn another_key_is_refused() {
    let dir = TempDir::new().expect("a directory");
    drop(open(dir.path()).expect("it opens"));
    let refused = SqliteStore::open(dir.path(), Arc::new(TestIntegrity { key: [1; 16] })).err();
    assert!(matches!(refused, Some(OpenError::Altered { .. })), "{refused:?}");
    open(dir.path()).expect("the right key still opens it");
}

/// A file system of its own, of one megabyte; taken away when the test ends.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = TempDir::new().expect("a directory");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"])
            .arg(dir.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("--lazy").arg(self.path()).status());
    }
}

/// Commits until the disk is full; returns how many agents were acknowledged.
async fn fill(store: &SqliteStore) -> usize {
    use aegis_conformance::store::draft::{entry, event};
    use aegis_model::port::StoreError;
    for number in 0..10_000 {
        let name = format!("a{number}");
        match commit(store, [create(&name), event("agents", &"x".repeat(400)), entry(&"y".repeat(2_000))]).await {
            Ok(_) => {}
            Err(StoreError::Full) => return number,
            Err(error) => panic!("the message names another cause: {error}"),
        }
    }
    panic!("the disk was never full");
}

#[tokio::test]
async fn a_full_disk_is_told_loses_nothing_and_passes() {
    use aegis_conformance::store::draft::{all_agents, tenant};
    use aegis_model::port::{Store, StoreError};
    let Some(disk) = SmallDisk::mount() else { return skip("a full disk takes the right to mount") };
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![1; 300_000]).expect("room");
    let dir = disk.path().join("data");
    let store = open(&dir).expect("it opens");
    let count = fill(&store).await;
    assert!(count > 10, "only {count} commits");
    let ids = ok(store.list(&all_agents()).await).len();
    assert_eq!(ids, count, "what was acknowledged is there, what was refused is not");
    assert_eq!(ok(store.tree_head(&tenant("acme")).await).size, count as u64);
    assert!(matches!(
        commit(&store, [aegis_conformance::store::draft::entry(&"z".repeat(90_000))]).await,
        Err(StoreError::Full)
    ));
    fs::remove_file(&ballast).expect("room again");
    ok(commit(&store, [create("after"), aegis_conformance::store::draft::entry("after")]).await);
    ok(store.check().await);
    drop(store);
    let store = open(&dir).expect("it opens");
    assert!(ok(store.get(&agent("after")).await).is_some());
    assert_eq!(ok(store.tree_head(&tenant("acme")).await).size, count as u64 + 1);
    drop(store);
    let report = aegis_store::verify_rows(&dir, &TestIntegrity::default()).expect("it can be checked");
    assert!(report.is_intact(), "{report:?}");
}

#[test]
fn a_directory_on_a_full_disk_is_refused_by_name() {
    let Some(disk) = SmallDisk::mount() else { return skip("a full disk takes the right to mount") };
    let dir = disk.path().join("data");
    let full = fs::write(disk.path().join("ballast"), vec![1; 2_000_000]).is_err();
    assert!(full, "the disk is small");
    let refused = refusal(&dir);
    assert!(matches!(refused, OpenError::Full { .. }), "{refused:?}");
    assert_eq!(refused.to_string(), format!("no space left for data directory `{}`", dir.display()));
}
