//! Every subcommand against the program's own servers, directly and through a proxy of a few lines.

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test ends when something is not as it should be, and starts programs"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

/// A server of the program under test, ended with the test.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(kind: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_load"))
            .args(["serve", "listen=127.0.0.1:0", &format!("kind={kind}")])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split('"').nth(3).unwrap().to_owned();
        Self { process, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Starts a proxy that opens a tunnel to whatever it is asked for, but refuses the port 1.
fn proxy() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            thread::spawn(move || drop(tunnel(client)));
        }
    });
    address
}

fn tunnel(mut client: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if client.read(&mut byte)? == 0 {
            return Ok(());
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap();
    assert!(head.contains(&format!("\r\nHost: {target}\r\n")));
    if target.ends_with(":1") {
        return client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    }
    let server = TcpStream::connect(target)?;
    client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || pour(from_client, to_server));
    pour(server, client);
    Ok(())
}

fn pour(mut from: TcpStream, mut to: TcpStream) {
    drop(std::io::copy(&mut from, &mut to));
    drop(to.shutdown(Shutdown::Both));
    drop(from.shutdown(Shutdown::Both));
}

/// Runs the program and gives its line and whether it called that a success.
fn load(words: &str) -> (String, bool) {
    let output = Command::new(env!("CARGO_BIN_EXE_load")).args(words.split(' ')).output().unwrap();
    (String::from_utf8(output.stdout).unwrap(), output.status.success())
}

/// Runs the program, which must succeed with all of these parts in its line.
fn check(words: &str, parts: &[&str]) {
    let (line, success) = load(words);
    assert!(success, "{words}: {line}");
    assert_eq!(line.lines().count(), 1);
    for part in parts {
        assert!(line.contains(part), "`{part}` is missing after `{words}` in {line}");
    }
}

fn number(line: &str, name: &str) -> f64 {
    let (_, rest) = line.split_once(&format!("\"{name}\": ")).unwrap();
    rest.split([',', '}']).next().unwrap().parse().unwrap()
}

#[test]
fn short_connections_all_bring_their_echo_back() {
    let (proxy, echo) = (proxy(), Server::start("echo"));
    let way = format!("proxy={proxy} target={}", echo.address);
    check(&format!("connects {way} count=50 concurrency=4"), &["\"count\": 50", "\"failed\": 0"]);
    check(&format!("connects {way} count=51 concurrency=4 threads=2 hello=a.example"), &["\"count\": 51"]);
    check(&format!("connects {way} count=50 concurrency=4 reset=1"), &["\"failed\": 0"]);
    check(&format!("connects proxy={} direct=1 count=500 concurrency=8", echo.address), &["\"failed\": 0"]);
}

#[test]
fn pings_come_back_with_and_without_a_hello() {
    let (proxy, echo) = (proxy(), Server::start("echo"));
    let way = format!("proxy={proxy} target={}", echo.address);
    check(&format!("pings {way} count=20"), &["\"count\": 20", "\"broken\": 0"]);
    check(&format!("pings {way} count=20 concurrency=3 hello=a.example"), &["\"count\": 60", "\"tunnels\": 3"]);
    check(&format!("pings proxy={} direct=1 count=20", echo.address), &["\"count\": 20"]);
}

#[test]
fn bytes_flow_in_every_direction() {
    let proxy = proxy();
    for (direction, kind) in [("down", "source"), ("up", "sink"), ("both", "echo")] {
        let server = Server::start(kind);
        let way = format!("proxy={proxy} target={}", server.address);
        let words = format!("bytes {way} seconds=1 streams=3 threads=2 direction={direction} hello=a.example");
        let (line, success) = load(&words);
        assert!(success && number(&line, "streams") == 3.0 && number(&line, "closed_early") == 0.0, "{line}");
        assert!(number(&line, "bytes") > 1e6, "{line}");
    }
}

#[test]
fn idle_connections_are_counted_as_long_as_they_last() {
    let (proxy, echo) = (proxy(), Server::start("echo"));
    for stage in ["silent", "half-head", "half-hello"] {
        let words = format!("idle proxy={proxy} target={} stage={stage} count=30 hold_s=1", echo.address);
        check(&words, &["\"opened\": 30", "\"still_open\": 30", "\"refused\": 0"]);
    }
}

#[test]
fn slow_tunnels_send_about_ten_bytes_a_second() {
    let (proxy, echo) = (proxy(), Server::start("echo"));
    let (line, _) = load(&format!("slow proxy={proxy} target={} count=20 hold_s=2", echo.address));
    assert_eq!(number(&line, "still_open"), 20.0);
    assert!((300.0..=500.0).contains(&number(&line, "bytes_sent")), "{line}");
    assert!(number(&line, "bytes_received") > 200.0, "{line}");
}

#[test]
fn a_connection_that_the_other_side_ends_is_reported_with_its_time() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut held: Vec<TcpStream> = listener.incoming().take(5).flatten().collect();
        thread::sleep(std::time::Duration::from_millis(300));
        held.iter_mut().for_each(|client| client.write_all(b"HTTP/1.1 408 Too late\r\n\r\n").unwrap());
    });
    let (line, _) = load(&format!("idle proxy={address} stage=silent count=5 hold_s=1"));
    assert_eq!(number(&line, "closed"), 5.0, "{line}");
    assert!((250.0..900.0).contains(&number(&line, "closed_p50_ms")), "{line}");
    assert!(line.contains("\"answers\": {\"HTTP/1.1 408 Too late\":5}"), "{line}");
}

#[test]
fn what_a_proxy_refuses_is_a_failure_with_its_first_line() {
    let (line, success) = load(&format!("connects proxy={} target=127.0.0.1:1 count=7 concurrency=2", proxy()));
    assert!(!success);
    assert!(line.contains("{\"refused: HTTP/1.1 403 Forbidden\":7}"), "{line}");
}

#[test]
fn a_proxy_that_never_answers_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let way = format!("proxy={} target=a:1", listener.local_addr().unwrap());
    for words in ["connects count=3 concurrency=2", "pings count=1"] {
        let (subcommand, rest) = words.split_once(' ').unwrap();
        let (line, success) = load(&format!("{subcommand} {way} {rest} timeout_s=1"));
        assert!(!success && line.contains("no answer in time"), "{line}");
    }
}

#[test]
fn a_port_where_nobody_listens_and_a_wrong_word_are_told() {
    let (line, success) = load("connects proxy=127.0.0.1:1 direct=1 count=3 concurrency=1");
    assert!(!success && line.contains("refused"), "{line}");
    assert_eq!(load("connects proxy=127.0.0.1:1 direct=1 count=3 concurency=1"), (String::new(), false));
    assert_eq!(load("dance count=3"), (String::new(), false));
}
