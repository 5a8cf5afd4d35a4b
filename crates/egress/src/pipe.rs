//! One side of a connection, with the bytes that were taken in and not yet used. Must not know
//! what they mean.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use aegis_model::boxes::BoxError;
use aegis_model::port::Stream;
use tokio::net::TcpStream;

/// Bytes that are taken in at once while something is still being read.
const PIECE_BYTES: usize = 8 * 1024;

/// A connection to a host outside, as a stream.
pub(crate) struct Upstream(pub(crate) TcpStream);

impl Stream for Upstream {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, BoxError>> {
        loop {
            ready!(self.0.poll_read_ready(context)).map_err(|_| BoxError::ConnectionLost)?;
            match self.0.try_read(buffer) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                taken => return Poll::Ready(taken.map_err(|_| BoxError::ConnectionLost)),
            }
        }
    }

    fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, BoxError>> {
        loop {
            ready!(self.0.poll_write_ready(context)).map_err(|_| BoxError::ConnectionLost)?;
            match self.0.try_write(bytes) {
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                sent => return Poll::Ready(sent.map_err(|_| BoxError::ConnectionLost)),
            }
        }
    }

    fn shut(&self) {
        let _ = rustix::net::shutdown(&self.0, rustix::net::Shutdown::Write);
    }
}

/// One side of a connection.
pub(crate) struct Side {
    stream: Arc<dyn Stream>,
    taken: Vec<u8>,
}

impl Side {
    /// Nothing was taken in yet.
    pub(crate) fn new(stream: Arc<dyn Stream>) -> Self {
        Self { stream, taken: Vec::new() }
    }

    /// The stream itself.
    pub(crate) fn stream(&self) -> &Arc<dyn Stream> {
        &self.stream
    }

    /// What was taken in and not used.
    pub(crate) fn taken(&self) -> &[u8] {
        &self.taken
    }

    /// Whether anything was taken in but ends of lines, which some send between requests.
    pub(crate) fn has_said_something(&self) -> bool {
        self.taken.iter().any(|byte| !matches!(byte, b'\r' | b'\n'))
    }

    /// The first of it are used.
    pub(crate) fn used(&mut self, bytes: usize) {
        self.taken.drain(..bytes.min(self.taken.len()));
    }

    /// All of it, to be used elsewhere.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.taken)
    }

    /// Takes more in; whether there was any.
    ///
    /// # Errors
    /// When the connection has broken.
    pub(crate) async fn more(&mut self) -> Result<bool, BoxError> {
        let (stream, taken) = (&self.stream, &mut self.taken);
        poll_fn(|context| {
            let mut piece = [0; PIECE_BYTES];
            let length = ready!(stream.poll_read(context, &mut piece))?;
            taken.extend_from_slice(piece.get(..length).unwrap_or_default());
            Poll::Ready(Ok(length > 0))
        })
        .await
    }

    /// Passes all of these on.
    ///
    /// # Errors
    /// When the connection has broken.
    pub(crate) async fn write(&self, bytes: &[u8]) -> Result<(), BoxError> {
        write(&*self.stream, bytes).await
    }
}

/// Passes all of these on.
///
/// # Errors
/// When the connection has broken.
pub(crate) async fn write(stream: &dyn Stream, mut bytes: &[u8]) -> Result<(), BoxError> {
    while !bytes.is_empty() {
        let sent = poll_fn(|context| stream.poll_write(context, bytes)).await?;
        bytes = bytes.get(sent..).unwrap_or_default();
    }
    Ok(())
}
