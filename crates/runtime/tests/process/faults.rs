//! What goes wrong on the way to a box, and in it: a named reason, a clean state, and the next
//! box works.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use aegis_conformance::runtime::{Subject, agent_of, exec};
use aegis_model::boxes::{BoxError, BoxPlan, Exit, FileProblem, Program, RootPlan};
use aegis_model::port::Runtime;
use bytes::Bytes;

use super::{limits, open, place};

/// A file of the code directory, with a mode.
fn file(code: &Path, name: &str, bytes: &[u8], mode: u32) {
    fs::write(code.join(name), bytes).expect("written");
    fs::set_permissions(code.join(name), fs::Permissions::from_mode(mode)).expect("mode set");
}

async fn refused(subject: &Subject, program: Program) -> String {
    let plan = BoxPlan { agent: Some(program), ..subject.plan() };
    let error = subject.runtime.create(plan).await.err().expect("refused");
    assert!(matches!(error, BoxError::StartFailed { .. }), "{error:?}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn why_a_program_does_not_start_is_told_in_words() {
    let Some(place) = place().await else { return };
    let subject = place.subject();
    let mut foreign = fs::read(place.code.join("attacks")).expect("a program");
    // Its header says that it is for another processor.
    foreign[18] = 0xB7;
    file(&place.code, "foreign", &foreign, 0o755);
    file(&place.code, "data", b"\x00\x01\x02", 0o755);
    file(&place.code, "plain", b"#!/bin/sh\n", 0o644);
    file(&place.code, "script", b"#!/no/such/interpreter\n", 0o755);
    let cases = [
        ("/app/foreign", "is not a program for this machine"),
        ("/app/data", "is not a program for this machine"),
        ("/app/plain", "may not be executed"),
        ("/app/script", "needs an interpreter or loader"),
        ("/app/absent", "does not exist in the box"),
        ("/app", "may not be executed"),
    ];
    for (program, reason) in cases {
        let said = refused(&subject, Program::of([program])).await;
        assert!(said.contains(program) && said.contains(reason), "{said}");
    }
    let nowhere = Program { directory: Some("/nowhere".to_owned()), ..agent_of(&["true"]) };
    assert!(refused(&subject, nowhere).await.contains("working directory"));
    let long = Program::of(["/app/attacks".to_owned(), "x".repeat(200_000)]);
    let plan = BoxPlan { agent: Some(long), ..subject.plan() };
    assert!(matches!(subject.runtime.create(plan).await.err(), Some(BoxError::Unacceptable(_))));
    assert_eq!(subject.runtime.alive(), 0);
    let made = subject.with_agent(&["true"]).await;
    made.kill().await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_can_be_the_root() {
    let Some(place) = place().await else { return };
    let subject = place.subject();
    let root = place.directory.path().join("root");
    fs::create_dir_all(root.join("bin")).expect("made");
    fs::set_permissions(&root, fs::Permissions::from_mode(0o755)).expect("mode set");
    fs::copy(place.code.join("attacks"), root.join("bin/tool")).expect("copied");
    let plan = || BoxPlan { root: RootPlan::Directory(root.clone()), ..subject.plan() };
    let made = subject.runtime.create(plan()).await.expect("a box");
    let answer = made.exec(Program::of(["tool", "agent", "answer"])).await.expect("started").collect(100).await;
    assert_eq!(answer.expect("an answer").ending.exit, Exit::Code(0));
    let shell = made.exec(Program::of(["sh", "-c", "true"])).await.err();
    assert!(shell.is_some_and(|error| error.to_string() == "`sh` does not exist in the box"));
    made.kill().await;
    let nowhere = BoxPlan { root: RootPlan::Directory(root.join("absent")), ..subject.plan() };
    assert!(matches!(subject.runtime.create(nowhere).await.err(), Some(BoxError::Unacceptable(_))));
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guest_cannot_be_hurt_from_inside() {
    let Some(place) = place().await else { return };
    let made = place.subject().plain().await;
    for agent in [["kill-guest"], ["ptrace-guest"]] {
        let _ = exec(&*made, &agent).await.expect("started").collect(10_000).await;
    }
    let answer = exec(&*made, &["answer"]).await.expect("the guest still serves").collect(100).await;
    assert_eq!(answer.expect("an answer").ending.exit, Exit::Code(0));
    made.kill().await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orphans_are_taken_in() {
    let Some(place) = place().await else { return };
    let made = place.subject().plain().await;
    exec(&*made, &["orphans", "20"]).await.expect("started").collect(100).await.expect("an answer");
    assert_eq!(made.stats().await.expect("stats").pids, 1, "zombies are left");
    made.kill().await;
    place.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn links_in_the_workspace_do_not_lead_files_out() {
    let Some(place) = place().await else { return };
    let made = place.subject().plain().await;
    let script = "ln -s /etc/passwd link; ln -s / up; ln -s /proc/self/root magic; mkfifo pipe; mkdir dir; echo ok > file; ln -s file good";
    let answer = made.exec(Program::of(["sh", "-c", script])).await.expect("started").collect(100).await;
    assert_eq!(answer.expect("an answer").ending.exit, Exit::Code(0));
    for path in ["link", "up/etc/passwd", "magic/etc/passwd", "pipe", "dir"] {
        let error = made.file_get(path, 1_000_000).await.err();
        let refused = |error: &BoxError| matches!(error, BoxError::File { problem: FileProblem::Refused, .. });
        assert!(error.as_ref().is_some_and(refused), "{path}: {error:?}");
    }
    for path in ["up/tmp/x", "magic/tmp/x"] {
        assert!(made.file_put(path, Bytes::from_static(b"x"), false).await.is_err(), "{path}");
    }
    assert_eq!(made.file_get("good", 100).await, Ok(Bytes::from_static(b"ok\n")));
    // A link is replaced, not followed.
    made.file_put("link", Bytes::from_static(b"mine"), false).await.expect("put");
    assert_eq!(made.file_get("link", 100).await, Ok(Bytes::from_static(b"mine")));
    made.kill().await;
    place.close().await;
}

/// What the other process does in `a_server_that_is_killed_leaves_nothing`.
const SERVE_IN: &str = "AEGIS_TEST_SERVE_IN";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_leaves_nothing() {
    if let Some(directory) = std::env::var_os(SERVE_IN) {
        return make_boxes_forever(Path::new(&directory)).await;
    }
    let Some(place) = place().await else { return };
    let boxes = place.directory.path().join("killed");
    // At different moments: while it opens, while it makes boxes, while many live.
    for pause_ms in [5, 20, 40, 60, 90, 150, 250, 400] {
        let mut server = serve_in(&boxes);
        tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        server.kill().expect("killed");
        server.wait().expect("waited for");
        let successor = open(boxes.clone()).await.expect("a successor opens the same place");
        assert_eq!(still_there(&boxes), Vec::<String>::new(), "after {pause_ms} ms");
        let subject = Subject { runtime: std::sync::Arc::new(successor), code: place.code.clone() };
        let made = subject.with_agent(&["true"]).await;
        made.kill().await;
    }
    place.close().await;
}

fn serve_in(directory: &Path) -> Child {
    let test = "faults::a_server_that_is_killed_leaves_nothing";
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", test]).env(SERVE_IN, directory).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("a server")
}

async fn make_boxes_forever(directory: &Path) {
    let runtime = open(directory.to_owned()).await.expect("a runtime");
    let mut kept = Vec::new();
    loop {
        let plan = BoxPlan { code: None, agent: Some(Program::of(["sleep", "1000"])), ..plain_plan() };
        kept.extend(runtime.create(plan).await.ok());
        if kept.len() > 20 {
            kept.clear();
        }
    }
}

/// What the other process does in `a_server_without_descriptors_says_so_and_recovers`.
const STARVE_IN: &str = "AEGIS_TEST_STARVE_IN";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_descriptors_says_so_and_recovers() {
    if let Some(directory) = std::env::var_os(STARVE_IN) {
        return starve_and_recover(Path::new(&directory)).await;
    }
    let Some(place) = place().await else { return };
    let test = "faults::a_server_without_descriptors_says_so_and_recovers";
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", test]).env(STARVE_IN, place.directory.path().join("starved"));
    let output = command.output().expect("a server");
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    place.close().await;
}

/// With one descriptor more each time: wherever it is missing, the reason is told,
/// and nothing is held on to.
async fn starve_and_recover(directory: &Path) {
    let runtime = open(directory.to_owned()).await.expect("a runtime");
    runtime.create(plain_plan()).await.expect("a box").kill().await;
    let before = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let mut refused = 0;
    for most in 4..64 {
        let tight = rustix::process::Rlimit { current: Some(most), ..before };
        rustix::process::setrlimit(rustix::process::Resource::Nofile, tight).expect("a limit");
        let made = runtime.create(plain_plan()).await;
        rustix::process::setrlimit(rustix::process::Resource::Nofile, before).expect("the limit");
        match made {
            Ok(made) => drop(made.kill().await),
            Err(error) => {
                let told =
                    matches!(error, BoxError::NoRoom(_) | BoxError::SetupFailed { .. } | BoxError::Absent { .. });
                assert!(told, "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 3, "{refused}");
    runtime.create(plain_plan()).await.expect("there is room again").kill().await;
    assert_eq!(runtime.alive(), 0);
    runtime.close().await;
}

fn plain_plan() -> BoxPlan {
    BoxPlan { root: RootPlan::Host, code: None, resources: Default::default(), agent: None }
}

/// Processes whose command says that they are in a box of the server that was killed.
fn still_there(_directory: &Path) -> Vec<String> {
    let stats = fs::read_dir("/proc").expect("processes").flatten();
    let named = stats.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    named.filter(|command| command.starts_with("sleep\x001000\0")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_house_says_so_and_takes_the_next_one_later() {
    let Some(place) = place().await else { return };
    let directory = place.directory.path().join("small");
    let clock = std::sync::Arc::new(super::Steady(std::time::Instant::now()));
    let settings = aegis_runtime::process::Settings { directory, ready_per_size: 0, boxes_max: 2, clock };
    let runtime = aegis_runtime::process::ProcessRuntime::open(settings).await.expect("a runtime");
    let first = runtime.create(plain_plan()).await.expect("a box");
    let _second = runtime.create(plain_plan()).await.expect("a box");
    assert!(matches!(runtime.create(plain_plan()).await.err(), Some(BoxError::NoRoom(_))));
    first.kill().await;
    runtime.create(plain_plan()).await.expect("there is room again");
    runtime.close().await;
    assert_eq!(limits::children(), place.children);
    place.close().await;
}
