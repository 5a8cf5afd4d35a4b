//! The remaining ports, one folder each. Must not know: the domain, or each other.

pub mod agent_http;
pub mod fetch;
pub mod key_ring;
pub mod logs;
pub mod objects;
pub mod private_file;
pub mod wire;
