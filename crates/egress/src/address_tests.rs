//! A table of addresses and texts, and the properties that hold for all of them.

use super::*;
use proptest::prelude::*;

const CLASSES: &[(&str, &str)] = &[
    ("1.1.1.1", "public"),
    ("8.8.8.8", "public"),
    ("140.82.121.4", "public"),
    ("1.0.0.0", "public"),
    ("9.255.255.255", "public"),
    ("10.0.0.0", "private"),
    ("10.255.255.255", "private"),
    ("11.0.0.0", "public"),
    ("100.63.255.255", "public"),
    ("100.64.0.0", "private"),
    ("100.127.255.255", "private"),
    ("100.128.0.0", "public"),
    ("100.100.100.199", "private"),
    ("100.100.100.200", "metadata"),
    ("126.255.255.255", "public"),
    ("127.0.0.0", "loopback"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.255", "loopback"),
    ("128.0.0.0", "public"),
    ("168.63.129.15", "public"),
    ("168.63.129.16", "metadata"),
    ("169.253.255.255", "public"),
    ("169.254.0.0", "link_local"),
    ("169.254.169.253", "link_local"),
    ("169.254.169.254", "metadata"),
    ("169.254.170.2", "metadata"),
    ("169.254.170.23", "metadata"),
    ("169.254.255.255", "link_local"),
    ("169.255.0.0", "public"),
    ("172.15.255.255", "public"),
    ("172.16.0.0", "private"),
    ("172.31.255.255", "private"),
    ("172.32.0.0", "public"),
    ("191.255.255.255", "public"),
    ("192.0.0.0", "reserved"),
    ("192.0.0.192", "metadata"),
    ("192.0.0.255", "reserved"),
    ("192.0.1.0", "public"),
    ("192.0.2.1", "reserved"),
    ("192.0.3.0", "public"),
    ("192.88.98.255", "public"),
    ("192.88.99.1", "reserved"),
    ("192.167.255.255", "public"),
    ("192.168.0.0", "private"),
    ("192.168.255.255", "private"),
    ("192.169.0.0", "public"),
    ("198.17.255.255", "public"),
    ("198.18.0.0", "reserved"),
    ("198.19.255.255", "reserved"),
    ("198.20.0.0", "public"),
    ("198.51.100.7", "reserved"),
    ("203.0.113.255", "reserved"),
    ("203.0.114.0", "public"),
    ("223.255.255.255", "public"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("240.0.0.0", "reserved"),
    ("255.255.255.254", "reserved"),
    ("255.255.255.255", "broadcast"),
    ("0.0.0.0", "unspecified"),
    ("0.255.255.255", "unspecified"),
    ("::", "unspecified"),
    ("::1", "loopback"),
    ("::2", "unspecified"),
    ("2606:4700:4700::1111", "public"),
    ("2000::1", "public"),
    ("3ffe:ffff::1", "public"),
    ("3fff::1", "reserved"),
    ("3fff:fff::1", "reserved"),
    ("3fff:1000::1", "public"),
    ("4000::1", "reserved"),
    ("5f00::1", "reserved"),
    ("1fff::1", "reserved"),
    ("100::1", "reserved"),
    ("fc00::1", "private"),
    ("fdff::1", "private"),
    ("fe00::1", "reserved"),
    ("fe80::1", "link_local"),
    ("febf::1", "link_local"),
    ("fec0::1", "reserved"),
    ("ff02::1", "multicast"),
    ("fd00:ec2::254", "metadata"),
    ("fd00:ec2::23", "metadata"),
    ("fd00:ec2::253", "private"),
    ("fd20:ce::254", "metadata"),
    ("fd20:ce::255", "private"),
    ("2001:db8::1", "reserved"),
    ("2001:db9::1", "public"),
    ("2001:10::1", "reserved"),
    ("2001:2f::1", "reserved"),
    ("2001:2::1", "reserved"),
    ("2001:1ff::1", "reserved"),
    ("2001:200::1", "public"),
    ("::ffff:169.254.169.254", "metadata"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:1.1.1.1", "public"),
    ("::169.254.169.254", "metadata"),
    ("::10.0.0.1", "private"),
    ("::ffff:0:127.0.0.1", "reserved"),
    ("64:ff9b::a9fe:a9fe", "metadata"),
    ("64:ff9b::10.1.2.3", "private"),
    ("64:ff9b:0:0:1::1", "reserved"),
    ("64:ff9b:1::127.0.0.1", "loopback"),
    ("64:ff9b:1::8.8.8.8", "public"),
    ("64:ff9b:2::8.8.8.8", "reserved"),
    // A translator that reads the middle would go to the metadata service.
    ("64:ff9b:1:a9fe:a9:fe00:808:808", "reserved"),
    ("64:ff9b:1:a9fe:a9:fe00:a00:1", "reserved"),
    ("64:ff9b:1:1::169.254.169.254", "metadata"),
    ("2002:a9fe:a9fe::1", "metadata"),
    ("2002:7f00:1::", "loopback"),
    ("2002:808:808::1", "public"),
    ("2001:0:4136:e378:8000:63bf:5601:5601", "metadata"),
    ("2001:0:4136:e378:8000:63bf:80ff:fffe", "loopback"),
    ("2001:0:4136:e378:8000:63bf:f7f7:f7f7", "public"),
    ("fe80::5efe:8.8.8.8", "link_local"),
    ("fe80::5efe:169.254.169.254", "metadata"),
    ("2a00::5efe:10.0.0.1", "private"),
    ("2a00::200:5efe:127.0.0.1", "loopback"),
    ("2a00::100:5efe:127.0.0.1", "public"),
    // What is inside does not make what is outside public, and neither does a second wrapping.
    ("fd00::5efe:8.8.8.8", "private"),
    ("2001:db8::200:5efe:8.8.8.8", "reserved"),
    ("2002:808:808::5efe:169.254.169.254", "metadata"),
    ("2002:a00:1::5efe:8.8.8.8", "private"),
];

const LITERALS: &[(&str, Option<&str>)] = &[
    ("127.0.0.1", Some("127.0.0.1")),
    ("127.0.0.1.", Some("127.0.0.1")),
    ("127.0.0.1..", None),
    ("127.1", Some("127.0.0.1")),
    ("127.0.1", Some("127.0.0.1")),
    ("127.65535", Some("127.0.255.255")),
    ("127.0.65536", None),
    ("2130706433", Some("127.0.0.1")),
    ("2852039166", Some("169.254.169.254")),
    ("4294967295", Some("255.255.255.255")),
    ("4294967296", None),
    ("99999999999999999999", None),
    ("0177.0.0.1", Some("127.0.0.1")),
    ("017700000001", Some("127.0.0.1")),
    ("0000000000000000000000177.1", Some("127.0.0.1")),
    ("0x7f.1", Some("127.0.0.1")),
    ("0x7F000001", Some("127.0.0.1")),
    ("0X7f.0.0.0x1", Some("127.0.0.1")),
    ("0xa9.0376.43518", Some("169.254.169.254")),
    ("0", Some("0.0.0.0")),
    ("0x", Some("0.0.0.0")),
    ("0.0", Some("0.0.0.0")),
    ("256.1", None),
    ("1.256.1", None),
    ("1.2.3.256", None),
    ("1.2.3.4.5", None),
    ("1.2.3.4.0", None),
    ("08.1", None),
    ("0x7g", None),
    ("1.2.3.", Some("1.2.0.3")),
    ("1..2", None),
    (".1", None),
    (".", None),
    ("", None),
    ("+1", None),
    ("-1", None),
    (" 1", None),
    ("1 ", None),
    ("127.0.0.1/8", None),
    ("example.com", None),
    ("dead.beef", None),
    ("1.example", None),
    ("１２７.0.0.1", None),
    ("::1", Some("::1")),
    ("[::1]", Some("::1")),
    ("[::1].", Some("::1")),
    ("::1.", Some("::1")),
    ("[::1", None),
    ("::1]", None),
    ("[127.0.0.1]", Some("127.0.0.1")),
    ("fe80::1%eth0", Some("fe80::1")),
    ("[fe80::1%25eth0]", Some("fe80::1")),
    ("fe80::1%", Some("fe80::1")),
    ("::ffff:169.254.169.254", Some("::ffff:169.254.169.254")),
    ("[::ffff:a9fe:a9fe]", Some("::ffff:169.254.169.254")),
    ("0:0:0:0:0:0:0:1", Some("::1")),
    ("1:2:3", None),
    ("[]", None),
    ("%", None),
];

#[test]
fn every_address_has_its_class() {
    assert!(CLASSES.len() >= 80);
    for (text, expected) in CLASSES {
        assert_eq!(class(text.parse().unwrap()).as_str(), *expected, "{text}");
    }
}

#[test]
fn every_spelling_of_an_address_is_seen() {
    for (text, expected) in LITERALS {
        assert_eq!(literal(text), expected.map(|expected| expected.parse().unwrap()), "{text}");
    }
}

#[test]
fn what_wraps_nothing_stays_as_it_is() {
    for text in ["::", "::1", "1.2.3.4", "2606:4700::1", "fe80::1", "64:ff9b:2::1", "::fffe:1.2.3.4"] {
        let address: IpAddr = text.parse().unwrap();
        assert_eq!(unmasked(address), address, "{text}");
    }
}

#[test]
fn a_grant_opens_private_addresses_only() {
    let opened: Vec<&str> = CLASSES
        .iter()
        .filter(|(text, _)| class(text.parse().unwrap()).reachable_by_grant())
        .map(|(_, expected)| *expected)
        .collect();
    assert!(!opened.is_empty() && opened.iter().all(|class| *class == "private"), "{opened:?}");
}

/// All the ways to wrap an IPv4 address. The outer part of each is public or says nothing.
fn wrapped(inner: Ipv4Addr) -> Vec<IpAddr> {
    let bits = u128::from(inner.to_bits());
    let at = |head: &str, shift: u32| {
        let head: Ipv6Addr = head.parse().unwrap();
        IpAddr::V6(Ipv6Addr::from_bits(head.to_bits() | (bits << shift)))
    };
    let teredo: Ipv6Addr = "2001:0:4136:e378:8000:63bf::".parse().unwrap();
    vec![
        at("::ffff:0:0", 0),
        at("64:ff9b::", 0),
        at("64:ff9b:1::", 0),
        at("2002::", 80),
        at("2002:0:0:7:1:2:3:4", 80),
        at("2a00:1450::5efe:0:0", 0),
        at("2a00:1450:0:1:200:5efe:0:0", 0),
        IpAddr::V6(Ipv6Addr::from_bits(teredo.to_bits() | (bits ^ 0xffff_ffff))),
    ]
}

#[test]
fn no_wrapping_hides_an_address_of_the_table() {
    for (text, expected) in CLASSES {
        let Ok(inner) = text.parse::<Ipv4Addr>() else { continue };
        for outer in wrapped(inner) {
            assert_eq!(class(outer).as_str(), *expected, "{text} in {outer}");
        }
    }
}

proptest! {
    #[test]
    fn what_is_wrapped_is_found(bits: u32) {
        let inner = Ipv4Addr::from_bits(bits);
        for outer in wrapped(inner) {
            prop_assert_eq!(unmasked(outer), IpAddr::V4(inner));
            prop_assert_eq!(class(outer), class(IpAddr::V4(inner)));
        }
        // The compatible form has no room for the two addresses that are something else.
        if bits > 1 {
            let compatible = IpAddr::V6(Ipv6Addr::from_bits(u128::from(bits)));
            prop_assert_eq!(unmasked(compatible), IpAddr::V4(inner));
            prop_assert_eq!(class(compatible), class(IpAddr::V4(inner)));
        }
    }

    #[test]
    fn unmasking_twice_is_unmasking_once(bits: u128) {
        let once = unmasked(IpAddr::V6(Ipv6Addr::from_bits(bits)));
        prop_assert_eq!(unmasked(once), once);
    }

    #[test]
    fn an_address_is_never_better_than_what_it_wraps(low: u32, head in any::<[u16; 6]>(), tunnel: bool) {
        let [a, b, c, d, e, f] = head;
        let (e, f) = if tunnel { (e & 0x0200, 0x5efe) } else { (e, f) };
        let [high, last] = [(low >> 16) as u16, low as u16];
        let outer = IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, high, last));
        let inner = unmasked(outer);
        prop_assert!(class(outer).severity() >= class(inner).severity());
    }

    #[test]
    fn an_address_is_read_however_it_is_written(bits: u32) {
        let address = Some(IpAddr::V4(Ipv4Addr::from_bits(bits)));
        let [a, b, c, d] = bits.to_be_bytes();
        prop_assert_eq!(literal(&format!("{bits}")), address);
        prop_assert_eq!(literal(&format!("0{bits:o}")), address);
        prop_assert_eq!(literal(&format!("{bits:#x}.")), address);
        prop_assert_eq!(literal(&format!("{a}.{}", bits & 0x00ff_ffff)), address);
        prop_assert_eq!(literal(&format!("{a:#x}.0{b:o}.{}", bits & 0xffff)), address);
        prop_assert_eq!(literal(&format!("{a}.{b}.{c}.{d:#X}").replace("0X", "0x")), address);
    }

    #[test]
    fn no_text_brings_the_reader_down(text: String) {
        let _ = literal(&text);
    }

    #[test]
    fn an_ipv6_address_is_read_as_it_is_written(bits: u128) {
        let address = Ipv6Addr::from_bits(bits);
        prop_assert_eq!(literal(&format!("[{address}%lo]")), Some(IpAddr::V6(address)));
    }
}
