//! Hearing a guest: as fast as it may speak, and until its box stands. What it says is
//! hostile, even before anything of the agent runs.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::process::Child;
use std::time::Duration;

use aegis_door::{Allowance, Limits, ToHost};
use aegis_model::boxes::BoxError;
use aegis_model::port::Clock;
use rustix::process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid};
use tokio::io::unix::AsyncFd;

use super::channel::Heard;
use super::connection;
use super::live::Asked;
use super::shared::Shared;
use super::watched::watched;

/// How long stage 0 may stay when the box stands.
const LEAVE_TIME: Duration = Duration::from_secs(1);

/// The most that is repeated of the name that a guest gives to a step.
const STEP_CHARACTERS_MAX: usize = 64;

/// Why nothing more is heard of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    /// It said what it cannot say.
    Violation(String),
    /// It has closed its door.
    Closed,
}

/// Listens to one guest.
pub struct Listener<'s> {
    shared: &'s Shared,
    clock: &'s dyn Clock,
    allowance: Allowance,
}

impl<'s> Listener<'s> {
    /// Has heard nothing yet.
    pub fn new(shared: &'s Shared, clock: &'s dyn Clock) -> Self {
        Self { shared, clock, allowance: Allowance::new(Limits::default(), clock.elapsed_ns()) }
    }

    /// The next thing that the guest says; whoever waits for it has been told.
    ///
    /// # Errors
    /// When it says nothing more, or nothing that it can say.
    #[expect(clippy::disallowed_methods, reason = "who says too much is not listened to for a while")]
    pub async fn next(&mut self) -> Result<ToHost, Silence> {
        while let Err(wait_ns) = self.allowance.take(self.clock.elapsed_ns()) {
            tokio::time::sleep(Duration::from_nanos(wait_ns)).await;
        }
        let (message, beside) = match self.shared.channel.hear().await {
            Heard::Message(message, beside) => (message, beside),
            Heard::Violation(problem) => return Err(Silence::Violation(problem)),
            Heard::Closed => return Err(Silence::Closed),
        };
        connection::judge(&message, &beside).map_err(Silence::Violation)?;
        match self.shared.hear(&message, beside) {
            Ok(()) => Ok(message),
            Err(violation) => Err(Silence::Violation(violation.to_string())),
        }
    }
}

/// Hears the guest out until the box stands, and its agent runs or could not be started.
pub async fn hear_out(shared: &Shared, clock: &dyn Clock, agent: Option<&Asked>) -> Result<(), BoxError> {
    let mut listener = Listener::new(shared, clock);
    let mut stands = false;
    while !(stands && agent.is_none_or(Asked::is_answered)) {
        match listener.next().await {
            Ok(ToHost::Entered { pid }) => enter(shared, pid)?,
            Ok(ToHost::Ready) => stands = true,
            Ok(ToHost::SetupFailed { step, errno }) => {
                let step: String = step.escape_debug().take(STEP_CHARACTERS_MAX).collect();
                return Err(failed(&step, &io::Error::from_raw_os_error(errno).to_string()));
            }
            Ok(_) => {}
            Err(Silence::Violation(problem)) => return Err(failed("setting up", &problem)),
            Err(Silence::Closed) => return Err(failed("setting up", "the guest ended without a word")),
        }
    }
    Ok(())
}

/// The box could not be set up.
pub fn failed(step: &str, reason: &str) -> BoxError {
    BoxError::SetupFailed { step: step.to_owned(), reason: reason.to_owned() }
}

/// Takes the box's first process into hand. It is our child, so its number is not reused
/// before we have waited for it; and nobody can have us kill who is none of ours.
fn enter(shared: &Shared, pid: u32) -> Result<(), BoxError> {
    let stranger = || failed("setting up", "its first process is none of ours");
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(stranger)?;
    let no_room = |error: io::Error| BoxError::NoRoom(error.to_string());
    let process = pidfd_open(pid, PidfdFlags::NONBLOCK).map_err(|errno| no_room(errno.into()))?;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::PidFd(process.as_fd()), options).map_err(|_| stranger())?;
    shared.enter(watched(process).map_err(no_room)?);
    Ok(())
}

/// Stage 0 ends when the box's first process is on its own. One that is stuck is killed.
pub async fn wait_for(stage0: &mut Child, ended_well: bool) {
    if !ended_well {
        let _ = stage0.kill();
    }
    if matches!(stage0.try_wait(), Ok(Some(_))) {
        return;
    }
    if let Some(process) = watch(stage0)
        && tokio::time::timeout(LEAVE_TIME, process.readable()).await.is_err()
    {
        let _ = stage0.kill();
    }
    let _ = stage0.wait();
}

fn watch(child: &Child) -> Option<AsyncFd<OwnedFd>> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw)?;
    watched(pidfd_open(pid, PidfdFlags::NONBLOCK).ok()?).ok()
}
