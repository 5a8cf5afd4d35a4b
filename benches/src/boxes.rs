//! Process boxes against `bwrap` and `runsc do`, in one run, in random order, each one's
//! clean-up awaited outside the sample.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use aegis_model::boxes::{BoxPlan, BoxResources, Exit, Program, RootPlan};
use aegis_model::port::{Clock, LiveBox, Runtime};
use aegis_model::time::Timestamp;
use aegis_runtime::process::{ProcessRuntime, Settings};
use bytes::Bytes;

type Outcome<T> = Result<T, Box<dyn Error>>;

const ROUNDS: usize = 300;
const SLOW_ROUNDS: usize = 8;
const INTERPRETER_ROUNDS: usize = 40;
const EXEC_ROUNDS: usize = 1_000;
const KILLED: usize = 200;
const IDLE: usize = 50;

/// A clock that runs from its making on.
pub struct Steady(Instant);

impl Steady {
    /// Begins now.
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Steady {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn elapsed_ns(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// The whole.
pub fn run() -> Outcome<()> {
    let async_runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    async_runtime.block_on(measure())
}

async fn measure() -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let code = aegis_programs::lay_out(directory.path())?;
    let settings = Settings {
        directory: directory.path().join("boxes"),
        ready_per_size: 4,
        boxes_max: 1_000,
        clock: Arc::new(Steady::new()),
    };
    let runtime = ProcessRuntime::open(settings).await?;
    println!("boxes: {ROUNDS} rounds in random order; milliseconds");
    cold(&runtime, &code).await?;
    interpreters(&runtime, &code).await?;
    round_trip(&runtime, &code).await?;
    idle_memory(&runtime, &code).await?;
    kill(&runtime, &code).await?;
    runtime.close().await;
    Ok(())
}

/// A box like any other, with that agent.
pub fn plan(code: &Path, agent: &[&str]) -> BoxPlan {
    BoxPlan {
        root: RootPlan::Host,
        code: Some(code.to_owned()),
        resources: BoxResources { disk_bytes: 16 * 1024 * 1024, ..BoxResources::default() },
        agent: Some(Program::of(agent.iter().copied())),
    }
}

/// Create to the complete answer; the clean-up is awaited, and not counted.
async fn ours(runtime: &ProcessRuntime, code: &Path, agent: &[&str]) -> Outcome<Duration> {
    let begun = Instant::now();
    let made = runtime.create(plan(code, agent)).await?;
    made.claim().await?;
    let answer = made.invoke(Bytes::from_static(b"{}")).await?.collect(1024 * 1024).await?;
    let took = begun.elapsed();
    if answer.ending.exit != Exit::Code(0) {
        return Err(format!("the agent ended with {:?}", answer.ending.exit).into());
    }
    made.kill().await;
    // Time for the next one to be prepared, as between two invocations.
    tokio::time::sleep(Duration::from_millis(15)).await;
    Ok(took)
}

/// The peer: the same namespaces, made by `bwrap`.
pub fn bwrap(program: &[&str]) -> Outcome<Duration> {
    let mut command = Command::new("bwrap");
    command.args(["--unshare-user", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts"]);
    command.args(["--unshare-cgroup", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]);
    command.args(["--die-with-parent", "--new-session", "--hostname", "box", "--ro-bind", "/usr", "/usr"]);
    for (place, to) in [("/bin", "usr/bin"), ("/sbin", "usr/sbin"), ("/lib", "usr/lib"), ("/lib64", "usr/lib64")] {
        command.args(["--symlink", to, place]);
    }
    command.args(["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/workspace"]);
    command.args(["--chdir", "/workspace"]).args(program);
    timed(&mut command)
}

fn timed(command: &mut Command) -> Outcome<Duration> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status()?;
    let took = begun.elapsed();
    if status.success() { Ok(took) } else { Err(format!("{command:?} ended with {status}").into()) }
}

async fn cold(runtime: &ProcessRuntime, code: &Path) -> Outcome<()> {
    let (mut boxes, mut peers) = (Vec::new(), Vec::new());
    let mut order = 0x2545_F491_4F6C_DD1D_u64;
    for _ in 0..ROUNDS {
        order ^= order << 13;
        order ^= order >> 7;
        order ^= order << 17;
        let box_first = order & 1 == 0;
        if box_first {
            boxes.push(ours(runtime, code, &["/app/attacks", "agent", "answer"]).await?);
        }
        peers.push(tokio::task::block_in_place(|| bwrap(&["true"]))?);
        tokio::time::sleep(Duration::from_millis(15)).await;
        if !box_first {
            boxes.push(ours(runtime, code, &["/app/attacks", "agent", "answer"]).await?);
        }
    }
    let box_cold = report("box, create to answer", &mut boxes);
    let bwrap_cold = report("bwrap … true", &mut peers);
    println!("  ratio to bwrap: {:.2} (bar 1.0)", box_cold / bwrap_cold);
    if Command::new("runsc").arg("--version").stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        let mut gvisor = Vec::new();
        for _ in 0..SLOW_ROUNDS {
            let mut command = Command::new("runsc");
            command.args(["--rootless=false", "--network=none", "do", "true"]);
            gvisor.push(tokio::task::block_in_place(|| timed(&mut command))?);
        }
        let gvisor = report("runsc do true", &mut gvisor);
        println!("  runsc takes {:.1} times as long (bar 10)", gvisor / box_cold);
    } else {
        println!("  runsc is not installed: not compared");
    }
    Ok(())
}

async fn interpreters(runtime: &ProcessRuntime, code: &Path) -> Outcome<()> {
    let agents: [(&str, &[&str], &[&str]); 2] = [
        ("python3", &["/usr/bin/python3", "-c", "print('{}')"], &["-c", "print('{}')"]),
        ("node", &["/usr/bin/node", "-e", "console.log('{}')"], &["-e", "console.log('{}')"]),
    ];
    for (name, agent, arguments) in agents {
        let (mut boxes, mut floor) = (Vec::new(), Vec::new());
        for _ in 0..INTERPRETER_ROUNDS {
            boxes.push(ours(runtime, code, agent).await?);
            let program = agent.first().copied().unwrap_or(name);
            floor.push(tokio::task::block_in_place(|| timed(Command::new(program).args(arguments)))?);
        }
        let boxed = report(&format!("{name} agent in a box"), &mut boxes);
        let bare = report(&format!("bare {name}"), &mut floor);
        println!("  ratio to bare {name}: {:.2}", boxed / bare);
    }
    Ok(())
}

async fn round_trip(runtime: &ProcessRuntime, code: &Path) -> Outcome<()> {
    let made = runtime.create(plan(code, &["/app/attacks", "agent", "idle"])).await?;
    let mut trips = Vec::new();
    for _ in 0..EXEC_ROUNDS {
        let begun = Instant::now();
        let running = made.exec(Program::of(["/app/attacks", "agent", "true"])).await?;
        running.collect(1_024).await?;
        trips.push(begun.elapsed());
    }
    report("exec round trip in a live box (bar 1 ms)", &mut trips);
    made.kill().await;
    Ok(())
}

async fn idle_memory(runtime: &ProcessRuntime, code: &Path) -> Outcome<()> {
    let before = available()?;
    let mut boxes = Vec::new();
    for _ in 0..IDLE {
        boxes.push(runtime.create(plan(code, &["/app/attacks", "agent", "idle"])).await?);
    }
    let taken = before.saturating_sub(available()?) / IDLE;
    let counted = boxes.last().ok_or("no box")?.stats().await?.memory_bytes / 1_024;
    println!(
        "  an idle box takes {taken} KiB of the machine's memory, agent included; {counted} KiB are counted as its own (bar 5 MB)"
    );
    for made in boxes {
        made.kill().await;
    }
    Ok(())
}

fn available() -> Outcome<usize> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find(|line| line.starts_with("MemAvailable:")).ok_or("no MemAvailable")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}

async fn kill(runtime: &ProcessRuntime, code: &Path) -> Outcome<()> {
    let mut boxes: Vec<Arc<dyn LiveBox>> = Vec::new();
    for _ in 0..KILLED {
        boxes.push(runtime.create(plan(code, &["/app/attacks", "agent", "idle"])).await?);
    }
    let begun = Instant::now();
    runtime.kill_all().await;
    println!("  kill of {KILLED} live boxes, nothing left: {:.0} ms (bar 1,000)", millis(begun.elapsed()));
    Ok(())
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}

/// Prints and returns the median.
pub fn report(what: &str, samples: &mut [Duration]) -> f64 {
    samples.sort();
    let at = |part: usize| samples.get(samples.len() * part / 100).copied().map_or(0.0, millis);
    println!("  {what}: p50 {:.2}, p90 {:.2}, p99 {:.2}", at(50), at(90), at(99));
    at(50)
}
