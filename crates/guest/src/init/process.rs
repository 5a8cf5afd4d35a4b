//! A program that runs in the box.

use std::os::fd::OwnedFd;

use rustix::process::{Pid, Signal, kill_process_group};
use rustix::termios::{Winsize, tcsetwinsize};

/// A program that runs in the box, first of a process group of its own.
pub struct Process {
    pid: i32,
    terminal: Option<OwnedFd>,
    deadline_ns: Option<u64>,
    timed_out: bool,
}

impl Process {
    /// Runs since now.
    pub fn new(pid: i32, terminal: Option<OwnedFd>, deadline_ns: Option<u64>) -> Self {
        Self { pid, terminal, deadline_ns, timed_out: false }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// When it is to be killed.
    pub fn deadline_ns(&self) -> Option<u64> {
        self.deadline_ns
    }

    /// Whether its time limit ended it.
    pub fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// Signals it and everything in its group.
    pub fn signal(&self, signal: i32) {
        if let (Some(pid), Some(signal)) = (Pid::from_raw(self.pid), Signal::from_named_raw(signal)) {
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Tells its terminal, and through it the program, that it has another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        if let Some(terminal) = &self.terminal {
            let _ = tcsetwinsize(terminal, size(rows, columns));
        }
    }

    /// Nobody looks at its terminal any more.
    pub fn hang_up(&mut self) {
        self.terminal = None;
    }

    /// Kills it if its time is over.
    pub fn keep_time(&mut self, now_ns: u64) {
        if self.deadline_ns.is_some_and(|deadline| deadline <= now_ns) {
            self.deadline_ns = None;
            self.timed_out = true;
            self.signal(Signal::KILL.as_raw());
        }
    }
}

/// A terminal's size.
pub fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}
