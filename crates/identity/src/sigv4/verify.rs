//! Whether a signature is good: in time, for us, and made with the right key.
//! Must not know: where keys come from, or what the request asks for.

use aegis_model::Timestamp;
use subtle::{Choice, ConstantTimeEq};

use super::canonical;
use super::claims::{BodyClaim, Claims, Form};
use super::moment;
use super::path::PathRule;
use super::signing_key::SigningKey;
use super::{EXPIRES_S_MAX, UNSIGNED_PAYLOAD};
use crate::mac::to_hex;

/// Why a well-formed signature is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Signed for another region.
    #[error("the request is signed for another region")]
    Region,
    /// Signed for another service.
    #[error("the request is signed for another service")]
    Service,
    /// Its time is further ahead than the window.
    #[error("the signature is not good yet")]
    NotYet,
    /// Its time is further back than the window, or its seconds are over.
    #[error("the signature has expired")]
    Expired,
    /// The body is not covered by the signature, and has to be.
    #[error("the body has to be signed")]
    UnsignedPayload,
    /// The body is not the one whose digest is signed.
    #[error("the body is not the signed one")]
    Body,
    /// The digest of the body is not in the head, so the head alone proves nothing.
    #[error("the signature can be verified only together with the body")]
    BodyNeeded,
    /// The path has empty or dot segments, and the rule refuses them.
    #[error("the path has empty or dot segments")]
    Path,
    /// The caller brought a key for another scope.
    #[error("the signing key is of another scope than the signature")]
    KeyScope,
    /// Signed with another key, changed after signing, or by nobody we know.
    #[error("the signature is not the one that the key makes of this request")]
    Signature,
}

/// How far a signature's time may be from the clock, before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window(u64);

impl Window {
    /// Five minutes, as most services of AWS.
    pub const DEFAULT: Self = Self(300_000);

    /// A window of 1 to 900 seconds; `None` for any other number.
    pub fn from_secs(seconds: u32) -> Option<Self> {
        (1..=900).contains(&seconds).then(|| Self(u64::from(seconds) * 1_000))
    }

    /// The window in milliseconds.
    pub fn as_millis(self) -> u64 {
        self.0
    }
}

/// What has to be signed of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PayloadRule {
    /// Its digest, always.
    #[default]
    Signed,
    /// `UNSIGNED-PAYLOAD` is taken where a request says so; presigned requests to S3 mean it
    /// without saying so.
    UnsignedAllowed,
}

/// What is expected of every signature.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// The regions that we are.
    pub regions: Vec<String>,
    /// The services that we are.
    pub services: Vec<String>,
    /// How far clocks may be apart.
    pub window: Window,
    /// What has to be signed of a body.
    pub payload: PayloadRule,
    /// How paths are signed.
    pub path: PathRule,
}

impl VerifyOptions {
    /// The strict options for one region and one service.
    pub fn new(region: &str, service: &str) -> Self {
        Self {
            regions: vec![region.to_owned()],
            services: vec![service.to_owned()],
            window: Window::DEFAULT,
            payload: PayloadRule::default(),
            path: PathRule::default(),
        }
    }
}

impl Claims<'_> {
    /// The last moment at which the signature is accepted, for the cache of what was seen.
    pub fn valid_until(&self, window: Window) -> Timestamp {
        match self.form() {
            Form::Header => self.signed_at().plus_ms(window.0),
            Form::Presigned { expires_s } => self.signed_at().plus_ms(u64::from(expires_s.min(EXPIRES_S_MAX)) * 1_000),
        }
    }
}

/// What the head alone tells without any key: refuses in a microsecond, before a key is looked
/// up and before a body is taken in. `now` is when the head arrived, because a body may take
/// long.
///
/// # Errors
/// When the signature is for another region or service, is out of its time, or leaves the body
/// unsigned.
pub fn check(claims: &Claims<'_>, options: &VerifyOptions, now: Timestamp) -> Result<(), VerifyError> {
    if !options.regions.iter().any(|region| region == claims.scope().region()) {
        return Err(VerifyError::Region);
    }
    if !options.services.iter().any(|service| service == claims.scope().service()) {
        return Err(VerifyError::Service);
    }
    if claims.signed_at().since_ms(now) > options.window.0 {
        return Err(VerifyError::NotYet);
    }
    if now > claims.valid_until(options.window) {
        return Err(VerifyError::Expired);
    }
    if is_unsigned(claims, options) && options.payload == PayloadRule::Signed {
        return Err(VerifyError::UnsignedPayload);
    }
    Ok(())
}

/// Whether the signature is the one that `key` makes of this request with this body. An
/// unknown key costs as much as a wrong one, see [`SigningKey::unknown`].
///
/// # Errors
/// As [`check`], and when body or signature are not the right ones.
pub fn verify(
    claims: &Claims<'_>,
    body_sha256: &[u8; 32],
    key: &SigningKey,
    options: &VerifyOptions,
    now: Timestamp,
) -> Result<(), VerifyError> {
    check(claims, options, now)?;
    let signed = stated(claims).unwrap_or(*body_sha256);
    let payload = if is_unsigned(claims, options) { UNSIGNED_PAYLOAD.to_owned() } else { to_hex(&signed) };
    check_signature(claims, &payload, key, options)?;
    // Comes second, so that nobody learns anything about a body without a signature.
    OwedBody(signed).settle(body_sha256)
}

/// A body that a verified head has promised. Nothing may be done before it is settled.
#[derive(Debug)]
#[must_use = "the head is verified, the body is not"]
pub struct OwedBody([u8; 32]);

impl OwedBody {
    /// Compares the body that came.
    ///
    /// # Errors
    /// When it is not the signed one.
    pub fn settle(self, body_sha256: &[u8; 32]) -> Result<(), VerifyError> {
        if self.0.ct_eq(body_sha256).into() { Ok(()) } else { Err(VerifyError::Body) }
    }
}

/// As [`verify`], before the body came: for requests that state its digest in
/// `x-amz-content-sha256`, so that nobody without a key makes us take in a large body.
///
/// # Errors
/// As [`verify`], and when the head does not state the digest.
pub fn verify_head(
    claims: &Claims<'_>,
    key: &SigningKey,
    options: &VerifyOptions,
    now: Timestamp,
) -> Result<OwedBody, VerifyError> {
    let stated = stated(claims).ok_or(VerifyError::BodyNeeded)?;
    verify(claims, &stated, key, options, now)?;
    Ok(OwedBody(stated))
}

fn stated(claims: &Claims<'_>) -> Option<[u8; 32]> {
    match claims.body() {
        BodyClaim::Digest(stated) => Some(stated),
        BodyClaim::Silent | BodyClaim::Unsigned => None,
    }
}

/// Whether the body is left out of the signature. A presigned request to S3 leaves it out
/// unless it says otherwise.
fn is_unsigned(claims: &Claims<'_>, options: &VerifyOptions) -> bool {
    match claims.body() {
        BodyClaim::Digest(_) => false,
        BodyClaim::Unsigned => true,
        BodyClaim::Silent => options.path == PathRule::S3 && matches!(claims.form(), Form::Presigned { .. }),
    }
}

fn check_signature(
    claims: &Claims<'_>,
    payload: &str,
    key: &SigningKey,
    options: &VerifyOptions,
) -> Result<(), VerifyError> {
    if key.scope() != claims.scope() {
        return Err(VerifyError::KeyScope);
    }
    let query = claims.query.canonical();
    let text = canonical::request(claims.head, &query, claims.signed_headers(), options.path, payload);
    let digest = canonical::digest_hex(&text.ok_or(VerifyError::Path)?);
    let expected = key.sign(&moment::format(claims.signed_at()), &digest);
    let good = expected.ct_eq(&claims.signature()) & Choice::from(u8::from(key.is_known()));
    if good.into() { Ok(()) } else { Err(VerifyError::Signature) }
}
