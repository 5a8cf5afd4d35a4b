//! Objects on a real disk: the conformance suite, crashes, a full disk and permissions.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]
#![expect(
    clippy::disallowed_methods,
    reason = "a crash and a full disk need another process, which learns its role from the environment"
)]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Waker};

use aegis_adapters::objects::DiskObjects;
use aegis_conformance::objects::{Shelf, suite};
use aegis_model::port::{ObjectError, Objects};
use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempDir;

/// Set in the processes that a test starts from its own program.
const ROLE_DIRECTORY: &str = "AEGIS_TEST_OBJECTS";

struct OnDisk(TempDir);

#[async_trait]
impl Shelf for OnDisk {
    async fn open(&self) -> Arc<dyn Objects> {
        Arc::new(DiskObjects::open(self.0.path()).unwrap())
    }

    async fn damage(&self, digest: &str) {
        let place = place_of(self.0.path(), digest);
        let mut bytes = fs::read(&place).unwrap();
        bytes[7] ^= 1;
        fs::write(&place, bytes).unwrap();
    }
}

fn temporary() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn place_of(directory: &Path, digest: &str) -> PathBuf {
    directory.join(&digest[..2]).join(&digest[2..])
}

/// Every file and directory below `directory`.
fn everything(directory: &Path) -> Vec<PathBuf> {
    let entries: Vec<_> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    let below = entries.iter().filter(|path| path.is_dir()).flat_map(|path| everything(path)).collect::<Vec<_>>();
    entries.into_iter().chain(below).collect()
}

fn incoming(directory: &Path) -> Vec<PathBuf> {
    everything(&directory.join("incoming"))
}

/// The digests of all objects that are visible.
fn visible(directory: &Path) -> BTreeSet<String> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let files = everything(directory).into_iter().filter(|path| path.is_file() && !path.ends_with("lock"));
    let objects = files.filter(|path| !path.starts_with(directory.join("incoming")));
    objects.map(|path| name(path.parent().unwrap()) + &name(&path)).collect()
}

/// This test program again, in another process, running only `test` with a role to play.
fn again(test: &str, directory: &Path) -> Vec<String> {
    let program = std::env::current_exe().unwrap().to_str().unwrap().to_owned();
    let role = format!("{ROLE_DIRECTORY}={}", directory.display());
    ["env", &role, &program, "--exact", test, "--nocapture"].map(str::to_owned).to_vec()
}

fn role() -> Option<PathBuf> {
    std::env::var_os(ROLE_DIRECTORY).map(PathBuf::from)
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_on_disk_keep_every_promise_of_the_port() {
    suite(|| OnDisk(temporary())).await;
}

#[tokio::test]
async fn only_the_owner_can_read_or_list_objects() {
    let directory = temporary();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let objects = DiskObjects::open(directory.path()).unwrap();
    objects.put(Bytes::from_static(b"abc")).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(directory.path()), 0o700);
    for path in everything(directory.path()) {
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
}

#[tokio::test]
async fn leftovers_of_a_crash_are_swept_when_nobody_else_is_at_work() {
    let directory = temporary();
    let first = DiskObjects::open(directory.path()).unwrap();
    let digest = first.put(Bytes::from_static(b"abc")).await.unwrap();
    fs::write(directory.path().join("incoming").join(format!("{digest}.7")), b"ab").unwrap();
    let second = DiskObjects::open(directory.path()).unwrap();
    assert_eq!(incoming(directory.path()).len(), 1, "another opening may be writing it");
    drop((first, second));
    let third = DiskObjects::open(directory.path()).unwrap();
    assert!(incoming(directory.path()).is_empty());
    assert_eq!(third.get(&digest).await.unwrap().as_deref(), Some(&b"abc"[..]));
}

#[tokio::test]
async fn a_leftover_under_the_next_name_does_not_stop_a_writer() {
    let directory = temporary();
    let objects = DiskObjects::open(directory.path()).unwrap();
    let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    fs::write(directory.path().join("incoming").join(format!("{digest}.0")), b"ab").unwrap();
    assert_eq!(objects.put(Bytes::from_static(b"abc")).await.unwrap(), digest);
    assert_eq!(objects.get(digest).await.unwrap().as_deref(), Some(&b"abc"[..]));
}

#[tokio::test]
async fn a_truncated_object_is_damaged_and_not_short() {
    let directory = temporary();
    let objects = DiskObjects::open(directory.path()).unwrap();
    let digest = objects.put(Bytes::from_static(b"abc")).await.unwrap();
    for rest in ["", "ab", "abcd"] {
        fs::write(place_of(directory.path(), &digest), rest).unwrap();
        assert!(matches!(objects.get(&digest).await, Err(ObjectError::Damaged { .. })), "{rest}");
    }
}

#[tokio::test]
async fn a_directory_that_went_away_is_an_error_and_not_an_empty_shelf() {
    let directory = temporary();
    let objects = DiskObjects::open(directory.path()).unwrap();
    fs::remove_dir_all(directory.path()).unwrap();
    assert!(matches!(objects.put(Bytes::from_static(b"abc")).await, Err(ObjectError::Unavailable(_))));
    assert!(matches!(objects.get(&"0".repeat(64)).await, Err(ObjectError::Unavailable(_))));
}

#[test]
fn what_is_no_directory_cannot_be_opened() {
    let directory = temporary();
    let file = directory.path().join("file");
    fs::write(&file, b"").unwrap();
    assert!(DiskObjects::open(&file).is_err());
    assert!(DiskObjects::open(file.join("below")).is_err());
}

#[tokio::test]
async fn file_work_does_not_block_the_async_thread() {
    let directory = temporary();
    let objects = DiskObjects::open(directory.path()).unwrap();
    let mut put = objects.put(Bytes::from(vec![1; 8 * 1024 * 1024]));
    assert!(put.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let digest = put.await.unwrap();
    let mut get = objects.get(&digest);
    assert!(get.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(get.await.unwrap().map(|bytes| bytes.len()), Some(8 * 1024 * 1024));
}

/// Puts objects without end, and tells each only after it was answered.
async fn write_until_killed(directory: &Path) {
    let objects = DiskObjects::open(directory).unwrap();
    let writers = (0..4_u64).map(|writer| {
        let objects = objects.clone();
        tokio::spawn(async move {
            for number in 0_u64.. {
                let bytes = (writer << 32 | number).to_be_bytes().repeat(40_000);
                let digest = objects.put(Bytes::from(bytes)).await.unwrap();
                std::io::stdout().write_all(format!("kept {digest}\n").as_bytes()).unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_writer_leaves_nothing_half_written() {
    if let Some(directory) = role() {
        return write_until_killed(&directory).await;
    }
    for round in 1..=8 {
        let directory = temporary();
        let kept = kill_after(round * 3, directory.path());
        let objects = DiskObjects::open(directory.path()).unwrap();
        assert!(incoming(directory.path()).is_empty());
        let visible = visible(directory.path());
        assert!(kept.len() >= round * 3 && kept.is_subset(&visible), "an object that was answered for is gone");
        for digest in visible {
            assert_eq!(objects.get(&digest).await.unwrap().map(|bytes| bytes.len()), Some(320_000), "{digest}");
        }
    }
}

/// Starts a writer, kills it after so many answers, and returns all that it answered for.
fn kill_after(answers: usize, directory: &Path) -> BTreeSet<String> {
    let line = again("a_killed_writer_leaves_nothing_half_written", directory);
    let mut writer = Command::new(&line[0]).args(&line[1..]).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(writer.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut kept = lines.filter_map(|line| Some(line.split_once("kept ")?.1.to_owned()));
    let mut told: BTreeSet<_> = kept.by_ref().take(answers).collect();
    writer.kill().unwrap();
    writer.wait().unwrap();
    told.extend(kept.filter(|digest| digest.len() == 64));
    told
}

/// On a disk of one mebibyte, which only this process and its children see.
async fn fill_the_disk(directory: &Path) {
    let objects = DiskObjects::open(directory.join("objects")).unwrap();
    let small = objects.put(Bytes::from_static(b"abc")).await.unwrap();
    let refused = objects.put(Bytes::from(vec![1; 2 * 1024 * 1024])).await;
    assert!(matches!(refused, Err(ObjectError::Full(_))), "{refused:?}");
    assert!(incoming(&directory.join("objects")).is_empty(), "the part that was written gives its space back");
    assert_eq!(visible(&directory.join("objects")), BTreeSet::from([small.clone()]));
    assert_eq!(objects.get(&small).await.unwrap().as_deref(), Some(&b"abc"[..]));
    objects.put(Bytes::from(vec![2; 256 * 1024])).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_refuses_the_object_and_keeps_the_others() {
    if let Some(directory) = role() {
        return fill_the_disk(&directory).await;
    }
    let isolated = |command: &[String]| {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--mount"]).args(command).output()
    };
    if !isolated(&["true".to_owned()]).is_ok_and(|probe| probe.status.success()) {
        std::io::stderr().write_all(b"SKIPPED: this machine gives no user namespace for a small disk\n").unwrap();
        return;
    }
    let directory = temporary();
    let script = "mount -t tmpfs -o size=1m tmpfs \"$0\" && exec \"$@\"";
    let mut command = ["sh", "-c", script, directory.path().to_str().unwrap()].map(str::to_owned).to_vec();
    command.extend(again("a_full_disk_refuses_the_object_and_keeps_the_others", directory.path()));
    let output = isolated(&command).unwrap();
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("1 passed"), "{told}");
}
