//! The log of requests as bytes. Must not know: what a request is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// More of one request is not kept.
const REQUEST_LIMIT: usize = 4 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Log {
    requests: Mutex<Vec<Vec<u8>>>,
    has_stopped: AtomicBool,
}

/// The request that a connection is sending; in the log from its first byte on.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    log: &'a Log,
    index: Option<usize>,
}

impl Log {
    pub(crate) fn requests(&self) -> Vec<Vec<u8>> {
        self.all().clone()
    }

    pub(crate) fn stop(&self) {
        self.has_stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn entry(&self) -> Entry<'_> {
        Entry { log: self, index: None }
    }

    fn all(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry<'_> {
    /// The request so far is exactly these bytes.
    pub(crate) fn replace(&mut self, bytes: &[u8]) {
        self.change(bytes, Vec::clear);
    }

    /// The request goes on with these bytes.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.change(bytes, |_| {});
    }

    fn change(&mut self, bytes: &[u8], prepare: impl FnOnce(&mut Vec<u8>)) {
        if bytes.is_empty() || self.log.has_stopped.load(Ordering::Relaxed) {
            return;
        }
        let mut requests = self.log.all();
        let index = *self.index.get_or_insert_with(|| {
            requests.push(Vec::new());
            requests.len() - 1
        });
        let request = &mut requests[index];
        prepare(request);
        let room = REQUEST_LIMIT.saturating_sub(request.len());
        request.extend(&bytes[..room.min(bytes.len())]);
    }
}
