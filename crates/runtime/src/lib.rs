//! Boxes: what the port `Runtime` is made of on this machine. Today one kind, sealed
//! processes of the host's kernel (`process`).
//!
//! Must not know: agents, sessions, tenants, what may run.

pub mod process;
