//! Carrying bytes from one descriptor to another, with back-pressure: what cannot be passed
//! on is not read. Must not know: what the bytes mean.

use std::os::fd::{AsFd, OwnedFd};

use aegis_door::ProcessId;
use rustix::event::epoll::EventFlags;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::OFlags;
use rustix::io::Errno;

use super::events::{Events, Woken};

/// The most that is in a pump's hands.
const PUMP_BYTES: usize = 64 * 1024;
/// What is carried at most when the program has ended: as much as any pipe can hold. So what
/// it wrote gets out, and what a child of it goes on writing does not.
const LAST_BYTES: usize = 1024 * 1024;

/// From where to where bytes go.
pub struct Flow {
    /// Read from here.
    pub from: OwnedFd,
    /// Written to here.
    pub to: OwnedFd,
}

/// A flow, and what of it is on its way.
pub struct Pump {
    process: ProcessId,
    flow: Flow,
    held: Vec<u8>,
    passed: usize,
    waits_to_write: bool,
    left: usize,
}

/// What came of one attempt.
enum Turn {
    Again,
    Later,
    Over,
}

impl Pump {
    /// Starts carrying.
    pub fn new(process: ProcessId, flow: Flow, events: &Events, number: u64) -> Result<Self, Errno> {
        for side in [&flow.from, &flow.to] {
            let flags = rustix::fs::fcntl_getfl(side)?;
            rustix::fs::fcntl_setfl(side, flags | OFlags::NONBLOCK)?;
        }
        events.add(flow.from.as_fd(), Woken::Pump(number), EventFlags::IN)?;
        // Nothing is to be written yet, but it is good to know when nobody reads any more.
        if let Err(errno) = events.add(flow.to.as_fd(), Woken::Pump(number), EventFlags::empty()) {
            events.forget(flow.from.as_fd());
            return Err(errno);
        }
        Ok(Self { process, flow, held: Vec::new(), passed: 0, waits_to_write: false, left: LAST_BYTES })
    }

    /// Whose bytes these are.
    pub fn process(&self) -> ProcessId {
        self.process
    }

    /// Carries what can be carried now; answers whether the flow is over. When its program
    /// has ended, it is over as soon as nothing more is there.
    pub fn turn(&mut self, ended: bool, events: &Events, number: u64) -> bool {
        // While the program lives, others get their turn in between.
        let attempts = if ended { 2 * LAST_BYTES } else { 2 };
        for _ in 0..attempts {
            match self.attempt(ended) {
                Turn::Again => {}
                Turn::Over => return self.let_go(events),
                Turn::Later => break,
            }
        }
        if self.passed == self.held.len() && is_gone(&self.flow.to) {
            return self.let_go(events);
        }
        self.wait_for_the_right_side(events, number);
        false
    }

    fn let_go(&self, events: &Events) -> bool {
        events.forget(self.flow.from.as_fd());
        events.forget(self.flow.to.as_fd());
        true
    }

    fn attempt(&mut self, ended: bool) -> Turn {
        if self.passed < self.held.len() { self.pass_on() } else { self.take_up(ended) }
    }

    fn pass_on(&mut self) -> Turn {
        let rest = self.held.get(self.passed..).unwrap_or_default();
        match rustix::io::write(&self.flow.to, rest) {
            Ok(written) => {
                self.passed += written;
                Turn::Again
            }
            Err(Errno::AGAIN) => Turn::Later,
            Err(Errno::INTR) => Turn::Again,
            Err(_) => Turn::Over,
        }
    }

    fn take_up(&mut self, ended: bool) -> Turn {
        if ended && self.left == 0 {
            return Turn::Over;
        }
        self.passed = 0;
        self.held.resize(PUMP_BYTES, 0);
        let taken = rustix::io::read(&self.flow.from, &mut self.held);
        self.held.truncate(*taken.as_ref().unwrap_or(&0));
        if ended {
            self.left = self.left.saturating_sub(self.held.len());
        }
        match taken {
            Ok(0) => Turn::Over,
            Ok(_) | Err(Errno::INTR) => Turn::Again,
            Err(Errno::AGAIN) if ended => Turn::Over,
            Err(Errno::AGAIN) => {
                // Nothing is on its way, so nothing is kept: a quiet box is a small one.
                self.held = Vec::new();
                Turn::Later
            }
            Err(_) => Turn::Over,
        }
    }

    fn wait_for_the_right_side(&mut self, events: &Events, number: u64) {
        let waits_to_write = self.passed < self.held.len();
        if waits_to_write == self.waits_to_write {
            return;
        }
        self.waits_to_write = waits_to_write;
        // The side that is not waited for is not watched at all: that it is gone would be
        // announced again and again.
        if waits_to_write {
            events.forget(self.flow.from.as_fd());
            let _ = events.change(self.flow.to.as_fd(), Woken::Pump(number), EventFlags::OUT);
        } else {
            let _ = events.add(self.flow.from.as_fd(), Woken::Pump(number), EventFlags::IN);
            let _ = events.change(self.flow.to.as_fd(), Woken::Pump(number), EventFlags::empty());
        }
    }
}

/// Whether nobody reads what would be written there.
fn is_gone(to: &OwnedFd) -> bool {
    let mut asked = [PollFd::new(to, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut asked, Some(&now)).is_ok()
        && asked.iter().any(|asked| asked.revents().intersects(PollFlags::HUP | PollFlags::ERR))
}
