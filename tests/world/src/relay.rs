//! A service that is a Unix socket of this machine, so that a program which listens there is
//! reachable as a host outside. Must not know: what the program speaks.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;

use crate::service::Service;

pub(crate) fn start(listener: TcpListener, path: PathBuf) -> io::Result<Service> {
    Service::start(listener, move |stream| {
        // Without a program at the socket the connection ends at once.
        if let Ok(program) = UnixStream::connect(&path) {
            join(stream, &program);
        }
    })
}

/// Carries both directions until both have ended. What goes wrong in one ends both.
fn join(peer: &TcpStream, program: &UnixStream) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let how = if io::copy(&mut &*peer, &mut &*program).is_ok() { Shutdown::Write } else { Shutdown::Both };
            // Either end may be gone already.
            let _ = program.shutdown(how);
        });
        let how = if io::copy(&mut &*program, &mut &*peer).is_ok() { Shutdown::Write } else { Shutdown::Both };
        let _ = peer.shutdown(how);
        if how == Shutdown::Both {
            let _ = program.shutdown(how);
        }
    });
}
