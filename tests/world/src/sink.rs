//! A service that listens and never speaks. Must not know: any protocol above TCP.

use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::service::Service;

const BUFFER_LENGTH: usize = 64 * 1024;

/// A service that reads everything, keeps nothing and counts the bytes.
#[derive(Clone, Debug)]
pub struct Sink {
    service: Service,
    bytes: Arc<AtomicU64>,
}

impl Sink {
    pub(crate) fn start(listener: TcpListener) -> io::Result<Self> {
        let bytes = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&bytes);
        let service = Service::start(listener, move |stream| drain(&mut &*stream, &counter))?;
        Ok(Self { service, bytes })
    }

    /// How many bytes have come, over all connections.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.service.address()
    }

    /// How many connections were ever accepted.
    pub fn connections(&self) -> usize {
        self.service.connections()
    }

    /// How many connections are open now.
    pub fn current(&self) -> usize {
        self.service.current()
    }

    /// Waits until exactly `count` connections are open; false when that takes longer than
    /// `patience`. When none is open, every byte has been counted.
    pub fn wait_for_current(&self, count: usize, patience: Duration) -> bool {
        self.service.wait_for_current(count, patience)
    }

    /// The service below, to cut its connections or to close it.
    pub fn service(&self) -> &Service {
        &self.service
    }
}

fn drain(stream: &mut impl Read, counter: &AtomicU64) {
    let mut buffer = [0; BUFFER_LENGTH];
    while let Ok(length @ 1..) = stream.read(&mut buffer) {
        counter.fetch_add(length as u64, Ordering::Relaxed);
    }
}
