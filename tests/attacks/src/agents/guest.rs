//! Agents that attack the guest, and go on living to tell.

use crate::errno::Errno;
use crate::say;
use crate::sys::call;
use serde_json::json;

fn told<T>(result: Result<T, Errno>) -> String {
    result.map_or_else(|errno| errno.to_string(), |_| "ok".to_owned())
}

/// Pid 1, and then everything this process may signal but itself.
pub fn kill() -> u8 {
    let guest = told(call!(SYS_kill, 1, libc::SIGKILL));
    let all = told(call!(SYS_kill, -1, libc::SIGKILL));
    say(&json!({"kill": guest, "kill_all": all}).to_string());
    0
}

pub fn ptrace() -> u8 {
    let guest = told(call!(SYS_ptrace, libc::PTRACE_SEIZE, 1, 0, 0));
    say(&json!({"ptrace": guest}).to_string());
    0
}
