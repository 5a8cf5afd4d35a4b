//! The port `Logs`. Must not know: what agents write, or who may read it.

mod disk;
mod shelf;

pub use disk::DiskLogs;
