//! Addresses: none is a name, in whatever spelling, and a private one is reached only by a grant
//! that names its range.

use serde_json::json;

use super::{all_are, place};

#[test]
fn an_address_is_no_name_in_whatever_spelling_and_by_whatever_way() {
    let Some(place) = place() else { return };
    let listening: Vec<_> =
        ["20.0.0.1", "10.77.0.2", "169.254.169.254"].map(|address| place.world.web(address, 80)).into();
    let api = &place.server.address;
    place.deploy(
        "literal",
        json!([{"host": "api.example.com", "ports": [80]}, {"host": "*.example.org", "ports": [80]}]),
    );
    let told = place.run(
        "literal",
        &format!(
            r#"
names = ["20.0.0.1", "20.0.0.1.", "20.1", "335544321", "0x14000001", "024000000001", "0x14.0.0.1", "024.0.0.1", "20.0.1", "0x14.0x0.1",
    "127.0.0.1", "127.1", "0", "0x0", "0x", "00", "2130706433", "017700000001", "0x7f000001", "0x7f.1", "127.0.0.1.", "1.2.3.4.5", "256.256.256.256", "4294967296", "api.example.0x7f",
    "169.254.169.254", "0xa9fea9fe", "2852039166", "169.254.43518", "100.100.100.200", "10.77.0.1", "10.77.0.2", "{api}".split(":")[0]]
six = ["::1", "::", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:1400:1", "fd00:ec2::254", "fd77::1", "64:ff9b::1400:1", "2600::1", "fe80::1"]
result = {{
    "http": together(proxied, names + ["[" + address + "]" for address in six]),
    "api": proxied("{api}", "/api/v1/agents"),
    "connect": together(lambda name: tunnelled(name + ":80"), names + ["[" + address + "]" for address in six]),
    "zone": together(lambda name: tunnelled(name + ":80"), ["[fe80::1%25lo]", "[fe80::1%lo]", "[::1", "::1", "[]", "[127.0.0.1]", "[::1]x"]),
    "socks": together(lambda name: socks(3, name), names + six + ["[::1]"]),
    "socks_four": together(lambda address: socks(1, socket.inet_aton(address)), ["20.0.0.1", "127.0.0.1", "0.0.0.0", "169.254.169.254", "10.77.0.1"]),
    "socks_six": together(lambda address: socks(4, socket.inet_pton(socket.AF_INET6, address)), six),
    "host": together(lambda name: proxied("api.example.com", host=name), names),
    "old": raw(PROXY, b"\x04\x01\x00\x50\x14\x00\x00\x01\x00"),
    "old_name": raw(PROXY, b"\x04\x01\x00\x50\x00\x00\x00\x01\x00api.example.com\x00"),
    "bind": bytes_of(raw(PROXY, b"\x05\x01\x00\x05\x02\x00\x03\x0fapi.example.com\x00\x50"))[2:4].hex(),
    "datagrams": bytes_of(raw(PROXY, b"\x05\x01\x00\x05\x03\x00\x01\x00\x00\x00\x00\x00\x00"))[2:4].hex(),
    "metadata": [proxied(name) for name in ["metadata.google.internal", "metadata", "instance-data.ec2.internal"]],
}}
"#
        ),
    );
    all_are(&told["http"], &["403 name"]);
    assert_eq!(told["api"], "403 name", "the API of the server is no host");
    all_are(&told["connect"], &["403 name"]);
    all_are(&told["zone"], &["400 malformed", "403 name"]);
    all_are(&told["host"], &["400 malformed"]);
    for way in ["socks", "socks_four", "socks_six"] {
        all_are(&told[way], &["2"]);
    }
    let old = ["old", "old_name"].map(|case| told[case].as_str().unwrap().contains("malformed"));
    assert_eq!(old, [true; 2], "the version before names no host");
    assert_eq!((&told["bind"], &told["datagrams"]), (&json!("0507"), &json!("0507")));
    assert_eq!(told["metadata"], json!(["403 not_permitted", "403 not_permitted", "403 not_permitted"]));
    assert!(listening.iter().all(|web| web.connections() == 0));
    assert_eq!(place.world.names().queries(), vec![]);
    let refused = place.decisions_of("refused=true&host=169.254.169.254", 2);
    assert!(refused.iter().all(|record| record["refusal"] == "name"), "{refused:?}");
}

#[test]
fn a_private_address_is_reached_only_by_a_grant_that_names_its_range() {
    let Some(place) = place() else { return };
    let (inside, outside) = (place.world.web("10.20.0.5", 80), place.world.web("10.21.0.5", 80));
    let six = place.world.web("fd12:3456::5", 80);
    let names = place.world.names();
    for (name, addresses) in [
        ("in", &["10.20.0.5"][..]),
        ("out", &["10.21.0.5"]),
        ("both", &["10.20.0.5", "10.21.0.5"]),
        ("masked", &["::ffff:10.20.0.5"]),
        ("translated", &["64:ff9b::10.20.0.5"]),
        ("own", &["10.77.0.1"]),
        ("six", &["fd12:3456::5"]),
        ("loopback", &["127.0.0.1"]),
    ] {
        names.set_addresses(&format!("{name}.db.internal"), addresses);
    }
    let grant = |host: &str, cidr: &str| json!({"host": format!("{host}.db.internal"), "ports": [80], "cidr": cidr});
    let mut grants: Vec<_> =
        ["in", "out", "both", "masked", "translated", "loopback"].map(|host| grant(host, "10.20.0.0/16")).into();
    grants.extend([grant("own", "10.0.0.0/8"), grant("six", "fd12:3456::/32")]);
    place.deploy("private", json!(grants));
    let told = place.run(
        "private",
        r#"
names = ["in", "out", "both", "masked", "translated", "own", "six", "loopback"]
result = {"http": together(lambda name: proxied(name + ".db.internal"), names), "connect": together(lambda name: tunnelled(name + ".db.internal:80"), names)}
"#,
    );
    for way in ["http", "connect"] {
        let told = &told[way];
        assert_eq!((&told["in"], &told["six"]), (&json!("200"), &json!("200")), "{told}");
        for name in ["out", "both", "masked", "translated", "loopback"] {
            assert_eq!(told[name], "403 address", "{name}: {told}");
        }
        assert_eq!(told["own"], "403 own_address", "{told}");
    }
    assert_eq!((inside.connections(), six.connections()), (2, 2));
    assert_eq!(outside.connections(), 0);
    let broad = [
        ("10.0.0.0/7", "20.0.0.0/8"),
        ("127.0.0.0/8", "169.254.0.0/16"),
        ("0.0.0.0/0", "::/0"),
        ("100.64.0.0/10", "fd00::/8"),
    ];
    for cidr in broad.iter().flat_map(|(one, other)| [one, other]) {
        let answer = place.try_deploy("broad", json!([grant("in", cidr)]));
        assert_eq!((answer.status, answer.code().as_str()), (422, "ERR_MANIFEST_INVALID"), "{cidr}: {}", answer.text);
    }
}

#[test]
fn a_connection_that_one_grant_opened_to_a_private_address_carries_no_request_of_another_grant() {
    let Some(place) = place() else { return };
    let web = place.world.web("10.20.0.5", 80);
    place.world.names().set_addresses("db.internal", &["10.20.0.5"]);
    place.deploy(
        "mixed",
        json!([
            {"host": "db.internal", "ports": [80], "paths": ["/echo"], "cidr": "10.20.0.0/16"},
            {"host": "db.internal", "ports": [80], "paths": ["/bytes/5"]},
        ]),
    );
    let told = place.run(
        "mixed",
        r#"
def asked(path): return f"GET http://db.internal{path} HTTP/1.1\r\nHost: db.internal\r\n\r\n"
def both(first, second): return [answer[:3] for answer in raw(PROXY, asked(first) + asked(second)).split("HTTP/1.1 ")[1:]]
result = {"alone": proxied("db.internal", "/bytes/5"), "kept": both("/echo", "/bytes/5"), "twice": both("/echo", "/echo")}
"#,
    );
    assert_eq!(told, json!({"alone": "403 address", "kept": ["200", "403"], "twice": ["200", "200"]}));
    let asked = web.requests().iter().filter(|request| request.starts_with(b"GET /bytes/5")).count();
    assert_eq!(asked, 0, "the range was named for another path");
    let records = place.decisions_of("host=db.internal", 5);
    let kept: Vec<_> = records.iter().filter(|record| record["path"] == "/echo").collect();
    assert!(
        kept.iter().all(|record| record["address"] == "10.20.0.5"),
        "a kept connection has an address too: {kept:?}"
    );
}
