//! How much may leave, and how long it may take. Must not know where that is written down.

use std::net::SocketAddr;
use std::time::Duration;

/// The limits of the way out.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who resolves names; the machine's own when empty.
    pub name_servers: Vec<SocketAddr>,
    /// Connections of one session that are open at a time.
    pub session_connections_max: usize,
    /// Connections and requests of one session per second in the long run.
    pub session_per_second: u32,
    /// Connections and requests of one session at once.
    pub session_burst: u32,
    /// Bytes that one session may move in both directions together.
    pub session_bytes_max: u64,
    /// Connections of all sessions that are open at a time.
    pub connections_max: usize,
    /// How long a connection may move nothing.
    pub idle: Duration,
    /// How long a connection may be open.
    pub lifetime: Duration,
    /// How long finding and reaching a host may take.
    pub connect: Duration,
    /// How long a program may take to say what it wants, and to take in what it is told.
    pub head: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            name_servers: Vec::new(),
            session_connections_max: 256,
            session_per_second: 100,
            session_burst: 500,
            session_bytes_max: 16 * 1024 * 1024 * 1024,
            connections_max: 8_192,
            idle: Duration::from_secs(10 * 60),
            lifetime: Duration::from_secs(8 * 60 * 60),
            connect: Duration::from_secs(10),
            head: Duration::from_secs(15),
        }
    }
}
