//! What is granted is reached, by every way there is; what is not granted is not, and the program
//! is told so.

use serde_json::json;

use super::place;

#[test]
fn a_granted_host_is_reached_by_every_way_and_no_other() {
    let Some(place) = place() else { return };
    place.world.names().set_addresses("api.example.com", &["20.0.0.1"]);
    place.world.names().set_addresses("evil.example.com", &["20.0.0.2"]);
    let web = place.world.web("20.0.0.1", 80);
    let other = place.world.web("20.0.0.2", 80);
    place.deploy("reacher", json!([{"host": "api.example.com", "ports": [80]}]));
    let told = place.run(
        "reacher",
        r#"
socks = b"\x05\x01\x00" + b"\x05\x01\x00\x03\x0fapi.example.com" + struct.pack(">H", 80) + b"GET /echo HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n"
line, head = connect("api.example.com:80")
line.sendall(b"GET /echo HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n")
tunnelled = rest(line)
refused_line, refused_head = connect("evil.example.com:80")
refused_body = rest(refused_line)
result = {
    "proxied": get("http://api.example.com/echo?x=1"),
    "socks": raw(PROXY, socks, half=False),
    "connect": [head, tunnelled],
    "address": resolve("api.example.com"),
    "direct": raw(("api.example.com", 80), "GET /echo HTTP/1.1\r\nHost: api.example.com\r\nConnection: close\r\n\r\n", half=False),
    "refused": get("http://evil.example.com/"),
    "refused_connect": [refused_head, refused_body],
    "refused_name": resolve("evil.example.com"),
    "port": get("http://api.example.com:8081/"),
}
"#,
    );
    assert_eq!(told["proxied"][0], 200, "{told}");
    assert!(told["proxied"][1].as_str().unwrap().contains("/echo?x=1"), "{told}");
    assert!(told["socks"].as_str().unwrap().contains("200 OK"), "{told}");
    assert!(told["connect"][0].as_str().unwrap().starts_with("HTTP/1.1 200"), "{told}");
    assert!(told["connect"][1].as_str().unwrap().contains("200 OK"), "{told}");
    assert!(told["address"].as_str().unwrap().starts_with("127.64."), "{told}");
    assert!(told["direct"].as_str().unwrap().contains("200 OK"), "{told}");
    assert_eq!(told["refused"][0], 403, "{told}");
    assert!(told["refused"][1].as_str().unwrap().contains("ERR_EGRESS_DENIED"), "{told}");
    assert!(told["refused_connect"][0].as_str().unwrap().starts_with("HTTP/1.1 403"), "{told}");
    assert!(told["refused_name"].as_str().unwrap().starts_with("error"), "{told}");
    assert_eq!(told["port"][0], 403, "{told}");
    assert_eq!(web.connections(), 4);
    assert_eq!(other.connections(), 0);
    assert_eq!(place.world.names().asked("evil.example.com"), 0, "what is refused is not resolved outside");
    let refused = place.decisions_of("refused=true", 3);
    assert!(refused.iter().all(|record| record["refusal"] == "not_permitted"), "{refused:?}");
}
