//! The guest: the one trusted program in every box. It sets the box up from inside, becomes
//! its first process, and does there what the host asks through the door. It decides nothing.
//!
//! Its standard input is the control stream, and when that closes, the box ends. Must not
//! know: tenants, agents, policy, what the programs it starts are for.
#![expect(unsafe_code, reason = "descriptors are closed before anything owns them")]

mod control;
mod init;
mod raw;
mod stage0;

use std::os::fd::{AsFd, OwnedFd};
use std::process::ExitCode;

use control::Control;
use init::Init;

/// The box could not be set up; the host was told why.
const EXIT_NOT_SET_UP: u8 = 2;

fn main() -> ExitCode {
    // Whatever else the server has open was not meant for a box.
    if forget_descriptors().is_err() {
        return ExitCode::from(EXIT_NOT_SET_UP);
    }
    allow_descriptors();
    let Ok(control) = std::io::stdin().as_fd().try_clone_to_owned().map(take_over) else {
        return ExitCode::from(EXIT_NOT_SET_UP);
    };
    let Some(standing) = stage0::set_up(&control) else {
        return ExitCode::from(EXIT_NOT_SET_UP);
    };
    match Init::new(control, standing) {
        Ok(mut init) => {
            let code = init.run();
            // The kernel closes the door when the exit code stands; whoever sees the one closed
            // can trust the other.
            std::mem::forget(init);
            ExitCode::from(code)
        }
        Err(_) => ExitCode::from(EXIT_NOT_SET_UP),
    }
}

/// Closes everything but the control stream and what stands for output.
fn forget_descriptors() -> Result<(), rustix::io::Errno> {
    // SAFETY: nothing of this program owns a descriptor from 3 on yet.
    raw::answer(unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) })
}

/// A server that is short of descriptors is no reason for its boxes to be: they have limits of
/// their own.
fn allow_descriptors() {
    let inherited = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let most = rustix::process::Rlimit { current: inherited.maximum, ..inherited };
    // If it cannot be raised, what needs more says so.
    let _kept = rustix::process::setrlimit(rustix::process::Resource::Nofile, most);
}

/// Keeps the control stream under another number than 0, so that no program that is started
/// with its standard input left open could ever have it.
fn take_over(stream: OwnedFd) -> Control {
    if let Ok(null) = std::fs::File::open("/dev/null") {
        let _ = rustix::stdio::dup2_stdin(&null);
    }
    Control::new(stream)
}
