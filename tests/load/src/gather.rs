//! Several tunnels opened before a measurement begins.
//!
//! Owns the wait until all of them are open; must not know what they will carry.

use std::time::{Duration, Instant};

use crate::dial::{Dialogue, Route, Step};
use crate::report::Reasons;
use crate::socket::{Failure, Link, Poller};

/// The tunnels that opened, and why the others did not.
pub struct Gathered {
    /// The open ones, registered with no poller.
    pub links: Vec<Link>,
    /// The reasons of the others.
    pub reasons: Reasons,
}

/// Opens `count` tunnels at once and sends `first` into each.
///
/// # Errors
/// When there is no poller to be had.
pub fn gather(route: &Route, count: usize, first: &[u8]) -> Result<Gathered, Failure> {
    let mut poller = Poller::new()?;
    let mut gathered = Gathered { links: Vec::new(), reasons: Reasons::new() };
    let mut waiting: Vec<Option<Dialogue<'_>>> = Vec::new();
    for turn in 0..count {
        let dialogue = route.dial(turn).map_err(|failure| gathered.note(&failure)).ok();
        waiting.push(dialogue.and_then(|dialogue| proceed(dialogue, (turn, first), &poller, &mut gathered)));
    }
    let deadline = Instant::now() + route.timeout();
    let mut ready = Vec::new();
    while waiting.iter().any(Option::is_some) && Instant::now() < deadline {
        poller.wait(Duration::from_millis(50), &mut ready)?;
        for event in &ready {
            if let Some(dialogue) = waiting[event.key].take() {
                waiting[event.key] = proceed(dialogue, (event.key, first), &poller, &mut gathered);
            }
        }
    }
    waiting.iter().flatten().for_each(|_| gathered.note(&Failure::Late));
    Ok(gathered)
}

impl Gathered {
    fn note(&mut self, failure: &Failure) {
        *self.reasons.entry(failure.to_string()).or_default() += 1;
    }
}

/// Takes one tunnel a step further and gives it back while it still has to wait.
fn proceed<'a>(
    mut dialogue: Dialogue<'a>,
    (key, first): (usize, &[u8]),
    poller: &Poller,
    gathered: &mut Gathered,
) -> Option<Dialogue<'a>> {
    let mut scratch = [0; 4096];
    let step = dialogue.advance(&mut scratch).and_then(|step| {
        match step {
            Step::Wait(interest) => poller.watch(&mut dialogue.link, key, interest)?,
            Step::Open(_) => send_whole(&dialogue.link, first)?,
        }
        Ok(step)
    });
    match step {
        Ok(Step::Wait(_)) => return Some(dialogue),
        Ok(Step::Open(_)) => match poller.forget(&mut dialogue.link) {
            Ok(()) => gathered.links.push(dialogue.link),
            Err(failure) => gathered.note(&failure),
        },
        Err(failure) => gathered.note(&failure),
    }
    None
}

/// Sends a first message, which always fits into the empty buffer of a fresh connection.
pub fn send_whole(link: &Link, bytes: &[u8]) -> Result<(), Failure> {
    if bytes.is_empty() || link.send(bytes)? == Some(bytes.len()) {
        return Ok(());
    }
    Err(Failure::Closed("to a first message"))
}
