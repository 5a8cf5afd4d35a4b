//! Boxes of an ordinary user. Root starts this program again as such a user, in cgroups that
//! were given to it; whoever is an ordinary user already runs every test as one.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use aegis_model::boxes::{BoxError, Program};
use aegis_model::error::{Code, Fault};
use aegis_runtime::process::survey;

use super::given::{GROUP, Given, USER, own};
use super::{BOXES_REQUIRED, is_root, open, place, skip};

/// The tests that are run as an ordinary user, by what their names begin with.
const TESTS: [&str; 6] = ["attacks::", "limits::", "port::", "terminal::", "user::", "faults::a_server"];

/// The cgroups in which `becomes_an_ordinary_user` goes on, with a colon between them.
const BECOME_IN: &str = "AEGIS_TEST_BECOME_IN";
/// What it runs there.
const BECOME_FOR: &str = "AEGIS_TEST_BECOME_FOR";
/// Tells the user that it was given no cgroups, or not all.
const NOTHING_GIVEN: &str = "AEGIS_TEST_NOTHING_GIVEN";

/// Whether everybody may go where this program and those for boxes lie.
fn is_seen_by_everybody(path: &Path) -> bool {
    let open = |path: &Path| fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o001 != 0);
    path.ancestors().all(open)
}

/// Whether this can be tried: by root, with programs that the user can read.
fn can_become() -> bool {
    if !is_root() {
        eprintln!("this is an ordinary user already: the tests run as one");
    } else if let Some(reason) = survey().absent() {
        skip(&format!("no process boxes on this machine: {reason}"));
    } else if !is_seen_by_everybody(Path::new(aegis_programs::ATTACKS)) {
        skip("an ordinary user cannot read what was built here");
    } else {
        return true;
    }
    false
}

/// Runs tests of this program as the user, in those cgroups.
fn run_as_user(cgroups: &[PathBuf], tests: &[&str], variables: &[(&str, &str)]) {
    let home = tempfile::tempdir().expect("a directory");
    own(home.path());
    let cgroups: Vec<String> = cgroups.iter().map(|path| path.to_string_lossy().into_owned()).collect();
    let mut command = Command::new("/proc/self/exe");
    command.args(["--exact", "user::becomes_an_ordinary_user", "--nocapture"]);
    command.env(BECOME_IN, cgroups.join(":")).env(BECOME_FOR, tests.join(" ")).env(BOXES_REQUIRED, "yes");
    command.env("TMPDIR", home.path()).envs(variables.iter().copied()).current_dir("/");
    passed(&command.output().expect("this program starts"));
}

/// Looks that tests were run in another process, and passed.
pub fn passed(ended: &Output) {
    let said = String::from_utf8_lossy(&ended.stdout);
    let complained = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{}\n{said}\n{complained}", ended.status);
    assert!(said.contains("test result: ok.") && !said.contains("ok. 0 passed"), "{said}\n{complained}");
}

/// Not a test: what `run_as_user` starts.
#[test]
fn becomes_an_ordinary_user() {
    let (Ok(cgroups), Ok(tests)) = (std::env::var(BECOME_IN), std::env::var(BECOME_FOR)) else { return };
    for cgroup in cgroups.split(':').filter(|cgroup| !cgroup.is_empty()) {
        fs::write(Path::new(cgroup).join("cgroup.procs"), std::process::id().to_string()).expect("moved");
    }
    let mut command = Command::new("/proc/self/exe");
    command.args(tests.split(' ')).args(["--test-threads", "1"]).env_remove(BECOME_IN).env_remove(BECOME_FOR);
    let error = command.uid(USER).gid(GROUP).exec();
    panic!("this program does not start: {error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_user_that_was_given_cgroups_has_boxes_that_hold() {
    if !can_become() {
        return;
    }
    let _alone = super::ALONE.lock().await;
    let given = Given::to_the_user("given");
    run_as_user(&given.directories, &TESTS, &[]);
    assert_eq!(given.left(), Vec::<PathBuf>::new(), "cgroups are left");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ordinary_user_that_was_given_no_cgroups_is_told_so() {
    if std::env::var_os(NOTHING_GIVEN).is_some() {
        return nothing_was_given().await;
    }
    if !can_become() {
        return;
    }
    let _alone = super::ALONE.lock().await;
    let test = ["--exact", "user::an_ordinary_user_that_was_given_no_cgroups_is_told_so"];
    run_as_user(&[], &test, &[(NOTHING_GIVEN, "yes")]);
    let given = Given::to_the_user("half");
    // One tree is missing, or with version 2 the right to have processes in it.
    let missing = match given.directories.as_slice() {
        [unified] => unified.join("cgroup.procs"),
        trees => trees.last().expect("trees").clone(),
    };
    chown(missing, Some(0), Some(0)).expect("taken back");
    run_as_user(&given.directories, &test, &[(NOTHING_GIVEN, "yes")]);
    assert_eq!(given.left(), Vec::<PathBuf>::new(), "cgroups were made");
}

async fn nothing_was_given() {
    let directory = tempfile::tempdir().expect("a directory");
    let error = open(directory.path().join("boxes")).await.err().expect("no boxes");
    let BoxError::Absent { reason, .. } = &error else { panic!("{error:?}") };
    assert!(
        reason.starts_with("the cgroup `/sys/fs/cgroup") && reason.contains("is not given to this user"),
        "{reason}"
    );
    assert_eq!(survey().absent().as_deref(), Some(reason.as_str()));
    assert_eq!(Fault::from(error).code(), Code::IsolationAbsent);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_to_the_same_user_cannot_be_changed_from_inside() {
    let Some(place) = place().await else { return };
    let mine = place.code.join("mine");
    fs::write(&mine, "mine").expect("written");
    for (path, mode) in [(&mine, 0o666), (&place.code, 0o777)] {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("mode set");
    }
    let made = place.subject().plain().await;
    let tries = [
        "echo other > mine",
        "echo other >> mine",
        "chmod 777 mine",
        "chmod 700 .",
        "touch mine",
        "rm mine",
        "mv mine yours",
        "touch new",
        "mkdir new",
        "ln mine new",
        "ln -s mine new",
        "truncate -s 1 mine",
    ];
    for line in tries {
        let program = Program { directory: Some("/app".to_owned()), ..Program::of(["sh", "-c", line]) };
        let answer = made.exec(program).await.expect("started").collect(10_000).await.expect("an answer");
        assert_ne!(answer.ending.exit, aegis_model::boxes::Exit::Code(0), "`{line}` worked");
    }
    made.kill().await;
    assert_eq!(fs::read_to_string(&mine).expect("read"), "mine");
    for (path, mode) in [(&mine, 0o666), (&place.code, 0o777)] {
        assert_eq!(fs::metadata(path).expect("there").permissions().mode() & 0o7777, mode);
    }
    // The two programs, and the file.
    assert_eq!(fs::read_dir(&place.code).expect("listed").count(), 3);
    place.close().await;
}
