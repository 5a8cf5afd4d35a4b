//! Programs that run outside, and their end. Must not know: what they serve.

use std::fs;
use std::io;
use std::ops::{Deref, DerefMut};
use std::process::{self, Child, Command};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::place::Place;

/// A program in the outside world; ended when this is dropped, and at the latest with the world.
#[derive(Debug)]
pub struct Program {
    child: Child,
}

impl Program {
    pub(crate) fn start(place: &Place, command: &mut Command) -> io::Result<Self> {
        Ok(Self { child: place.run(|| command.spawn())? })
    }
}

impl Deref for Program {
    type Target = Child;

    fn deref(&self) -> &Child {
        &self.child
    }
}

impl DerefMut for Program {
    fn deref_mut(&mut self) -> &mut Child {
        &mut self.child
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Both fail only when the test has waited for its end already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Ends every process in `place` but this one: programs leave children behind that no handle
/// names.
pub(crate) fn end_all(place: &Place) {
    let Ok(number) = place.number() else { return };
    let link = format!("net:[{number}]");
    let Ok(entries) = fs::read_dir("/proc") else { return };
    for entry in entries.flatten() {
        let id = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok());
        if let Some(id) = id.filter(|id| id.unsigned_abs() != process::id()) {
            end_if_in(&link, id);
        }
    }
}

fn end_if_in(link: &str, id: i32) {
    // INVARIANT: the handle is taken before the look, so that the process that is ended is the
    // one that was looked at, even if its number is given away in between.
    let Some(handle) = Pid::from_raw(id).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) else { return };
    let is_there = fs::read_link(format!("/proc/{id}/ns/net")).is_ok_and(|target| target.as_os_str() == link);
    if is_there {
        // It fails only when the process has ended by itself.
        let _ = pidfd_send_signal(&handle, Signal::KILL);
    }
}
