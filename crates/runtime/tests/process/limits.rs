//! What a box may use, and that nothing of it is left.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aegis_conformance::runtime::{Subject, exec};
use aegis_model::boxes::{BoxError, BoxPlan, BoxResources, Exit, FileProblem, Program};
use aegis_model::port::{LiveBox, Runtime};
use aegis_runtime::process::survey;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{patience, place, span};

const MIB: u64 = 1024 * 1024;

/// Looks for anything that boxes of this place could have left behind.
pub fn nothing_is_left(directory: &TempDir) {
    let place = directory.path().to_string_lossy().into_owned();
    // The kernel lets go of a file system a moment after its last user.
    let begun = Instant::now();
    while !loops(&place).is_empty() {
        assert!(begun.elapsed() < span(Duration::from_secs(10)), "loop devices are left: {:?}", loops(&place));
        std::thread::yield_now();
    }
    assert_eq!(cgroups(directory), Vec::<PathBuf>::new(), "cgroups are left");
    let mounts = fs::read_to_string("/proc/self/mountinfo").expect("mounts");
    assert!(!mounts.contains(&place), "mounts are left: {mounts}");
    // Where tests are threads of one process, those that wait for their turn have some too.
    let others = std::thread::available_parallelism().map_or(1, usize::from);
    let own = fs::read_dir("/proc/self/fd").expect("descriptors").count();
    assert!(own < 60 + 10 * others, "{own} descriptors are open");
}

/// Loop devices whose file lies in `place`.
fn loops(place: &str) -> Vec<String> {
    let devices = fs::read_dir("/sys/block").expect("block devices").flatten();
    let backing = devices.filter_map(|device| fs::read_to_string(device.path().join("loop/backing_file")).ok());
    backing.filter(|file| file.contains(place)).collect()
}

/// Cgroups of the server of this place, wherever the machine has them: its path names them.
fn cgroups(directory: &TempDir) -> Vec<PathBuf> {
    let path = directory.path().join("boxes").canonicalize().expect("a path");
    let digest = Sha256::digest(path.as_os_str().as_encoded_bytes());
    let name: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    found(Path::new("/sys/fs/cgroup"), &format!("aegis-{name}"))
}

fn found(directory: &Path, name: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let below: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    let deeper = below.iter().flat_map(|path| found(path, name));
    deeper.chain(below.iter().filter(|path| path.ends_with(name)).cloned()).collect()
}

/// Children of this process, dead ones that nobody waited for included.
pub fn children() -> usize {
    let own = std::process::id().to_string();
    let stats = fs::read_dir("/proc").expect("processes").flatten();
    let stats = stats.filter_map(|entry| fs::read_to_string(entry.path().join("stat")).ok());
    let parent = |stat: &String| stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1).map(str::to_owned));
    stats.filter(|stat| parent(stat).as_deref() == Some(own.as_str())).count()
}

async fn small(subject: &Subject, resources: impl FnOnce(BoxResources) -> BoxResources) -> Arc<dyn LiveBox> {
    let plan = subject.plan();
    let resources = resources(plan.resources);
    subject.runtime.create(BoxPlan { resources, ..plan }).await.expect("a box")
}

/// What an agent prints as one JSON document.
async fn told(made: &dyn LiveBox, arguments: &[&str]) -> serde_json::Value {
    let answer = exec(made, arguments).await.expect("started").collect(100_000).await.expect("an answer");
    serde_json::from_slice(&answer.output).unwrap_or_else(|_| panic!("{answer:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn want_of_memory_ends_the_program_and_is_named() {
    let Some(place) = place().await else { return };
    let made = small(&place.subject(), |resources| BoxResources { memory_bytes: 32 * MIB, ..resources }).await;
    let answer = exec(&*made, &["memory-hog"]).await.expect("started").collect(1_000).await.expect("an answer");
    assert_eq!(answer.ending.exit, Exit::OutOfMemory);
    let stats = made.stats().await.expect("the box lives on");
    assert!(stats.out_of_memory >= 1 && stats.memory_peak_bytes <= 33 * MIB, "{stats:?}");
    // A kill after that is a kill again.
    let answer = exec(&*made, &["signal", "9"]).await.expect("started").collect(1_000).await.expect("an answer");
    assert_eq!(answer.ending.exit, Exit::Signal(9));
    made.kill().await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_end_at_their_number() {
    let Some(place) = place().await else { return };
    let made = small(&place.subject(), |resources| BoxResources { pids: 20, ..resources }).await;
    let full = told(&*made, &["thread-filler"]).await;
    assert_eq!(full["error"], "EAGAIN", "{full}");
    let bomb = exec(&*made, &["fork-bomb"]).await.expect("started");
    while made.stats().await.expect("stats").pids < 20 {
        tokio::task::yield_now().await;
    }
    let refused = exec(&*made, &["true"]).await.err();
    let named = |error: &BoxError| matches!(error, BoxError::StartFailed { reason, .. } if reason.contains("no more processes"));
    assert!(refused.as_ref().is_none_or(named), "{refused:?}");
    // One that is refused is counted for a moment.
    let mut fewest = u64::MAX;
    for _ in 0..100 {
        fewest = fewest.min(made.stats().await.expect("stats").pids);
    }
    assert!(fewest <= 22, "{fewest} processes");
    made.kill().await;
    drop(bomb);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_end_at_their_room() {
    let Some(place) = place().await else { return };
    let made = small(&place.subject(), |resources| BoxResources { disk_bytes: 8 * MIB, ..resources }).await;
    for (filler, directory) in [("disk-filler", "/workspace"), ("disk-filler", "/tmp"), ("disk-filler", "/dev/shm")] {
        let full = told(&*made, &[filler, directory]).await;
        let room = if directory == "/workspace" { 8 * MIB } else { 256 * MIB };
        assert!(full["bytes"].as_u64().is_some_and(|bytes| bytes <= room), "{directory}: {full}");
    }
    let fill = Program::of(["dd", "if=/dev/zero", "of=/workspace/all", "bs=1M"]);
    made.exec(fill).await.expect("started").collect(10_000).await.expect("an answer");
    let refused = made.file_put("more", Bytes::from(vec![0; 2_000_000]), false).await.err();
    assert!(matches!(refused, Some(BoxError::File { problem: FileProblem::NoRoom, .. })), "{refused:?}");
    made.kill().await;
    let made = small(&place.subject(), |resources| BoxResources { disk_bytes: 8 * MIB, ..resources }).await;
    for directory in ["/workspace", "/tmp"] {
        let full = told(&*made, &["inode-filler", directory]).await;
        assert_eq!(full["error"], "ENOSPC", "{directory}: {full}");
    }
    let full = told(&*made, &["descriptor-filler"]).await;
    assert_eq!(full["error"], "EMFILE", "{full}");
    made.kill().await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_disk_files_count_as_memory_and_end_at_their_room() {
    if has_disks() {
        eprintln!("boxes have disks here; this is tried as an ordinary user");
        return;
    }
    let Some(place) = place().await else { return };
    let size = |memory: u64, disk: u64| {
        move |resources| BoxResources { memory_bytes: memory * MIB, disk_bytes: disk * MIB, ..resources }
    };
    let made = small(&place.subject(), size(64, 8)).await;
    let before = made.stats().await.expect("stats").memory_bytes;
    let full = told(&*made, &["disk-filler", "/workspace"]).await;
    assert_eq!((full["error"].as_str(), full["bytes"].as_u64()), (Some("ENOSPC"), Some(8 * MIB)), "{full}");
    let used = made.stats().await.expect("stats").memory_bytes - before;
    assert!(used >= 7 * MIB, "{used} bytes were counted");
    let refused = made.file_put("more", Bytes::from(vec![0; 100_000]), false).await.err();
    assert!(matches!(refused, Some(BoxError::File { problem: FileProblem::NoRoom, .. })), "{refused:?}");
    made.kill().await;
    // Room that there is not enough memory for: files end before the memory does.
    let made = small(&place.subject(), size(32, 512)).await;
    let full = told(&*made, &["disk-filler", "/workspace"]).await;
    assert_eq!((full["error"].as_str(), full["bytes"].as_u64()), (Some("ENOSPC"), Some(16 * MIB)), "{full}");
    assert_eq!(made.stats().await.expect("stats").out_of_memory, 0);
    made.kill().await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_used_is_told() {
    let Some(place) = place().await else { return };
    let made = small(&place.subject(), |resources| resources).await;
    let answer = exec(&*made, &["cpu", "200"]).await.expect("started").collect(1_000).await.expect("an answer");
    let most_us = 2_000_000 * u64::from(patience());
    assert!((150_000..most_us).contains(&answer.ending.cpu_us), "{:?}", answer.ending);
    assert!(answer.ending.memory_peak_bytes > 100_000, "{:?}", answer.ending);
    made.file_put("file", Bytes::from(vec![1; 1_000_000]), false).await.expect("put");
    let stats = made.stats().await.expect("stats");
    assert!(stats.cpu_us >= 150_000 && stats.memory_peak_bytes >= stats.memory_bytes && stats.pids >= 1, "{stats:?}");
    assert!(stats.door_in_bytes >= 1_000_000, "{stats:?}");
    if has_disks() {
        assert!((1_000_000..2_000_000).contains(&stats.disk_bytes), "{stats:?}");
    }
    made.kill().await;
    place.close().await;
}

/// Whether boxes have disks of their own here.
pub fn has_disks() -> bool {
    survey().findings.iter().any(|finding| finding.name == "box disks" && finding.found.is_ok())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_the_processor_is_kept() {
    let Some(place) = place().await else { return };
    let made = small(&place.subject(), |resources| BoxResources { cpu_millis: 100, ..resources }).await;
    let spinning = exec(&*made, &["spin"]).await.expect("started");
    let (begun, before) = (Instant::now(), made.stats().await.expect("stats").cpu_us);
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    let used = u128::from(made.stats().await.expect("stats").cpu_us - before);
    // The pause may have been longer; a quarter beside a tenth, because it begins and ends amidst periods.
    let allowed = begun.elapsed().as_micros() / 4;
    assert!(used < allowed, "a tenth of the time was allowed, {used} us are not below {allowed} us");
    made.kill().await;
    drop(spinning);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_box_does_it_is_dead_within_a_second() {
    let Some(place) = place().await else { return };
    let agents: [&[&str]; 8] = [
        &["fork-bomb"],
        &["memory-hog"],
        &["log-flood"],
        &["disk-filler", "/workspace"],
        &["ignore-term"],
        &["daemonise"],
        &["spin"],
        &["kill-guest"],
    ];
    for agent in agents {
        let made = small(&place.subject(), |resources| resources).await;
        let running = exec(&*made, agent).await.expect("started");
        tokio::time::sleep(Duration::from_millis(30)).await;
        let begun = Instant::now();
        made.kill().await;
        assert!(begun.elapsed() < span(Duration::from_secs(1)), "{agent:?}: {:?}", begun.elapsed());
        drop(running);
    }
    assert_eq!(place.runtime.alive(), 0);
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_boxes_one_after_the_other_leave_nothing() {
    let Some(place) = place().await else { return };
    let subject = place.subject();
    let mut making = tokio::task::JoinSet::new();
    let boxes = 500 / patience();
    for worker in 0..8 {
        let subject = subject.clone();
        making.spawn(async move {
            for _ in 0..(boxes / 8) {
                let made = subject.with_agent(&["answer"]).await;
                made.claim().await.expect("claimed");
                let running = made.invoke(Bytes::from_static(b"{}")).await.expect("invoked");
                let answer = running.collect(1_000).await.expect("an answer");
                assert_eq!(answer.ending.exit, Exit::Code(0), "worker {worker}");
                made.kill().await;
            }
        });
    }
    while let Some(done) = making.join_next().await {
        done.expect("every box was made and ended");
    }
    place.close().await;
}
