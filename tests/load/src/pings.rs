//! Round trips of a few bytes over tunnels that stay open.
//!
//! Owns the taking of turns and the times; must not know how a way to the target is opened.

use std::time::{Duration, Instant};

use crate::Outcome;
use crate::connects::micros;
use crate::dial::Route;
use crate::gather::{gather, send_whole};
use crate::hello::client_hello;
use crate::options::Options;
use crate::report::Report;
use crate::socket::{Failure, Interest, Link, Poller};

const PING: [u8; 64] = *b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+-";

/// A tunnel with a ping under way.
struct Tunnel {
    link: Link,
    /// What of the first message's echo has not come back yet.
    echo_of_first: usize,
    received: usize,
    sent_at: Instant,
    remaining: usize,
}

/// Plays ping and reports the times.
///
/// # Errors
/// When the options are wrong or no socket can be waited for.
pub fn run(mut options: Options) -> Outcome<Report> {
    let route = Route::tunnels(&mut options)?;
    let count = options.at_least_one("count", None)?;
    let concurrency = options.at_least_one("concurrency", Some(1))?;
    let first = options.take("hello").map_or_else(|| Ok(Vec::new()), |name| client_hello(&name))?;
    options.finish()?;

    let mut gathered = gather(&route, concurrency, &first)?;
    let opened = gathered.links.len();
    let tunnels = std::mem::take(&mut gathered.links).into_iter().map(|link| Tunnel {
        link,
        echo_of_first: first.len(),
        received: 0,
        sent_at: Instant::now(),
        remaining: count,
    });
    let begun = Instant::now();
    let (mut samples, broken) = play(tunnels.map(Some).collect(), route.timeout())?;
    let seconds = begun.elapsed().as_secs_f64();

    let mut report = Report::new("pings", !samples.is_empty());
    report.number("count", samples.len());
    report.number("tunnels", opened);
    report.number("failed", gathered.reasons.values().sum());
    report.number("broken", broken);
    report.decimal("seconds", seconds);
    report.decimal("per_second", samples.len() as f64 / seconds);
    report.percentiles("", "_us", &mut samples);
    report.own_cpu();
    report.reasons("failures", &gathered.reasons);
    Ok(report)
}

/// Plays until every tunnel has done its round trips, broken or not answered in time.
fn play(mut tunnels: Vec<Option<Tunnel>>, timeout: Duration) -> Result<(Vec<u32>, usize), Failure> {
    let (mut samples, mut broken) = (Vec::new(), 0);
    let (mut poller, mut ready) = (Poller::new()?, Vec::new());
    let mut left = tunnels.len();
    for (key, tunnel) in tunnels.iter_mut().flatten().enumerate() {
        poller.watch(&mut tunnel.link, key, Interest::Read)?;
        if tunnel.echo_of_first == 0 {
            tunnel.ping()?;
        }
    }
    while left > 0 {
        poller.wait(timeout, &mut ready)?;
        if ready.is_empty() {
            return Ok((samples, broken + left));
        }
        for event in &ready {
            let place = &mut tunnels[event.key];
            let Some(mut tunnel) = place.take() else { continue };
            match tunnel.hear(&mut samples) {
                Ok(()) if tunnel.remaining > 0 => *place = Some(tunnel),
                Ok(()) => left -= 1,
                Err(_) => {
                    broken += 1;
                    left -= 1;
                }
            }
        }
    }
    Ok((samples, broken))
}

impl Tunnel {
    fn ping(&mut self) -> Result<(), Failure> {
        self.received = 0;
        self.sent_at = Instant::now();
        send_whole(&self.link, &PING)
    }

    /// Takes in what came back and sends the next ping when the last one is back whole.
    fn hear(&mut self, samples: &mut Vec<u32>) -> Result<(), Failure> {
        let mut buffer = [0; 1024];
        let count = match self.link.receive(&mut buffer)? {
            None => return Ok(()),
            Some(0) => return Err(Failure::Closed("early")),
            Some(count) => count,
        };
        if self.echo_of_first > 0 {
            self.echo_of_first = self.echo_of_first.checked_sub(count).ok_or(Failure::Altered)?;
            return if self.echo_of_first == 0 { self.ping() } else { Ok(()) };
        }
        if !PING[self.received..].starts_with(&buffer[..count]) {
            return Err(Failure::Altered);
        }
        self.received += count;
        if self.received < PING.len() {
            return Ok(());
        }
        samples.push(micros(self.sent_at.elapsed()));
        self.remaining -= 1;
        if self.remaining > 0 { self.ping() } else { Ok(()) }
    }
}
