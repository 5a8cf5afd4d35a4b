//! A web server that records what it is sent: HTTP/1.1 without TLS. Must not know: how a
//! request is read, or what its answer says.

mod answer;
mod frames;
mod record;
mod request;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::service::Service;
use answer::After;
use record::Log;
use request::Incoming;

/// A web server. It answers by path:
///
/// - `/` — a short text
/// - `/echo` — what was asked, as JSON: `method`, `target`, `headers` (a list of pairs) and
///   `body_length`
/// - `/bytes/N`, `/chunked/N`, `/close/N` — N bytes of [`crate::pattern`]: with their length,
///   in chunks, until the connection closes
/// - `/short/N` — N bytes are announced, half of them come, and the connection closes
/// - `/status/S` — that status, without a body
/// - `/redirect?to=URL` — status 302 to the URL, which may be escaped
/// - `/headers/N` — N headers
/// - `/slow` — ten bytes, one each 100 ms; `/slow/N/MS` — N bytes, one each MS ms
/// - `/hang` — nothing, until the client closes
/// - `/smuggle` — a body with both a length and chunks
/// - `/ws` — a WebSocket that sends back every byte as it came; `/ws/frames` — one that
///   answers every frame with the same frame as a server sends it
///
/// and everything else with 404. Connections are kept, and `Expect: 100-continue` is honoured.
#[derive(Clone, Debug)]
pub struct Web {
    service: Service,
    site: Arc<Site>,
}

/// What a web server knows, whether TLS is in front of it or not.
#[derive(Debug, Default)]
pub(crate) struct Site {
    log: Log,
    /// Answers that tests gave, by path.
    raw: Mutex<HashMap<String, Vec<u8>>>,
}

impl Web {
    pub(crate) fn start(listener: TcpListener) -> io::Result<Self> {
        let site = Arc::new(Site::default());
        let serving = Arc::clone(&site);
        let service = Service::start(listener, move |stream| {
            // A client that hangs up is an end like any other.
            let _ = serving.serve(&mut &*stream);
        })?;
        Ok(Self::new(service, site))
    }

    pub(crate) fn new(service: Service, site: Arc<Site>) -> Self {
        Self { service, site }
    }

    /// Every request so far, byte for byte as it came, head and body. Every byte that came is
    /// in one of them, also of a request that is not whole or not one at all; only of a body
    /// beyond 4 MiB the rest is left out.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.site.log.requests()
    }

    /// From now on keeps no requests, for measurements that send many.
    pub fn stop_recording(&self) {
        self.site.log.stop();
    }

    /// From now on a request for `path`, with whatever query, gets exactly these bytes, and
    /// the connection closes.
    pub fn answer(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.site.raw.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_owned(), bytes.into());
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

    /// See [`Service::wait_for_current`].
    pub fn wait_for_current(&self, count: usize, patience: Duration) -> bool {
        self.service.wait_for_current(count, patience)
    }

    /// The service below, to cut its connections or to close it.
    pub fn service(&self) -> &Service {
        &self.service
    }
}

impl Site {
    /// Answers requests until the connection ends.
    pub(crate) fn serve(&self, stream: &mut (impl Read + Write)) -> io::Result<()> {
        let mut incoming = Incoming::new(stream, &self.log);
        loop {
            match self.serve_one(&mut incoming) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                    incoming.record_rest();
                    return answer::refuse(incoming.stream());
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Answers one request; false when there is no further one on this connection.
    fn serve_one(&self, incoming: &mut Incoming<'_, impl Read + Write>) -> io::Result<bool> {
        let Some(mut request) = incoming.head()? else { return Ok(false) };
        if request.has("expect", "100-continue") {
            incoming.stream().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            incoming.stream().flush()?;
        }
        request.body_length = incoming.body(&request)?;
        let given = self.raw.lock().unwrap_or_else(PoisonError::into_inner).get(request.path()).cloned();
        if let Some(bytes) = given {
            incoming.stream().write_all(&bytes)?;
            incoming.stream().flush()?;
            return Ok(false);
        }
        let after = answer::answer(&request, incoming.stream())?;
        incoming.stream().flush()?;
        match after {
            After::Keep => return Ok(request.keeps_connection()),
            After::Close => {}
            After::Hang => incoming.for_each_rest(|_, _| Ok(()))?,
            After::Echo => incoming.for_each_rest(|stream, bytes| stream.write_all(bytes))?,
            After::Frames => {
                let mut frames = frames::Frames::default();
                incoming.for_each_rest(|stream, bytes| stream.write_all(&frames.answer(bytes)))?;
            }
        }
        Ok(false)
    }
}
