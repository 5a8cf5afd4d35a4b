//! The query as it is signed: decoded, encoded in one way, sorted.
//! Must not know: which parameters carry a signature, beyond the one that it leaves out.

use super::claims::ReadError;
use super::percent::{decoded, encoded};

/// Bytes of a raw query. A session token may be 2 KiB, and three times that when encoded.
const QUERY_BYTES_MAX: usize = 16_384;
const PARAMETERS_MAX: usize = 256;
/// The only parameter that no signature covers.
const SIGNATURE: &[u8] = b"X-Amz-Signature";

/// A query, decoded.
pub(super) struct Query(Vec<(Vec<u8>, Vec<u8>)>);

impl Query {
    /// Reads a raw query. Strict where parsers differ: an empty piece or a broken escape is
    /// refused, so that nobody reads another query than the one that was signed.
    pub(super) fn parse(raw: &str) -> Result<Self, ReadError> {
        if raw.len() > QUERY_BYTES_MAX {
            return Err(ReadError::TooLong("query"));
        }
        if raw.is_empty() {
            return Ok(Self(Vec::new()));
        }
        if raw.split('&').count() > PARAMETERS_MAX {
            return Err(ReadError::TooMany("query parameters"));
        }
        raw.split('&').map(pair).collect::<Option<_>>().map(Self).ok_or(ReadError::Query)
    }

    /// The value of a parameter that comes once at most. A name in another mixture of cases
    /// is refused: some would read it, others would not.
    pub(super) fn single(&self, name: &'static str) -> Result<Option<&str>, ReadError> {
        let mut values = self.0.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name.as_bytes()));
        let first = values.next();
        if values.next().is_some() {
            return Err(ReadError::RepeatedParameter(name));
        }
        let Some((given, value)) = first else { return Ok(None) };
        if given != name.as_bytes() {
            return Err(ReadError::Parameter(name));
        }
        std::str::from_utf8(value).map(Some).map_err(|_| ReadError::Parameter(name))
    }

    /// The query as it is signed.
    pub(super) fn canonical(&self) -> String {
        let signed = self.0.iter().filter(|(name, _)| name != SIGNATURE);
        let mut pairs: Vec<_> = signed.map(|(name, value)| (encoded(name), encoded(value))).collect();
        pairs.sort_unstable();
        let mut text = String::with_capacity(pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum());
        for (name, value) in pairs {
            text.push_str(if text.is_empty() { "" } else { "&" });
            text.push_str(&name);
            text.push('=');
            text.push_str(&value);
        }
        text
    }
}

fn pair(piece: &str) -> Option<(Vec<u8>, Vec<u8>)> {
    let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
    (!piece.is_empty()).then_some(())?;
    Some((decoded(name)?, decoded(value)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &str, expected: &str) {
        assert_eq!(Query::parse(raw).map(|query| query.canonical()), Ok(expected.to_owned()), "{raw}");
    }

    #[test]
    fn a_query_is_decoded_encoded_and_sorted() {
        check("", "");
        check("a", "a=");
        check("a=", "a=");
        check("b=2&a=1", "a=1&b=2");
        check("a=b=c", "a=b%3Dc");
        check("a=2&a=1&A=3", "A=3&a=1&a=2");
        check("a=%7e%2f%20+b", "a=~%2F%20%20b");
        check("a-=1&a=1", "a=1&a-=1");
        check("%41=1", "A=1");
        check("ሴ=bar", "%E1%88%B4=bar");
        check("X-Amz-Signature=1&X%2DAmz-Signature=2&x-amz-signature=3", "x-amz-signature=3");
    }

    #[test]
    fn a_query_that_parsers_read_differently_is_refused() {
        for raw in ["&", "a&", "&a", "a&&b", "%", "a=%zz"] {
            assert_eq!(Query::parse(raw).err(), Some(ReadError::Query), "{raw}");
        }
        assert_eq!(Query::parse(&"a".repeat(QUERY_BYTES_MAX + 1)).err(), Some(ReadError::TooLong("query")));
        assert_eq!(Query::parse(&"&".repeat(PARAMETERS_MAX)).err(), Some(ReadError::TooMany("query parameters")));
        assert!(Query::parse(&vec!["a"; PARAMETERS_MAX].join("&")).is_ok());
    }

    #[test]
    fn a_parameter_comes_once_and_in_its_own_spelling() {
        let single = |raw: &str| Query::parse(raw).unwrap().single("X-A").map(|value| value.map(str::to_owned));
        assert_eq!(single("b=1"), Ok(None));
        assert_eq!(single("X%2dA=%41"), Ok(Some("A".to_owned())));
        assert_eq!(single("x-a=1"), Err(ReadError::Parameter("X-A")));
        assert_eq!(single("X-A=%ff"), Err(ReadError::Parameter("X-A")));
        assert_eq!(single("X-A=1&x-a=1"), Err(ReadError::RepeatedParameter("X-A")));
    }
}
