//! Process boxes on the real kernel: the suite of the port, the attacks, the limits, the
//! faults. What this machine lacks is skipped by name, and counted aloud.
#![expect(clippy::disallowed_methods, reason = "tests measure, wait with a limit, and start programs")]
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail by panicking, and say what they skip"
)]

mod attack_table;
mod attacks;
mod container;
mod faults;
mod given;
mod limits;
mod port;
mod terminal;
mod user;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aegis_conformance::runtime::Subject;
use aegis_model::boxes::BoxError;
use aegis_model::port::{Clock, Runtime as _};
use aegis_model::time::Timestamp;
use aegis_runtime::process::{ProcessRuntime, Settings, survey};

/// How many times slower this machine is than the tests expect, as whoever runs them knows. The
/// only place where that is asked; whatever is a figure of speed is multiplied by it.
const PATIENCE: &str = "AEGIS_TEST_PATIENCE";

/// Set where process boxes have to be: what is missing then fails instead of being skipped.
const BOXES_REQUIRED: &str = "AEGIS_TEST_BOXES_REQUIRED";

/// One place at a time, as each looks that nothing is left of it on the whole machine.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

fn patience() -> u32 {
    std::env::var(PATIENCE).map_or(1, |factor| factor.parse().expect("a whole number"))
}

/// A span of time as it is on this machine.
fn span(span: Duration) -> Duration {
    span * patience()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|about| std::os::unix::fs::MetadataExt::uid(&about) == 0)
}

/// Says aloud that a test does not run here, and why.
fn skip(reason: &str) {
    assert!(std::env::var_os(BOXES_REQUIRED).is_none(), "boxes are required here, but: {reason}");
    eprintln!("SKIPPED: {reason}");
}

struct Steady(Instant);

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A runtime in a directory of its own.
struct Place {
    runtime: Arc<ProcessRuntime>,
    code: PathBuf,
    directory: tempfile::TempDir,
    /// Children of this process from before: of tests that have failed.
    children: usize,
    _alone: tokio::sync::MutexGuard<'static, ()>,
}

/// A place for boxes; `None`, and a line that says so, where this machine has none.
async fn place() -> Option<Place> {
    if let Some(reason) = survey().absent() {
        skip(&format!("no process boxes on this machine: {reason}"));
        return None;
    }
    let alone = ALONE.lock().await;
    let children = limits::children();
    let directory = tempfile::tempdir().expect("a directory");
    let code = aegis_programs::lay_out(directory.path()).expect("programs");
    // A box of an ordinary user is the owner of its code. If that may write a program, it is told
    // that the program runs before it is told that nothing can be written there.
    fs::set_permissions(code.join("attacks"), fs::Permissions::from_mode(0o555)).expect("mode set");
    let runtime = Arc::new(open(directory.path().join("boxes")).await.expect("a runtime"));
    Some(Place { runtime, code, directory, children, _alone: alone })
}

async fn open(directory: PathBuf) -> Result<ProcessRuntime, BoxError> {
    let clock = Arc::new(Steady(Instant::now()));
    ProcessRuntime::open(Settings { directory, ready_per_size: 1, boxes_max: 300, clock }).await
}

impl Place {
    fn subject(&self) -> Subject {
        Subject { runtime: Arc::clone(&self.runtime) as _, code: self.code.clone() }
    }

    /// Closes it, and looks that nothing is left.
    async fn close(self) {
        self.runtime.close().await;
        limits::nothing_is_left(&self.directory);
        assert_eq!(limits::children(), self.children, "processes are left");
    }
}
