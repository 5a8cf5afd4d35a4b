//! Which hosts this server answers for, and which web pages may ask.
//! Without the first, any web page could reach a loopback server by a name of its own.

use aegis_model::{Code, Fault};
use axum::http::{HeaderMap, HeaderValue, Uri, header};

/// The allow lists.
#[derive(Clone, Debug, Default)]
pub struct Hosts {
    hosts: Vec<String>,
    origins: Vec<String>,
}

impl Hosts {
    /// Answers for the loopback names and `hosts`; lets pages of `origins` ask.
    pub fn new(hosts: &[String], origins: &[String]) -> Self {
        let loopback = ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned);
        Self {
            hosts: loopback.into_iter().chain(hosts.iter().map(|host| host.to_ascii_lowercase())).collect(),
            origins: origins.iter().map(|origin| origin.to_ascii_lowercase()).collect(),
        }
    }

    /// Lets a request pass that is meant for this server and comes from no foreign page.
    /// Answers with the origin to be named in the answer, if a page is asking.
    ///
    /// # Errors
    /// `HostNotAllowed` or `OriginNotAllowed`.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<Option<HeaderValue>, Fault> {
        let host = self.check_host(uri, headers)?;
        let mut origins = headers.get_all(header::ORIGIN).iter();
        let Some(origin) = origins.next() else {
            return Ok(None);
        };
        let text = origin.to_str().unwrap_or("").to_ascii_lowercase();
        let same = ["http://", "https://"].iter().any(|scheme| text.strip_prefix(scheme) == Some(host.as_str()));
        if origins.next().is_none() && (same || self.origins.contains(&text)) {
            return Ok(Some(origin.clone()));
        }
        Err(Fault::new(Code::OriginNotAllowed, format!("pages of `{}` may not ask", shown(&text))))
    }

    /// The host with its port, in lower case.
    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<String, Fault> {
        let mut named = headers.get_all(header::HOST).iter();
        let host = named.next().and_then(|host| host.to_str().ok()).map(str::to_ascii_lowercase);
        let (Some(host), None) = (host, named.next()) else {
            return Err(Fault::new(Code::HostNotAllowed, "the request names no host, or several"));
        };
        let absolute = uri.authority().map(|authority| authority.as_str().to_ascii_lowercase());
        let agrees = absolute.is_none_or(|absolute| absolute == host);
        if agrees && self.hosts.iter().any(|allowed| allowed == name_of(&host)) {
            return Ok(host);
        }
        Err(Fault::new(Code::HostNotAllowed, format!("this server does not answer for `{}`", shown(&host))))
    }
}

/// The host without its port; anything odd stays odd and is on no list.
fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

fn shown(text: &str) -> String {
    text.chars().take(100).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(host: &str, origin: Option<&str>) -> Result<bool, Code> {
        let hosts = Hosts::new(&["aegis.example".to_owned()], &["https://console.example".to_owned()]);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host).unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, HeaderValue::from_str(origin).unwrap());
        }
        let checked = hosts.check(&Uri::from_static("/api"), &headers);
        checked.map(|origin| origin.is_some()).map_err(|fault| fault.code())
    }

    #[test]
    fn only_listed_hosts_are_answered() {
        for good in ["localhost", "localhost:7700", "127.0.0.1:1", "[::1]:7700", "AEGIS.example"] {
            assert_eq!(check(good, None), Ok(false), "{good}");
        }
        for bad in [
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "localhost:x",
            "a@localhost",
            "127.1",
            "0",
            "localhost:7700:1",
        ] {
            assert_eq!(check(bad, None), Err(Code::HostNotAllowed), "{bad}");
        }
    }

    #[test]
    fn foreign_pages_are_refused() {
        assert_eq!(check("localhost:7700", Some("http://localhost:7700")), Ok(true));
        assert_eq!(check("localhost:7700", Some("https://console.example")), Ok(true));
        for bad in ["http://localhost:8080", "null", "https://console.example.evil.example", "", "http://evil.example"]
        {
            assert_eq!(check("localhost:7700", Some(bad)), Err(Code::OriginNotAllowed), "{bad}");
        }
    }

    #[test]
    fn two_hosts_are_refused() {
        let hosts = Hosts::new(&[], &[]);
        let mut headers = HeaderMap::new();
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        headers.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert!(hosts.check(&Uri::from_static("/"), &headers).is_err());
        assert!(hosts.check(&Uri::from_static("http://evil.example/"), &HeaderMap::new()).is_err());
    }
}
