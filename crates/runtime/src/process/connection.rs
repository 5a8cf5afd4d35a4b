//! Connections into a box: TCP streams in the box's own network, made or taken by the guest
//! and used from here. Whoever made one may still hold it, and change how it is set up;
//! so every call says itself that it does not wait.
//! Must not know: what is said on them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, ready};

use aegis_door::{Limits, ToHost};
use aegis_model::boxes::BoxError;
use aegis_model::port::Stream;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, ipproto, recv, send, shutdown, sockopt};
use tokio::io::unix::AsyncFd;

use super::streams::Counts;
use super::watched::watched;

/// How many connections of one kind are open, or being made.
#[derive(Debug)]
pub struct Places {
    open: Arc<AtomicU32>,
    most: u32,
}

/// One of them, until it is dropped.
#[derive(Debug)]
pub struct Place(Arc<AtomicU32>);

impl Default for Places {
    fn default() -> Self {
        Self::new(Limits::default().streams_max)
    }
}

impl Places {
    /// So many.
    pub fn new(most: u32) -> Self {
        Self { open: Arc::default(), most }
    }

    /// One more, if there may be.
    pub fn take(&self) -> Option<Place> {
        let before = self.open.fetch_add(1, Ordering::Relaxed);
        let place = Place(Arc::clone(&self.open));
        (before < self.most).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Looks at what came beside a message: a connection must be one.
///
/// # Errors
/// When the guest handed over something else.
pub fn judge(message: &ToHost, beside: &[OwnedFd]) -> Result<(), String> {
    if matches!(message, ToHost::Connected { .. } | ToHost::Open { .. }) && !beside.iter().all(is_tcp) {
        return Err("what it handed over is no connection".to_owned());
    }
    Ok(())
}

fn is_tcp(descriptor: &OwnedFd) -> bool {
    // Whatever speaks this protocol is a stream.
    sockopt::socket_domain(descriptor) == Ok(AddressFamily::INET)
        && sockopt::socket_protocol(descriptor) == Ok(Some(ipproto::TCP))
        && sockopt::socket_acceptconn(descriptor) == Ok(false)
}

/// A connection, as both of its directions know it.
struct Socket {
    socket: AsyncFd<OwnedFd>,
    counts: Arc<Counts>,
    _place: Place,
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Otherwise closing could wait for bytes that nobody takes.
        let _ = sockopt::set_socket_linger(&self.socket, None);
    }
}

/// Takes a connection over, and waits until it stands.
///
/// # Errors
/// When it does not come to stand.
pub async fn open(socket: OwnedFd, counts: &Arc<Counts>, place: Place) -> io::Result<Arc<dyn Stream>> {
    let socket = held(socket, counts, place)?;
    socket.socket.writable().await?.retain_ready();
    sockopt::socket_error(&socket.socket)??;
    Ok(Arc::new(socket))
}

/// Takes a connection over that was taken inside, and so stands already. One that does not is
/// found out when it is used.
///
/// # Errors
/// When it cannot be watched.
pub fn taken(socket: OwnedFd, counts: &Arc<Counts>, place: Place) -> io::Result<Arc<dyn Stream>> {
    Ok(Arc::new(held(socket, counts, place)?))
}

fn held(socket: OwnedFd, counts: &Arc<Counts>, place: Place) -> io::Result<Socket> {
    sockopt::set_tcp_nodelay(&socket, true)?;
    Ok(Socket { socket: watched(socket)?, counts: Arc::clone(counts), _place: place })
}

impl Stream for Socket {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, BoxError>> {
        loop {
            let mut ready = ready!(self.socket.poll_read_ready(context)).map_err(|_| BoxError::ConnectionLost)?;
            let taken = ready.try_io(|socket| Ok(recv(socket.as_fd(), &mut *buffer, RecvFlags::DONTWAIT)?.0));
            if let Ok(taken) = taken {
                let taken = taken.map_err(|_| BoxError::ConnectionLost)?;
                count(&self.counts.outward, taken);
                return Poll::Ready(Ok(taken));
            }
        }
    }

    fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, BoxError>> {
        loop {
            let mut ready = ready!(self.socket.poll_write_ready(context)).map_err(|_| BoxError::ConnectionLost)?;
            let sent =
                ready.try_io(|socket| Ok(send(socket.as_fd(), bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?));
            if let Ok(sent) = sent {
                let sent = sent.map_err(|_| BoxError::ConnectionLost)?;
                count(&self.counts.inward, sent);
                return Poll::Ready(Ok(sent));
            }
        }
    }

    fn shut(&self) {
        let _: Result<(), Errno> = shutdown(&self.socket, Shutdown::Write);
    }
}

fn count(bytes: &std::sync::atomic::AtomicU64, length: usize) {
    bytes.fetch_add(u64::try_from(length).unwrap_or_default(), Ordering::Relaxed);
}
