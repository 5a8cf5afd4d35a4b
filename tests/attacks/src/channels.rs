//! Attacks by other channels: networks, families of sockets, and what the kernel shares between processes.

mod families;
mod interfaces;
mod local;
mod reach;

pub use reach::address4;

use crate::attack::Attack;

/// The attacks of this area.
pub const TABLES: &[&[Attack]] = &[reach::ATTACKS, interfaces::ATTACKS, families::ATTACKS, local::ATTACKS];

/// What a network without a way out says, beside a plain refusal.
const NO_WAY_OUT: &[i32] = &[
    libc::ENETUNREACH,
    libc::EHOSTUNREACH,
    libc::ENETDOWN,
    libc::EADDRNOTAVAIL,
    libc::EAFNOSUPPORT,
    libc::EPROTONOSUPPORT,
    libc::ESOCKTNOSUPPORT,
    libc::EPFNOSUPPORT,
];
