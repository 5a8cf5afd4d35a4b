//! Stage 0: from a process like any other to the first process of a sealed box. What is done,
//! and in which order, is data (`steps`); doing it is a table from step to system calls
//! (`kernel`). Nothing is skipped: a step that fails ends the box. Must not know: what the
//! box is for.

mod capabilities;
mod kernel;
mod landlock;
mod mounts;
mod network;
mod seccomp;
mod steps;
mod syscalls;
mod unshare;

use aegis_door::ToHost;

use crate::control::Control;
use kernel::Kernel;
use steps::{Step, steps};
use syscalls::Syscalls;

/// What the first process needs to know when the box stands.
#[derive(Clone, Debug)]
pub struct Standing {
    /// The directory that files are read and written below.
    pub directory: String,
    /// After how long the box ends; 0 for never.
    pub lifetime_ms: u64,
}

/// Sets the box up as the host says. Returns in the box's first process only.
pub fn set_up(control: &Control) -> Option<Standing> {
    let (setup, descriptors) = control.setup()?;
    let mut kernel = Kernel::new(control, &setup, descriptors);
    if let Err((step, errno)) = perform(&steps(&setup), &mut kernel) {
        control.tell(&ToHost::SetupFailed { step: step.name(), errno: errno.raw_os_error() });
        return None;
    }
    control.tell(&ToHost::Ready);
    Some(Standing { directory: setup.directory.clone(), lifetime_ms: setup.lifetime_ms })
}

/// Performs the steps in their order, up to the first that fails.
fn perform<'s>(steps: &'s [Step], syscalls: &mut dyn Syscalls) -> Result<(), (&'s Step, rustix::io::Errno)> {
    steps.iter().try_for_each(|step| syscalls.perform(step).map_err(|errno| (step, errno)))
}
