//! A service that speaks without end. Must not know: any protocol above TCP.

use std::io;
use std::net::TcpListener;

use crate::pattern::write_pattern;
use crate::service::Service;

pub(crate) fn start(listener: TcpListener) -> io::Result<Service> {
    Service::start(listener, |stream| {
        // The peer ends it by closing, which is a failure here.
        let _ = write_pattern(&mut &*stream, u64::MAX);
    })
}
