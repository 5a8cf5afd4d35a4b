//! How sessions prove to others who they are: by which names.

use aegis_identity::jwt::SpiffeId;
use aegis_tenancy::WorkloadNames;
use serde::Deserialize;

use super::ConfigError;

/// How sessions prove to others who they are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IdentityConfig {
    /// Where others find this server, as tokens say it; where it listens, when absent.
    pub issuer: Option<String>,
    /// The domain that sessions are named in; the issuer's host, when absent.
    pub trust_domain: Option<String>,
}

impl IdentityConfig {
    /// The names, for a server that listens at `url`.
    ///
    /// # Errors
    /// When nobody could find the keys there, or the domain is none.
    pub fn names(&self, url: &str) -> Result<WorkloadNames, ConfigError> {
        let issuer = self.issuer.as_deref().unwrap_or(url).trim_end_matches('/').to_owned();
        let rest = issuer.strip_prefix("https://").or_else(|| issuer.strip_prefix("http://"));
        let host = rest.and_then(|rest| rest.split('/').next()).filter(|host| !host.is_empty());
        let plain = issuer.bytes().all(|byte| byte.is_ascii_graphic()) && !issuer.contains(['?', '#', '@']);
        let host = host.filter(|_| plain).ok_or_else(|| ConfigError::IdentityIssuer(issuer.clone()))?;
        let named = self.trust_domain.clone().unwrap_or_else(|| domain_of(host));
        match SpiffeId::new(&named, &["session"]) {
            Ok(_) if !named.contains('/') => Ok(WorkloadNames { issuer, trust_domain: named }),
            _ => Err(ConfigError::TrustDomain(named)),
        }
    }
}

/// A host as a trust domain: without its port, in lower case, and an address of version 6
/// without what a domain may not have.
fn domain_of(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.trim_matches(['[', ']']).to_ascii_lowercase().replace(':', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(issuer: Option<&str>, trust_domain: Option<&str>) -> Result<(String, String), String> {
        let config =
            IdentityConfig { issuer: issuer.map(str::to_owned), trust_domain: trust_domain.map(str::to_owned) };
        let names = config.names("http://127.0.0.1:7700").map_err(|error| error.to_string())?;
        Ok((names.issuer, names.trust_domain))
    }

    #[track_caller]
    fn check(issuer: Option<&str>, trust_domain: Option<&str>, expected: (&str, &str)) {
        assert_eq!(names(issuer, trust_domain), Ok((expected.0.to_owned(), expected.1.to_owned())));
    }

    #[test]
    fn names_follow_from_where_the_server_is_found() {
        check(None, None, ("http://127.0.0.1:7700", "127.0.0.1"));
        check(Some("https://Aegis.example:8443/"), None, ("https://Aegis.example:8443", "aegis.example"));
        check(Some("https://one.example/aegis"), None, ("https://one.example/aegis", "one.example"));
        check(Some("http://[::1]:7700"), None, ("http://[::1]:7700", "--1"));
        check(None, Some("agents.acme.example"), ("http://127.0.0.1:7700", "agents.acme.example"));
    }

    #[test]
    fn what_nobody_could_follow_is_refused() {
        for issuer in
            ["", "aegis.example", "ftp://a", "https://", "https://a b", "https://u@a", "https://a?x", "https://a#x"]
        {
            assert!(names(Some(issuer), None).is_err_and(|error| error.contains("identity.issuer")), "{issuer}");
        }
        for domain in ["", "A", "a b", "a/b", "a:1"] {
            assert!(names(None, Some(domain)).is_err_and(|error| error.contains("trust_domain")), "{domain}");
        }
    }
}
