//! What an agent asks to be granted. Every list allows exactly what it names: an absent or
//! empty one allows nothing. Must not know: how a grant becomes a policy.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::names::{
    BoxPath, HeaderName, Host, HostPattern, ModelPattern, PathPattern, SecretName, ToolPattern, VolumeName,
};
use super::units::{UnitError, quoted};
use crate::id::AgentName;

/// What an agent asks to be granted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Permissions {
    /// Hosts it may reach.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub network: Vec<NetworkGrant>,
    /// Volumes it may use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub filesystem: Vec<FilesystemGrant>,
    /// Tools it may call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub tools: Vec<ToolPattern>,
    /// Models it may use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub models: Vec<ModelPattern>,
    /// Agents it may invoke.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256))]
    pub agents: Vec<AgentName>,
    /// Secrets that are put into its requests outside the box.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub secrets: Vec<SecretGrant>,
}

impl Permissions {
    /// Whether nothing is asked for, so that there is nothing to approve.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A host an agent may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetworkGrant {
    /// Which host, or `*.` and a domain.
    pub host: HostPattern,
    /// Which ports.
    #[schemars(length(max = 64), inner(range(min = 1, max = 65_535)))]
    pub ports: Vec<u16>,
    /// Which methods; all when absent, none when empty. Refused beside port 443, until TLS is
    /// opened there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<HttpMethod>>,
    /// Which paths; all when absent, none when empty. Refused beside port 443, until TLS is opened
    /// there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub paths: Option<Vec<PathPattern>>,
    /// Whether a connection may become a WebSocket. Refused beside port 443, until TLS is opened
    /// there.
    #[serde(default)]
    pub websocket: bool,
    /// What is spoken. With `tcp` there are no `methods`, `paths` and `websocket`.
    #[serde(default)]
    pub protocol: NetworkProtocol,
    /// What happens to TLS on the way. With `passthrough` there are no `methods`, `paths` and
    /// `websocket`.
    #[serde(default)]
    pub tls: TlsMode,
    /// A private range the host's address may lie in; without it only public ones are dialled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cidr: Option<Cidr>,
}

/// HTTP methods that can be granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Read.
    Get,
    /// Read the headers.
    Head,
    /// Create or act.
    Post,
    /// Set.
    Put,
    /// Change in part.
    Patch,
    /// Remove.
    Delete,
    /// Ask what is possible.
    Options,
}

impl HttpMethod {
    /// All of them.
    pub const ALL: [Self; 7] = [Self::Get, Self::Head, Self::Post, Self::Put, Self::Patch, Self::Delete, Self::Options];

    /// The method as it is written in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

/// What is spoken to a granted host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NetworkProtocol {
    /// HTTP, judged request by request.
    #[default]
    Http,
    /// Bytes, judged by name and port only.
    Tcp,
}

/// What happens to TLS on the way to a granted host.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// It is opened, so that requests can be judged.
    #[default]
    Intercept,
    /// It is not opened: weaker, and recorded as such.
    Passthrough,
}

/// A volume an agent may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesystemGrant {
    /// Where it appears in the box.
    pub path: BoxPath,
    /// What it may do with the files there.
    pub access: FileAccess,
    /// Which volume of the tenant.
    pub volume: VolumeName,
}

/// What an agent may do with files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileAccess {
    /// Read them.
    Read,
    /// Read and change them.
    Write,
}

/// A secret that is put into an agent's requests outside the box.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretGrant {
    /// Which secret of the tenant.
    pub name: SecretName,
    /// Where it goes, and nowhere else. Exactly one of `header`, `query`, `basic`, `sigv4` and
    /// `oauth2`.
    pub inject: Injection,
}

/// Where a secret goes. Exactly one of `header`, `query`, `basic`, `sigv4` and `oauth2`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Injection {
    /// To which host.
    pub host: Host,
    /// To which port; 443 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65_535))]
    pub port: Option<u16>,
    /// As a header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<HeaderName>,
    /// As a parameter of the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub query: Option<String>,
    /// What stands around `{value}` in the header or the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub format: Option<String>,
    /// As the password of basic authentication.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic: Option<BasicInjection>,
    /// As the key of an AWS signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigv4: Option<Sigv4Injection>,
    /// As the client secret that buys access tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oauth2: Option<Oauth2Injection>,
}

impl Injection {
    /// The port it is bound to.
    pub fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(443)
    }
}

/// A secret as a password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicInjection {
    /// The user.
    #[schemars(length(min = 1, max = 128))]
    pub username: String,
}

/// A secret as an AWS signing key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sigv4Injection {
    /// The region that is signed for.
    #[schemars(length(min = 1, max = 64))]
    pub region: String,
    /// The service that is signed for.
    #[schemars(length(min = 1, max = 64))]
    pub service: String,
}

/// A secret as an OAuth client secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oauth2Injection {
    /// Where tokens are bought; `https` only.
    #[schemars(length(min = 1, max = 1024))]
    pub token_url: String,
    /// The client.
    #[schemars(length(min = 1, max = 256))]
    pub client_id: String,
    /// What is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)))]
    pub scopes: Vec<String>,
}

/// A private range of addresses: `10.20.0.0/16`, `fd12:3456::/32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// Ranges that nobody can reach from outside.
const PRIVATE: &[(&str, u8)] =
    &[("10.0.0.0", 8), ("172.16.0.0", 12), ("192.168.0.0", 16), ("100.64.0.0", 10), ("fc00::", 7)];

/// Addresses inside them where clouds answer with credentials.
const METADATA: &[&str] = &["100.100.100.200", "fd00:ec2::254", "fd20:ce::254"];

/// The address as bits, left-aligned in 128, with its width.
fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(four) => (u128::from(four.to_bits()) << 96, 32),
        IpAddr::V6(six) => (six.to_bits(), 128),
    }
}

/// Keeps the first `prefix` of left-aligned bits.
fn masked(bits: u128, prefix: u8) -> u128 {
    let dropped = 128_u32.saturating_sub(u32::from(prefix));
    u128::MAX.checked_shl(dropped).map_or(0, |mask| bits & mask)
}

impl Cidr {
    /// What its schema calls this form.
    pub(super) const FORMAT: &'static str = "aegis-cidr";

    /// The first address.
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits are fixed.
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether `address` lies in the range.
    pub fn contains(self, address: IpAddr) -> bool {
        let (own, own_width) = bits(self.address);
        let (other, other_width) = bits(address);
        own_width == other_width && masked(own, self.prefix) == masked(other, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        let wrong = |why: &str| UnitError::new(format!("{} is not a private range: {why}", quoted(text)));
        let (address, prefix) = text.split_once('/').ok_or_else(|| wrong("write it as `10.20.0.0/16`"))?;
        let address: IpAddr = address.parse().map_err(|_| wrong("it begins with no address"))?;
        let plain = !prefix.is_empty() && prefix.len() <= 3 && prefix.bytes().all(|byte| byte.is_ascii_digit());
        let (own, width) = bits(address);
        let prefix = prefix.parse::<u8>().ok().filter(|prefix| plain && *prefix <= width);
        let range = Self { address, prefix: prefix.ok_or_else(|| wrong("its prefix length is out of bounds"))? };
        let first = masked(own, range.prefix);
        if first != own {
            let message = wrong("it begins in the middle of a range").message;
            return Err(UnitError::meant(message, format!("{}/{}", first_address(first, address), range.prefix)));
        }
        if !PRIVATE.iter().any(|block| range.is_inside(block)) {
            return Err(wrong("it holds other addresses; public ones need no range, and loopback has none"));
        }
        if METADATA.iter().any(|address| address.parse().is_ok_and(|address| range.contains(address))) {
            return Err(wrong("it holds the metadata address of a cloud; name a narrower one"));
        }
        Ok(range)
    }
}

/// The address that left-aligned bits spell, in the family of `like`.
fn first_address(bits: u128, like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::from(u32::try_from(bits >> 96).unwrap_or(0).to_be_bytes()),
        IpAddr::V6(_) => IpAddr::from(bits.to_be_bytes()),
    }
}

impl Cidr {
    fn is_inside(self, (address, prefix): &(&str, u8)) -> bool {
        let block = address.parse().map(|address| Self { address, prefix: *prefix });
        self.prefix >= *prefix && block.is_ok_and(|block| block.contains(self.address))
    }
}

impl TryFrom<String> for Cidr {
    type Error = UnitError;
    fn try_from(text: String) -> Result<Self, UnitError> {
        text.parse()
    }
}

impl From<Cidr> for String {
    fn from(range: Cidr) -> String {
        range.to_string()
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl JsonSchema for Cidr {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cidr".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "format": Self::FORMAT, "pattern": "^[0-9a-f.:]+/[0-9]{1,3}$",
            "description": "A private range of addresses: `10.20.0.0/16`, `fd12:3456::/32`."
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, inside: &[&str], outside: &[&str]) {
        let range: Cidr = text.parse().unwrap();
        assert_eq!(range.to_string(), text);
        for address in inside {
            assert!(range.contains(address.parse().unwrap()), "{address} in {text}");
        }
        for address in outside {
            assert!(!range.contains(address.parse().unwrap()), "{address} not in {text}");
        }
    }

    #[test]
    fn a_range_holds_its_own_addresses_only() {
        check("10.20.0.0/16", &["10.20.0.0", "10.20.255.255"], &["10.21.0.0", "10.19.255.255", "::ffff:10.20.0.1"]);
        check("192.168.7.9/32", &["192.168.7.9"], &["192.168.7.8", "192.168.7.10"]);
        check("172.16.0.0/12", &["172.31.255.255"], &["172.32.0.0", "172.15.255.255"]);
        check("fd12:3456::/32", &["fd12:3456::1"], &["fd12:3457::", "10.0.0.1"]);
    }

    #[test]
    fn ranges_that_reach_beyond_private_addresses_are_none() {
        for text in [
            "10.0.0.0/7",
            "172.16.0.0/11",
            "192.168.0.0/15",
            "0.0.0.0/0",
            "::/0",
            "fc00::/6",
            "fe80::/10",
            "127.0.0.1/32",
            "169.254.0.0/16",
            "100.64.0.0/10",
            "100.100.100.200/32",
            "fd00:ec2::/32",
            "::ffff:10.0.0.0/104",
            "10.0.0.0/08x",
            "10.0.0.0/",
            "/8",
            "10.0.0/8",
            "10.0.0.0/256",
            "010.0.0.0/8",
            "10.0.0.0/+8",
        ] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }
}
