//! A connection as hyper wants it: polled for bytes, where the port waits for pieces.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use aegis_model::boxes::BoxError;
use aegis_model::port::{ByteSink, ByteSource, Connection};
use bytes::{Buf as _, Bytes};
use hyper::rt::{Read, ReadBufCursor, Write};

/// Bytes that are passed on at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Something on its way, which gives back what it borrowed.
type Later<S, T> = Pin<Box<dyn Future<Output = (S, Result<T, BoxError>)> + Send>>;

/// Taking in.
enum Reading {
    Rests(Box<dyn ByteSource>),
    Waits(Later<Box<dyn ByteSource>, Option<Bytes>>),
    Over,
}

/// Passing on.
enum Writing {
    Rests(Box<dyn ByteSink>),
    Waits(Later<Box<dyn ByteSink>, ()>),
    Over,
}

/// A connection as hyper wants it.
pub struct Wire {
    reading: Reading,
    writing: Writing,
    /// Bytes that came and were not taken.
    left: Bytes,
    heard: Arc<AtomicBool>,
}

impl Wire {
    /// That connection; `heard` is set whenever bytes come.
    pub fn new(connection: Connection, heard: Arc<AtomicBool>) -> Self {
        let Connection { input, output } = connection;
        Self { reading: Reading::Rests(output), writing: Writing::Rests(input), left: Bytes::new(), heard }
    }

    /// Waits until there are bytes, or will be none any more.
    fn poll_more(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut waiting = match std::mem::replace(&mut self.reading, Reading::Over) {
            Reading::Rests(mut source) => Box::pin(async move {
                let read = source.read().await;
                (source, read)
            }),
            Reading::Waits(waiting) => waiting,
            Reading::Over => return Poll::Ready(Ok(())),
        };
        let Poll::Ready((source, read)) = waiting.as_mut().poll(context) else {
            self.reading = Reading::Waits(waiting);
            return Poll::Pending;
        };
        if let Some(bytes) = read.map_err(io::Error::other)? {
            self.heard.store(true, Ordering::Relaxed);
            self.reading = Reading::Rests(source);
            self.left = bytes;
        }
        Poll::Ready(Ok(()))
    }

    /// Waits until what was taken has been passed on.
    fn poll_passed(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Writing::Waits(waiting) = &mut self.writing else { return Poll::Ready(Ok(())) };
        let (sink, written) = ready!(waiting.as_mut().poll(context));
        self.writing = match written {
            Ok(()) => Writing::Rests(sink),
            Err(_) => Writing::Over,
        };
        Poll::Ready(written.map_err(io::Error::other))
    }
}

impl Read for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.left.is_empty() {
            ready!(self.poll_more(context))?;
        }
        let length = self.left.len().min(buffer.remaining());
        buffer.put_slice(self.left.get(..length).unwrap_or_default());
        self.left.advance(length);
        Poll::Ready(Ok(()))
    }
}

impl Write for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_passed(context))?;
        let Writing::Rests(mut sink) = std::mem::replace(&mut self.writing, Writing::Over) else {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        };
        // Whoever does not read holds up no more than this of it here.
        let bytes = bytes.get(..PIECE_BYTES).unwrap_or(bytes);
        let taken = Bytes::copy_from_slice(bytes);
        self.writing = Writing::Waits(Box::pin(async move {
            let written = sink.write(taken).await;
            (sink, written)
        }));
        // It begins now. Whether it goes well, the next call tells.
        if let Poll::Ready(Err(error)) = self.poll_passed(context) {
            return Poll::Ready(Err(error));
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_passed(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let passed = ready!(self.poll_passed(context));
        self.writing = Writing::Over;
        Poll::Ready(passed)
    }
}
