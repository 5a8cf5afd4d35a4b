//! Connections into a box: TCP streams in the box's own network, made or taken by the guest
//! and used from here. Whoever made one may still hold it, and change how it is set up;
//! so every call says itself that it does not wait.
//! Must not know: what is said on them.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aegis_door::{Limits, ToHost};
use aegis_model::boxes::BoxError;
use aegis_model::port::{ByteSink, ByteSource, Connection};
use async_trait::async_trait;
use bytes::Bytes;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketType, ipproto, recv, send, shutdown, sockopt};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::streams::Counts;
use super::watched::watched;

/// Bytes that are taken in at once.
const PIECE_BYTES: usize = 16 * 1024;

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
    sockopt::socket_domain(descriptor) == Ok(AddressFamily::INET)
        && sockopt::socket_type(descriptor) == Ok(SocketType::STREAM)
        && sockopt::socket_protocol(descriptor) == Ok(Some(ipproto::TCP))
        && sockopt::socket_acceptconn(descriptor) == Ok(false)
}

/// A connection, as both of its directions know it.
struct Stream {
    socket: AsyncFd<OwnedFd>,
    counts: Arc<Counts>,
    _place: Place,
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Otherwise closing could wait for bytes that nobody takes.
        let _ = sockopt::set_socket_linger(&self.socket, None);
    }
}

/// Takes a connection over, and waits until it stands.
///
/// # Errors
/// When it does not come to stand.
pub async fn open(socket: OwnedFd, counts: &Arc<Counts>, place: Place) -> io::Result<Connection> {
    let flags = rustix::fs::fcntl_getfl(&socket)?;
    rustix::fs::fcntl_setfl(&socket, flags | rustix::fs::OFlags::NONBLOCK)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    let stream = Arc::new(Stream { socket: watched(socket)?, counts: Arc::clone(counts), _place: place });
    stream.socket.writable().await?.retain_ready();
    sockopt::socket_error(&stream.socket)??;
    Ok(Connection { input: Box::new(Sink(Arc::clone(&stream))), output: Box::new(Source(stream)) })
}

/// What the server inside says.
struct Source(Arc<Stream>);

#[async_trait]
impl ByteSource for Source {
    async fn read(&mut self) -> Result<Option<Bytes>, BoxError> {
        let taken = self.0.socket.async_io(Interest::READABLE, |socket| {
            // What comes is mostly short, and nothing comes mostly at first.
            let mut piece = [MaybeUninit::uninit(); PIECE_BYTES];
            let (taken, _) = recv(socket.as_fd(), &mut piece, RecvFlags::DONTWAIT)?.0;
            Ok(Bytes::copy_from_slice(taken))
        });
        match taken.await {
            Ok(piece) if piece.is_empty() => Ok(None),
            Ok(piece) => {
                count(&self.0.counts.outward, piece.len());
                Ok(Some(piece))
            }
            Err(_) => Err(BoxError::ConnectionLost),
        }
    }
}

/// What is said to the server inside.
struct Sink(Arc<Stream>);

#[async_trait]
impl ByteSink for Sink {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BoxError> {
        let mut rest = bytes.as_ref();
        while !rest.is_empty() {
            let sent = self.0.socket.async_io(Interest::WRITABLE, |socket| {
                Ok(send(socket.as_fd(), rest, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)?)
            });
            let sent = sent.await.map_err(|_| BoxError::ConnectionLost)?;
            count(&self.0.counts.inward, sent);
            rest = rest.get(sent..).unwrap_or_default();
        }
        Ok(())
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _: Result<(), Errno> = shutdown(&self.0.socket, Shutdown::Write);
    }
}

fn count(bytes: &std::sync::atomic::AtomicU64, length: usize) {
    bytes.fetch_add(u64::try_from(length).unwrap_or_default(), Ordering::Relaxed);
}
