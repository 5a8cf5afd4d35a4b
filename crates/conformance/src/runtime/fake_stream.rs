//! A stream that exists in memory only.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use aegis_model::boxes::BoxError;
use aegis_model::port::Stream;
use tokio::io::{AsyncRead as _, AsyncWrite as _, DuplexStream, ReadBuf};

/// The host's end of a stream that was opened inside.
pub(super) struct FakeStream(pub(super) Mutex<DuplexStream>);

impl FakeStream {
    fn with<T>(&self, poll: impl FnOnce(Pin<&mut DuplexStream>) -> T) -> T {
        poll(Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

impl Stream for FakeStream {
    fn poll_read(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<Result<usize, BoxError>> {
        let mut taken = ReadBuf::new(buffer);
        ready!(self.with(|stream| stream.poll_read(context, &mut taken))).map_err(|_| BoxError::ConnectionLost)?;
        Poll::Ready(Ok(taken.filled().len()))
    }

    fn poll_write(&self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize, BoxError>> {
        self.with(|stream| stream.poll_write(context, bytes)).map_err(|_| BoxError::ConnectionLost)
    }

    fn shut(&self) {
        let _ = self.with(|stream| stream.poll_shutdown(&mut Context::from_waker(Waker::noop())));
    }
}
