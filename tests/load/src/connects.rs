//! Many short connections: open, one echo, close.
//!
//! Owns the slots that each carry one connection after another and what their times add up to;
//! must not know how a way to the target is opened.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::dial::{Dialogue, Route, Step};
use crate::hello::client_hello;
use crate::options::Options;
use crate::report::{Reasons, Report};
use crate::socket::{Failure, Interest, Poller};

const SHORT_PAYLOAD: &[u8] = b"0123456789abcdef";
const SCRATCH: usize = 16 * 1024;
const LATENESS_CHECK: Duration = Duration::from_millis(100);

/// Opens the connections and reports how long they took.
///
/// # Errors
/// When the options are wrong or a thread cannot wait for sockets at all.
pub fn run(mut options: Options) -> Outcome<Report> {
    let route = Route::tunnels(&mut options)?;
    let count = options.at_least_one("count", None)?;
    let threads = options.at_least_one("threads", Some(1))?;
    let concurrency = options.at_least_one("concurrency", None)?.max(threads);
    let payload = options.take("hello").map_or_else(|| Ok(SHORT_PAYLOAD.to_vec()), |name| client_hello(&name))?;
    options.finish()?;

    let start = Barrier::new(threads + 1);
    let (seconds, results) = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let share = (share(count, threads, thread), share(concurrency, threads, thread));
                let (route, payload, start) = (&route, &payload, &start);
                scope.spawn(move || work(route, payload, share, start))
            })
            .collect();
        start.wait();
        let begun = Instant::now();
        let results: Vec<_> = workers.into_iter().map(thread::ScopedJoinHandle::join).collect();
        (begun.elapsed().as_secs_f64(), results)
    });
    let mut total = Tally::default();
    for result in results {
        total.add(result.map_err(|_| "a thread broke off")??);
    }
    Ok(total.report(seconds))
}

/// The part of a whole that falls to one of several threads.
pub fn share(whole: usize, threads: usize, thread: usize) -> usize {
    whole / threads + usize::from(thread < whole % threads)
}

/// The times of the connections that worked and the reasons of those that did not.
#[derive(Default)]
struct Tally {
    opened: Vec<u32>,
    echoed: Vec<u32>,
    reasons: Reasons,
}

impl Tally {
    fn add(&mut self, mut other: Self) {
        self.opened.append(&mut other.opened);
        self.echoed.append(&mut other.echoed);
        for (reason, count) in other.reasons {
            *self.reasons.entry(reason).or_default() += count;
        }
    }

    fn report(mut self, seconds: f64) -> Report {
        let worked = self.echoed.len();
        let failed = self.reasons.values().sum();
        let mut report = Report::new("connects", worked > 0);
        report.number("count", worked + failed);
        report.number("failed", failed);
        report.decimal("seconds", seconds);
        report.decimal("per_second", worked as f64 / seconds);
        report.percentiles("", "_us", &mut self.echoed);
        report.percentiles("connect_", "_us", &mut self.opened);
        report.own_cpu();
        report.reasons("failures", &self.reasons);
        report
    }
}

/// One connection at a time.
struct Slot<'a> {
    dialogue: Dialogue<'a>,
    opened: Option<Duration>,
    sent: usize,
    echoed: usize,
}

/// What one thread works through.
struct Worker<'a> {
    route: &'a Route,
    payload: &'a [u8],
    poller: Poller,
    remaining: usize,
    turn: usize,
    tally: Tally,
    scratch: Vec<u8>,
}

fn work(route: &Route, payload: &[u8], (count, slots): (usize, usize), start: &Barrier) -> Result<Tally, Failure> {
    let poller = Poller::new();
    start.wait();
    let (scratch, tally) = (vec![0; SCRATCH], Tally::default());
    let mut worker = Worker { route, payload, poller: poller?, remaining: count, turn: 0, tally, scratch };
    let mut slots: Vec<Option<Slot<'_>>> = (0..slots).map(|key| worker.next(key)).collect();
    let (mut ready, mut checked) = (Vec::new(), Instant::now());
    while worker.remaining > 0 || slots.iter().any(Option::is_some) {
        worker.poller.wait(LATENESS_CHECK, &mut ready)?;
        for event in &ready {
            if let Some(slot) = slots[event.key].take() {
                slots[event.key] = worker.drive(slot, event.key).or_else(|| worker.next(event.key));
            }
        }
        if checked.elapsed() >= LATENESS_CHECK {
            checked = Instant::now();
            worker.drop_late(&mut slots);
        }
    }
    Ok(worker.tally)
}

impl<'a> Worker<'a> {
    /// Begins the next connection, and the one after it when that fails at once.
    fn next(&mut self, key: usize) -> Option<Slot<'a>> {
        while self.remaining > 0 {
            self.remaining -= 1;
            self.turn += 1;
            match self.route.dial(self.turn) {
                Ok(dialogue) => {
                    let slot = Slot { dialogue, opened: None, sent: 0, echoed: 0 };
                    let waiting = self.drive(slot, key);
                    if waiting.is_some() {
                        return waiting;
                    }
                }
                Err(failure) => self.note(&failure),
            }
        }
        None
    }

    /// Takes a connection as far as it goes and gives it back while it has to wait.
    fn drive(&mut self, mut slot: Slot<'a>, key: usize) -> Option<Slot<'a>> {
        match self.advance(&mut slot, key) {
            Ok(true) => {
                self.tally.echoed.push(micros(slot.dialogue.started.elapsed()));
                self.tally.opened.push(micros(slot.opened.unwrap_or_default()));
                None
            }
            Ok(false) => Some(slot),
            Err(failure) => {
                self.note(&failure);
                None
            }
        }
    }

    fn advance(&mut self, slot: &mut Slot<'a>, key: usize) -> Result<bool, Failure> {
        if slot.opened.is_none() {
            match slot.dialogue.advance(&mut self.scratch)? {
                Step::Wait(interest) => {
                    self.poller.watch(&mut slot.dialogue.link, key, interest)?;
                    return Ok(false);
                }
                Step::Open(0) => slot.opened = Some(slot.dialogue.started.elapsed()),
                Step::Open(_) => return Err(Failure::Altered),
            }
        }
        if slot.sent < self.payload.len() {
            slot.sent += slot.dialogue.link.send(&self.payload[slot.sent..])?.unwrap_or(0);
            let complete = slot.sent == self.payload.len();
            let interest = if complete { Interest::Read } else { Interest::Write };
            self.poller.watch(&mut slot.dialogue.link, key, interest)?;
            return Ok(false);
        }
        match slot.dialogue.link.receive(&mut self.scratch)? {
            None => Ok(false),
            Some(0) => Err(Failure::Closed("before the echo")),
            Some(count) if !self.payload[slot.echoed..].starts_with(&self.scratch[..count]) => Err(Failure::Altered),
            Some(count) => {
                slot.echoed += count;
                Ok(slot.echoed == self.payload.len())
            }
        }
    }

    fn drop_late(&mut self, slots: &mut [Option<Slot<'a>>]) {
        for (key, place) in slots.iter_mut().enumerate() {
            if place.as_ref().is_some_and(|slot| slot.dialogue.started.elapsed() > self.route.timeout()) {
                self.note(&Failure::Late);
                // The old connection must be closed before the next one of its slot is begun.
                *place = None;
                *place = self.next(key);
            }
        }
    }

    fn note(&mut self, failure: &Failure) {
        *self.tally.reasons.entry(failure.to_string()).or_default() += 1;
    }
}

/// A time in whole microseconds.
pub fn micros(time: Duration) -> u32 {
    u32::try_from(time.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn the_shares_of_all_threads_are_the_whole() {
        for whole in 0..20 {
            let sum: usize = (0..3).map(|thread| share(whole, 3, thread)).sum();
            assert_eq!(sum, whole);
        }
    }
}
