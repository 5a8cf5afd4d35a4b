//! Many boxes in a row, many at a time, and then a look at whether anything of them is left.
//! Not a comparison: it holds or it does not.
#![expect(clippy::print_stdout, reason = "a chore prints its figures")]

mod left;
mod runs;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use aegis_model::boxes::{BoxPlan, Exit};
use aegis_model::port::{LiveBox, Runtime};
use aegis_runtime::process::{ProcessRuntime, Settings};
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::boxes::{Steady, plan, report};
use left::{Belongings, resident_kib};

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const USAGE: &str = "usage: aegis-benches soak boxes|runs [--count N] [--concurrency N]";

/// The agent: a compiled program that does nothing.
const AGENT: [&str; 3] = ["/app/attacks", "agent", "true"];

/// The memory of the server is looked at so often.
const SAMPLES: usize = 200;

/// The memory of the server is flat if its last tenth is not above its first one by more than
/// this: an allocator keeps a little of what it had.
const GROWTH_MAX_KIB: usize = 4 * 1024;

/// Failures that are told one by one.
const FAILURES_TOLD: usize = 10;

/// What there is to be many of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Boxes,
    Runs,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Errand {
    what: What,
    count: usize,
    concurrency: usize,
}

/// Does what the words after `soak` say.
///
/// # Errors
/// When a box failed, something is left, or the words are not understood.
pub fn run(words: &[String]) -> Result<(), Box<dyn Error>> {
    let errand = parse(words).ok_or(USAGE)?;
    if errand.what == What::Runs {
        return runs::run(errand).map_err(|error| -> Box<dyn Error> { error });
    }
    let async_runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    async_runtime.block_on(soak(errand)).map_err(|error| -> Box<dyn Error> { error })
}

fn parse(words: &[String]) -> Option<Errand> {
    let (first, mut rest) = words.split_first()?;
    let mut errand = match first.as_str() {
        "boxes" => Errand { what: What::Boxes, count: 10_000, concurrency: 50 },
        "runs" => Errand { what: What::Runs, count: 2_000, concurrency: 16 },
        _ => return None,
    };
    while let [flag, value, after @ ..] = rest {
        let value = value.parse().ok().filter(|value| *value > 0)?;
        match flag.as_str() {
            "--count" => errand.count = value,
            "--concurrency" => errand.concurrency = value,
            _ => return None,
        }
        rest = after;
    }
    rest.is_empty().then_some(errand)
}

async fn soak(errand: Errand) -> Outcome {
    let directory = tempfile::tempdir()?;
    let place = directory.path().join("boxes");
    let code = aegis_programs::lay_out(directory.path())?;
    std::fs::create_dir_all(&place)?;
    let before = Belongings::look(&place)?;
    let settings = Settings {
        directory: place.clone(),
        ready_per_size: 4,
        boxes_max: errand.concurrency.saturating_mul(2),
        clock: Arc::new(Steady::new()),
    };
    let runtime = Arc::new(ProcessRuntime::open(settings).await?);
    // What is made once, for the first box, is no leak.
    let warm = one(&*runtime, plan(&code, &AGENT)).await;
    warm.map_err(|problem| format!("the first box: {problem}"))?;
    let during = Belongings::look(&place)?;
    if during.cgroups.is_empty() {
        return Err("the cgroups of this server are not where they are looked for".into());
    }
    println!("soak: {} boxes, {} at a time, the agent `{}`", errand.count, errand.concurrency, AGENT.join(" "));
    let course = Arc::new(Course::default());
    let begun = Instant::now();
    let mut took = all(&runtime, errand, &code, &course).await;
    let seconds = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "far below the numbers where it is lost")]
    let per_second = took.len() as f64 / seconds;
    println!("  {} boxes in {seconds:.1} s, {per_second:.0} a second", took.len());
    report("a box from create to gone", &mut took);
    runtime.close().await;
    let alive = runtime.alive();
    drop(runtime);
    let left = during.settle(&before, &place).await?;
    course.judge(errand, alive, &left)
}

/// What is learned on the way.
#[derive(Default)]
struct Course {
    begun: AtomicUsize,
    failures: std::sync::Mutex<Vec<String>>,
    resident_kib: std::sync::Mutex<Vec<usize>>,
}

/// Makes all of them; how long each took that went well.
async fn all(runtime: &Arc<ProcessRuntime>, errand: Errand, code: &Path, course: &Arc<Course>) -> Vec<Duration> {
    let mut workers = JoinSet::new();
    for _ in 0..errand.concurrency {
        let (runtime, course, code) = (Arc::clone(runtime), Arc::clone(course), PathBuf::from(code));
        workers.spawn(async move {
            let mut took = Vec::new();
            while let Some(number) = course.next(errand.count) {
                let begun = Instant::now();
                match one(&*runtime, plan(&code, &AGENT)).await {
                    Ok(()) => took.push(begun.elapsed()),
                    Err(problem) => course.failed(format!("box {number}: {problem}")),
                }
                if number % (errand.count / SAMPLES).max(1) == 0 {
                    course.sample();
                }
            }
            took
        });
    }
    workers.join_all().await.into_iter().flatten().collect()
}

/// One box from its beginning to its end.
async fn one(runtime: &dyn Runtime, plan: BoxPlan) -> Outcome {
    let made = runtime.create(plan).await?;
    let exit = answer(&*made).await;
    // Whatever came of it, nothing is to be left.
    made.kill().await;
    match exit? {
        Exit::Code(0) => Ok(()),
        other => Err(format!("the agent ended with {other:?}").into()),
    }
}

async fn answer(made: &dyn LiveBox) -> Outcome<Exit> {
    made.claim().await?;
    Ok(made.invoke(Bytes::from_static(b"{}")).await?.collect(1_024).await?.ending.exit)
}

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Course {
    /// The number of the next box, if there is to be another.
    fn next(&self, count: usize) -> Option<usize> {
        let number = self.begun.fetch_add(1, Ordering::Relaxed);
        (number < count).then_some(number)
    }

    fn failed(&self, problem: String) {
        lock(&self.failures).push(problem);
    }

    fn sample(&self) {
        lock(&self.resident_kib).extend(resident_kib().ok());
    }

    /// Says what came of it.
    fn judge(&self, errand: Errand, alive: usize, left: &[String]) -> Outcome {
        let failures = lock(&self.failures).clone();
        let resident = lock(&self.resident_kib).clone();
        let mean = |part: &[usize]| part.iter().sum::<usize>() / part.len().max(1);
        let tenths: Vec<usize> = resident.chunks(resident.len().div_ceil(10).max(1)).map(mean).collect();
        let grown =
            tenths.last().copied().unwrap_or_default().saturating_sub(tenths.first().copied().unwrap_or_default());
        println!("  failures: {}", failures.len());
        println!(
            "  memory of the server, by tenths of the boxes, in KiB: {tenths:?}; grown by {grown} (bar {GROWTH_MAX_KIB})"
        );
        println!("  left: {}", if left.is_empty() { "nothing".to_owned() } else { left.join(", ") });
        failures.iter().take(FAILURES_TOLD).for_each(|failure| println!("    {failure}"));
        let holds = failures.is_empty() && left.is_empty() && alive == 0 && grown <= GROWTH_MAX_KIB;
        if holds { Ok(()) } else { Err(format!("{} boxes did not pass without a trace", errand.count).into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Option<Errand> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn the_errand_reads() {
        assert_eq!(words("boxes"), Some(Errand { what: What::Boxes, count: 10_000, concurrency: 50 }));
        assert_eq!(words("runs"), Some(Errand { what: What::Runs, count: 2_000, concurrency: 16 }));
        assert_eq!(
            words("boxes --concurrency 2 --count 9"),
            Some(Errand { what: What::Boxes, count: 9, concurrency: 2 })
        );
        for line in ["", "others", "boxes 5", "boxes --count", "boxes --count 0", "boxes --cuont 5"] {
            assert_eq!(words(line), None, "{line}");
        }
    }
}
