//! What the web server says, by path. Must not know: how requests are read or recorded.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

use super::request::Request;
use crate::pattern::{pattern, write_pattern};

/// What RFC 6455 has a server add to the key of a client.
const WEBSOCKET_SUFFIX: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CHUNK_LENGTH: usize = 16 * 1024;
/// A body up to this length goes out together with its head.
const SMALL: u64 = 16 * 1024;

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    Keep,
    Close,
    /// Nothing more is said, and what comes is only recorded.
    Hang,
    /// Every byte is sent back.
    Echo,
    /// Every WebSocket frame is sent back.
    Frames,
}

/// Answers one request, whose body was read.
pub(crate) fn answer(request: &Request, out: &mut impl Write) -> io::Result<After> {
    let path: Vec<&str> = request.path().split('/').skip(1).collect();
    let is_head = request.method == "HEAD";
    match path[..] {
        [""] => text(out, "200 OK", "text/plain", "outside\n", is_head),
        ["echo"] => text(out, "200 OK", "application/json", &describe(request), is_head),
        ["bytes", length] => bytes(out, number(length), is_head),
        ["chunked", length] => chunked(out, number(length), is_head),
        ["close", length] => until_close(out, number(length), is_head),
        ["short", length] => short(out, number(length)),
        ["status", status] => empty(out, &format!("{status} Asked")),
        ["redirect"] => redirect(out, request),
        ["headers", count] => headers(out, number(count), is_head),
        ["slow"] => slow(out, 10, 100),
        ["slow", count, pause] => slow(out, number(count), number(pause)),
        ["hang"] => Ok(After::Hang),
        ["smuggle"] => smuggle(out),
        ["ws"] => upgrade(out, request, After::Echo),
        ["ws", "frames"] => upgrade(out, request, After::Frames),
        _ => text(out, "404 Not Found", "text/plain", "no such page\n", is_head),
    }
}

/// Answers what is no request.
pub(crate) fn refuse(out: &mut impl Write) -> io::Result<()> {
    out.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?;
    out.flush()
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or(0)
}

fn text(out: &mut impl Write, status: &str, media_type: &str, body: &str, is_head: bool) -> io::Result<After> {
    let shown = if is_head { "" } else { body };
    let length = body.len();
    let answer = format!("HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n{shown}");
    out.write_all(answer.as_bytes())?;
    Ok(After::Keep)
}

fn describe(request: &Request) -> String {
    serde_json::json!({
        "method": request.method,
        "target": request.target,
        "headers": request.headers,
        "body_length": request.body_length,
    })
    .to_string()
}

fn bytes(out: &mut impl Write, length: u64, is_head: bool) -> io::Result<After> {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {length}\r\n\r\n");
    let mut answer = head.into_bytes();
    if length <= SMALL && !is_head {
        write_pattern(&mut answer, length)?;
        out.write_all(&answer)?;
    } else {
        out.write_all(&answer)?;
        write_pattern(out, if is_head { 0 } else { length })?;
    }
    Ok(After::Keep)
}

fn chunked(out: &mut impl Write, length: u64, is_head: bool) -> io::Result<After> {
    out.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n")?;
    if is_head {
        return Ok(After::Keep);
    }
    let block = pattern(CHUNK_LENGTH + 26);
    let mut sent = 0;
    while sent < length {
        let piece = usize::try_from(length - sent).map_or(CHUNK_LENGTH, |left| left.min(CHUNK_LENGTH));
        let start = (sent % 26) as usize;
        let mut chunk = format!("{piece:x}\r\n").into_bytes();
        chunk.extend(&block[start..start + piece]);
        chunk.extend(b"\r\n");
        out.write_all(&chunk)?;
        sent += piece as u64;
    }
    out.write_all(b"0\r\n\r\n")?;
    Ok(After::Keep)
}

fn until_close(out: &mut impl Write, length: u64, is_head: bool) -> io::Result<After> {
    out.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n")?;
    write_pattern(out, if is_head { 0 } else { length })?;
    Ok(After::Close)
}

fn short(out: &mut impl Write, length: u64) -> io::Result<After> {
    out.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n").as_bytes())?;
    write_pattern(out, length / 2)?;
    Ok(After::Close)
}

fn empty(out: &mut impl Write, status: &str) -> io::Result<After> {
    let has_length = !status.starts_with('1') && !status.starts_with("204") && !status.starts_with("304");
    let length = if has_length { "content-length: 0\r\n" } else { "" };
    out.write_all(format!("HTTP/1.1 {status}\r\n{length}\r\n").as_bytes())?;
    Ok(After::Keep)
}

fn redirect(out: &mut impl Write, request: &Request) -> io::Result<After> {
    let target = request.query().strip_prefix("to=").unwrap_or_default();
    let mut answer = b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: ".to_vec();
    answer.extend(unescape(target));
    answer.extend(b"\r\n\r\n");
    out.write_all(&answer)?;
    Ok(After::Keep)
}

fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = if *first == b'%' { tail.get(..2) } else { None };
        let byte = escaped.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    bytes
}

fn headers(out: &mut impl Write, count: u64, is_head: bool) -> io::Result<After> {
    let lines: String = (0..count).map(|index| format!("x-header-{index}: value-{index}\r\n")).collect();
    let body = if is_head { "" } else { "ok" };
    out.write_all(format!("HTTP/1.1 200 OK\r\n{lines}content-length: 2\r\n\r\n{body}").as_bytes())?;
    Ok(After::Keep)
}

fn slow(out: &mut impl Write, count: u64, pause: u64) -> io::Result<After> {
    out.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {count}\r\n\r\n").as_bytes())?;
    out.flush()?;
    for byte in b"abcdefghijklmnopqrstuvwxyz".iter().cycle().take(usize::try_from(count).unwrap_or(usize::MAX)) {
        thread::sleep(Duration::from_millis(pause));
        out.write_all(&[*byte])?;
        out.flush()?;
    }
    Ok(After::Keep)
}

fn smuggle(out: &mut impl Write) -> io::Result<After> {
    out.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    )?;
    Ok(After::Close)
}

fn upgrade(out: &mut impl Write, request: &Request, after: After) -> io::Result<After> {
    let key = request.header("sec-websocket-key").filter(|_| request.has("upgrade", "websocket"));
    let Some(key) = key else { return empty(out, "426 Upgrade Required") };
    let accept = STANDARD.encode(digest(&SHA1_FOR_LEGACY_USE_ONLY, format!("{key}{WEBSOCKET_SUFFIX}").as_bytes()));
    let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade";
    out.write_all(format!("{head}\r\nsec-websocket-accept: {accept}\r\n\r\n").as_bytes())?;
    Ok(after)
}
