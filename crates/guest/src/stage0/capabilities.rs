//! Giving everything up: groups, user, capabilities, and every way back to them.
#![expect(unsafe_code, reason = "these system calls have no safe wrapper that acts on one thread only")]

use crate::raw::answer;
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets};

/// No capability by being user 0, none kept or raised by other means, and all of it locked.
const SECURE_BITS: libc::c_ulong = 0x01 | 0x02 | 0x04 | 0x08 | 0x20 | 0x40 | 0x80;

/// Leaves every supplementary group.
pub fn leave_groups() -> Result<(), Errno> {
    // SAFETY: a list of no groups is not read.
    answer(unsafe { libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) })
}

/// Is this user and group in every sense.
pub fn become_user(id: u32) -> Result<(), Errno> {
    // SAFETY: takes numbers only.
    answer(unsafe { libc::syscall(libc::SYS_setresgid, id, id, id) })?;
    // SAFETY: takes numbers only.
    answer(unsafe { libc::syscall(libc::SYS_setresuid, id, id, id) })
}

/// Empties every set of capabilities.
pub fn drop_all() -> Result<(), Errno> {
    // SAFETY: takes numbers only.
    answer(unsafe { libc::prctl(libc::PR_SET_SECUREBITS, SECURE_BITS, 0, 0, 0) }.into())?;
    empty_bounding_set()?;
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets)
}

/// Drops capabilities from the bounding set until the kernel knows no more of them.
fn empty_bounding_set() -> Result<(), Errno> {
    for capability in 0_u64.. {
        // SAFETY: takes numbers only.
        match answer(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) }.into()) {
            Err(Errno::INVAL) if capability > 0 => break,
            other => other?,
        }
    }
    Ok(())
}
