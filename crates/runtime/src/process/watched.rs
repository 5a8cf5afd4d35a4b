//! Waiting for a descriptor on the async runtime.
#![expect(unsafe_code, reason = "the async runtime cannot know that a descriptor stays what it is")]

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// The descriptor, to be waited for.
pub fn watched(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an owned descriptor is the same and open as long as it lives, and the async
    // runtime owns it from here on.
    unsafe { AsyncFd::register(descriptor) }.map_err(io::Error::from)
}
