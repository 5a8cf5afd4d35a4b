//! Many connections that do nothing, or next to nothing, for a while.
//!
//! Owns how far each one goes before it stalls and the record of what the other side did to it;
//! must not know how a way to the target is opened.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::dial::{Dialogue, Route, Step, first_line, requests};
use crate::gather::send_whole;
use crate::hello::client_hello;
use crate::options::Options;
use crate::report::{Reasons, Report};
use crate::socket::{Failure, Interest, Link, Poller};

const TICK: Duration = Duration::from_millis(10);
const TICKS_PER_BYTE: usize = 10;
const PART_OF_HELLO: usize = 10;

/// What is done to the other side.
struct Plan {
    route: Route,
    count: usize,
    concurrency: usize,
    hold: Duration,
    /// What is sent at once when a connection is open.
    first: Vec<u8>,
    /// What is sent after it byte by byte, over and over; nothing when empty.
    drip: Vec<u8>,
}

/// One of the connections.
enum Place<'a> {
    Opening(Dialogue<'a>),
    Held { link: Link, since: Instant, sent: usize },
    Gone,
}

/// All of them, and what became of those that are no more.
struct Crowd<'a> {
    plan: &'a Plan,
    poller: Poller,
    places: Vec<Place<'a>>,
    opening: usize,
    opened: usize,
    closed_after: Vec<u32>,
    sent: usize,
    received: usize,
    reasons: Reasons,
    answers: Reasons,
    endings: Reasons,
}

/// Opens connections that stall at a stage and reports how they fared.
///
/// # Errors
/// When the options are wrong or no socket can be waited for.
pub fn run_idle(mut options: Options) -> Outcome<Report> {
    let stage = options.need("stage")?;
    let (route, first) = match stage.as_str() {
        "silent" => {
            options.take("target");
            (Route::connections(&mut options)?, Vec::new())
        }
        "half-head" => {
            let head = requests(&options.need("target")?).swap_remove(0);
            (Route::connections(&mut options)?, head[..head.len() / 2].to_vec())
        }
        "half-hello" => (Route::tunnels(&mut options)?, client_hello("idle.example")?[..PART_OF_HELLO].to_vec()),
        other => return Err(format!("`stage={other}` is none of silent, half-head and half-hello").into()),
    };
    let plan = plan(options, route, (first, Vec::new()))?;
    hold(&plan, "idle", &stage)
}

/// Opens tunnels that send a byte now and then and reports how they fared.
///
/// # Errors
/// When the options are wrong or no socket can be waited for.
pub fn run_slow(mut options: Options) -> Outcome<Report> {
    let route = Route::tunnels(&mut options)?;
    let hello = options.take("hello").map(|name| client_hello(&name)).transpose()?;
    let (stage, texts) = match (options.take("drip").as_deref(), hello) {
        (None, None) => ("bytes", (Vec::new(), vec![b'.'])),
        (None, Some(hello)) => ("bytes after a hello", (hello, vec![b'.'])),
        (Some("hello"), Some(hello)) => ("hello by bytes", (Vec::new(), hello)),
        _ => return Err("`drip=` is only known as drip=hello together with hello=".into()),
    };
    let plan = plan(options, route, texts)?;
    hold(&plan, "slow", stage)
}

fn plan(mut options: Options, route: Route, (first, drip): (Vec<u8>, Vec<u8>)) -> Outcome<Plan> {
    let count = options.at_least_one("count", None)?;
    let concurrency = options.at_least_one("concurrency", Some(256))?;
    let hold = Duration::from_secs(options.at_least_one("hold_s", None)? as u64);
    options.finish()?;
    Ok(Plan { route, count, concurrency, hold, first, drip })
}

fn hold(plan: &Plan, subcommand: &str, stage: &str) -> Outcome<Report> {
    let mut crowd = Crowd::new(plan)?;
    let (begun, mut ready, mut all_dialled, mut tick) = (Instant::now(), Vec::new(), None, 0);
    while all_dialled.is_none_or(|since: Instant| since.elapsed() < plan.hold) {
        crowd.dial();
        crowd.poller.wait(TICK, &mut ready)?;
        for event in &ready {
            crowd.step(event.key);
        }
        let now = (begun.elapsed().as_millis() / TICK.as_millis()) as usize;
        if now > tick {
            crowd.drop_late();
            (tick + 1..=now).for_each(|tick| crowd.drip(tick));
            tick = now;
        }
        if all_dialled.is_none() && crowd.places.len() == plan.count && crowd.opening == 0 {
            all_dialled = Some(Instant::now());
            crate::complain(&format!("{} of {} open after {:?}", crowd.opened, plan.count, begun.elapsed()));
        }
    }
    let opening = all_dialled.map_or(begun.elapsed(), |since| since - begun);
    Ok(crowd.report(subcommand, stage, opening))
}

impl<'a> Crowd<'a> {
    fn new(plan: &'a Plan) -> Result<Self, Failure> {
        Ok(Self {
            plan,
            poller: Poller::new()?,
            places: Vec::new(),
            opening: 0,
            opened: 0,
            closed_after: Vec::new(),
            sent: 0,
            received: 0,
            reasons: Reasons::new(),
            answers: Reasons::new(),
            endings: Reasons::new(),
        })
    }

    /// Begins as many connections as may be on their way at once.
    fn dial(&mut self) {
        while self.places.len() < self.plan.count && self.opening < self.plan.concurrency {
            match self.plan.route.dial(self.places.len()) {
                Ok(dialogue) => {
                    self.opening += 1;
                    self.places.push(Place::Opening(dialogue));
                    self.step(self.places.len() - 1);
                }
                Err(failure) => {
                    count(&mut self.reasons, failure.to_string());
                    self.places.push(Place::Gone);
                }
            }
        }
    }

    /// Does what the readiness of a connection allows.
    fn step(&mut self, key: usize) {
        let place = std::mem::replace(&mut self.places[key], Place::Gone);
        self.places[key] = match place {
            Place::Opening(dialogue) => self.open(dialogue, key),
            Place::Held { link, since, sent } => match self.hear(&link) {
                Ok(()) => Place::Held { link, since, sent },
                Err(failure) => self.lose(since, &failure),
            },
            Place::Gone => Place::Gone,
        };
    }

    fn open(&mut self, mut dialogue: Dialogue<'a>, key: usize) -> Place<'a> {
        let step = dialogue.advance(&mut [0; 4096]).and_then(|step| {
            let interest = if let Step::Wait(interest) = step { interest } else { Interest::Read };
            self.poller.watch(&mut dialogue.link, key, interest)?;
            Ok(step)
        });
        if let Ok(Step::Wait(_)) = step {
            return Place::Opening(dialogue);
        }
        self.opening -= 1;
        match step.and_then(|_| send_whole(&dialogue.link, &self.plan.first)) {
            Ok(()) => {
                self.opened += 1;
                self.sent += self.plan.first.len();
                Place::Held { link: dialogue.link, since: Instant::now(), sent: 0 }
            }
            Err(failure) => {
                count(&mut self.reasons, failure.to_string());
                Place::Gone
            }
        }
    }

    /// Takes in what the other side says to a connection that says nothing itself.
    fn hear(&mut self, link: &Link) -> Result<(), Failure> {
        let mut scratch = [0; 4096];
        match link.receive(&mut scratch)? {
            None => Ok(()),
            Some(0) => Err(Failure::Closed("by the other side")),
            Some(length) => {
                self.received += length;
                if self.plan.drip.is_empty() {
                    count(&mut self.answers, first_line(&scratch[..length]));
                }
                Ok(())
            }
        }
    }

    fn lose(&mut self, since: Instant, failure: &Failure) -> Place<'a> {
        self.closed_after.push(u32::try_from(since.elapsed().as_millis()).unwrap_or(u32::MAX));
        count(&mut self.endings, failure.to_string());
        Place::Gone
    }

    /// Sends one byte over a tenth of the connections, so that each has its turn every ten ticks.
    fn drip(&mut self, tick: usize) {
        if self.plan.drip.is_empty() {
            return;
        }
        for key in (tick % TICKS_PER_BYTE..self.places.len()).step_by(TICKS_PER_BYTE) {
            let Place::Held { link, since, sent } = &mut self.places[key] else { continue };
            match link.send(&[self.plan.drip[*sent % self.plan.drip.len()]]) {
                Ok(length) => {
                    *sent += length.unwrap_or(0);
                    self.sent += length.unwrap_or(0);
                }
                Err(failure) => {
                    let since = *since;
                    self.places[key] = self.lose(since, &failure);
                }
            }
        }
    }

    fn drop_late(&mut self) {
        if self.opening == 0 {
            return;
        }
        for place in &mut self.places {
            if matches!(place, Place::Opening(dialogue) if dialogue.started.elapsed() > self.plan.route.timeout()) {
                *place = Place::Gone;
                self.opening -= 1;
                count(&mut self.reasons, Failure::Late.to_string());
            }
        }
    }

    fn report(mut self, subcommand: &str, stage: &str, opening: Duration) -> Report {
        let closed = self.closed_after.len();
        let mut report = Report::new(subcommand, self.opened > 0);
        report.text("stage", stage);
        report.number("count", self.plan.count);
        report.number("opened", self.opened);
        report.number("refused", self.reasons.values().sum());
        report.number("closed", closed);
        report.number("still_open", self.opened - closed);
        report.decimal("opening_seconds", opening.as_secs_f64());
        report.decimal("hold_seconds", self.plan.hold.as_secs_f64());
        let first = self.closed_after.iter().min().copied().unwrap_or(0);
        report.number("closed_first_ms", first as usize);
        report.percentiles("closed_", "_ms", &mut self.closed_after);
        report.number("bytes_sent", self.sent);
        report.number("bytes_received", self.received);
        report.own_cpu();
        report.reasons("refusals", &self.reasons);
        report.reasons("answers", &self.answers);
        report.reasons("endings", &self.endings);
        report
    }
}

fn count(reasons: &mut Reasons, reason: String) {
    *reasons.entry(reason).or_default() += 1;
}
