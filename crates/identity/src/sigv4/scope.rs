//! What a signing key is good for: one day, one region, one service.
//! Must not know: which regions and services there are.

use std::fmt;

use aegis_model::Timestamp;

use super::moment;

/// Letters of a region or a service.
const NAME_LENGTH_MAX: usize = 64;
/// What every scope ends with.
const END: &str = "aws4_request";

/// The credential scope of a signature.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    date: String,
    region: String,
    service: String,
}

/// A region or a service that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a region or a service has 1 to 64 letters, digits and `-`")]
pub struct ScopeError;

impl Scope {
    /// The scope of something signed at this time.
    ///
    /// # Errors
    /// When region or service is no name.
    pub fn new(at: Timestamp, region: &str, service: &str) -> Result<Self, ScopeError> {
        if is_name(region) && is_name(service) {
            Ok(Self { date: moment::day(at), region: region.to_owned(), service: service.to_owned() })
        } else {
            Err(ScopeError)
        }
    }

    /// Reads `<access key id>/<date>/<region>/<service>/aws4_request`.
    pub(super) fn read_credential(text: &str) -> Option<(&str, Self)> {
        let mut parts = text.split('/');
        let (id, date, region, service) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let end = parts.next() == Some(END) && parts.next().is_none();
        let day = date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit());
        let whole = end && day && is_name(region) && is_name(service);
        let scope = Self { date: date.to_owned(), region: region.to_owned(), service: service.to_owned() };
        whole.then_some((id, scope))
    }

    /// The day, `20150830`.
    pub fn date(&self) -> &str {
        &self.date
    }

    /// The region.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The service.
    pub fn service(&self) -> &str {
        &self.service
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}/{END}", self.date, self.region, self.service)
    }
}

fn is_name(text: &str) -> bool {
    let length = (1..=NAME_LENGTH_MAX).contains(&text.len());
    length && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_reads_back() {
        let text = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request";
        let (id, scope) = Scope::read_credential(text).unwrap();
        assert_eq!(format!("{id}/{scope}"), text);
        assert_eq!((scope.date(), scope.region(), scope.service()), ("20150830", "us-east-1", "service"));
        let at = moment::parse("20150830T235959Z").unwrap();
        assert_eq!(Scope::new(at, "us-east-1", "service"), Ok(scope));
    }

    #[test]
    fn what_is_no_credential_is_refused() {
        let bad = [
            "",
            "A/20150830/us-east-1/service",
            "A/20150830/us-east-1/service/aws4_request/",
            "A/20150830/us-east-1/service/aws5_request",
            "A/B/20150830/us-east-1/service/aws4_request",
            "A/2015083/us-east-1/service/aws4_request",
            "A/2015083x/us-east-1/service/aws4_request",
            "A/20150830//service/aws4_request",
            "A/20150830/us east/service/aws4_request",
            "A/20150830/us-east-1/ser\nvice/aws4_request",
        ];
        for text in bad {
            assert!(Scope::read_credential(text).is_none(), "{text}");
        }
        let at = Timestamp::from_millis(0);
        assert_eq!(Scope::new(at, "a/b", "c"), Err(ScopeError));
        assert_eq!(Scope::new(at, "a", &"c".repeat(65)), Err(ScopeError));
    }
}
