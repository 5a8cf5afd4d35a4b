//! Counts what is read and stops at a bound. Must not know: what is read.

use std::io::{self, Read};

use super::BundleError;

/// How much may be read, and what is said beyond it.
pub(super) struct Bound {
    pub(super) bytes_max: u64,
    pub(super) error: BundleError,
}

/// A reader that counts.
pub(super) struct Meter<R> {
    inner: R,
    bound: Bound,
    count: u64,
}

impl<R: Read> Meter<R> {
    pub(super) fn new(inner: R, bound: Bound) -> Self {
        Self { inner, bound, count: 0 }
    }

    /// Bytes read so far.
    pub(super) fn count(&self) -> u64 {
        self.count
    }
}

impl<R: Read> Read for Meter<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count = self.count.saturating_add(read as u64);
        if self.count > self.bound.bytes_max {
            return Err(io::Error::other(self.bound.error.clone()));
        }
        Ok(read)
    }
}

/// The bound that stopped the reading, or what else went wrong.
pub(super) fn read_error(error: io::Error) -> BundleError {
    let bound = error.get_ref().and_then(|inner| inner.downcast_ref::<BundleError>()).cloned();
    bound.unwrap_or_else(|| BundleError::damaged(error))
}
