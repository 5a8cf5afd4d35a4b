//! Adapters of the port `Objects`. Must not know: what the objects are.

mod disk;

pub use disk::DiskObjects;
