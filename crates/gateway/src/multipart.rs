//! Deployments: a manifest alone, or a manifest and a bundle in a multipart body.

use aegis_model::{Code, Fault};
use axum::body::Body;
use axum::extract::{DefaultBodyLimit, FromRequest, Multipart, Request};
use axum::http::header;
use bytes::Bytes;

use crate::call::Call;
use crate::idempotency::is_multipart;

/// Content types under which a manifest may come alone.
const MANIFEST_TYPES: [&str; 5] =
    ["application/json", "application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"];

/// The parts of a deployment, as sent.
pub struct Sent {
    /// The manifest.
    pub manifest: Bytes,
    /// The code.
    pub bundle: Option<Bytes>,
}

/// Takes a deployment apart.
pub async fn sent(call: &Call) -> Result<Sent, Fault> {
    if is_multipart(&call.headers) {
        return parts(call).await;
    }
    let kind = call.content_type();
    if MANIFEST_TYPES.contains(&kind.as_str()) {
        return Ok(Sent { manifest: call.body.clone(), bundle: None });
    }
    let taken = "`application/yaml`, `application/json` or `multipart/form-data`";
    Err(Fault::new(Code::UnsupportedMediaType, format!("the content type must be {taken}")))
}

async fn parts(call: &Call) -> Result<Sent, Fault> {
    let mut request = Request::new(Body::from(call.body.clone()));
    // The body was bounded when it was taken in; a bundle is larger than bodies are by default.
    DefaultBodyLimit::disable().apply(&mut request);
    if let Some(kind) = call.headers.get(header::CONTENT_TYPE) {
        request.headers_mut().insert(header::CONTENT_TYPE, kind.clone());
    }
    let wrong = |error: &dyn std::fmt::Display| {
        let shown: String = error.to_string().chars().take(200).flat_map(char::escape_debug).collect();
        Fault::new(Code::Malformed, format!("the multipart body cannot be read: {shown}"))
    };
    let mut multipart = Multipart::from_request(request, &()).await.map_err(|error| wrong(&error))?;
    let (mut manifest, mut bundle) = (None, None);
    while let Some(field) = multipart.next_field().await.map_err(|error| wrong(&error))? {
        let place = match field.name() {
            Some("manifest") => &mut manifest,
            Some("bundle") => &mut bundle,
            _ => return Err(Fault::new(Code::Validation, "the parts are `manifest` and `bundle`")),
        };
        if place.is_some() {
            return Err(Fault::new(Code::Validation, "a part came twice"));
        }
        *place = Some(field.bytes().await.map_err(|error| wrong(&error))?);
    }
    let manifest = manifest.ok_or_else(|| Fault::new(Code::Validation, "the part `manifest` is missing"))?;
    Ok(Sent { manifest, bundle })
}
