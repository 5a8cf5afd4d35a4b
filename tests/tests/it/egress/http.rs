//! Requests: each is judged on its own, by what is sent on, whatever came before it.

use serde_json::{Value, json};

use super::{Place, all_are, place, place_with};

/// Two web servers, of which only the first is granted.
fn two() -> Option<(Place, aegis_world::Web, aegis_world::Web)> {
    let place = place()?;
    let (web, evil) = (place.world.web("20.0.0.1", 80), place.world.web("20.0.0.2", 80));
    place.world.names().set_addresses("api.example.com", &["20.0.0.1"]);
    place.world.names().set_addresses("evil.example.com", &["20.0.0.2"]);
    place.deploy("asker", json!([{"host": "api.example.com", "ports": [80]}]));
    Some((place, web, evil))
}

fn lines(web: &aegis_world::Web) -> Vec<String> {
    let first = |request: &Vec<u8>| String::from_utf8_lossy(request).lines().next().unwrap_or_default().to_owned();
    web.requests().iter().map(first).collect()
}

#[test]
fn whatever_two_readers_could_read_differently_is_refused_and_nothing_of_it_is_sent() {
    let Some((place, web, evil)) = two() else { return };
    let told = place.run(
        "asker",
        r#"
A, E = "Host: api.example.com\r\n", "Host: evil.example.com\r\n"
G, P = "GET http://api.example.com/echo HTTP/1.1\r\n", "POST http://api.example.com/echo HTTP/1.1\r\n"
S = "GET http://evil.example.com/ HTTP/1.1\r\nHost: evil.example.com\r\n\r\n"
TE = "Transfer-Encoding: "
wrong = {
    "other host": G + E, "two hosts": G + A + E, "two equal hosts": G + A + A, "no host": G, "empty host": G + "Host:\r\n", "host with port": G + "Host: api.example.com:8080\r\n", "list of hosts": G + "Host: api.example.com, evil.example.com\r\n",
    "host_": G + A + "Host_: evil.example.com\r\nContent_Length: 4\r\n", "host before colon": G + "Host : api.example.com\r\n", "hidden host": G + "X: y\r\n Host: evil.example.com\r\n" + A,
    "length and encoding": P + A + "Content-Length: 4\r\n" + TE + "chunked\r\n", "encoding and length": P + A + TE + "chunked\r\nContent-Length: 4\r\n",
    "two lengths": P + A + "Content-Length: 4\r\nContent-Length: 5\r\n", "two equal lengths": P + A + "Content-Length: 4\r\nContent-Length: 4\r\n", "list of lengths": P + A + "Content-Length: 4, 4\r\n",
    "signed length": P + A + "Content-Length: +4\r\n", "negative length": P + A + "Content-Length: -1\r\n", "hex length": P + A + "Content-Length: 0x4\r\n", "long length": P + A + "Content-Length: 99999999999999999999\r\n", "no length": P + A + "Content-Length: \r\n",
    "xchunked": P + A + TE + "xchunked\r\n", "chunked, identity": P + A + TE + "chunked, identity\r\n", "identity": P + A + TE + "identity\r\n", "gzip, chunked": P + A + TE + "gzip, chunked\r\n", "twice": P + A + TE + "chunked\r\n" + TE + "chunked\r\n", "twice in a line": P + A + TE + "chunked, chunked\r\n",
    "quoted": P + A + TE + '"chunked"\r\n', "parameter": P + A + TE + "chunked;q=1\r\n", "before the colon": P + A + "Transfer-Encoding : chunked\r\n", "tab before the colon": P + A + "Transfer-Encoding\t: chunked\r\n", "vertical tab": P + A + TE + "\x0bchunked\r\n", "nul": P + A + TE + "chunked\0\r\n", "old version": P.replace("1.1", "1.0") + A + TE + "chunked\r\n",
    "folded": G + A + "X: a\r\n b\r\n", "folded with tab": G + A + "X: a\r\n\tb\r\n", "folded encoding": P + A + "Transfer-Encoding:\r\n chunked\r\n", "folded first": G + " X: a\r\n" + A,
    "bare line feed": G + A + "X: a\nY: b\r\n", "bare line feeds": (G + A).replace("\r\n", "\n"), "bare carriage return": G + A + "X: a\rY: b\r\n", "null in a value": G + A + "X: a\0b\r\n", "no colon": G + A + "X\r\n", "space in a name": G + A + "X Y: b\r\n", "empty name": G + A + ": b\r\n",
    "two spaces": G.replace(" HTTP", "  HTTP") + A, "tab": G.replace(" HTTP", "\tHTTP") + A, "no version": "GET http://api.example.com/echo\r\n" + A, "0.9": G.replace("1.1", "0.9") + A, "1.2": G.replace("1.1", "1.2") + A, "2": G.replace("1.1", "2") + A, "http/1.1": G.replace("HTTP/", "http/") + A, "get": G.replace("GET", "get") + A, "GET:": G.replace("GET", "G:T") + A, "three empty lines": "\r\n\r\n" + G + A,
    "https": G.replace("http:", "https:") + A, "ftp": G.replace("http:", "ftp:") + A, "file": "GET file:///etc/passwd HTTP/1.1\r\n" + A, "fragment": G.replace("/echo", "/echo#a") + A, "backslash": G.replace("/echo", "\\@evil.example.com/") + A, "space": G.replace("/echo", "/ec ho") + A, "bytes": G.replace("/echo", "/\xe9") + A,
    "connection takes host": G + A + "Connection: host\r\n", "connection takes length": P + A + "Content-Length: 4\r\nConnection: content-length\r\n", "expectation": P + A + "Content-Length: 4\r\nExpect: 200-ok\r\n",
    "other protocol": "PRI * HTTP/2.0\r\n", "connect with a body": "CONNECT api.example.com:80 HTTP/1.1\r\n" + A + "Content-Length: 4\r\n", "connect by url": "CONNECT http://api.example.com:80/ HTTP/1.1\r\n" + A, "connect without port": "CONNECT api.example.com HTTP/1.1\r\n" + A, "connect with other host": "CONNECT api.example.com:80 HTTP/1.1\r\n" + E,
}
result = {
    "proxy": together(lambda case: verdict(raw(PROXY, wrong[case] + "\r\n0\r\n\r\n" + S))[:3], wrong),
    "tunnel": together(lambda case: raw(PROXY, "CONNECT api.example.com:80 HTTP/1.1\r\nHost: api.example.com:80\r\n\r\n" + wrong[case].replace("http://api.example.com/", "/") + "\r\n0\r\n\r\n" + S).split("HTTP/1.1 ")[-1][:3], [case for case in wrong if wrong[case].startswith(("GET http://api", "POST http://api"))]),
    "origin": [verdict(raw(PROXY, "GET /echo HTTP/1.1\r\n" + A + "\r\n")), verdict(raw(PROXY, "OPTIONS * HTTP/1.1\r\n" + A + "\r\n"))],
}
"#,
    );
    all_are(&told["proxy"], &["400", "501", "505", "417"]);
    all_are(&told["tunnel"], &["400", "501", "505", "417", "403"]);
    assert_eq!(told["origin"], json!(["400", "400"]), "the proxy itself is no server");
    assert_eq!((web.requests(), evil.connections()), (Vec::<Vec<u8>>::new(), 0));
    assert_eq!(place.world.names().asked("evil.example.com"), 0);
    let refused = place.decisions_of("refused=true", 1);
    assert!(refused.iter().any(|record| record["refusal"] == "malformed"), "{refused:?}");
}

#[test]
fn a_second_request_is_judged_as_the_first_whatever_it_follows() {
    let Some((place, web, evil)) = two() else { return };
    let told = place.run(
        "asker",
        r#"
A, E = "Host: api.example.com\r\n", "Host: evil.example.com\r\n"
G, S = "GET http://api.example.com/echo HTTP/1.1\r\n" + A, "GET http://evil.example.com/echo HTTP/1.1\r\n" + E
def statuses(text): return [verdict("HTTP/1.1 " + answer) for answer in text.split("HTTP/1.1 ")[1:]]
def tunnel(data): return statuses(raw(PROXY, "CONNECT api.example.com:80 HTTP/1.1\r\nHost: api.example.com:80\r\n\r\n" + data))[1:]
O = "GET /echo HTTP/1.1\r\n"
body = lambda more, data: "POST http://api.example.com/echo HTTP/1.1\r\n" + A + more + "\r\n" + data
result = {
    "pipelined": statuses(raw(PROXY, G + "\r\n" + S + "\r\n" + G + "\r\n")),
    "connect": statuses(raw(PROXY, G + "\r\nCONNECT evil.example.com:80 HTTP/1.1\r\n" + E.replace("\r", ":80\r") + "\r\n")),
    "ports": statuses(raw(PROXY, G + "\r\n" + (G + "\r\n").replace("example.com", "example.com:22"))),
    "get with a body": statuses(raw(PROXY, G + f"Content-Length: {len(S) + 2}\r\n\r\n" + S + "\r\n")),
    "after a body": statuses(raw(PROXY, body("Content-Length: 4\r\n", "body" + S + "\r\n"))),
    "after chunks": statuses(raw(PROXY, body("Transfer-Encoding: chunked\r\n", "4\r\nbody\r\n0\r\n\r\n" + S + "\r\n"))),
    "in a trailer": statuses(raw(PROXY, body("Transfer-Encoding: chunked\r\n", "4\r\nbody\r\n0\r\nHost: evil.example.com\r\nContent-Length: 9\r\n\r\n" + S + "\r\n"))),
    "tunnel": tunnel(O + A + "\r\n" + O + E + "\r\n"),
    "tunnel, absolute": tunnel(O + A + "\r\n" + S + "\r\n"),
    "tunnel, other port": tunnel(O + "Host: api.example.com:81\r\n\r\n"),
    "tunnel in a tunnel": tunnel("CONNECT evil.example.com:80 HTTP/1.1\r\n" + E + "\r\n"),
    "direct": statuses(raw(("api.example.com", 80), O + A + "\r\n" + O + E + "\r\n")),
    "direct, absolute": statuses(raw(("api.example.com", 80), S + "\r\n")),
    "elsewhere": [tunnelled(f"api.example.com:{port}") for port in [22, 25, 465, 587, 3306, 8080, 443]] + [proxied("api.example.com:25")],
}
"#,
    );
    assert_eq!(told["pipelined"], json!(["200", "403 not_permitted"]));
    for case in ["connect", "after a body", "after chunks", "in a trailer", "ports"] {
        assert_eq!(told[case], json!(["200", "403 not_permitted"]), "{case}");
    }
    assert_eq!(told["get with a body"], json!(["200"]));
    assert_eq!(told["tunnel"], json!(["200", "403 server_name"]));
    assert_eq!(told["tunnel, absolute"], json!(["200", "403 malformed"]));
    assert_eq!(told["tunnel, other port"], json!(["403 server_name"]));
    assert_eq!(told["tunnel in a tunnel"], json!(["403 malformed"]));
    assert_eq!(
        (&told["direct"], &told["direct, absolute"]),
        (&json!(["200", "403 server_name"]), &json!(["403 malformed"]))
    );
    assert_eq!(told["elsewhere"], json!(vec!["403 not_permitted"; 8]));
    assert_eq!(evil.connections(), 0);
    assert_eq!(place.world.names().asked("evil.example.com"), 0);
    let seen = lines(&web);
    assert!(seen.iter().all(|line| line.ends_with("/echo HTTP/1.1")), "{seen:?}");
    assert!(!web.requests().iter().any(|request| String::from_utf8_lossy(request).contains("trailer")), "{seen:?}");
}

#[test]
fn what_concerns_one_connection_only_is_not_sent_on() {
    let Some((place, web, _evil)) = two() else { return };
    place.run(
        "asker",
        r#"
result = proxied("api.example.com", more="Connection: Upgrade, HTTP2-Settings, X-Hop\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nX-Hop: 1\r\nProxy-Authorization: Basic c2VjcmV0\r\nProxy-Connection: keep-alive\r\nKeep-Alive: 9\r\nTE: trailers\r\nX-Kept: 1\r\n")
"#,
    );
    let request = String::from_utf8(web.requests().remove(0)).unwrap();
    assert_eq!(request, "GET /echo HTTP/1.1\r\nhost: api.example.com\r\nx-kept: 1\r\n\r\n");
}

#[test]
fn a_websocket_needs_its_grant_and_then_carries_bytes_to_that_host_only() {
    let Some((place, web, evil)) = two() else { return };
    place.world.names().set_addresses("ws.example.com", &["20.0.0.1"]);
    place.deploy(
        "socket",
        json!([{"host": "ws.example.com", "ports": [80], "paths": ["/ws", "/echo"], "websocket": true}]),
    );
    let code = r#"
U = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
def shake(host, path="/ws", upgrade=U, after="GET http://evil.example.com/ HTTP/1.1\r\nHost: evil.example.com\r\n\r\n", method="GET"):
    return raw(PROXY, f"{method} http://{host}{path} HTTP/1.1\r\nHost: {host}\r\n{upgrade}\r\n{after}")
"#;
    let plain = place.run("asker", &(code.to_owned() + "result = verdict(shake('api.example.com'))"));
    assert_eq!(plain, "403 not_permitted", "a grant without the word opens none");
    assert_eq!(web.connections(), 0);
    let told = place.run(
        "socket",
        &(code.to_owned()
            + r#"
host = "ws.example.com"
opened = shake(host)
result = {
    "opened": [opened[9:12], opened.split("\r\n\r\n", 1)[1]],
    "elsewhere": verdict(shake(host, "/ws/frames")),
    "not taken": verdict(shake(host, "/echo", after="")),
    "wrong": {case: verdict(shake(host, upgrade=upgrade, after="", method="POST" if case == "post" else "GET")) for case, upgrade in {
        "post": U, "no key": U.replace("Sec-WebSocket-Key", "X-Key"), "short key": U.replace("AAAA", "A"), "other version": U.replace("13", "12"), "no version": U.replace("Sec-WebSocket-Version", "X"),
        "among others": U.replace("websocket\r\nSec", "websocket, h2c\r\nSec"), "twice": U + "Upgrade: h2c\r\n", "not named": U.replace("Connection: Upgrade\r\n", ""), "with a body": U + "Content-Length: 4\r\n"}.items()},
}
"#),
    );
    assert_eq!(told["opened"][0], "101", "{told}");
    assert!(
        told["opened"][1].as_str().unwrap().starts_with("GET http://evil.example.com/"),
        "what follows is bytes: {told}"
    );
    assert_eq!((&told["elsewhere"], &told["not taken"]), (&json!("403 not_permitted"), &json!("200")));
    all_are(&told["wrong"], &["400 malformed"]);
    assert_eq!((web.connections(), evil.connections()), (2, 0));
    // Who answers with another protocol than was asked for is not believed.
    web.answer("/echo", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n");
    let switched = place.run("asker", "result = [proxied('api.example.com'), proxied('api.example.com', more='Connection: Upgrade\\r\\nUpgrade: h2c\\r\\n')]");
    assert_eq!(switched, json!(["502", "502"]));
}

#[test]
fn rules_about_paths_and_methods_judge_the_path_that_is_sent() {
    let Some(place) = place() else { return };
    let web = place.world.web("20.0.0.1", 80);
    place.world.names().set_addresses("api.example.com", &["20.0.0.1"]);
    place.deploy(
        "walker",
        json!([{"host": "api.example.com", "ports": [80], "methods": ["GET"], "paths": ["/repos/**", "/users/*/keys", "/exact"]}]),
    );
    let told = place.run(
        "walker",
        r#"
right = ["/repos/", "/repos/a/b", "/repos/a/../b", "/repos/./a", "/repos/a/..", "/x/../repos/a", "/repos/%61", "/%72epos/a", "/users/me/keys", "/exact", "/exact?to=/admin/../x", "/repos/a?x=%2e%2e", "/admin/..//../repos/a"]
wrong = ["/", "/repos", "/repos/../admin", "/repos/%2e%2e/admin", "/repos/%2E%2e/admin", "/repos/.%2e/admin", "/repos/a/../../admin", "/repos/./../admin", "/repos//../../admin", "/repos//admin", "//repos/a", "/repos/..%2fadmin", "/repos/..%2Fadmin", "/repos/%2e%2e%2fadmin", "/repos/%252e%252e/admin", "/repos/%252e%252e%252fadmin", "/repos/..%5cadmin", "/repos/%5c..%5cadmin", "/repos/..;/admin", "/repos/..;a=b/admin", "/repos/.;/a", "/repos/%2e%2e;/admin", "/repos/%c0%ae%c0%ae/admin%00", "/repos/a%00", "/repos/a%0d%0aX:y", "/repos/a%", "/repos/%zz", "/repos/\\..\\admin", "/../repos/../../admin", "/../admin", "/users/me/you/keys", "/users/me%2fyou/keys", "/users/me%2Fyou/keys", "/users//keys/x", "/users/../admin/keys/x", "/exact/", "/exact/x", "/exacter", "/EXACT", "/Repos/a", "/exact%2f", "/exact;a", "/%2e%2e/exact/../admin", "/repos%2fa", "/exact%3fx", "/repos/%c0%af..%c0%afadmin/..%2f"]
result = {
    "right": together(lambda path: proxied("api.example.com", path)[:3], right),
    "wrong": together(lambda path: proxied("api.example.com", path), wrong),
    "methods": {method: verdict(raw(PROXY, f"{method} http://api.example.com/exact HTTP/1.1\r\nHost: api.example.com\r\n\r\n")) for method in ["POST", "HEAD", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "GETT", "X", "GET/"]},
    "asterisk": verdict(raw(("api.example.com", 80), "OPTIONS * HTTP/1.1\r\nHost: api.example.com\r\n\r\n")),
    "second": [answer[:3] for answer in raw(PROXY, "".join(f"GET http://api.example.com{path} HTTP/1.1\r\nHost: api.example.com\r\n\r\n" for path in ["/exact", "/admin"])).split("HTTP/1.1 ")[1:]],
    "tls": raw(("api.example.com", 80), b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"),
    "bytes": [raw(("api.example.com", 80), data, 3) for data in [b"\x00\x01", b"ehlo\r\n", b"\x80\x2e\x01\x03\x01"]],
}
"#,
    );
    all_are(&told["right"], &["200", "404"]);
    all_are(&told["wrong"], &["403 not_permitted", "400 malformed"]);
    all_are(&told["methods"], &["403 not_permitted", "400 malformed"]);
    assert_eq!(told["asterisk"], "403 not_permitted");
    assert_eq!(told["second"], json!(["404", "403"]));
    // Where requests are judged nothing else is let through: it is told in the words of TLS.
    let alert = "\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{31}";
    assert_eq!((&told["tls"], &told["bytes"]), (&json!(alert), &json!([alert, alert, alert])));
    for refusal in ["hidden", "protocol", "not_permitted"] {
        place.recorded(|record| record["refusal"] == refusal);
    }
    for request in web.requests() {
        let line = String::from_utf8(request).unwrap().lines().next().unwrap().to_owned();
        let path = line.strip_prefix("GET ").unwrap().split([' ', '?']).next().unwrap().to_owned();
        let allowed = path.starts_with("/repos/") || ["/users/me/keys", "/exact"].contains(&path.as_str());
        assert!(allowed && !path.contains("..") && !path.contains("//") && !path.contains("admin"), "{line}");
    }
    for (ports, field) in [(json!([443]), "paths"), (json!([80, 443]), "paths")] {
        let answer = place.try_deploy("hider", json!([{"host": "api.example.com", "ports": ports, field: ["/a"]}]));
        assert_eq!((answer.status, answer.code().as_str()), (422, "ERR_MANIFEST_INVALID"), "{}", answer.text);
    }
    let fields: [Value; 2] = [json!({"methods": ["GET"]}), json!({"websocket": true})];
    for mut grant in fields {
        (grant["host"], grant["ports"]) = (json!("api.example.com"), json!([443]));
        assert_eq!(place.try_deploy("hider", json!([grant])).status, 422, "TLS hides what is to be judged");
    }
}

#[test]
fn a_redirect_is_followed_only_to_where_the_program_may_go_itself() {
    let Some((place, web, evil)) = two() else { return };
    let told = place.run(
        "asker",
        r#"
def follow(to): return get("http://api.example.com/redirect?to=" + to, headers={"Authorization": "Bearer secret"})
result = {to: verdict(f"HTTP/1.1 {follow(to)[0]} " + follow(to)[1]) for to in ["http://api.example.com/echo", "http://evil.example.com/", "http://169.254.169.254/latest", "http://127.0.0.1:7701/", "http://api.example.com:22/", "//evil.example.com/"]}
"#,
    );
    assert_eq!(told["http://api.example.com/echo"], "200");
    assert_eq!(told["http://evil.example.com/"], "403 not_permitted");
    assert_eq!(
        (&told["http://169.254.169.254/latest"], &told["http://api.example.com:22/"]),
        (&json!("403 name"), &json!("403 not_permitted"))
    );
    assert_eq!(told["//evil.example.com/"], "403 not_permitted");
    assert_eq!((evil.connections(), place.world.names().asked("evil.example.com")), (0, 0));
    assert!(web.connections() > 0);
}

#[test]
fn heads_and_bodies_that_are_bombs_or_slow_are_refused_in_time() {
    let Some(place) = place_with("head_timeout_ms = 400") else { return };
    let web = place.world.web("20.0.0.1", 80);
    place.world.names().set_addresses("api.example.com", &["20.0.0.1"]);
    place.deploy("bomber", json!([{"host": "api.example.com", "ports": [80]}]));
    let told = place.run(
        "bomber",
        r#"
G, P = ("%s http://api.example.com/echo HTTP/1.1\r\nHost: api.example.com\r\n" % method for method in ["GET", "POST"])
C = P + "Transfer-Encoding: chunked\r\n\r\n"
bombs = {
    "many headers": G + "X: y\r\n" * 200, "long header": G + "X: " + "y" * 70000, "endless header": G + "X: " + "y" * 300000, "long target": G.replace("/echo", "/" + "a" * 17000), "long method": "A" * 40 + G[3:], "no end": "G" * 200000,
}
bodies = {
    "long trailer": "4\r\nbody\r\n0\r\nX: " + "y" * 9000 + "\r\n\r\n", "many trailers": "0\r\n" + "X: y\r\n" * 300 + "\r\n", "long extension": "4;" + "a" * 300 + "\r\nbody\r\n0\r\n\r\n", "endless size": "0" * 40 + "4\r\nbody\r\n0\r\n\r\n", "huge size": "fffffffffffffffff\r\nbody\r\n0\r\n\r\n", "negative size": "-4\r\nbody\r\n0\r\n\r\n", "hex size": "0x4\r\nbody\r\n0\r\n\r\n",
    "no size": "\r\nbody\r\n0\r\n\r\n", "bare line feed": "4\nbody\n0\n\n", "more than its size": "4\r\nbodyx\r\n0\r\n\r\n", "space": "4 \r\nbody\r\n0\r\n\r\n", "bad trailer": "0\r\nbad trailer\r\n\r\n", "folded trailer": "0\r\nX: a\r\n b\r\n\r\n",
}
def slow(data, tongue=b""):
    begun = time.monotonic()
    with socket.create_connection(PROXY, 10) as line:
        line.settimeout(10)
        try:
            for byte in bytes_of(data):
                line.sendall(bytes([byte])); time.sleep(0.05)
                if time.monotonic() - begun > 5: break
            told = rest(line)
        except OSError: pass
    return "ended" if time.monotonic() - begun < 3 else "went on"
result = {
    "heads": together(lambda case: verdict(raw(PROXY, bombs[case] + "\r\n\r\n"))[:3], bombs),
    "bodies": together(lambda case: raw(PROXY, C + bodies[case]).count("HTTP/1.1 200"), bodies),
    "small chunks": verdict(raw(PROXY, C + "1;a=b\r\nx\r\n" * 20000 + "0\r\n\r\n")),
    "slow": together(slow, ["GET http://api.example.com/echo HTTP/1.1\r\nHost: api.example.com\r\nX: " + "y" * 100, "\x05\x01\x00" * 9, "\x05\x01", "C" * 120, "", "\x05\x01\x00\x05\x01\x00\x03\xff" + "a" * 200]),
    "after": proxied("api.example.com"),
}
"#,
    );
    all_are(&told["heads"], &["400", "414", "431"]);
    all_are(&told["bodies"], &["0"]);
    all_are(&told["slow"], &["ended"]);
    assert_eq!((&told["small chunks"], &told["after"]), (&json!("200"), &json!("200")));
    let requests = web.requests();
    assert!(!requests.iter().any(|request| String::from_utf8_lossy(request).contains("X: y")));
    let whole = requests
        .iter()
        .filter(|request| request.starts_with(b"POST"))
        .filter(|request| request.ends_with(b"0\r\n\r\n"))
        .count();
    assert_eq!(whole, 1, "a body that is refused never ends for the server");
}
