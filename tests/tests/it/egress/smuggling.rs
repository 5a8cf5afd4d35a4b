//! Answers: what a host says is read as strictly as what a program asks, and no answer is left
//! lying about for another request.

use serde_json::json;

use super::{all_are, place};

/// Asks for every answer, and for another one after those that could hold one.
const READ: &str = r#"
def asked(path): return f"GET http://api.example.com{path} HTTP/1.1\r\nHost: api.example.com\r\n\r\n"
result = {
    "wrong": together(lambda path: proxied("api.example.com", "/" + path), paths),
    "smuggled": proxied("api.example.com", "/smuggle"),
    "split": raw(PROXY, asked("/split") + asked("/echo")),
    "chunks": raw(PROXY, asked("/chunks") + asked("/echo")),
    "trailer": raw(PROXY, asked("/trailer")),
    "short": raw(PROXY, asked("/short/10") + asked("/echo")),
    "good": [proxied("api.example.com", path) for path in ["/chunked/70000", "/close/70000", "/bytes/70000", "/headers/100", "/status/204", "/status/304", "/status/500"]],
    "head": raw(PROXY, "HEAD http://api.example.com/bytes/9 HTTP/1.1\r\nHost: api.example.com\r\n\r\n" + asked("/status/204")).count("HTTP/1.1 20"),
}
"#;

#[test]
fn an_answer_that_two_readers_could_read_differently_is_none() {
    let Some(place) = place() else { return };
    let web = place.world.web("20.0.0.1", 80);
    place.world.names().set_addresses("api.example.com", &["20.0.0.1"]);
    place.deploy("reader", json!([{"host": "api.example.com", "ports": [80]}]));
    let ok = "HTTP/1.1 200 OK\r\n";
    let wrong = [
        ("lengths", format!("{ok}Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody")),
        ("both", format!("{ok}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("encoding", format!("{ok}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n")),
        ("twice", format!("{ok}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")),
        ("folded", format!("{ok}X: a\r\n b\r\nContent-Length: 4\r\n\r\nbody")),
        ("feed", format!("{ok}X: a\nY: b\r\nContent-Length: 4\r\n\r\nbody")),
        ("return", format!("{ok}X: a\rY: b\r\nContent-Length: 4\r\n\r\nbody")),
        ("zero", format!("{ok}X: a\0b\r\nContent-Length: 4\r\n\r\nbody")),
        ("colon", format!("{ok}Content-Length : 4\r\n\r\nbody")),
        ("version", "HTTP/2 200 OK\r\nContent-Length: 4\r\n\r\nbody".to_owned()),
        ("status", "HTTP/1.1 099 X\r\nContent-Length: 4\r\n\r\nbody".to_owned()),
        ("long-status", "HTTP/1.1 2000 X\r\nContent-Length: 4\r\n\r\nbody".to_owned()),
        ("no-status", "body\r\n\r\n".to_owned()),
        ("empty", String::new()),
        ("half", "HTTP/1.1 200 OK\r\nContent-".to_owned()),
        ("interim", "HTTP/1.1 100 Continue\r\n\r\n".repeat(20)),
        (
            "switched",
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello".to_owned(),
        ),
        ("no-body", "HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nbody".to_owned()),
        ("long-head", format!("{ok}X: {}\r\n\r\n", "y".repeat(70_000))),
        ("many", format!("{ok}{}\r\n", "X: y\r\n".repeat(200))),
    ];
    for (path, bytes) in &wrong {
        web.answer(&format!("/{path}"), bytes.as_str());
    }
    web.answer(
        "/split",
        format!("{ok}Content-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\nContent-Length: 6\r\nX-Stolen: 1\r\n\r\nstolen"),
    );
    web.answer("/chunks", format!("{ok}Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\nzz\r\n\r\n"));
    web.answer(
        "/trailer",
        format!("{ok}Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nSet-Cookie: stolen\r\n\r\n"),
    );
    let told =
        place.run("reader", &format!("paths = {:?}\n{READ}", wrong.iter().map(|(path, _)| *path).collect::<Vec<_>>()));
    all_are(&told["wrong"], &["502"]);
    assert_eq!(told["smuggled"], "502");
    let split = told["split"].as_str().unwrap();
    assert!(!split.contains("stolen") && split.contains(r#""target":"/echo""#), "a second answer is nobody's: {split}");
    for case in ["chunks", "short"] {
        let told = told[case].as_str().unwrap();
        assert!(!told.contains("/echo"), "{case}: nothing follows what is broken: {told}");
        assert!(!told.ends_with("0\r\n\r\n"), "{case}: what is broken is not told as whole: {told}");
    }
    assert!(!told["trailer"].as_str().unwrap().contains("Cookie"), "{told}");
    assert_eq!(told["good"], json!(["200", "200", "200", "200", "204", "304", "500"]));
    assert_eq!(told["head"], 2);
    let failed = place.decisions_of("host=api.example.com", 25);
    assert!(failed.iter().filter(|record| record["state"] == "failed").count() >= 22, "{failed:?}");
}
