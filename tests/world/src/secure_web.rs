//! The web server of [`crate::Web`] behind TLS. Must not know: requests and answers.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::Acceptor;
use rustls::{ServerConfig, ServerConnection, Stream};

use crate::service::Service;
use crate::web::{Site, Web};

/// A web server behind TLS, whose certificate the authority of its world has signed.
#[derive(Clone, Debug)]
pub struct SecureWeb {
    web: Web,
    seen: Arc<Mutex<Vec<Option<String>>>>,
}

impl SecureWeb {
    pub(crate) fn start(
        listener: TcpListener,
        certificate: CertificateDer<'static>,
        key: PrivateKeyDer<'static>,
    ) -> io::Result<Self> {
        let config = Arc::new(configure(certificate, key));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let site = Arc::new(Site::default());
        let (serving, seeing) = (Arc::clone(&site), Arc::clone(&seen));
        let service = Service::start(listener, move |stream| {
            // A client that does not trust the server hangs up, which its test sees.
            let _ = serve(stream, &config, &seeing, &serving);
        })?;
        Ok(Self { web: Web::new(service, site), seen })
    }

    /// The name that each client asked for, in the order of their hellos; none where a client
    /// named none.
    pub fn server_names(&self) -> Vec<Option<String>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The server behind TLS, to choose answers and to stop recording.
    pub fn web(&self) -> &Web {
        &self.web
    }

    /// See [`Web::requests`]; the bytes are those that TLS carried.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.web.requests()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.web.address()
    }

    /// How many connections were ever accepted, with those that failed before their first
    /// request.
    pub fn connections(&self) -> usize {
        self.web.connections()
    }

    /// How many connections are open now.
    pub fn current(&self) -> usize {
        self.web.current()
    }

    /// See [`Service::wait_for_current`].
    pub fn wait_for_current(&self, count: usize, patience: Duration) -> bool {
        self.web.wait_for_current(count, patience)
    }

    /// The service below, to cut its connections or to close it.
    pub fn service(&self) -> &Service {
        self.web.service()
    }
}

fn configure(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has both versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .expect("the key belongs to the certificate");
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

fn serve(
    stream: &TcpStream,
    config: &Arc<ServerConfig>,
    seen: &Mutex<Vec<Option<String>>>,
    site: &Site,
) -> io::Result<()> {
    let mut socket = stream;
    let mut connection = greet(&mut socket, config, seen)?;
    let mut tls = Stream::new(&mut connection, &mut socket);
    let served = site.serve(&mut tls);
    connection.send_close_notify();
    while connection.wants_write() {
        connection.write_tls(&mut socket)?;
    }
    served
}

/// Reads the hello and notes its name before anything can fail for the certificate.
fn greet(
    socket: &mut (impl Read + Write),
    config: &Arc<ServerConfig>,
    seen: &Mutex<Vec<Option<String>>>,
) -> io::Result<ServerConnection> {
    let mut acceptor = Acceptor::default();
    let accepted = loop {
        if acceptor.read_tls(socket)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match acceptor.accept() {
            Ok(Some(accepted)) => break accepted,
            Ok(None) => {}
            Err((error, mut alert)) => {
                alert.write_all(socket)?;
                return Err(io::Error::other(error));
            }
        }
    };
    let name = accepted.client_hello().server_name().map(str::to_owned);
    seen.lock().unwrap_or_else(PoisonError::into_inner).push(name);
    match accepted.into_connection(Arc::clone(config)) {
        Ok(connection) => Ok(connection),
        Err((error, mut alert)) => {
            alert.write_all(socket)?;
            Err(io::Error::other(error))
        }
    }
}
