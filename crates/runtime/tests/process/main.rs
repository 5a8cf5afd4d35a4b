//! Process boxes on the real kernel: the suite of the port, the attacks, the limits, the
//! faults. What this machine lacks is skipped by name, and counted aloud.
#![expect(clippy::disallowed_methods, reason = "tests measure, wait with a limit, and start programs")]

mod attacks;
mod faults;
mod limits;
mod port;
mod terminal;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use aegis_conformance::runtime::Subject;
use aegis_model::boxes::BoxError;
use aegis_model::port::{Clock, Runtime as _};
use aegis_model::time::Timestamp;
use aegis_runtime::process::{ProcessRuntime, Settings, survey};

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
}

/// A place for boxes; `None`, and a line that says so, where this machine has none.
async fn place() -> Option<Place> {
    if let Some(reason) = survey().absent() {
        eprintln!("SKIPPED: no process boxes on this machine: {reason}");
        return None;
    }
    let directory = tempfile::tempdir().expect("a directory");
    let code = aegis_programs::lay_out(directory.path()).expect("programs");
    let runtime = Arc::new(open(directory.path().join("boxes")).await.expect("a runtime"));
    Some(Place { runtime, code, directory })
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
    }
}
