//! Which addresses may be dialled at all: what an address is, behind whatever it is wrapped
//! in. Must not know: names, grants, how an address came here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What lies at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// The internet.
    Public,
    /// A network of somebody's own.
    Private,
    /// The machine itself.
    Loopback,
    /// Whatever is on the same wire.
    LinkLocal,
    /// A service that hands out credentials to whoever reaches it.
    Metadata,
    /// Many machines.
    Multicast,
    /// Every machine on the wire.
    Broadcast,
    /// No machine in particular; kernels take it for themselves.
    Unspecified,
    /// Set aside for documentation, measurements, or nothing yet.
    Reserved,
}

impl AddressClass {
    /// Its word in logs and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link_local",
            Self::Metadata => "metadata",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Unspecified => "unspecified",
            Self::Reserved => "reserved",
        }
    }

    /// Whether a grant can open it. A public address needs none, and nothing opens the others.
    pub fn reachable_by_grant(self) -> bool {
        self == Self::Private
    }

    /// How much is to be feared when one address can be read in two ways.
    fn severity(self) -> u8 {
        match self {
            Self::Public => 0,
            Self::Private => 1,
            Self::Metadata => 3,
            Self::Loopback
            | Self::LinkLocal
            | Self::Multicast
            | Self::Broadcast
            | Self::Unspecified
            | Self::Reserved => 2,
        }
    }

    fn worse(self, other: Self) -> Self {
        if other.severity() > self.severity() { other } else { self }
    }
}

/// The IPv4 address that an IPv6 address wraps, or the address itself.
///
/// What is inside is an IPv4 address, which wraps nothing: one step is all there is.
pub fn unmasked(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(outer) => embedded_by_prefix(outer).or_else(|| isatap(outer)).map_or(address, IpAddr::V4),
    }
}

/// No address in particular, of the same kind as that one: where the kernel may choose its own.
pub(crate) fn unspecified_like(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// What lies at an address, and at the address that it wraps.
///
/// Where an address can be read in two ways the worse one counts, because who translates it
/// on the way is not known: an interface identifier does not make a private prefix public.
pub fn class(address: IpAddr) -> AddressClass {
    match address {
        IpAddr::V4(inner) => class_v4(inner),
        IpAddr::V6(outer) => class_v6(outer),
    }
}

/// The address that a text spells, in any way that a resolver would read without asking:
/// IPv4 in one to four parts, each decimal, octal or hexadecimal, and IPv6, with or without
/// brackets and zone; both with or without a dot at the end.
pub fn literal(text: &str) -> Option<IpAddr> {
    let text = text.strip_suffix('.').unwrap_or(text);
    let text = text.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')).unwrap_or(text);
    if let Some(address) = literal_v4(text) {
        return Some(IpAddr::V4(address));
    }
    let without_zone = text.split_once('%').map_or(text, |(address, _zone)| address);
    without_zone.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

/// An address and how many of its first bits say where it belongs.
type Block4 = (Ipv4Addr, u32, AddressClass);
type Block6 = (Ipv6Addr, u32, AddressClass);

const fn v4(octets: [u8; 4], bits: u32, class: AddressClass) -> Block4 {
    let [a, b, c, d] = octets;
    (Ipv4Addr::new(a, b, c, d), bits, class)
}

const fn v6(head: [u16; 4], last: u16, bits: u32, class: AddressClass) -> Block6 {
    let [a, b, c, d] = head;
    (Ipv6Addr::new(a, b, c, d, 0, 0, 0, last), bits, class)
}

/// The first block that holds an address decides. Metadata services stand first, because
/// each lives inside a block that is named further down.
const BLOCKS_V4: [Block4; 23] = [
    v4([169, 254, 169, 254], 32, AddressClass::Metadata),
    v4([169, 254, 170, 2], 32, AddressClass::Metadata),
    v4([169, 254, 170, 23], 32, AddressClass::Metadata),
    v4([100, 100, 100, 200], 32, AddressClass::Metadata),
    v4([168, 63, 129, 16], 32, AddressClass::Metadata),
    v4([192, 0, 0, 192], 32, AddressClass::Metadata),
    v4([255, 255, 255, 255], 32, AddressClass::Broadcast),
    v4([0, 0, 0, 0], 8, AddressClass::Unspecified),
    v4([127, 0, 0, 0], 8, AddressClass::Loopback),
    v4([10, 0, 0, 0], 8, AddressClass::Private),
    v4([172, 16, 0, 0], 12, AddressClass::Private),
    v4([192, 168, 0, 0], 16, AddressClass::Private),
    v4([100, 64, 0, 0], 10, AddressClass::Private),
    v4([169, 254, 0, 0], 16, AddressClass::LinkLocal),
    v4([224, 0, 0, 0], 4, AddressClass::Multicast),
    v4([240, 0, 0, 0], 4, AddressClass::Reserved),
    v4([192, 0, 0, 0], 24, AddressClass::Reserved),
    v4([192, 0, 2, 0], 24, AddressClass::Reserved),
    v4([198, 51, 100, 0], 24, AddressClass::Reserved),
    v4([203, 0, 113, 0], 24, AddressClass::Reserved),
    v4([198, 18, 0, 0], 15, AddressClass::Reserved),
    v4([192, 88, 99, 0], 24, AddressClass::Reserved),
    v4([0, 0, 0, 0], 0, AddressClass::Public),
];

/// The same for IPv6. What no line names is reserved: only `2000::/3` was ever given out.
const BLOCKS_V6: [Block6; 13] = [
    v6([0xfd00, 0x0ec2, 0, 0], 0x0254, 128, AddressClass::Metadata),
    v6([0xfd00, 0x0ec2, 0, 0], 0x0023, 128, AddressClass::Metadata),
    v6([0xfd20, 0x00ce, 0, 0], 0x0254, 128, AddressClass::Metadata),
    v6([0, 0, 0, 0], 0, 128, AddressClass::Unspecified),
    v6([0, 0, 0, 0], 1, 128, AddressClass::Loopback),
    v6([0xfc00, 0, 0, 0], 0, 7, AddressClass::Private),
    v6([0xfe80, 0, 0, 0], 0, 10, AddressClass::LinkLocal),
    v6([0xff00, 0, 0, 0], 0, 8, AddressClass::Multicast),
    // The registry of protocol assignments: tunnels, identifiers and measurements, no hosts.
    v6([0x2001, 0, 0, 0], 0, 23, AddressClass::Reserved),
    v6([0x2001, 0x0db8, 0, 0], 0, 32, AddressClass::Reserved),
    v6([0x3fff, 0, 0, 0], 0, 20, AddressClass::Reserved),
    v6([0x2000, 0, 0, 0], 0, 3, AddressClass::Public),
    v6([0, 0, 0, 0], 0, 0, AddressClass::Reserved),
];

fn class_v4(address: Ipv4Addr) -> AddressClass {
    let holds = |block: Ipv4Addr, bits: u32| {
        let rest = 32_u32.saturating_sub(bits);
        (address.to_bits() ^ block.to_bits()).checked_shr(rest).unwrap_or(0) == 0
    };
    BLOCKS_V4.iter().find(|(block, bits, _)| holds(*block, *bits)).map_or(AddressClass::Reserved, |(.., class)| *class)
}

fn class_v6(outer: Ipv6Addr) -> AddressClass {
    let inside_prefix = embedded_by_prefix(outer).map(class_v4);
    let itself = inside_prefix.unwrap_or_else(|| class_v6_itself(outer));
    let inside_interface = isatap(outer).map_or(AddressClass::Public, class_v4);
    let worse = itself.worse(inside_interface);
    if hides_another(outer) { worse.worse(AddressClass::Reserved) } else { worse }
}

fn class_v6_itself(address: Ipv6Addr) -> AddressClass {
    let holds = |block: Ipv6Addr, bits: u32| {
        let rest = 128_u32.saturating_sub(bits);
        (address.to_bits() ^ block.to_bits()).checked_shr(rest).unwrap_or(0) == 0
    };
    BLOCKS_V6.iter().find(|(block, bits, _)| holds(*block, *bits)).map_or(AddressClass::Reserved, |(.., class)| *class)
}

/// What the beginning of an address says it wraps.
fn embedded_by_prefix(outer: Ipv6Addr) -> Option<Ipv4Addr> {
    let low = low_half(outer.segments());
    match outer.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        // Compatible, mapped, and the two prefixes of translators.
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x0064, 0xff9b, 0, 0, 0, 0, ..] | [0x0064, 0xff9b, 1, ..] => Some(low),
        [0x2002, high, rest, ..] => Some(joined(high, rest)),
        [0x2001, 0, ..] => Some(Ipv4Addr::from_bits(!low.to_bits())),
        _ => None,
    }
}

/// What the end of an address says it wraps: an interface behind a tunnel inside a site.
fn isatap(outer: Ipv6Addr) -> Option<Ipv4Addr> {
    match outer.segments() {
        [.., 0 | 0x0200, 0x5efe, high, low] => Some(joined(high, low)),
        _ => None,
    }
}

/// A site's own translator may read the IPv4 address from the middle and not from the end,
/// and which one it does is not seen here: what stands in the middle makes it doubtful.
fn hides_another(outer: Ipv6Addr) -> bool {
    matches!(outer.segments(), [0x0064, 0xff9b, 1, a, b, c, ..] if (a, b, c) != (0, 0, 0))
}

fn low_half(segments: [u16; 8]) -> Ipv4Addr {
    let [.., high, low] = segments;
    joined(high, low)
}

fn joined(high: u16, low: u16) -> Ipv4Addr {
    Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low))
}

/// The last part fills whatever bytes the parts before it leave.
fn literal_v4(text: &str) -> Option<Ipv4Addr> {
    let mut parts = text.split('.');
    let last = number(parts.next_back()?)?;
    let (mut bits, mut free) = (0_u32, 32_u32);
    for part in parts {
        let value = number(part).filter(|value| *value <= 0xff)?;
        free = free.checked_sub(8).filter(|free| *free > 0)?;
        bits |= value << free;
    }
    let fits = last.checked_shr(free).unwrap_or(0) == 0;
    fits.then(|| Ipv4Addr::from_bits(bits | last))
}

/// A number as C writes it: `0x` begins a hexadecimal one, `0` an octal one.
fn number(text: &str) -> Option<u32> {
    let hexadecimal = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let (digits, radix) = match (hexadecimal, text.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) => (digits, 8),
        (None, None) if text.is_empty() => return None,
        (None, None) => (text, 10),
    };
    // An empty rest is a zero: `0`, and `0x`, which browsers read like that too.
    digits.chars().try_fold(0_u32, |sum, digit| sum.checked_mul(radix)?.checked_add(digit.to_digit(radix)?))
}

#[cfg(test)]
#[path = "address_tests.rs"]
mod tests;
