//! The grants that would have let out what was refused for want of one: made from the records,
//! for a person to read, to narrow or widen, and to apply. Must not know: how they are shown.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Serialize;

use crate::manifest::{Host, HostPattern, HttpMethod, NetworkGrant, NetworkProtocol, PathPattern, TlsMode};
use crate::outward::{OutwardRecord, Refusal};

/// Where TLS is spoken, and so what is guessed of a name of which no port is known. Requests
/// there cannot be judged, so no grant names their methods or paths.
const HTTPS: u16 = 443;
/// Ports that one grant may name.
const PORTS_MAX: usize = 64;
/// Paths that one grant may name.
const PATHS_MAX: usize = 256;

/// The grants, and what no grant is suggested for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Suggestion {
    /// What would stand at `spec.permissions.network`, by host.
    pub network: Vec<NetworkGrant>,
    /// Hosts whose port is a guess, because only their name was asked for.
    pub ports_guessed: Vec<String>,
    /// What no grant is suggested for, and why.
    pub left_out: Vec<LeftOut>,
}

/// Something that no grant is suggested for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct LeftOut {
    /// The host, as it was named inside: any text.
    pub host: String,
    /// The port, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// Why, in a sentence.
    pub why: String,
}

/// The grants that would have let out what these records say was refused for want of one, or let
/// out only because its session was observed: each host by its exact name, and nothing widened
/// but that each method of an entry goes with each of its paths and ports.
pub fn suggestion(records: &[OutwardRecord]) -> Suggestion {
    let mut hosts: BTreeMap<HostPattern, Found> = BTreeMap::new();
    let mut left_out = BTreeSet::new();
    for record in records {
        match wish(record) {
            Some(Ok((host, way))) => hosts.entry(host).or_default().add(way),
            Some(Err(why)) => {
                left_out.insert(LeftOut { host: record.host.clone(), port: record.port, why });
            }
            None => {}
        }
    }
    let guessed = hosts.iter().filter(|(_, found)| found.is_only_named()).map(|(host, _)| host.to_string()).collect();
    let network = hosts.into_iter().flat_map(|(host, found)| found.grants(&host)).collect();
    Suggestion { network, ports_guessed: guessed, left_out: left_out.into_iter().collect() }
}

/// A way to a host that a grant would have to open.
enum Way {
    /// HTTP or TLS that nobody looks into.
    Whole(u16),
    /// A request that can be judged.
    Request(u16, HttpMethod, PathPattern),
    /// Bytes.
    Bytes(u16),
    /// Nobody knows more than the name.
    Name,
}

/// What was found of a host.
#[derive(Default)]
struct Found {
    whole: BTreeSet<u16>,
    requested: BTreeSet<u16>,
    methods: BTreeSet<HttpMethod>,
    paths: BTreeSet<PathPattern>,
    bytes: BTreeSet<u16>,
}

/// What a record asks for; or why no grant would help. `None` for what was let out by a grant.
fn wish(record: &OutwardRecord) -> Option<Result<(HostPattern, Way), String>> {
    let refusal = record.refusal.or(record.observed.then_some(Refusal::NotPermitted))?;
    if refusal != Refusal::NotPermitted {
        return Some(Err(why_no_grant(refusal, record.address)));
    }
    // Exactly a host: what somebody inside calls `*.example.com` must not become a pattern.
    let host = record.host.parse::<Host>().and_then(|host| host.as_str().parse::<HostPattern>());
    let Ok(host) = host else { return Some(Err("no grant can name that: it is not the name of a host".to_owned())) };
    Some(way(record).map(|way| (host, way)))
}

fn way(record: &OutwardRecord) -> Result<Way, String> {
    let Some(port) = record.port else { return Ok(Way::Name) };
    if port == 0 {
        return Err("no grant can name the port 0".to_owned());
    }
    match (record.manner.as_str(), &record.method, &record.path) {
        ("tcp", ..) => Ok(Way::Bytes(port)),
        ("http", Some(method), Some(path)) if port != HTTPS => {
            let known = HttpMethod::ALL.into_iter().find(|known| known.as_str() == method);
            let known = known.ok_or_else(|| format!("no grant can name the method `{method}`"))?;
            let exact = path.parse().ok().filter(|_| !path.contains('*'));
            let exact = exact.ok_or_else(|| format!("no grant can name exactly the path `{path}`"))?;
            Ok(Way::Request(port, known, exact))
        }
        _ => Ok(Way::Whole(port)),
    }
}

impl Found {
    fn add(&mut self, way: Way) {
        match way {
            Way::Whole(port) => drop(self.whole.insert(port)),
            Way::Bytes(port) => drop(self.bytes.insert(port)),
            Way::Request(port, method, path) => {
                self.requested.insert(port);
                self.methods.insert(method);
                self.paths.insert(path);
            }
            Way::Name => {}
        }
    }

    fn is_only_named(&self) -> bool {
        self.whole.is_empty() && self.requested.is_empty() && self.bytes.is_empty()
    }

    /// A connection on which a request was read is one to make requests: what was known of it
    /// before must not open the port as a whole.
    fn grants(self, host: &HostPattern) -> Vec<NetworkGrant> {
        let guess = self.is_only_named().then_some(HTTPS);
        let whole: Vec<u16> = self.whole.difference(&self.requested).copied().chain(guess).collect();
        let grant = |ports: &[u16]| plain(host, ports);
        let mut grants: Vec<NetworkGrant> = whole.chunks(PORTS_MAX).map(grant).collect();
        let requested: Vec<u16> = self.requested.into_iter().collect();
        let methods: Vec<HttpMethod> = self.methods.into_iter().collect();
        let paths: Vec<PathPattern> = self.paths.into_iter().collect();
        for ports in requested.chunks(PORTS_MAX) {
            grants.extend(paths.chunks(PATHS_MAX).map(|paths| NetworkGrant {
                methods: Some(methods.clone()),
                paths: Some(paths.to_vec()),
                ..plain(host, ports)
            }));
        }
        let bytes: Vec<u16> = self.bytes.into_iter().collect();
        let any = |ports: &[u16]| NetworkGrant { protocol: NetworkProtocol::Tcp, ..plain(host, ports) };
        grants.extend(bytes.chunks(PORTS_MAX).map(any));
        grants
    }
}

fn plain(host: &HostPattern, ports: &[u16]) -> NetworkGrant {
    NetworkGrant {
        host: host.clone(),
        ports: ports.to_vec(),
        methods: None,
        paths: None,
        websocket: false,
        protocol: NetworkProtocol::Http,
        tls: TlsMode::Intercept,
        cidr: None,
    }
}

/// Why no grant is suggested for what was refused like that, and what would help.
fn why_no_grant(refusal: Refusal, address: Option<IpAddr>) -> String {
    let help = match refusal {
        Refusal::NotPermitted => "a grant would allow it",
        Refusal::Forbidden => "no grant changes that",
        Refusal::EvaluationFailed => "no grant changes that; `aegis policy explain` shows the rule",
        Refusal::Name => "no grant can name it",
        Refusal::Address => return why_not_there(address),
        Refusal::OwnAddress => "nothing opens it",
        Refusal::ServerName => "the program must ask for the host that it means",
        Refusal::EncryptedHello => "nothing opens it",
        Refusal::Hidden => "a grant of the host without `methods`, `paths` and `websocket` lets TLS pass",
        Refusal::Protocol => "an entry with `protocol: tcp` would let any bytes pass",
        Refusal::Malformed => "the program must send another request",
        Refusal::TooMuch => "the limits stand in the server's configuration, under `[egress]`",
    };
    format!("{}; {help}", refusal.said())
}

fn why_not_there(address: Option<IpAddr>) -> String {
    match address {
        Some(address) if is_private(address) => {
            let bits = if address.is_ipv4() { 32 } else { 128 };
            format!(
                "its address {address} is a private one; if that is meant, add `cidr: {address}/{bits}` to a grant \
                 of the host"
            )
        }
        Some(address) => format!("its address {address} is not a public one; nothing opens it"),
        None => "its address is not a public one; where it is private, a grant with `cidr` allows it".to_owned(),
    }
}

/// Whether it is in a network of somebody's own.
fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            address.is_private() || (first == 100 && (64..128).contains(&second))
        }
        IpAddr::V6(address) => address.is_unique_local(),
    }
}

#[cfg(test)]
#[path = "suggestion_tests.rs"]
mod tests;
