//! What a request says about its own signature, before anybody believes it.
//! Must not know: keys, the clock, or what is expected of a request.

use std::fmt;

use aegis_model::Timestamp;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::access_key::AccessKeyId;
use super::authorization;
use super::moment;
use super::presigned;
use super::query::Query;
use super::request::{RequestHead, is_token};
use super::scope::Scope;
use super::{UNSIGNED_PAYLOAD, X_AMZ_CONTENT_SHA256, X_AMZ_DATE, X_AMZ_SECURITY_TOKEN};
use crate::mac::from_hex;

const SIGNED_HEADERS_MAX: usize = 64;
const HEADER_NAME_LENGTH_MAX: usize = 128;
const SESSION_TOKEN_LENGTH_MAX: usize = 4_096;

/// Headers that change what a request means: one that is there and not signed could have been
/// added or changed by anybody on the way. `x-amzn-trace-id` may be, proxies do so.
const SIGNED_IF_PRESENT: [&str; 4] = ["x-amz-", "x-amzn-bedrock-agentcore-", "x-aegis-", "idempotency-key"];

/// Why a request's signature was not read. Holds names of headers and parameters, no values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// Neither header nor query carries a signature.
    #[error("the request is not signed")]
    Missing,
    /// Both carry one, or a piece of one.
    #[error("the request is signed twice, in `Authorization` and in the query")]
    BothForms,
    /// A header that has to come once.
    #[error("the header `{0}` comes more than once")]
    RepeatedHeader(&'static str),
    /// A part of the signature that has to come once.
    #[error("`{0}` comes more than once")]
    RepeatedParameter(&'static str),
    /// A part of the signature has a wrong spelling.
    #[error("the query parameter `{0}` is misspelt, or its value is no text")]
    Parameter(&'static str),
    /// A part of the signature is not there.
    #[error("the signature has no `{0}`")]
    Absent(&'static str),
    /// Another scheme or another algorithm.
    #[error("the only algorithm for signatures is `AWS4-HMAC-SHA256`")]
    Algorithm,
    /// `Authorization` is not a list of the three known parts.
    #[error("the header `Authorization` does not have the form of a signature")]
    Authorization,
    /// The credential is not an id with a scope.
    #[error("the credential is not of the form `<id>/<date>/<region>/<service>/aws4_request`")]
    Credential,
    /// The time cannot be read.
    #[error("the signature's time is not of the form `20150830T123600Z`")]
    Date,
    /// The scope is of another day than the signature.
    #[error("the date of the credential is not the date of the signature")]
    ScopeDate,
    /// A presigned request is good for less than a second or more than seven days.
    #[error("`X-Amz-Expires` is not a number of seconds from 1 to 604800")]
    Expires,
    /// The list of signed headers has names that are none.
    #[error("the list of signed headers does not hold lower-case names separated by `;`")]
    SignedHeaders,
    /// The list of signed headers is out of order or names one twice.
    #[error("the signed headers are not sorted, or one is named twice")]
    SignedHeadersOrder,
    /// The request could be sent to another host.
    #[error("the header `host` is not signed")]
    HostUnsigned,
    /// A header could be changed without breaking the signature.
    #[error("the header `{0}` is there and not signed")]
    Unsigned(String),
    /// A signed header is not there.
    #[error("the header `{0}` is signed and not there")]
    AbsentHeader(String),
    /// The signature is not 64 digits.
    #[error("the signature is not 64 lower-case hexadecimal digits")]
    Signature,
    /// The session token is empty, too long, or no text.
    #[error("the session token is empty, too long, or has invisible characters")]
    SessionToken,
    /// The body is said to come in signed or unsigned pieces.
    #[error("bodies signed as a stream of pieces are not taken")]
    Streaming,
    /// What is said about the body is no digest.
    #[error("`x-amz-content-sha256` is not 64 lower-case hexadecimal digits")]
    BodyDigest,
    /// The method is no token.
    #[error("the method of the request is malformed")]
    Method,
    /// The path is no raw path.
    #[error("the path of the request is malformed")]
    Path,
    /// Parsers would read the query in different ways.
    #[error("the query has an empty piece or a broken escape")]
    Query,
    /// A value with control characters, or a needed one that is no text.
    #[error("a header has a value with control characters, or one that is no text")]
    HeaderValue,
    /// Something is longer than its limit.
    #[error("the {0} is too long")]
    TooLong(&'static str),
    /// There is more of something than its limit.
    #[error("there are too many {0}")]
    TooMany(&'static str),
}

/// Where a signature was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// In the header `Authorization`.
    Header,
    /// In the query, good for some seconds.
    Presigned {
        /// 1 to 604,800.
        expires_s: u32,
    },
}

/// What a request says about its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyClaim {
    Silent,
    Digest([u8; 32]),
    Unsigned,
}

/// The parts that both forms have.
pub(super) struct Parts<'a> {
    pub(super) credential: &'a str,
    pub(super) signed_headers: &'a str,
    pub(super) signature: &'a str,
}

/// What a request says about its signature: well-formed, and nothing more. Borrows the
/// request, so that no other request can be verified with it. `Debug` hides everything that
/// lets somebody act.
pub struct Claims<'a> {
    pub(super) head: RequestHead<'a>,
    pub(super) query: Query,
    stated: Stated,
}

impl<'a> Claims<'a> {
    /// Reads the signature of a request from its head. Strict, bounded, and without a look-up.
    ///
    /// # Errors
    /// When there is no signature, more than one, or one that is malformed or leaves a header
    /// unsigned that has to be signed.
    pub fn read(head: RequestHead<'a>) -> Result<Self, ReadError> {
        head.check()?;
        let query = Query::parse(head.query)?;
        match (head.single("authorization")?, presigned::is_presigned(&query)) {
            (None, false) => Err(ReadError::Missing),
            (Some(_), true) => Err(ReadError::BothForms),
            (Some(value), false) => Self::from_header(head, query, value),
            (None, true) => Self::from_query(head, query),
        }
    }

    fn from_header(head: RequestHead<'a>, query: Query, authorization: &str) -> Result<Self, ReadError> {
        let date = head.single(X_AMZ_DATE)?.ok_or(ReadError::Absent(X_AMZ_DATE))?;
        let details = Details {
            date,
            form: Form::Header,
            session_token: head.single(X_AMZ_SECURITY_TOKEN)?,
            body: head.single(X_AMZ_CONTENT_SHA256)?,
        };
        let stated = details.read(&authorization::read(authorization)?)?;
        check_coverage(head, &stated.signed_headers)?;
        Ok(Self { head, query, stated })
    }

    fn from_query(head: RequestHead<'a>, query: Query) -> Result<Self, ReadError> {
        let presigned = presigned::read(&query)?;
        // A header beside the parameter of the same meaning: whichever is read, the other lies.
        for name in [X_AMZ_DATE, X_AMZ_SECURITY_TOKEN] {
            if head.has(name) {
                return Err(ReadError::RepeatedParameter(name));
            }
        }
        let body = match (presigned.body, head.single(X_AMZ_CONTENT_SHA256)?) {
            (Some(_), Some(_)) => return Err(ReadError::RepeatedParameter(X_AMZ_CONTENT_SHA256)),
            (parameter, header) => parameter.or(header),
        };
        let form = Form::Presigned { expires_s: presigned.expires_s };
        let details = Details { date: presigned.date, form, session_token: presigned.session_token, body };
        let stated = details.read(&presigned.parts)?;
        check_coverage(head, &stated.signed_headers)?;
        Ok(Self { head, query, stated })
    }

    /// Names the key whose secret signed, as the request says.
    pub fn access_key_id(&self) -> &AccessKeyId {
        &self.stated.access_key_id
    }

    /// What the key that signed is good for, as the request says.
    pub fn scope(&self) -> &Scope {
        &self.stated.scope
    }

    /// When it was signed, as the request says.
    pub fn signed_at(&self) -> Timestamp {
        self.stated.signed_at
    }

    /// Where the signature was found.
    pub fn form(&self) -> Form {
        self.stated.form
    }

    /// The names of the signed headers, sorted.
    pub fn signed_headers(&self) -> &[String] {
        &self.stated.signed_headers
    }

    /// The session token that came along, for finding the session.
    pub fn session_token(&self) -> Option<&str> {
        self.stated.session_token.as_ref().map(|token| token.as_str())
    }

    /// Whether the session token is the expected one, or is rightly absent. Takes the same
    /// time wherever the two differ.
    pub fn session_token_is(&self, expected: Option<&str>) -> bool {
        match (self.session_token(), expected) {
            (Some(given), Some(expected)) => given.as_bytes().ct_eq(expected.as_bytes()).into(),
            (None, None) => true,
            _ => false,
        }
    }

    /// What is said about the body.
    pub(super) fn body(&self) -> BodyClaim {
        self.stated.body
    }

    /// The signature, for the cache of what was seen already. Unproven until verified.
    pub fn signature(&self) -> [u8; 32] {
        self.stated.signature
    }
}

impl fmt::Debug for Claims<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stated { access_key_id, scope, signed_at, form, .. } = &self.stated;
        write!(f, "Claims({access_key_id}/{scope} at {signed_at}, {form:?}, …)")
    }
}

/// What the two forms say in different places.
struct Details<'t> {
    date: &'t str,
    form: Form,
    session_token: Option<&'t str>,
    body: Option<&'t str>,
}

/// What a signature states, in either form.
struct Stated {
    signature: [u8; 32],
    body: BodyClaim,
    access_key_id: AccessKeyId,
    scope: Scope,
    signed_headers: Vec<String>,
    signed_at: Timestamp,
    form: Form,
    session_token: Option<Zeroizing<String>>,
}

impl Details<'_> {
    fn read(&self, parts: &Parts<'_>) -> Result<Stated, ReadError> {
        let (id, scope) = Scope::read_credential(parts.credential).ok_or(ReadError::Credential)?;
        let signed_at = moment::parse(self.date).ok_or(ReadError::Date)?;
        if moment::day(signed_at) != scope.date() {
            return Err(ReadError::ScopeDate);
        }
        Ok(Stated {
            signature: from_hex(parts.signature).ok_or(ReadError::Signature)?,
            body: body(self.body)?,
            access_key_id: AccessKeyId::parse(id).map_err(|_| ReadError::Credential)?,
            scope,
            signed_headers: signed_headers(parts.signed_headers)?,
            signed_at,
            form: self.form,
            session_token: self.session_token.map(session_token).transpose()?,
        })
    }
}

/// Refuses a request whose meaning can be changed without breaking the signature.
fn check_coverage(head: RequestHead<'_>, signed: &[String]) -> Result<(), ReadError> {
    let is_signed = |name: &str| signed.iter().any(|signed| signed.eq_ignore_ascii_case(name));
    if !is_signed("host") {
        return Err(ReadError::HostUnsigned);
    }
    for name in ["host", "content-type"] {
        head.single(name)?;
    }
    if let Some(absent) = signed.iter().find(|name| !head.has(name)) {
        return Err(ReadError::AbsentHeader(absent.clone()));
    }
    let open = head.headers.iter().find(|(name, _)| has_to_be_signed(name) && !is_signed(name));
    open.map_or(Ok(()), |(name, _)| Err(ReadError::Unsigned(shown(name))))
}

fn has_to_be_signed(name: &str) -> bool {
    let begins = |start: &&str| name.get(..start.len()).is_some_and(|given| given.eq_ignore_ascii_case(start));
    name.eq_ignore_ascii_case("content-type") || SIGNED_IF_PRESENT.iter().any(begins)
}

/// A header's name as it may stand in a message.
fn shown(name: &str) -> String {
    name.bytes().filter(|byte| is_token(*byte)).take(HEADER_NAME_LENGTH_MAX).map(char::from).collect()
}

fn signed_headers(text: &str) -> Result<Vec<String>, ReadError> {
    let names: Vec<&str> = text.split(';').take(SIGNED_HEADERS_MAX + 1).collect();
    if names.len() > SIGNED_HEADERS_MAX {
        return Err(ReadError::TooMany("signed headers"));
    }
    let is_name = |name: &&str| {
        let letters = name.bytes().all(|byte| is_token(byte) && !byte.is_ascii_uppercase());
        (1..=HEADER_NAME_LENGTH_MAX).contains(&name.len()) && letters
    };
    if !names.iter().all(is_name) {
        return Err(ReadError::SignedHeaders);
    }
    if !names.is_sorted_by(|one, next| one < next) {
        return Err(ReadError::SignedHeadersOrder);
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

fn session_token(text: &str) -> Result<Zeroizing<String>, ReadError> {
    let length = (1..=SESSION_TOKEN_LENGTH_MAX).contains(&text.len());
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if length && visible { Ok(Zeroizing::new(text.to_owned())) } else { Err(ReadError::SessionToken) }
}

fn body(text: Option<&str>) -> Result<BodyClaim, ReadError> {
    match text {
        None => Ok(BodyClaim::Silent),
        Some(UNSIGNED_PAYLOAD) => Ok(BodyClaim::Unsigned),
        Some(text) if text.starts_with("STREAMING-") => Err(ReadError::Streaming),
        Some(text) => from_hex(text).map(BodyClaim::Digest).ok_or(ReadError::BodyDigest),
    }
}
