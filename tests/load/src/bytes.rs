//! How many bytes go through long-lived tunnels in a given time.
//!
//! Owns the pumping and the counting; must not know how a way to the target is opened.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::connects::share;
use crate::dial::Route;
use crate::gather::gather;
use crate::hello::client_hello;
use crate::options::Options;
use crate::report::{Reasons, Report};
use crate::socket::{Failure, Interest, Link, Poller, Ready};

const BUFFER: usize = 256 * 1024;

/// What is pumped for how long.
struct Plan {
    route: Route,
    first: Vec<u8>,
    interest: Interest,
    time: Duration,
}

/// What one thread has counted.
#[derive(Default)]
struct Tally {
    sent: u64,
    received: u64,
    opened: usize,
    closed_early: usize,
    seconds: f64,
    reasons: Reasons,
}

/// Pumps and reports the rate.
///
/// # Errors
/// When the options are wrong or a thread cannot wait for sockets at all.
pub fn run(mut options: Options) -> Outcome<Report> {
    let route = Route::tunnels(&mut options)?;
    let direction = options.need("direction")?;
    let interest = interest(&direction)?;
    let streams = options.at_least_one("streams", None)?;
    let threads = options.at_least_one("threads", Some(1))?.min(streams);
    let time = Duration::from_secs(options.at_least_one("seconds", None)? as u64);
    let first = options.take("hello").map_or_else(|| Ok(Vec::new()), |name| client_hello(&name))?;
    options.finish()?;

    let (plan, start) = (Plan { route, first, interest, time }, Barrier::new(threads));
    let results = thread::scope(|scope| {
        let (plan, start) = (&plan, &start);
        let workers: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || work(plan, share(streams, threads, thread), start)))
            .collect();
        workers.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let mut total = Tally::default();
    for result in results {
        total.add(result.map_err(|_| "a thread broke off")??);
    }
    Ok(total.report(&direction))
}

fn interest(direction: &str) -> Outcome<Interest> {
    match direction {
        "down" => Ok(Interest::Read),
        "up" => Ok(Interest::Write),
        "both" => Ok(Interest::Both),
        other => Err(format!("`direction={other}` is none of down, up and both").into()),
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.sent += other.sent;
        self.received += other.received;
        self.opened += other.opened;
        self.closed_early += other.closed_early;
        self.seconds = self.seconds.max(other.seconds);
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
    }

    /// What an echo brings back has crossed both ways, so only the bytes that arrived count for it.
    fn report(&self, direction: &str) -> Report {
        let bytes = if direction == "up" { self.sent } else { self.received };
        let mut report = Report::new("bytes", bytes > 0);
        report.text("direction", direction);
        report.number("streams", self.opened);
        report.number("failed", self.reasons.values().sum());
        report.number("closed_early", self.closed_early);
        report.number("bytes", bytes as usize);
        report.decimal("seconds", self.seconds);
        report.decimal("megabytes_per_second", bytes as f64 / 1e6 / self.seconds);
        report.own_cpu();
        report.reasons("failures", &self.reasons);
        report
    }
}

fn work(plan: &Plan, streams: usize, start: &Barrier) -> Result<Tally, Failure> {
    let gathered = gather(&plan.route, streams, &plan.first);
    start.wait();
    let gathered = gathered?;
    let mut tally = Tally { opened: gathered.links.len(), reasons: gathered.reasons, ..Tally::default() };
    let (begun, mut buffer, mut ready) = (Instant::now(), vec![0; BUFFER], Vec::new());
    let mut poller = Poller::new()?;
    let mut links: Vec<Option<Link>> = gathered.links.into_iter().map(Some).collect();
    for (key, link) in links.iter_mut().flatten().enumerate() {
        poller.watch(link, key, plan.interest)?;
    }
    while tally.closed_early < tally.opened && begun.elapsed() < plan.time {
        poller.wait(plan.time.saturating_sub(begun.elapsed()).min(Duration::from_millis(50)), &mut ready)?;
        for event in &ready {
            let place = &mut links[event.key];
            let kept = place.take().filter(|link| pump(link, *event, &mut buffer, &mut tally).is_ok());
            tally.closed_early += usize::from(kept.is_none());
            *place = kept;
        }
    }
    tally.seconds = begun.elapsed().as_secs_f64();
    Ok(tally)
}

fn pump(link: &Link, event: Ready, buffer: &mut [u8], tally: &mut Tally) -> Result<(), Failure> {
    if event.readable {
        match link.receive(buffer)? {
            Some(0) => return Err(Failure::Closed("early")),
            received => tally.received += received.unwrap_or(0) as u64,
        }
    }
    if event.writable {
        tally.sent += link.send(buffer)?.unwrap_or(0) as u64;
    }
    Ok(())
}
