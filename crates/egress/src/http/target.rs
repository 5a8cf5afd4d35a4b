//! Whom and what a request is for. Must not know: names and addresses; a host is text here,
//! and another module says which machine it means.

use super::{HttpProblem, RequestPath};

/// The port of `http` when none is given.
pub(super) const HTTP_PORT: u16 = 80;

/// A host and perhaps a port, as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// The host as it was written; an IPv6 address in its brackets.
    pub host: String,
    /// The port, if one was written.
    pub port: Option<u16>,
}

/// The target of a request, in one of its four forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `http://host:port/path`, as a proxy is asked. No other scheme is served.
    Absolute {
        /// The host as it was written.
        host: String,
        /// The port, 80 when none was written.
        port: u16,
        /// The path.
        path: RequestPath,
    },
    /// `/path`, as a server is asked.
    Origin(RequestPath),
    /// `host:port`, as `CONNECT` asks for a tunnel.
    Authority {
        /// The host as it was written.
        host: String,
        /// The port.
        port: u16,
    },
    /// `*`, as `OPTIONS` asks about the server itself.
    Asterisk,
}

impl Authority {
    /// Reads `host` or `host:port`.
    ///
    /// # Errors
    /// When either cannot be one.
    pub fn parse(text: &str) -> Result<Self, HttpProblem> {
        let host_end = if text.starts_with('[') {
            text.find(']').map(|bracket| bracket.saturating_add(1)).ok_or(HttpProblem::BadHost)?
        } else {
            text.find(':').unwrap_or(text.len())
        };
        let (host, rest) = text.split_at_checked(host_end).ok_or(HttpProblem::BadHost)?;
        check_host(host)?;
        let port = match rest.strip_prefix(':') {
            Some(port) => Some(parse_port(port)?),
            None if rest.is_empty() => None,
            None => return Err(HttpProblem::BadHost),
        };
        Ok(Self { host: host.to_owned(), port })
    }

    /// Whether another one names the same host and port; a port that is not there is `default`.
    pub(super) fn is_same(&self, other: &Self, default: u16) -> bool {
        self.host.eq_ignore_ascii_case(&other.host) && self.port.unwrap_or(default) == other.port.unwrap_or(default)
    }
}

impl Target {
    /// Reads the target of a request with this method.
    pub(super) fn parse(target: &[u8], method: &str) -> Result<Self, HttpProblem> {
        let text = std::str::from_utf8(target).map_err(|_| HttpProblem::BadTarget)?;
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) || text.is_empty() {
            return Err(HttpProblem::BadTarget);
        }
        if text.contains('#') {
            return Err(HttpProblem::Fragment);
        }
        match method {
            "CONNECT" => parse_tunnel(text),
            "OPTIONS" if text == "*" => Ok(Self::Asterisk),
            _ if text == "*" => Err(HttpProblem::TargetNotForMethod),
            _ if text.starts_with('/') => RequestPath::parse(text).map(Self::Origin),
            _ => parse_absolute(text),
        }
    }

    /// The path, for the forms that have one.
    pub fn path(&self) -> Option<&RequestPath> {
        match self {
            Self::Absolute { path, .. } | Self::Origin(path) => Some(path),
            Self::Authority { .. } | Self::Asterisk => None,
        }
    }

    /// Whom the target itself names, with the port as it counts.
    pub(super) fn authority(&self) -> Option<Authority> {
        match self {
            Self::Absolute { host, port, .. } | Self::Authority { host, port } => {
                Some(Authority { host: host.clone(), port: Some(*port) })
            }
            Self::Origin(_) | Self::Asterisk => None,
        }
    }
}

/// Whether text can be a host, so that it may be written into a head.
pub(super) fn check_host(host: &str) -> Result<(), HttpProblem> {
    let valid = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').is_some_and(is_address),
        None => !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic() && !b"@/\\?#%:[]".contains(&byte)),
    };
    if host.contains('@') {
        return Err(HttpProblem::UserInformation);
    }
    valid.then_some(()).ok_or(HttpProblem::BadHost)
}

fn is_address(inner: &str) -> bool {
    !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'))
}

fn parse_tunnel(text: &str) -> Result<Target, HttpProblem> {
    if text.contains('@') {
        return Err(HttpProblem::UserInformation);
    }
    let Authority { host, port } = Authority::parse(text)?;
    Ok(Target::Authority { host, port: port.ok_or(HttpProblem::BadPort)? })
}

fn parse_absolute(text: &str) -> Result<Target, HttpProblem> {
    let (scheme, rest) = text.split_once("://").ok_or(HttpProblem::BadTarget)?;
    if !scheme.eq_ignore_ascii_case("http") {
        return Err(HttpProblem::SchemeNotServed);
    }
    let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(authority_end).ok_or(HttpProblem::BadTarget)?;
    if authority.contains('@') {
        return Err(HttpProblem::UserInformation);
    }
    let Authority { host, port } = Authority::parse(authority)?;
    let path = if path.starts_with('/') { RequestPath::parse(path) } else { RequestPath::parse(&format!("/{path}")) }?;
    Ok(Target::Absolute { host, port: port.unwrap_or(HTTP_PORT), path })
}

/// A port is written in one way only: digits, without a sign and without leading zeros.
fn parse_port(text: &str) -> Result<u16, HttpProblem> {
    let digits = !text.is_empty() && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || text.starts_with('0') {
        return Err(HttpProblem::BadPort);
    }
    text.parse().map_err(|_| HttpProblem::BadPort)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: &str, target: &str, expected: Result<&str, HttpProblem>) {
        let shown = Target::parse(target.as_bytes(), method).map(|target| match target {
            Target::Absolute { host, port, path } => format!("absolute {host} {port} {}", path.path()),
            Target::Origin(path) => format!("origin {}", path.path()),
            Target::Authority { host, port } => format!("authority {host} {port}"),
            Target::Asterisk => "asterisk".to_owned(),
        });
        assert_eq!(shown, expected.map(str::to_owned), "{method} {target}");
    }

    #[test]
    fn the_four_forms_are_read() {
        check("GET", "/a", Ok("origin /a"));
        check("GET", "//a", Ok("origin //a"));
        check("GET", "http://h", Ok("absolute h 80 /"));
        check("GET", "HTTP://H:8080/a?b", Ok("absolute H 8080 /a"));
        check("GET", "http://h?http://g/", Ok("absolute h 80 /"));
        check("GET", "http://[::1]:1/a", Ok("absolute [::1] 1 /a"));
        check("CONNECT", "h:443", Ok("authority h 443"));
        check("CONNECT", "[2001:db8::1]:443", Ok("authority [2001:db8::1] 443"));
        check("OPTIONS", "*", Ok("asterisk"));
    }

    #[test]
    fn any_other_form_is_refused() {
        check("GET", "*", Err(HttpProblem::TargetNotForMethod));
        check("GET", "h:443", Err(HttpProblem::BadTarget));
        check("GET", "a", Err(HttpProblem::BadTarget));
        check("GET", "", Err(HttpProblem::BadTarget));
        check("GET", "/a\u{e9}", Err(HttpProblem::BadTarget));
        check("GET", "/a#b", Err(HttpProblem::Fragment));
        check("GET", "https://h/", Err(HttpProblem::SchemeNotServed));
        check("GET", "ftp://h/", Err(HttpProblem::SchemeNotServed));
        check("GET", "http:///a", Err(HttpProblem::BadHost));
        check("GET", "http:/h", Err(HttpProblem::BadTarget));
        check("GET", "http://u@h/", Err(HttpProblem::UserInformation));
        check("GET", "http://u:p@h/", Err(HttpProblem::UserInformation));
        check("GET", "http://h\\@g/", Err(HttpProblem::UserInformation));
        check("GET", "http://h\\g/", Err(HttpProblem::BadHost));
        check("GET", "http://h%2eg/", Err(HttpProblem::BadHost));
        check("CONNECT", "h", Err(HttpProblem::BadPort));
        check("CONNECT", "/h:443", Err(HttpProblem::BadHost));
        check("CONNECT", "http://h:443", Err(HttpProblem::BadPort));
        check("CONNECT", "u@h:443", Err(HttpProblem::UserInformation));
        check("CONNECT", "h:443/", Err(HttpProblem::BadPort));
    }

    #[test]
    fn a_port_is_written_in_one_way() {
        for port in ["", "0", "+80", "-1", "080", "65536", "100000", "8o", "80:80", " 80", "80 "] {
            assert_eq!(Authority::parse(&format!("h:{port}")), Err(HttpProblem::BadPort), "{port}");
        }
        assert_eq!(Authority::parse("h:65535").unwrap().port, Some(65_535));
    }

    #[test]
    fn brackets_hold_an_address_and_nothing_else() {
        for host in ["[]", "[::1", "::1]", "[::1]x", "[::1%25eth0]", "[g]", "a[::1]", "[[::1]]", "[::1]]"] {
            assert!(Authority::parse(host).is_err(), "{host}");
        }
    }
}
