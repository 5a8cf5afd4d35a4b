//! Sessions that are observed: what would be refused is let out and reported, and what nobody
//! may reach stays out of reach.

use it::runs::invoke;
use serde_json::{Value, json};

use super::{TOOLS, place};

#[test]
fn an_observed_session_reports_what_it_would_be_refused_and_reaches_nothing_inside() {
    let Some(place) = place() else { return };
    let (web, inside) = (place.world.web("20.0.0.1", 80), place.world.web("10.20.0.5", 80));
    let (meta, shell) =
        (place.world.web("169.254.169.254", 80), place.world.banner("20.0.0.1", 22, "SSH-2.0-outside\r\n"));
    for (name, address) in [
        ("public", "20.0.0.1"),
        ("private", "10.20.0.5"),
        ("own", "10.77.0.1"),
        ("meta", "169.254.169.254"),
        ("loop", "127.0.0.1"),
        ("six", "fd77::1"),
    ] {
        place.world.names().set_addresses(&format!("{name}.example.com"), &[address]);
    }
    place.deploy("watched", json!([]));
    let code = format!(
        r#"{TOOLS}
names = ["private", "own", "meta", "loop", "six"]
result = {{
    "public": proxied("public.example.com"),
    "speaks first": raw(("public.example.com", 22), b""),
    "inside": {{name: proxied(name + ".example.com") for name in names}},
    "tunnels": {{name: tunnelled(name + ".example.com:80") for name in names}},
    "literal": [proxied(address) for address in ["20.0.0.1", "169.254.169.254", "127.0.0.1", "10.77.0.1"]],
    "smuggled": verdict(raw(PROXY, "GET http://public.example.com/ HTTP/1.1\r\nHost: private.example.com\r\n\r\n"))[:3],
    "udp": raw(("8.8.8.8", 53), b"x", 1)[:5],
}}
"#
    );
    let asked = |session: Option<&str>| {
        let mut request = json!({"input": {"code": code}});
        if let Some(session) = session {
            request["session_id"] = json!(session);
        }
        request
    };
    let plain = place.run("watched", "result = proxied('public.example.com')");
    assert_eq!(plain, "403 not_permitted");
    let observe = |key: &str, request: &Value| {
        place.server.with_key(key, "POST", "/api/v1/agents/watched/observations", &request.to_string())
    };
    for role in ["viewer", "operator"] {
        let answer = observe(&place.server.key(role), &asked(None));
        assert_eq!(answer.status, 403, "{role}: {}", answer.text);
    }
    assert_eq!(web.connections(), 0);
    let answer = observe(&place.server.admin, &asked(Some("seen")));
    assert_eq!(answer.status, 200, "{}\n{}", answer.text, place.server.log());
    let told = answer.json()["output"].clone();
    assert_eq!((&told["public"], &told["smuggled"]), (&json!("200"), &json!("400")), "{told}");
    assert_eq!(told["speaks first"], "SSH-2.0-outside\r\n");
    for way in ["inside", "tunnels"] {
        for (name, answer) in told[way].as_object().unwrap() {
            let own = ["own", "six"].contains(&name.as_str());
            assert_eq!(answer, if own { "403 own_address" } else { "403 address" }, "{way} {name}");
        }
    }
    assert_eq!(told["literal"], json!(vec!["403 name"; 4]));
    assert_eq!((inside.connections(), meta.connections(), shell.connections(), web.connections()), (0, 0, 1, 1));
    let records = place.decisions_of("refused=true&host=public.example.com", 3);
    let seen: Vec<_> = records.iter().filter(|record| record["observed"] == true).collect();
    assert_eq!(seen.len(), 2, "{records:?}");
    assert!(seen.iter().all(|record| record["refusal"] == "not_permitted" && record["allowed"] == false), "{seen:?}");
    // A session that is observed is nobody else's, and one that is not does not become one.
    let joined = invoke(&place.server, "watched", &asked(Some("seen")));
    assert_eq!((joined.status, joined.code().as_str()), (409, "ERR_STATE_INVALID"), "{}", joined.text);
    let plain = invoke(&place.server, "watched", &json!({"session_id": "plain", "input": {"code": "result = 1"}}));
    assert_eq!(plain.status, 200, "{}", plain.text);
    let joined = observe(&place.server.admin, &asked(Some("plain")));
    assert_eq!((joined.status, joined.code().as_str()), (409, "ERR_STATE_INVALID"), "{}", joined.text);
    assert_eq!(web.connections(), 1, "a plain invocation reaches nothing by an observed session");
}
