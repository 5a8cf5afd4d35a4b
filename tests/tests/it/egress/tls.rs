//! TLS: it is for the host that was asked for, and says so; nothing else passes where only TLS may.

use serde_json::json;

use super::{all_are, place};

/// What is said to a client that is refused: fatal, access denied.
const ALERT: &str = "\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{31}";

/// Hellos by hand, and connections that say them.
const HELLO: &str = r#"
def extension(kind, data=b""): return struct.pack(">HH", kind, len(data)) + data
def named(*names):
    listed = b"".join(b"\0" + struct.pack(">H", len(name)) + name for name in map(bytes_of, names))
    return extension(0, struct.pack(">H", len(listed)) + listed)
def message(extensions):
    body = b"\x03\x03" + b"r" * 32 + b"\0" + b"\0\x02\x13\x01" + b"\x01\0" + struct.pack(">H", len(extensions)) + extensions
    return b"\x01" + struct.pack(">I", len(body))[1:] + body
def records(data, size=16384):
    return b"".join(b"\x16\x03\x01" + struct.pack(">H", len(data[at:at + size])) + data[at:at + size] for at in range(0, len(data), size))
def hello(extensions): return records(message(extensions))
def through(target, data):
    """What comes back when a tunnel stands and this is said; or what the tunnel is answered."""
    line, head = connect(target)
    if not head.startswith("HTTP/1.1 200"): return verdict(head + rest(line))
    try:
        line.sendall(bytes_of(data))
        line.shutdown(socket.SHUT_WR)
    except OSError: pass
    return rest(line)
def greet(target, name, path="/echo", host=None):
    """Status of a request over TLS in a tunnel."""
    try:
        line, head = connect(target)
        if not head.startswith("HTTP/1.1 200"): return verdict(head + rest(line))
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        line = context.wrap_socket(line, server_hostname=name)
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: {host or name}\r\nConnection: close\r\n\r\n".encode())
        return rest(line)[9:12]
    except ssl.SSLError as error: return "alert" if "ALERT" in str(error) else str(error)
    except OSError as error: return "error: " + str(error)
"#;

#[test]
fn tls_is_for_the_host_that_was_asked_for_and_for_none_that_it_hides() {
    let Some(place) = place() else { return };
    let (silent, web) =
        (place.world.sink("20.0.0.1", 443), place.world.secure_web("20.0.0.2", 443, &["good.example.com"]));
    let names = place.world.names();
    names.set_addresses("api.example.com", &["20.0.0.1"]);
    names.set_addresses("good.example.com", &["20.0.0.2"]);
    names.set_addresses("other.example.com", &["20.0.0.2"]);
    names.set_addresses("denied.example.net", &["20.0.0.2"]);
    let https = |host: &str| json!({"host": host, "ports": [443]});
    place.deploy("greeter", json!([https("api.example.com"), https("good.example.com"), https("other.example.com")]));
    let told = place.run(
        "greeter",
        &(HELLO.to_owned()
            + r#"
own = named("api.example.com")
hellos = {
    "denied": hello(named("denied.example.net")), "granted": hello(named("other.example.com")), "none": hello(b""), "no extensions": records(message(b"")[:-2]), "below": hello(named("x.api.example.com")), "above": hello(named("example.com")),
    "dot": hello(named("api.example.com.")), "empty": hello(named("")), "address": hello(named("20.0.0.1")), "nul": hello(named("api.example.com\0.example.net")), "two": hello(named("api.example.com", "denied.example.net")), "twice": hello(own + named("denied.example.net")), "other kind": hello(extension(0, b"\0\x05\x01\0\x02ab")), "space": hello(named("api.example.com ")), "wide": hello(named("api.ex\u0430mple.com".encode())),
    "ech": hello(own + extension(0xfe0d, b"\0" * 32)), "ech, empty": hello(own + extension(0xfe0d)), "old ech": hello(own + extension(0xfe0a, b"\0" * 8)), "esni": hello(own + extension(0xffce, b"\0" * 8)), "ech first": hello(extension(0xfe0d, b"\0" * 32) + own),
    "long": hello(own + extension(21, b"\0" * 40000)), "length": hello(own)[:-9], "inner length": hello(own).replace(b"\0\x0fapi", b"\0\x10api"), "pieces": records(message(own + extension(21, b"\0" * 90)), 1), "empty record": b"\x16\x03\x01\0\0" + hello(own), "alert inside": records(message(own), 40).replace(b"\x16\x03\x01", b"\x15\x03\x03", 2)[0:0] + b"\x15\x03\x01\0\x02\x01\0" + hello(own), "data first": b"\x17\x03\x03\0\x01x" + hello(own), "server hello": records(b"\x02" + message(own)[1:]), "old hello": b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10" + b"r" * 40,
    "ssh": b"SSH-2.0-x\r\n", "http/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "smtp": b"ehlo x\r\n", "zeros": b"\0" * 100, "one byte": b"x", "quic": b"\xc0\0\0\0\x01" + b"\0" * 100,
}
result = {
    "connect": together(lambda case: through("api.example.com:443", hellos[case])[:7], hellos),
    "direct": together(lambda case: raw(("api.example.com", 443), hellos[case])[:7], hellos),
    "socks": together(lambda case: raw(PROXY, b"\x05\x01\x00\x05\x01\x00\x03\x0fapi.example.com\x01\xbb" + hellos[case])[12:19], hellos),
    "own": through("api.example.com:443", hello(own)), "upper": through("API.example.com.:443", hello(named("Api.Example.COM"))), "in records": through("api.example.com:443", records(message(own), 20)),
    "greeted": {name: greet("good.example.com:443", name) for name in ["good.example.com", "other.example.com", "denied.example.net", None]},
    "denied": greet("denied.example.net:443", "denied.example.net"), "fronted": greet("denied.example.net:443", "good.example.com"),
    "http": through("good.example.com:443", "GET /echo HTTP/1.1\r\nHost: denied.example.net\r\n\r\n")[:12],
}
"#),
    );
    for way in ["connect", "direct", "socks"] {
        let told = &told[way];
        for (case, answer) in told.as_object().unwrap() {
            let answer = answer.as_str().unwrap();
            let expected: &[&str] = match case.as_str() {
                "http/2" => &["HTTP/1."],
                // What could be a line of HTTP is waited for until it is whole.
                "ssh" => &[""],
                _ => &[ALERT],
            };
            assert!(expected.contains(&answer), "{way}: `{case}` was answered {answer:?}");
        }
    }
    assert_eq!((&told["own"], &told["upper"], &told["in records"]), (&json!(""), &json!(""), &json!("")));
    let passed = 3 * 59 + 8 * 5;
    assert!(silent.bytes() > 3 * 50 && silent.bytes() <= passed + 100, "only three hellos arrived: {}", silent.bytes());
    assert_eq!(
        told["greeted"],
        json!({"good.example.com": "200", "other.example.com": "alert", "denied.example.net": "alert", "null": "alert"})
    );
    assert_eq!((&told["denied"], &told["fronted"]), (&json!("403 not_permitted"), &json!("403 not_permitted")));
    assert_eq!(told["http"], "HTTP/1.1 403");
    assert_eq!(web.server_names(), vec![Some("good.example.com".to_owned())]);
    assert_eq!(place.world.names().asked("denied.example.net"), 0);
    let refused = place.decisions_of("refused=true&host=api.example.com", 90);
    for refusal in ["server_name", "encrypted_hello", "protocol"] {
        assert!(refused.iter().any(|record| record["refusal"] == refusal), "{refusal}");
    }
    let out: u64 = refused.iter().map(|record| record["bytes_out"].as_u64().unwrap()).sum();
    assert_eq!(out, 0, "nothing of what is refused has gone out");
}

#[test]
fn what_may_be_carried_is_what_the_grant_says_be_it_bytes_tls_or_requests() {
    let Some(place) = place() else { return };
    let echo = place.world.echo("20.0.0.1", 5432);
    let banner = place.world.banner("20.0.0.1", 22, "SSH-2.0-outside\r\n");
    let (passing, plain) =
        (place.world.secure_web("20.0.0.1", 443, &["pass.example.com"]), place.world.web("20.0.0.1", 8443));
    for name in ["db.example.com", "pass.example.com", "api.example.com"] {
        place.world.names().set_addresses(name, &["20.0.0.1"]);
    }
    place.deploy(
        "carrier",
        json!([
            {"host": "db.example.com", "ports": [5432, 22], "protocol": "tcp"},
            {"host": "pass.example.com", "ports": [443], "tls": "passthrough"},
            {"host": "api.example.com", "ports": [8443], "methods": ["GET"]},
        ]),
    );
    let told = place.run(
        "carrier",
        &(HELLO.to_owned()
            + r#"
result = {
    "bytes": through("db.example.com:5432", "\0\1\2 any bytes"), "hello": len(through("db.example.com:5432", hello(b""))),
    "speaks first": raw(("db.example.com", 22), b"", half=True), "socks": bytes_of(raw(PROXY, b"\x05\x01\x00\x05\x01\x00\x03\x0edb.example.com\x15\x38" + b"\0bytes"))[12:].decode("latin-1"),
    "http by bytes": proxied("db.example.com:5432"), "other port": tunnelled("db.example.com:5433"), "other host": tunnelled("pass.example.com:5432"),
    "passed": greet("pass.example.com:443", "pass.example.com"), "passed for another": greet("pass.example.com:443", "db.example.com"), "unnamed": through("pass.example.com:443", hello(b"")), "bytes to tls": through("pass.example.com:443", "\0\1\2"), "http to tls": through("pass.example.com:443", "GET / HTTP/1.1\r\nHost: pass.example.com\r\n\r\n")[:12], "request to tls": proxied("pass.example.com:443"),
    "hidden": through("api.example.com:8443", hello(named("api.example.com"))), "hidden directly": raw(("api.example.com", 8443), hello(named("api.example.com"))), "hidden bytes": through("api.example.com:8443", "\0\1\2"), "judged": [proxied("api.example.com:8443"), through("api.example.com:8443", "GET /echo HTTP/1.1\r\nHost: api.example.com:8443\r\n\r\n")[9:12], through("api.example.com:8443", "POST /echo HTTP/1.1\r\nHost: api.example.com:8443\r\n\r\n")[9:12]],
}
"#),
    );
    assert_eq!((&told["bytes"], &told["socks"]), (&json!("\0\u{1}\u{2} any bytes"), &json!("\0bytes")));
    assert!(told["hello"].as_u64().unwrap() > 40, "{told}");
    assert_eq!(told["speaks first"], "SSH-2.0-outside\r\n");
    for case in ["http by bytes", "other port", "other host", "request to tls"] {
        assert_eq!(told[case], "403 not_permitted", "{case}");
    }
    assert_eq!((&told["passed"], &told["passed for another"]), (&json!("200"), &json!("alert")));
    assert_eq!(told["http to tls"], "HTTP/1.1 403");
    all_are(
        &json!({"unnamed": told["unnamed"], "bytes": told["bytes to tls"], "hidden": told["hidden"], "directly": told["hidden directly"], "hidden bytes": told["hidden bytes"]}),
        &[ALERT],
    );
    assert_eq!(told["judged"], json!(["200", "200", "403"]));
    assert_eq!((banner.connections(), plain.connections()), (1, 2));
    assert_eq!(passing.server_names(), vec![Some("pass.example.com".to_owned())]);
    assert_eq!(echo.connections(), 3);
    let refused = place.decisions_of("refused=true&host=api.example.com", 3);
    for refusal in ["hidden", "protocol", "not_permitted"] {
        assert!(refused.iter().any(|record| record["refusal"] == refusal), "{refusal}: {refused:?}");
    }
    for (host, manner) in [("db.example.com", "tcp"), ("pass.example.com", "tls")] {
        let records = place.decisions(&format!("host={host}"));
        assert!(records.iter().any(|record| record["manner"] == manner && record["state"] == "ended"), "{records:?}");
    }
}
