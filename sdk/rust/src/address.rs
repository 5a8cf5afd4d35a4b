//! Where the server is, and whether a key may travel there. Must not know: how requests are sent.

use std::net::IpAddr;

use reqwest::Url;

use crate::error::ClientError;

/// Reads the server's address. A path is kept as a prefix; credentials, queries and
/// fragments are refused, because each of them would be a mistake.
pub(crate) fn parse(text: &str) -> Result<Url, ClientError> {
    let wrong = |problem: &str| ClientError::AddressInvalid { url: shown(text), problem: problem.to_owned() };
    let mut url = Url::parse(text.trim()).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("the scheme must be `http` or `https`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("it must not hold credentials"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong("it must not hold a query or a fragment"));
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// The address as it may be shown: without what stands before an `@`, which may be a secret.
pub(crate) fn shown(text: &str) -> String {
    let rest = text.rsplit_once('@').map_or(text, |(_, host)| host);
    rest.chars().take(200).flat_map(char::escape_debug).collect()
}

/// Whether nobody but this machine can read what is sent there.
pub(crate) fn is_private_way(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

/// Whether the address is this machine by its very form. No name is resolved but `localhost`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let url = parse(text).expect(text);
        let found = match (is_loopback(&url), is_private_way(&url)) {
            (true, true) => "loopback",
            (false, true) => "private",
            (_, false) => "open",
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn loopback_is_told_by_the_form_of_the_address() {
        check("http://127.0.0.1:7700", "loopback");
        check("http://127.9.9.9", "loopback");
        check("http://2130706433", "loopback");
        check("http://[::1]:7700", "loopback");
        check("http://[::ffff:127.0.0.1]", "loopback");
        check("http://LOCALHOST", "loopback");
        check("https://aegis.example", "private");
        check("http://aegis.example", "open");
        check("http://localhost.evil.example", "open");
        check("http://127.0.0.1.evil.example", "open");
        check("http://0.0.0.0:7700", "open");
        check("http://10.0.0.1", "open");
        check("http://[::]", "open");
    }

    #[test]
    fn addresses_that_are_mistakes_are_refused_without_showing_secrets() {
        for bad in ["", "127.0.0.1:7700", "ftp://x", "unix:/run/x", "http://", "http://h?x=1", "http://h#x"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let error = parse("http://user:hunter2@127.0.0.1").expect_err("credentials");
        assert!(!error.to_string().contains("hunter2") && !format!("{error:?}").contains("hunter2"), "{error}");
    }

    #[test]
    fn a_path_before_the_api_is_kept() {
        assert_eq!(parse("https://proxy.example/aegis/").expect("url").as_str(), "https://proxy.example/aegis");
    }
}
