//! A service that speaks first and then only listens. Must not know: what its text means.

use std::io::{self, Write};
use std::net::TcpListener;

use crate::service::Service;

pub(crate) fn start(listener: TcpListener, text: Vec<u8>) -> io::Result<Service> {
    Service::start(listener, move |stream| {
        let mut stream = stream;
        // Both fail only when the peer is gone, which ends the service of it.
        let _ = stream.write_all(&text).and_then(|()| io::copy(&mut stream, &mut io::sink()));
    })
}
