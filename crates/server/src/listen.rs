//! Listeners: bounded connections, bounded heads, TLS where configured, and an orderly end.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aegis_gateway::{Metrics, Peer};
use aegis_model::port::Occupant;
use axum::Router;
use hyper::body::Incoming;
use hyper::rt::{Read, Write};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use crate::config::TlsConfig;
use crate::start_error::StartError;

/// Largest head of a request.
const HEAD_SIZE_MAX_BYTES: usize = 64 * 1024;
/// Most header fields of a request.
const HEADERS_MAX: usize = 100;

/// A place that serves.
pub struct Listener {
    /// The bound socket.
    pub socket: TcpListener,
    /// Set where this server speaks TLS itself.
    pub tls: Option<TlsAcceptor>,
    /// What is served.
    pub router: Router,
    /// Counts connections.
    pub metrics: Arc<Metrics>,
    /// Open connections at once.
    pub connections_max: usize,
    /// How long a head may take.
    pub header_timeout: Duration,
}

/// Binds an address.
pub async fn bind(address: SocketAddr, option: &'static str) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|cause| match cause.kind() {
        io::ErrorKind::AddrInUse => StartError::PortInUse { address, option },
        _ => StartError::Listen { address, cause },
    })
}

/// Reads certificate and key.
pub fn acceptor(config: &TlsConfig) -> Result<TlsAcceptor, StartError> {
    let wrong = |path: &Path, error: &dyn std::fmt::Display| StartError::Tls(format!("`{}`: {error}", path.display()));
    let certificate = &config.certificate;
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| wrong(certificate, &error))?;
    let key = PrivateKeyDer::from_pem_file(&config.key).map_err(|error| wrong(&config.key, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(certificate, &error))?
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(|error| wrong(certificate, &error))?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(tls)))
}

impl Listener {
    /// Serves until `stop` changes, then lets running requests end.
    pub async fn serve(self, mut stop: watch::Receiver<bool>) {
        let places = Arc::new(Semaphore::new(self.connections_max));
        let stopped = stop.clone();
        loop {
            let place = tokio::select! {
                place = Arc::clone(&places).acquire_owned() => place,
                _ = stop.changed() => break,
            };
            let Ok(place) = place else { break };
            let accepted = tokio::select! {
                accepted = self.socket.accept() => accepted,
                _ = stop.changed() => break,
            };
            match accepted {
                Ok((stream, peer)) => self.attend(stream, peer.ip(), place, stopped.clone()),
                Err(error) => refused(&error).await,
            }
        }
        drop(self.socket);
        // All places are free when the last connection has ended.
        let _all = places.acquire_many(u32::try_from(self.connections_max).unwrap_or(u32::MAX)).await;
    }

    /// Serves one connection on a task of its own.
    fn attend(&self, stream: TcpStream, peer: IpAddr, place: OwnedSemaphorePermit, stop: watch::Receiver<bool>) {
        let _ = stream.set_nodelay(true);
        let connections = self.metrics.connections().clone();
        connections.inc();
        let (router, tls, timeout) = (self.router.clone(), self.tls.clone(), self.header_timeout);
        tokio::spawn(async move {
            match tls {
                None => converse(TokioIo::new(stream), Asker::Peer(peer), router, (timeout, stop)).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = tokio::time::timeout(timeout, tls.accept(stream)).await {
                        converse(TokioIo::new(stream), Asker::Peer(peer), router, (timeout, stop)).await;
                    }
                }
            }
            connections.dec();
            drop(place);
        });
    }
}

/// Whose connection it is.
#[derive(Clone)]
pub enum Asker {
    /// Somebody at that address.
    Peer(IpAddr),
    /// Whoever lives in that box.
    Box(Arc<Occupant>),
}

/// Speaks HTTP on one connection until it ends.
pub async fn converse<S>(
    stream: S,
    asker: Asker,
    router: Router,
    (timeout, mut stop): (Duration, watch::Receiver<bool>),
) where
    S: Read + Write + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        match asker.clone() {
            Asker::Peer(address) => drop(request.extensions_mut().insert(Peer(address))),
            Asker::Box(occupant) => drop(request.extensions_mut().insert(occupant)),
        }
        answer(router.clone(), request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(timeout)
            .max_buf_size(HEAD_SIZE_MAX_BYTES)
            .max_headers(HEADERS_MAX)
            .serve_connection(stream, service)
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        _ = stop.changed() => {
            // The running request ends; another one is not taken.
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

fn answer(
    router: Router,
    request: hyper::Request<Incoming>,
) -> impl Future<Output = Result<axum::response::Response, std::convert::Infallible>> {
    router.oneshot(request.map(axum::body::Body::new))
}

/// A connection could not be taken. Out of descriptors is waited out, not spun on.
#[expect(clippy::disallowed_methods, reason = "the pause is the point")]
async fn refused(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be taken");
    tokio::time::sleep(Duration::from_millis(50)).await;
}
