//! Agents that misbehave or measure: what runs in a box when a test needs a process of a certain kind.
//! Owns their names. Those that would hurt a host run only where it looks like the inside of a box.

mod fillers;
mod floods;
mod guest;
mod measures;
mod plain;
mod processes;
mod servers;
mod terminal;

use std::process::ExitCode;

/// Becomes the agent with this name.
pub fn run(name: &str, arguments: &[&str]) -> ExitCode {
    let code = match (name, arguments) {
        ("true", []) => Some(0),
        ("answer", []) => Some(plain::answer()),
        ("echo", []) => Some(plain::echo()),
        ("exit", [code]) => code.parse().ok(),
        ("signal", [signal]) => signal.parse().ok().map(plain::signal),
        ("sleep", [seconds]) => seconds.parse().ok().map(plain::sleep),
        ("idle", []) => Some(plain::idle()),
        ("never-read", []) => Some(plain::never_read()),
        ("close-streams", []) => Some(plain::close_streams()),
        ("ignore-term", []) => Some(plain::ignore_term()),
        ("daemonise", []) => Some(processes::daemonise()),
        ("orphans", [count]) => count.parse().ok().map(processes::orphans),
        ("fork-bomb", []) => Some(only_in_box(processes::fork_bomb)),
        ("thread-filler", []) => Some(only_in_box(processes::thread_filler)),
        ("memory-hog", []) => Some(only_in_box(floods::memory_hog)),
        ("log-flood", []) => Some(floods::log_flood()),
        ("print-forever", []) => Some(floods::print_forever()),
        ("disk-filler", [directory]) => Some(fillers::disk(directory)),
        ("inode-filler", [directory]) => Some(fillers::inodes(directory)),
        ("descriptor-filler", []) => Some(fillers::descriptors()),
        ("kill-guest", []) => Some(only_in_box(guest::kill)),
        ("ptrace-guest", []) => Some(guest::ptrace()),
        ("probe", [count]) => count.parse().ok().map(|count| measures::probe(count, 0)),
        ("probe", [count, pause_ms]) => {
            pause_ms.parse().ok().and_then(|pause_ms| count.parse().ok().map(|count| measures::probe(count, pause_ms)))
        }
        ("spin", []) => Some(measures::spin()),
        ("cpu", [milliseconds]) => milliseconds.parse().ok().map(measures::burn),
        ("tty", []) => Some(terminal::run()),
        ("tcp-speak", [port]) => port.parse().ok().map(servers::tcp_speak),
        ("tcp-echo", [port]) => port.parse().ok().map(servers::tcp_echo),
        ("http", [port]) => port.parse().ok().map(servers::http),
        _ => None,
    };
    match code {
        Some(code) => ExitCode::from(code),
        None => crate::complain(&format!("no agent is called `{name}` with such arguments")),
    }
}

/// The code for what was asked of the agent and did not work.
const FAILED: u8 = 1;

fn only_in_box(agent: fn() -> u8) -> u8 {
    if crate::process::is_in_box() {
        return agent();
    }
    crate::complain("this is not the inside of a box");
    FAILED
}
