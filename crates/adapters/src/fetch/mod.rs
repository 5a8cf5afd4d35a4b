//! The adapter of the port `Fetch`: an HTTPS client that follows nobody. Must not know: what is
//! read, or why.

use std::net::IpAddr;
use std::time::Duration;

use aegis_model::port::{Fetch, FetchError};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::{Certificate, Client, Url};

/// The whole of an answer has so long.
const TIME: Duration = Duration::from_secs(5);
/// Nobody publishes more.
const BYTES_MAX: usize = 512 * 1024;

/// Reads over HTTPS.
pub struct HttpsFetch {
    client: Client,
}

impl HttpsFetch {
    /// Trusts what this machine trusts, and the certificates of `authorities` (PEM) as well.
    ///
    /// # Errors
    /// When the certificates cannot be read.
    pub fn new(authorities: Option<&[u8]>) -> Result<Self, FetchError> {
        // Another part of the process may have chosen a provider already; that one is kept.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let unusable = |error: reqwest::Error| FetchError::Unreachable(innermost(&error));
        let builder = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("aegis/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .timeout(TIME);
        let builder = match authorities {
            Some(pem) => builder.tls_certs_merge(Certificate::from_pem_bundle(pem).map_err(unusable)?),
            None => builder,
        };
        Ok(Self { client: builder.build().map_err(unusable)? })
    }
}

#[async_trait]
impl Fetch for HttpsFetch {
    async fn get(&self, address: &str) -> Result<Bytes, FetchError> {
        let url = readable(address).ok_or_else(|| FetchError::Address(address.to_owned()))?;
        let unreachable = |error: reqwest::Error| FetchError::Unreachable(innermost(&error));
        let mut answer = self.client.get(url).send().await.map_err(unreachable)?;
        if !answer.status().is_success() {
            return Err(FetchError::Status(answer.status().as_u16()));
        }
        let mut whole = BytesMut::new();
        while let Some(piece) = answer.chunk().await.map_err(unreachable)? {
            if whole.len() + piece.len() > BYTES_MAX {
                return Err(FetchError::TooLong(BYTES_MAX));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }
}

/// The address, if what is read there can be believed.
fn readable(address: &str) -> Option<Url> {
    let url = Url::parse(address).ok()?;
    let loopback = url.host_str().is_some_and(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    });
    let plain = url.username().is_empty() && url.password().is_none();
    let believed = url.scheme() == "https" || (url.scheme() == "http" && loopback);
    (plain && believed).then_some(url)
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    /// What a server that says this is heard saying.
    async fn heard(says: &'static [u8]) -> Result<Bytes, FetchError> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/keys", listener.local_addr().unwrap());
        let serving = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            let length = stream.read(&mut asked).unwrap();
            let _ = stream.write_all(says);
            String::from_utf8_lossy(&asked[..length]).into_owned()
        });
        let heard = HttpsFetch::new(None).unwrap().get(&address).await;
        assert!(serving.join().unwrap().starts_with("GET /keys HTTP/1.1"));
        heard
    }

    #[tokio::test]
    async fn what_is_published_is_read_and_nobody_is_followed() {
        let said = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
        assert_eq!(heard(said).await.unwrap(), Bytes::from_static(b"{}"));
        let elsewhere = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(heard(elsewhere).await, Err(FetchError::Status(302)));
        let gone = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(heard(gone).await, Err(FetchError::Status(404)));
        let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}";
        assert!(matches!(heard(cut).await, Err(FetchError::Unreachable(_))));
    }

    #[tokio::test]
    async fn an_answer_without_end_is_given_up() {
        static LONG: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
            let mut long = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".to_vec();
            long.resize(BYTES_MAX + 4096, b' ');
            long
        });
        assert_eq!(heard(&LONG).await, Err(FetchError::TooLong(BYTES_MAX)));
    }

    #[test]
    fn only_what_can_be_believed_is_read() {
        for good in ["https://a.example/keys", "http://127.0.0.1:80/", "http://localhost/", "http://[::1]:9/"] {
            assert!(readable(good).is_some(), "{good}");
        }
        let bad =
            ["http://a.example/", "file:///etc/passwd", "ftp://a/", "https://u:p@a.example/", "", "http://127.1.evil/"];
        for address in bad {
            assert!(readable(address).is_none(), "{address}");
        }
    }
}
