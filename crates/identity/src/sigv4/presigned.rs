//! The query form of a signature, for links and WebSockets. Must not know: what the parts mean.

use super::claims::{Parts, ReadError};
use super::query::Query;
use super::{ALGORITHM, EXPIRES_S_MAX};

pub(super) const AMZ_ALGORITHM: &str = "X-Amz-Algorithm";
pub(super) const AMZ_CREDENTIAL: &str = "X-Amz-Credential";
pub(super) const AMZ_DATE: &str = "X-Amz-Date";
pub(super) const AMZ_EXPIRES: &str = "X-Amz-Expires";
pub(super) const AMZ_SIGNED_HEADERS: &str = "X-Amz-SignedHeaders";
pub(super) const AMZ_SIGNATURE: &str = "X-Amz-Signature";
pub(super) const AMZ_SECURITY_TOKEN: &str = "X-Amz-Security-Token";
/// What SDKs make of `x-amz-content-sha256` when they presign.
pub(super) const AMZ_CONTENT_SHA256: &str = "X-Amz-Content-Sha256";

/// Any of these in a query makes it a presigned one.
pub(super) const PARAMETERS: [&str; 7] =
    [AMZ_ALGORITHM, AMZ_CREDENTIAL, AMZ_DATE, AMZ_EXPIRES, AMZ_SIGNED_HEADERS, AMZ_SIGNATURE, AMZ_SECURITY_TOKEN];

/// A signature in a query, with what the header form says in headers.
pub(super) struct Presigned<'q> {
    pub(super) parts: Parts<'q>,
    pub(super) date: &'q str,
    pub(super) expires_s: u32,
    pub(super) session_token: Option<&'q str>,
    pub(super) body: Option<&'q str>,
}

/// Whether the query carries a signature, or a piece of one.
pub(super) fn is_presigned(query: &Query) -> bool {
    PARAMETERS.iter().any(|name| !matches!(query.single(name), Ok(None)))
}

/// Reads the signature in a query. Every parameter comes once.
pub(super) fn read(query: &Query) -> Result<Presigned<'_>, ReadError> {
    let needed = |name: &'static str| query.single(name)?.ok_or(ReadError::Absent(name));
    if needed(AMZ_ALGORITHM)? != ALGORITHM {
        return Err(ReadError::Algorithm);
    }
    let parts = Parts {
        credential: needed(AMZ_CREDENTIAL)?,
        signed_headers: needed(AMZ_SIGNED_HEADERS)?,
        signature: needed(AMZ_SIGNATURE)?,
    };
    Ok(Presigned {
        parts,
        date: needed(AMZ_DATE)?,
        expires_s: expires_s(needed(AMZ_EXPIRES)?).ok_or(ReadError::Expires)?,
        session_token: query.single(AMZ_SECURITY_TOKEN)?,
        body: query.single(AMZ_CONTENT_SHA256)?,
    })
}

/// 1 to 604,800, without a sign or zeros in front.
fn expires_s(text: &str) -> Option<u32> {
    let plain = text.len() <= 6 && !text.starts_with(['0', '+', '-']);
    let seconds: u32 = plain.then(|| text.parse().ok()).flatten()?;
    (1..=EXPIRES_S_MAX).contains(&seconds).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=a&X-Amz-Date=b&X-Amz-Expires=60\
        &X-Amz-SignedHeaders=host&X-Amz-Signature=c&X-Amz-Security-Token=d%2F";

    fn check_refused(raw: &str, expected: ReadError) {
        let query = Query::parse(raw).unwrap();
        assert!(is_presigned(&query), "{raw}");
        assert_eq!(read(&query).map(|_| ()), Err(expected), "{raw}");
    }

    #[test]
    fn a_presigned_query_is_read() {
        let query = Query::parse(GOOD).unwrap();
        let presigned = read(&query).unwrap();
        assert_eq!((presigned.date, presigned.expires_s, presigned.session_token), ("b", 60, Some("d/")));
        let parts = presigned.parts;
        assert_eq!((parts.credential, parts.signed_headers, parts.signature), ("a", "host", "c"));
        assert!(!is_presigned(&Query::parse("x=X-Amz-Signature&X-Amz-Target=1").unwrap()));
    }

    #[test]
    fn every_parameter_is_there_once_in_its_spelling() {
        for name in PARAMETERS {
            check_refused(&format!("{GOOD}&{name}=a"), ReadError::RepeatedParameter(name));
            check_refused(&format!("{GOOD}&{}=a", name.to_lowercase()), ReadError::RepeatedParameter(name));
            check_refused(&GOOD.replace(name, &name.to_uppercase()), ReadError::Parameter(name));
            if name != AMZ_SECURITY_TOKEN {
                check_refused(&GOOD.replace(name, "other"), ReadError::Absent(name));
            }
        }
    }

    #[test]
    fn only_whole_seconds_up_to_seven_days_are_taken() {
        for bad in ["", "0", "-1", "+1", "060", "604801", "1.5", "1e3", "4294967297", " 60", "ab"] {
            check_refused(&GOOD.replace("=60", &format!("={}", bad.replace('+', "%2B"))), ReadError::Expires);
        }
        for good in ["1", "604800"] {
            assert!(read(&Query::parse(&GOOD.replace("=60", &format!("={good}"))).unwrap()).is_ok(), "{good}");
        }
        check_refused(&GOOD.replace("HMAC-SHA256", "ECDSA-P256-SHA256"), ReadError::Algorithm);
    }
}
