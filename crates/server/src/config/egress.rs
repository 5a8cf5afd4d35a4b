//! The way out of boxes: who resolves names, and how much one session may take.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use aegis_egress::Settings;
use serde::Deserialize;

use super::ConfigError;

/// The way out of boxes.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EgressConfig {
    /// Who resolves names, as addresses with or without a port; those of the machine when empty.
    pub name_servers: Vec<NameServer>,
    /// Connections of one session that are open at a time.
    pub session_connections_max: usize,
    /// Connections and requests of one session per second.
    pub session_rate_per_second: u32,
    /// How many of them a session may save up.
    pub session_burst: u32,
    /// What one session may move in both directions together.
    pub session_max_mib: u64,
    /// Connections of all sessions that are open at a time.
    pub connections_max: usize,
    /// How long a connection may move nothing.
    pub idle_timeout_ms: u64,
    /// How long a connection may be open.
    pub lifetime_ms: u64,
    /// How long finding and reaching a host may take.
    pub connect_timeout_ms: u64,
    /// How long a program may take to say what it wants.
    pub head_timeout_ms: u64,
}

/// A name server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct NameServer(SocketAddr);

impl TryFrom<String> for NameServer {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let bare = text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53));
        let found = text.parse().or(bare);
        found
            .map(Self)
            .map_err(|_| format!("`{text}` is no address of a name server, like `10.0.0.2` or `[fd00::1]:5353`"))
    }
}

impl Default for EgressConfig {
    fn default() -> Self {
        let usual = Settings::default();
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Self {
            name_servers: Vec::new(),
            session_connections_max: usual.session_connections_max,
            session_rate_per_second: usual.session_per_second,
            session_burst: usual.session_burst,
            session_max_mib: usual.session_bytes_max / MIB,
            connections_max: usual.connections_max,
            idle_timeout_ms: millis(usual.idle),
            lifetime_ms: millis(usual.lifetime),
            connect_timeout_ms: millis(usual.connect),
            head_timeout_ms: millis(usual.head),
        }
    }
}

const MIB: u64 = 1024 * 1024;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

impl EgressConfig {
    /// The settings; never more connections than so many.
    pub fn settings(&self, connections_max: usize) -> Settings {
        let millis = Duration::from_millis;
        Settings {
            name_servers: self.name_servers.iter().map(|server| server.0).collect(),
            session_connections_max: self.session_connections_max,
            session_per_second: self.session_rate_per_second,
            session_burst: self.session_burst,
            session_bytes_max: self.session_max_mib.saturating_mul(MIB),
            connections_max: self.connections_max.min(connections_max),
            idle: millis(self.idle_timeout_ms),
            lifetime: millis(self.lifetime_ms),
            connect: millis(self.connect_timeout_ms),
            head: millis(self.head_timeout_ms),
        }
    }

    /// Refuses limits that make no sense.
    ///
    /// # Errors
    /// Naming the first one.
    pub fn check(&self) -> Result<(), ConfigError> {
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let bounds: [(&'static str, u64, u64, u64); 9] = [
            ("egress.session_connections_max", count(self.session_connections_max), 1, 4_096),
            ("egress.session_rate_per_second", self.session_rate_per_second.into(), 1, 1_000_000),
            ("egress.session_burst", self.session_burst.into(), 1, 1_000_000),
            ("egress.session_max_mib", self.session_max_mib, 1, 1 << 40),
            ("egress.connections_max", count(self.connections_max), 1, 1_000_000),
            ("egress.idle_timeout_ms", self.idle_timeout_ms, 1_000, DAY_MS),
            ("egress.lifetime_ms", self.lifetime_ms, 1_000, DAY_MS),
            ("egress.connect_timeout_ms", self.connect_timeout_ms, 100, 120_000),
            ("egress.head_timeout_ms", self.head_timeout_ms, 100, 120_000),
        ];
        match bounds.iter().find(|(_, value, min, max)| !(min..=max).contains(&value)) {
            Some((name, _, min, max)) => Err(ConfigError::OutOfBounds { name, min: *min, max: *max }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_is_an_address_with_or_without_a_port() {
        let read = |text: &str| NameServer::try_from(text.to_owned()).map(|server| server.0.to_string());
        assert_eq!(read("10.0.0.2").unwrap(), "10.0.0.2:53");
        assert_eq!(read("10.0.0.2:5353").unwrap(), "10.0.0.2:5353");
        assert_eq!(read("fd00::1").unwrap(), "[fd00::1]:53");
        assert_eq!(read("[fd00::1]:5353").unwrap(), "[fd00::1]:5353");
        assert!(read("dns.example.com").is_err());
    }

    #[test]
    fn what_is_usual_is_within_bounds() {
        EgressConfig::default().check().unwrap();
        assert!(EgressConfig { session_burst: 0, ..EgressConfig::default() }.check().is_err());
    }
}
