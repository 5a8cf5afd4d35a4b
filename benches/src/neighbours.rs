//! What a box notices of its neighbours: a probe in one box, alone and beside four that take
//! whatever they get (processes, memory, output, disk), all with default limits. Rounds
//! interleave the two.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use aegis_model::boxes::{BoxPlan, BoxResources, Program, RootPlan};
use aegis_model::port::{ByteSource, LiveBox, Runtime};
use aegis_runtime::process::{ProcessRuntime, Settings};

use crate::boxes::Steady;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 5;
/// How often the probe makes a process and a file in a round.
const PROBES: &str = "2000";
/// Time for the neighbours to be at it.
const WARM_UP: Duration = Duration::from_millis(1_000);
/// How much longer the slowest of a hundred probes may take beside neighbours.
const BAR: f64 = 3.0;

/// The neighbours. One that ends, for want of memory or when the disk is full, begins again.
const NEIGHBOURS: [&[&str]; 4] = [&["fork-bomb"], &["memory-hog"], &["log-flood"], &["disk-filler", "/workspace"]];

/// What a probe saw, in microseconds.
#[derive(Clone, Copy)]
struct Probed {
    p50: f64,
    p99: f64,
}

/// The whole.
pub fn run() -> Outcome {
    let async_runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    async_runtime.block_on(measure())
}

async fn measure() -> Outcome {
    let directory = tempfile::tempdir()?;
    let code = aegis_programs::lay_out(directory.path())?;
    let settings = Settings {
        directory: directory.path().join("boxes"),
        ready_per_size: 4,
        boxes_max: 100,
        clock: Arc::new(Steady::new()),
    };
    let runtime = ProcessRuntime::open(settings).await?;
    println!("neighbours: {ROUNDS} rounds; microseconds");
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(probe(&runtime, &code).await?);
        let mut neighbours = Vec::new();
        for agent in NEIGHBOURS {
            neighbours.push(neighbour(&runtime, &code, agent).await?);
        }
        tokio::time::sleep(WARM_UP).await;
        beside.push(probe(&runtime, &code).await?);
        for made in neighbours {
            made.kill().await;
        }
    }
    let alone = report("the probe alone", &alone);
    let beside = report("beside a fork bomb, a memory hog, a log flood and a disk filler", &beside);
    println!("  ratio of p50: {:.2}, of p99: {:.2} (bar {BAR:.0})", beside.p50 / alone.p50, beside.p99 / alone.p99);
    runtime.close().await;
    Ok(())
}

async fn made(runtime: &ProcessRuntime, code: &Path) -> Outcome<Arc<dyn LiveBox>> {
    let (code, resources) = (Some(code.to_owned()), BoxResources::default());
    Ok(runtime.create(BoxPlan { root: RootPlan::Host, code, resources, agent: None }).await?)
}

fn agent(arguments: &[&str]) -> Program {
    Program::of(["/app/attacks", "agent"].iter().chain(arguments).copied())
}

async fn probe(runtime: &ProcessRuntime, code: &Path) -> Outcome<Probed> {
    let made = made(runtime, code).await?;
    let answer = made.exec(agent(&["probe", PROBES])).await?.collect(10_000).await?;
    made.kill().await;
    let said: serde_json::Value = serde_json::from_slice(&answer.output)?;
    let number = |name: &str| said.get(name).and_then(serde_json::Value::as_f64).ok_or_else(|| said.to_string());
    Ok(Probed { p50: number("p50_us")?, p99: number("p99_us")? })
}

/// A box whose agent begins again whenever it ends, for as long as the box lives. What it
/// says is read as fast as it comes.
async fn neighbour(runtime: &ProcessRuntime, code: &Path, arguments: &'static [&str]) -> Outcome<Arc<dyn LiveBox>> {
    let made = made(runtime, code).await?;
    let again = Arc::clone(&made);
    tokio::spawn(async move {
        while let Ok(running) = again.exec(agent(arguments)).await {
            tokio::join!(discard(running.output), discard(running.errors));
        }
    });
    Ok(made)
}

async fn discard(mut source: Box<dyn ByteSource>) {
    while let Ok(Some(_)) = source.read().await {}
}

/// Prints and returns the medians.
fn report(what: &str, probed: &[Probed]) -> Probed {
    let median = |of: fn(&Probed) -> f64| {
        let mut values: Vec<f64> = probed.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    let medians = Probed { p50: median(|probed| probed.p50), p99: median(|probed| probed.p99) };
    let all: Vec<f64> = probed.iter().map(|probed| probed.p99).collect();
    println!("  {what}: p50 {:.0}, p99 {:.0} (of the rounds: {all:.0?})", medians.p50, medians.p99);
    medians
}
