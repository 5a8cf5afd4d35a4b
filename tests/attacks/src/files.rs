//! Attacks on files: the read-only world, `/proc`, `/sys`, `/dev` and the ways around paths. Owns their order.

mod devices;
mod guest;
mod kernel_files;
mod opening;
mod paths;
mod reading;
mod setuid;
mod streams;
mod writable;
mod writes;

pub use guest::guest_descriptors;
pub use streams::inherited_descriptors;

use crate::attack::Attack;

/// The attacks of this area.
pub const TABLES: &[&[Attack]] = &[
    writes::ATTACKS,
    writable::ATTACKS,
    devices::ATTACKS,
    setuid::ATTACKS,
    reading::ATTACKS,
    guest::ATTACKS,
    kernel_files::ATTACKS,
    paths::ATTACKS,
    streams::ATTACKS,
];
