//! Agents that are servers. The one that speaks HTTP does as little as it can, so that what is
//! measured is not it.

use super::FAILED;
use crate::say;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

/// Says back what it hears.
pub fn tcp_echo(port: u16) -> u8 {
    serve(port, |stream| {
        let mut copy = stream.try_clone()?;
        std::io::copy(&mut copy, stream).map(drop)
    })
}

/// Connects there, says what it is told, and tells what it hears until nothing more comes.
pub fn tcp_speak(port: u16) -> u8 {
    let Ok(stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return FAILED };
    let Ok(mut heard) = stream.try_clone() else { return FAILED };
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut &stream);
        _ = stream.shutdown(std::net::Shutdown::Write);
    });
    let mut piece = [0; 16 * 1024];
    let mut output = std::io::stdout().lock();
    loop {
        let told = heard.read(&mut piece).and_then(|length| {
            output.write_all(piece.get(..length).unwrap_or_default())?;
            output.flush().map(|()| length)
        });
        match told {
            Ok(0) => return 0,
            Ok(_) => {}
            Err(_) => return FAILED,
        }
    }
}

/// Answers every request, after its whole body has come, with one short document.
pub fn http(port: u16) -> u8 {
    serve(port, answer_all)
}

/// Every connection has a thread of its own.
fn serve(port: u16, connection: fn(&mut TcpStream) -> std::io::Result<()>) -> u8 {
    let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) else { return FAILED };
    say("ready");
    for stream in listener.incoming() {
        let Ok(mut stream) = stream else { continue };
        let small = std::thread::Builder::new().stack_size(64 * 1024);
        // Who comes when there is no thread left is not served.
        _ = small.spawn(move || connection(&mut stream));
    }
    FAILED
}

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n{\"ok\":true}";

fn answer_all(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut held = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        while let Some(length) = request_bytes(&held) {
            held.drain(..length);
            stream.write_all(ANSWER)?;
        }
        match stream.read(&mut piece)? {
            0 => return Ok(()),
            length => held.extend_from_slice(piece.get(..length).unwrap_or_default()),
        }
    }
}

/// How long the first request is, once it is there as a whole.
fn request_bytes(held: &[u8]) -> Option<usize> {
    let head = held.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(held.get(..head)?).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let whole = head + length.and_then(|length| length.trim().parse().ok()).unwrap_or(0);
    (held.len() >= whole).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::request_bytes;

    #[test]
    fn a_request_is_whole_with_its_body() {
        let request = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(request_bytes(request), Some(request.len()));
        assert_eq!(request_bytes(&request[..request.len() - 1]), None);
        assert_eq!(request_bytes(b"GET /ping HTTP/1.1\r\n"), None);
    }
}
