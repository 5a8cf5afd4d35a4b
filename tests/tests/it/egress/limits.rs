//! How much one box may take of the way out, and that it takes it from itself only.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Place, place_with};

fn limited(config: &str) -> Option<(Place, aegis_world::Web)> {
    let place = place_with(config)?;
    let web = place.world.web("20.0.0.1", 80);
    for name in ["api", "bytes"] {
        place.world.names().set_addresses(&format!("{name}.example.com"), &["20.0.0.1"]);
    }
    let grants = json!([{"host": "api.example.com", "ports": [80]}, {"host": "bytes.example.com", "ports": [7, 9, 19], "protocol": "tcp"}]);
    for agent in ["greedy", "modest"] {
        place.deploy(agent, grants.clone());
    }
    Some((place, web))
}

fn too_much(place: &Place, agent: &str) -> Vec<Value> {
    let all = place.decisions_of(&format!("refused=true&agent={agent}"), 1);
    all.into_iter().filter(|record| record["refusal"] == "too_much").collect()
}

#[test]
fn a_session_has_only_so_many_connections_at_a_time() {
    let Some((place, _web)) = limited("session_connections_max = 6") else { return };
    let echo = place.world.echo("20.0.0.1", 7);
    let told = place.run(
        "greedy",
        r#"
lines = [connect("bytes.example.com:7") for _ in range(6)]
def closed(data):
    line = socket.create_connection(PROXY, 5)
    try:
        line.sendall(data)
        return rest(line)
    except OSError: return ""
more = [closed(b"GET http://api.example.com/echo HTTP/1.1\r\nHost: api.example.com\r\n\r\n")[:40] for _ in range(5)]
direct = raw(("bytes.example.com", 7), b"x", 5)
for line, _ in lines[:3]: line.close()
time.sleep(0.3)
result = {"heads": [head[9:12] for _, head in lines], "more": more, "direct": direct, "after": [proxied("api.example.com") for _ in range(3)]}
"#,
    );
    assert_eq!(told["heads"], json!(vec!["200"; 6]));
    assert!(told["more"].as_array().unwrap().iter().all(|told| !told.as_str().unwrap().contains(" 200 ")), "{told}");
    assert!(!told["direct"].as_str().unwrap().contains('x'), "{told}");
    assert_eq!(told["after"], json!(vec!["200"; 3]), "what is closed makes room");
    assert_eq!(echo.connections(), 6);
    let refused = too_much(&place, "greedy");
    assert!(!refused.is_empty() && refused.len() <= 2, "one record tells of all of them: {refused:?}");
}

#[test]
fn a_session_has_only_so_many_requests_per_second_and_so_many_records_of_those_beyond() {
    let Some((place, web)) = limited("session_burst = 5\nsession_rate_per_second = 2") else { return };
    let told = place.run(
        "greedy",
        r#"
begun = time.monotonic()
first = [proxied("api.example.com") for _ in range(30)]
seconds = time.monotonic() - begun
kinds = {
    "hosts": lambda number: proxied(f"data{number}.evil.io"),
    "tunnels": lambda number: tunnelled(f"data{number}.evil.io:443"),
    "addresses": lambda number: proxied(f"20.0.{number // 200}.{number % 200}"),
    "bad names": lambda number: tunnelled(f"data{number}..evil.io:443"),
    "socks": lambda number: str(socks(3, f"data{number}.evil.io")),
    "names": lambda number: resolve(f"data{number}.evil.io")[:5],
}
many = {kind: sorted(set(kinds[kind](number) for number in range(150))) for kind in kinds}
time.sleep(2)
result = {"first": first, "seconds": seconds, "many": many, "later": proxied("api.example.com")}
"#,
    );
    let first = told["first"].as_array().unwrap();
    let passed = first.iter().filter(|answer| **answer == "200").count();
    let expected = 5.0 + 2.0 * told["seconds"].as_f64().unwrap() + 1.0;
    assert!(passed >= 5 && passed as f64 <= expected, "{passed} passed: {told}");
    assert!(first.iter().all(|answer| answer == "200" || answer == "429 too_much"), "{told}");
    assert_eq!((web.connections(), &told["later"]), (passed + 1, &json!("200")), "{told}");
    let records = place.decisions_of("refused=true", 1);
    assert!(!too_much(&place, "greedy").is_empty(), "{records:?}");
    assert!(records.len() < 60, "{} records for 900 refusals: what is refused fills the store: {told}", records.len());
}

#[test]
fn a_session_moves_only_so_many_bytes_in_both_directions_together() {
    let Some((place, _web)) = limited("session_max_mib = 1") else { return };
    let (sink, _source) = (place.world.sink("20.0.0.1", 9), place.world.source("20.0.0.1", 19));
    let ways = [
        (
            "download",
            r#"got = raw(PROXY, "GET http://api.example.com/bytes/30000000 HTTP/1.1\r\nHost: api.example.com\r\n\r\n", 20)"#,
        ),
        (
            "chunks",
            r#"got = raw(PROXY, "GET http://api.example.com/chunked/30000000 HTTP/1.1\r\nHost: api.example.com\r\n\r\n", 20)"#,
        ),
        ("stream", r#"got = raw(("bytes.example.com", 19), b"", 20, half=False)"#),
        ("upload", r#"got = raw(("bytes.example.com", 9), b"x" * 30000000, 20)"#),
        (
            "many",
            "got = ''.join(raw(PROXY, 'GET http://api.example.com/bytes/200000 HTTP/1.1\\r\\nHost: api.example.com\\r\\n\\r\\n') for _ in range(20))",
        ),
    ];
    for (way, code) in ways {
        let told = place.run(
            "greedy",
            &format!("{code}\nresult = [len(got), proxied('api.example.com'), tunnelled('bytes.example.com:9')]"),
        );
        assert!(told[0].as_u64().unwrap() < 3 << 20, "{way}: {told}");
        assert_eq!((&told[1], &told[2]), (&json!("429 too_much"), &json!("429 too_much")), "{way}");
    }
    assert!(sink.bytes() < 3 << 20, "{} bytes have left", sink.bytes());
    let records = place.decisions_of("agent=greedy", 10);
    // The last of many small answers may be whole just when it is too much.
    assert!(records.iter().filter(|record| record["state"] == "exceeded").count() >= 4, "{records:?}");
    assert!(!too_much(&place, "greedy").is_empty());
    assert_eq!(place.run("modest", "result = proxied('api.example.com')"), "200", "another session has its own");
}

#[test]
fn what_moves_nothing_and_what_stays_too_long_is_ended() {
    let Some((place, web)) = limited("idle_timeout_ms = 1000\nlifetime_ms = 3000") else { return };
    let _echo = place.world.echo("20.0.0.1", 7);
    let told = place.run(
        "greedy",
        r#"
def measured(work):
    begun = time.monotonic()
    work()
    return time.monotonic() - begun
def idle():
    line, head = connect("bytes.example.com:7", 15)
    line.recv(10)
def busy():
    line, head = connect("bytes.example.com:7", 15)
    try:
        while True:
            line.sendall(b"x")
            if not line.recv(10): return
            time.sleep(0.1)
    except OSError: pass
def hanging(): raw(PROXY, "GET http://api.example.com/hang HTTP/1.1\r\nHost: api.example.com\r\n\r\n", 15, half=False)
def half_said(): raw(PROXY, "POST http://api.example.com/echo HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 9\r\n\r\nx", 15, half=False)
def deaf():
    line = socket.create_connection(PROXY, 15)
    line.sendall(b"GET http://api.example.com/bytes/100000000 HTTP/1.1\r\nHost: api.example.com\r\n\r\n")
    time.sleep(3.5)
    line.settimeout(5)
    rest(line)
works = {"idle": idle, "busy": busy, "hanging": hanging, "half said": half_said, "deaf": deaf}
result = together(lambda case: measured(works[case]), works)
"#,
    );
    let seconds = |case: &str| told[case].as_f64().unwrap();
    for case in ["idle", "hanging", "half said"] {
        assert!((0.9..3.5).contains(&seconds(case)), "{case}: {told}");
    }
    assert!((2.9..5.5).contains(&seconds("busy")) && seconds("deaf") < 6.0, "{told}");
    assert!(web.wait_for_current(0, Duration::from_secs(2)), "{} are open outside", web.current());
    let records = place.decisions_of("agent=greedy", 5);
    assert_eq!(records.iter().filter(|record| record["state"] == "exceeded").count(), 5, "{records:?}");
}

#[test]
fn two_thousand_half_open_connections_of_one_box_leave_the_others_their_way() {
    let Some((place, web)) = limited("") else { return };
    place.run("modest", "result = proxied('api.example.com')");
    let flood = place.begin(
        "greedy",
        r#"
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
lines, why = [], ""
begun = time.monotonic()
while len(lines) < 2000 and time.monotonic() - begun < 6:
    try:
        line = socket.create_connection(PROXY, 1)
        line.sendall([b"", b"GET http://api.example.com/echo HTTP/1.1\r\nX: ", b"\x05\x02", b"CONNECT api.example.com:80 HTTP/1.1\r\n"][len(lines) % 4])
        lines.append(line)
    except OSError as error: why = str(error)
time.sleep(4)
result = [len(lines), why]
for line in lines: line.close()
time.sleep(0.5)
result.append(proxied("api.example.com"))
"#,
    );
    std::thread::sleep(Duration::from_secs(1));
    let begun = Instant::now();
    let told = place
        .run("modest", "result = [[proxied('api.example.com') for _ in range(20)], resolve('api.example.com')[:7]]");
    eprintln!("twenty requests beside a flood took {:?}, with the start of their box", begun.elapsed());
    assert_eq!(told, json!([vec!["200"; 20], "127.64."]));
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    assert_eq!(place.server.admin("GET", "/api/v1/agents", "").status, 200);
    let told = place.finish(&flood);
    assert!(told[0].as_u64().unwrap() >= 2_000, "{told}");
    assert_eq!(told[2], "200", "the box itself goes on when it lets go: {told}");
    assert_eq!(web.connections(), 22);
    let refused = too_much(&place, "greedy");
    assert!(!refused.is_empty() && refused.len() <= 3, "{refused:?}");
}

#[test]
fn what_is_refused_again_and_again_is_told_in_few_records() {
    let Some((place, web)) = limited("session_burst = 5000") else { return };
    let told = place.run(
        "greedy",
        r#"
def asked():
    question = b"\x04evil\x02io\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        line.settimeout(5)
        for number in range(1000):
            line.sendto(struct.pack(">H", number) + b"\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00" + question, ("127.0.0.1", 53))
            if line.recv(512)[3] & 15 != 3: return "another answer"
    return "refused"
result = {"names": asked(), "requests": sorted({proxied("evil.io", "/same?" + str(number)) for number in range(200)}), "handles": len({re.search('dec_[0-9A-Za-z_]+|"decision_id":"[^"]+', raw(PROXY, "CONNECT evil.io:1 HTTP/1.1\r\nHost: evil.io:1\r\n\r\n")).group(0) for _ in range(50)})}
"#,
    );
    assert_eq!(told, json!({"names": "refused", "requests": ["403 not_permitted"], "handles": 1}));
    assert_eq!((web.connections(), place.world.names().asked("evil.io")), (0, 0));
    let repeats = |records: &[Value], manner: &str| -> u64 {
        records
            .iter()
            .filter(|record| record["manner"] == manner)
            .map(|record| record["repeated"].as_u64().unwrap_or(0))
            .sum()
    };
    place.wait_until("how often it was repeated is told when the box is gone", || {
        let records = place.decisions("refused=true");
        repeats(&records, "name") >= 990 && repeats(&records, "http") >= 190 && repeats(&records, "tls") >= 45
    });
    let records = place.decisions("refused=true");
    assert!(records.len() <= 6, "{} records: {records:?}", records.len());
    let entries = place.server.admin("GET", "/api/v1/ledger/entries?limit=500", "").json();
    let denials =
        entries["items"].as_array().unwrap().iter().filter(|item| item["entry"]["action"] == "connect").count();
    assert!((3..=12).contains(&denials), "{denials} entries of the ledger");
}

#[test]
fn connections_that_nobody_reads_from_hold_little_memory() {
    let Some((place, _web)) = limited("") else { return };
    let source = place.world.source("20.0.0.1", 19);
    let memory = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", place.server.pid().as_raw_nonzero())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
    };
    place.run("modest", "result = proxied('api.example.com')");
    let before = memory();
    let deaf = place.begin(
        "greedy",
        r#"
lines = [connect("bytes.example.com:19") for _ in range(60)]
time.sleep(2)
result = len(lines)
"#,
    );
    place.wait_until("all are open", || source.current() == 60);
    std::thread::sleep(Duration::from_secs(1));
    let grown = memory().saturating_sub(before);
    eprintln!("60 connections that nobody reads from took {grown} MiB");
    assert!(grown < 24, "{grown} MiB for 60 connections");
    assert_eq!(place.finish(&deaf), 60);
    assert!(source.wait_for_current(0, Duration::from_secs(3)), "{} are open", source.current());
}
