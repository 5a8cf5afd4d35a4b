//! A service that says what it hears. Must not know: any protocol above TCP.

use std::io::{self, Read, Write};
use std::net::TcpListener;

use crate::service::Service;

const BUFFER_LENGTH: usize = 16 * 1024;

pub(crate) fn start(listener: TcpListener) -> io::Result<Service> {
    Service::start(listener, |stream| {
        // An end by failure is an end like any other.
        let _ = echo(&mut &*stream);
    })
}

/// Repeats every byte until the peer has no more.
pub(crate) fn echo(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let mut buffer = [0; BUFFER_LENGTH];
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..length])?;
        stream.flush()?;
    }
}
