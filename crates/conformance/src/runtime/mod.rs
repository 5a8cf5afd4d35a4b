//! The suite of the port `Runtime`. A back end calls `suite` with a runtime of its own and
//! the directory that holds the programs the suite starts; everything else is up to it.

mod connections;
mod fake;
mod fake_stream;
mod files;
mod life;
mod programs;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use aegis_model::boxes::{BoxError, BoxPlan, BoxResources, Program, RootPlan};
use aegis_model::port::{LiveBox, Running, Runtime};

pub use fake::FakeRuntime;

/// Nothing of the suite takes longer on the slowest machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A runtime to be tested, and the programs for its boxes.
#[derive(Clone)]
pub struct Subject {
    /// What is tested.
    pub runtime: Arc<dyn Runtime>,
    /// The directory that becomes `/app`; holds the program `attacks`.
    pub code: PathBuf,
}

impl Subject {
    /// A plan without an agent.
    pub fn plan(&self) -> BoxPlan {
        let resources = BoxResources { disk_bytes: 16 * 1024 * 1024, ..BoxResources::default() };
        BoxPlan { root: RootPlan::Host, code: Some(self.code.clone()), resources, agent: None }
    }

    /// A box without an agent.
    pub async fn plain(&self) -> Arc<dyn LiveBox> {
        self.runtime.create(self.plan()).await.expect("a box")
    }

    /// A box whose agent is that program.
    pub async fn with_agent(&self, agent: &[&str]) -> Arc<dyn LiveBox> {
        self.runtime.create(BoxPlan { agent: Some(agent_of(agent)), ..self.plan() }).await.expect("a box")
    }
}

/// One of the agents that the suite's program can be.
pub fn agent_of(arguments: &[&str]) -> Program {
    Program::of(["/app/attacks", "agent"].iter().chain(arguments).copied())
}

/// Starts one of the suite's agents beside whatever runs.
pub async fn exec(made: &dyn LiveBox, arguments: &[&str]) -> Result<Running, BoxError> {
    made.exec(agent_of(arguments)).await
}

/// Runs every case, one after the other.
pub async fn suite(subject: Subject) {
    life::cases(&subject).await;
    programs::cases(&subject).await;
    files::cases(&subject).await;
    connections::cases(&subject).await;
    assert_eq!(subject.runtime.alive(), 0, "boxes are left");
    case("closed", life::closed(&subject)).await;
}

/// Runs one case, and says which one it was if it does not end.
async fn case(name: &str, running: impl Future<Output = ()>) {
    if tokio::time::timeout(PATIENCE, running).await.is_err() {
        panic!("{name}: no end after {PATIENCE:?}");
    }
}
