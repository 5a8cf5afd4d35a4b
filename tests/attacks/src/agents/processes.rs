//! Agents that start processes or threads: without end, out of sight, or until no more can be had.

use super::FAILED;
use crate::errno::Errno;
use crate::say;
use crate::sys::{self, call};
use serde_json::json;

/// The children go on with the same loop. One that is refused a child tries again.
pub fn fork_bomb() -> u8 {
    loop {
        _ = sys::fork(|| fork_bomb().into());
    }
}

/// Threads that wait, until there can be no more; they end with the process.
pub fn thread_filler() -> u8 {
    let mut count = 0_u64;
    let refused = loop {
        match std::thread::Builder::new().stack_size(64 * 1024).spawn(|| sys::sleep_forever()) {
            Ok(_) => count += 1,
            Err(error) => break Errno::from(error),
        }
    };
    say(&json!({"error": refused.to_string(), "count": count}).to_string());
    0
}

/// The grandchild keeps the output open for as long as it lives, which is as long as it is let.
pub fn daemonise() -> u8 {
    match start_orphan(|| sys::sleep_forever()) {
        Ok(()) => {
            say("done");
            0
        }
        Err(_) => FAILED,
    }
}

/// Children that nobody but pid 1 waits for.
pub fn orphans(count: u32) -> u8 {
    let started = (0..count).try_for_each(|_| {
        start_orphan(|| {
            sys::sleep_ms(50);
            0
        })
    });
    if started.is_err() {
        return FAILED;
    }
    sys::sleep_ms(300);
    say("done");
    0
}

/// Forks twice: the child begins a session and ends, so that the grandchild has lost its parent.
fn start_orphan(work: impl FnOnce() -> i32) -> Result<(), Errno> {
    let child = sys::fork(|| {
        _ = call!(SYS_setsid);
        i32::from(sys::fork(work).is_err())
    })?;
    match sys::wait(child)? {
        sys::Ended::Exit(0) => Ok(()),
        _ => Err(Errno(libc::EAGAIN)),
    }
}
