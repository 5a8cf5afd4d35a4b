//! The name of a workload: `spiffe://trust-domain/path`, as SPIFFE writes it.
//! Must not know: which workloads there are.

use std::fmt;

const SCHEME: &str = "spiffe://";
const ID_LENGTH_MAX: usize = 2_048;
const TRUST_DOMAIN_LENGTH_MAX: usize = 255;

/// A SPIFFE id with a path.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiffeId(String);

/// A text that is not the name of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a workload is named `spiffe://trust-domain/path`, in letters, digits, `.`, `-` and `_`")]
pub struct SpiffeIdError;

impl SpiffeId {
    /// The id of a path in a trust domain.
    ///
    /// # Errors
    /// When the domain or a segment is empty, is a dot segment, or has other characters.
    pub fn new(trust_domain: &str, segments: &[&str]) -> Result<Self, SpiffeIdError> {
        Self::parse(&format!("{SCHEME}{trust_domain}/{}", segments.join("/")))
    }

    /// Reads an id.
    ///
    /// # Errors
    /// When the text is anything else.
    pub fn parse(text: &str) -> Result<Self, SpiffeIdError> {
        let rest = text.strip_prefix(SCHEME).filter(|_| text.len() <= ID_LENGTH_MAX).ok_or(SpiffeIdError)?;
        let (domain, path) = rest.split_once('/').ok_or(SpiffeIdError)?;
        if is_trust_domain(domain) && path.split('/').all(is_segment) {
            Ok(Self(text.to_owned()))
        } else {
            Err(SpiffeIdError)
        }
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_trust_domain(text: &str) -> bool {
    let length = (1..=TRUST_DOMAIN_LENGTH_MAX).contains(&text.len());
    length && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte))
}

fn is_segment(text: &str) -> bool {
    let letters = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    letters && !matches!(text, "" | "." | "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_has_a_domain_and_a_path() {
        let id = SpiffeId::new("aegis.example", &["tenant", "acme", "agent", "Writer_1"]).unwrap();
        assert_eq!(id.to_string(), "spiffe://aegis.example/tenant/acme/agent/Writer_1");
        assert_eq!(SpiffeId::parse(id.as_str()), Ok(id));
    }

    #[test]
    fn other_texts_are_no_workload() {
        let long = format!("spiffe://a/{}", "b".repeat(ID_LENGTH_MAX));
        let others = [
            "",
            "spiffe://",
            "spiffe://a",
            "spiffe://a/",
            "spiffe:///a",
            "SPIFFE://a/b",
            "spiffe://A/b",
            "spiffe://a:1/b",
            "spiffe://u@a/b",
            "spiffe://a/b/",
            "spiffe://a//b",
            "spiffe://a/../b",
            "spiffe://a/./b",
            "spiffe://a/b?c",
            "spiffe://a/b#c",
            "spiffe://a/%62",
            "spiffe://a/é",
            "spiffe://a/b\n",
            &long,
        ];
        for other in others {
            assert_eq!(SpiffeId::parse(other), Err(SpiffeIdError), "{other}");
        }
        assert_eq!(SpiffeId::new("a", &[]), Err(SpiffeIdError));
        assert_eq!(SpiffeId::new("a/b", &[""]), Err(SpiffeIdError));
    }
}
