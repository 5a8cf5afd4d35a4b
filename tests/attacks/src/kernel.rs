//! Attacks on the kernel and on the confinement. Owns their order in the list.

mod binary;
mod calls;
mod clock;
mod guest;
mod identity;
mod mounts;
mod namespaces;
mod processes;
mod terminal;

pub use guest::{guest_memory, pidfd_guest, ptrace_guest};

use crate::attack::Attack;

/// The attacks of this area.
pub const TABLES: &[&[Attack]] = &[
    mounts::ATTACKS,
    namespaces::ATTACKS,
    guest::ATTACKS,
    processes::ATTACKS,
    calls::ATTACKS,
    clock::ATTACKS,
    identity::ATTACKS,
    binary::ATTACKS,
    terminal::ATTACKS,
];
