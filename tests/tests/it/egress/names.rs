//! Names: what only looks like a granted one, what is the same in another spelling, and what is
//! no name at all.

use serde_json::json;

use super::{Place, all_are, place};

/// A web server where every name could lie, and a grant for one name and for what is below another.
fn granted() -> Option<(Place, aegis_world::Web)> {
    let place = place()?;
    let web = place.world.web("20.0.0.1", 80);
    for name in ["api.example.com", "a.example.org", "a.b.example.org", "xn--api-6na.example.org"] {
        place.world.names().set_addresses(name, &["20.0.0.1"]);
    }
    place
        .deploy("named", json!([{"host": "api.example.com", "ports": [80]}, {"host": "*.example.org", "ports": [80]}]));
    Some((place, web))
}

#[test]
fn a_name_that_only_looks_like_a_granted_one_is_refused_and_never_asked_for_outside() {
    let Some((place, web)) = granted() else { return };
    let names = [
        "example.org",
        "evilexample.org",
        "example.org.evil.io",
        "a.example.org.evil.io",
        "aexample.org",
        "api.example.com.evil.io",
        "apixexample.com",
        "xapi.example.com",
        "www.api.example.com",
        "example.com",
        "api.example.co",
        "api.example.comm",
        "api-example.com",
        "com",
        "org",
        "localhost",
    ];
    for name in names {
        place.world.names().set_addresses(name, &["20.0.0.1"]);
    }
    let told = place.run(
        "named",
        &format!(
            r#"
names = {names:?}
result = {{
    "http": together(proxied, names),
    "connect": together(lambda name: tunnelled(name + ":80"), names),
    "socks": together(lambda name: socks(3, name), names),
    "name": together(lambda name: resolve(name)[:6], [name for name in names if name != "localhost"]),
}}
"#
        ),
    );
    all_are(&told["http"], &["403 not_permitted"]);
    all_are(&told["connect"], &["403 not_permitted"]);
    all_are(&told["socks"], &["2"]);
    all_are(&told["name"], &["error:"]);
    assert_eq!((web.connections(), place.world.names().queries()), (0, vec![]));
    let records = place.decisions_of("refused=true", 3 * names.len() - 1);
    for name in names {
        let manners: Vec<&str> = records
            .iter()
            .filter(|record| record["host"] == name && record["refusal"] == "not_permitted")
            .map(|record| record["manner"].as_str().unwrap())
            .collect();
        // The box knows `localhost` by itself, as every machine does.
        let expected: &[&str] = if name == "localhost" { &["http", "tls"] } else { &["http", "tls", "name"] };
        assert!(expected.iter().all(|manner| manners.contains(manner)), "{name}: {manners:?}");
    }
}

#[test]
fn a_granted_name_is_the_same_in_any_case_and_with_its_last_dot_and_is_sent_in_one_form() {
    let Some((place, web)) = granted() else { return };
    let told = place.run(
        "named",
        r#"
names = ["API.Example.COM", "api.example.com.", "Api.example.com.:80", "a.EXAMPLE.org", "a.b.example.org", "xn--api-6na.example.org"]
result = {
    "http": {name: proxied(name) for name in names},
    "socks": {name: socks(3, name) for name in names if ":" not in name},
    "bare": [proxied("api.example.com.."), proxied(".api.example.com"), proxied("api..example.com")],
}
"#,
    );
    all_are(&told["http"], &["200"]);
    all_are(&told["socks"], &["0"]);
    assert_eq!(told["bare"], json!(["403 name", "403 name", "403 name"]));
    let hosts: Vec<String> = web
        .requests()
        .iter()
        .map(|request| String::from_utf8_lossy(request).lines().nth(1).unwrap().to_owned())
        .collect();
    let names = ["api.example.com", "a.example.org", "a.b.example.org", "xn--api-6na.example.org"];
    assert_eq!(hosts.len(), 6, "{hosts:?}");
    assert!(hosts.iter().all(|host| names.contains(&host.strip_prefix("host: ").unwrap())), "{hosts:?}");
    assert!(place.world.names().queries().iter().all(|(name, _)| names.contains(&name.as_str())));
}

#[test]
fn what_is_no_name_is_refused_before_anything_is_asked_or_dialled() {
    let Some((place, web)) = granted() else { return };
    let told = place.run(
        "named",
        r#"
granted = b"api.example.com"
label = b"a" * 64 + b".example.org"
long = b".".join([b"a" * 60] * 5) + b".example.org"
wrong = [
    "api.ex\u0430mple.com".encode(), "\uff41\uff50\uff49.example.com".encode(), "api.example\u3002com".encode(), b"api.example.com\xad",
    b"api%2eexample.com", b"api.example.com%00.evil.io", b"api.example.com%2eevil.io", b"api.example.com%", b"api.example.com\x00.evil.io",
    b"api.example.com .evil.io", b"api.example.com\t", b"api.example.com\x0b", b"api.example.com,evil.io", b"api.example.com;evil.io",
    b"user@api.example.com", b"evil.io@api.example.com", b"api.example.com@evil.io", b"api.example.com:80@evil.io", b"user:pass@api.example.com",
    b"api.example.com:080", b"api.example.com:+80", b"api.example.com:80:80", b"api.example.com:0", b"api.example.com:65616", b"api.example.com:", b"api.example.com:8o",
    b"api.example.com\\.evil.io", b"api.example.com#.evil.io", b"[api.example.com]", b"-a.example.org", b"a-.example.org", b"a..example.org", b"*.example.org", b"", b".", b"..",
    label, long,
]
def shown(name): return repr(name)[:60]
result = {
    "http": {shown(name): proxied(name) for name in wrong},
    "host": {shown(name): proxied(granted, host=name) for name in wrong if not name.endswith(b"\t")},
    "connect": {shown(name): tunnelled(name + b":80") for name in wrong if b":" not in name},
    "socks": {shown(name): socks(3, name) for name in wrong if len(name) < 256},
    "name": together(lambda name: resolve(name)[:6], ["a" * 64 + ".example.org", "a..example.org", "api.example.com%00.evil.io", "*.example.org", "-a.example.org"]),
}
"#,
    );
    all_are(&told["http"], &["400 malformed", "403 name"]);
    all_are(&told["host"], &["400 malformed"]);
    all_are(&told["connect"], &["400 malformed", "403 name"]);
    all_are(&told["socks"], &["1", "2"]);
    all_are(&told["name"], &["error:"]);
    assert_eq!((web.connections(), place.world.names().queries()), (0, vec![]));
    for refusal in ["name", "malformed"] {
        place.recorded(|record| record["refusal"] == refusal);
    }
}
