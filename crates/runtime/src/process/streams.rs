//! The streams of a program, counted. Must not know: what the bytes mean.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aegis_model::boxes::BoxError;
use aegis_model::port::{ByteSink, ByteSource};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// Bytes that are taken in at once.
const PIECE_BYTES: usize = 64 * 1024;

/// Bytes that passed the door.
#[derive(Debug, Default)]
pub struct Counts {
    /// Into the box.
    pub inward: AtomicU64,
    /// Out of the box.
    pub outward: AtomicU64,
}

/// Bytes that come out of the box.
pub struct Source(Option<(OwnedReadHalf, Arc<Counts>)>);

/// Bytes that go into the box.
pub struct Sink(Option<(OwnedWriteHalf, Arc<Counts>)>);

/// A stream: the host's end, and the one for the guest.
pub fn pair() -> io::Result<(UnixStream, OwnedFd)> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    Ok((UnixStream::from_std(ours)?, theirs.into()))
}

/// Both directions of the host's end.
pub fn split(stream: UnixStream, counts: &Arc<Counts>) -> (Source, Sink) {
    let (read, write) = stream.into_split();
    (Source(Some((read, Arc::clone(counts)))), Sink(Some((write, Arc::clone(counts)))))
}

impl Source {
    /// Nothing comes.
    pub fn empty() -> Self {
        Self(None)
    }
}

impl Sink {
    /// Nothing more goes.
    pub fn closed() -> Self {
        Self(None)
    }
}

#[async_trait]
impl ByteSource for Source {
    async fn read(&mut self) -> Result<Option<Bytes>, BoxError> {
        let Some((stream, counts)) = &mut self.0 else { return Ok(None) };
        let mut piece = BytesMut::with_capacity(PIECE_BYTES);
        match stream.read_buf(&mut piece).await {
            Ok(length) if length > 0 => {
                counts.outward.fetch_add(u64::try_from(length).unwrap_or_default(), Ordering::Relaxed);
                Ok(Some(piece.freeze()))
            }
            // A box that is gone says nothing more either way; why it is gone is told elsewhere.
            _ => {
                self.0 = None;
                Ok(None)
            }
        }
    }
}

#[async_trait]
impl ByteSink for Sink {
    async fn write(&mut self, bytes: Bytes) -> Result<(), BoxError> {
        let Some((stream, counts)) = &mut self.0 else { return Err(BoxError::State("not reading any more")) };
        match stream.write_all(&bytes).await {
            Ok(()) => {
                counts.inward.fetch_add(u64::try_from(bytes.len()).unwrap_or_default(), Ordering::Relaxed);
                Ok(())
            }
            Err(_) => {
                self.0 = None;
                Err(BoxError::State("not reading any more"))
            }
        }
    }
}
