//! What `agent_deploy` sends: a manifest, with or without a bundle. The same deployment is
//! always the same bytes, because a repeat under one idempotency key must not differ.

use bytes::Bytes;

/// How the manifest is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManifestFormat {
    /// YAML.
    Yaml,
    /// JSON.
    Json,
}

impl ManifestFormat {
    /// The content type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Yaml => "application/yaml",
            Self::Json => "application/json",
        }
    }
}

/// A manifest, with or without a bundle.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The manifest as it is written.
    pub manifest: Bytes,
    /// How it is written.
    pub format: ManifestFormat,
    /// The code, as tar.zst.
    pub bundle: Option<Bytes>,
}

impl Deployment {
    /// A manifest in YAML without code.
    pub fn yaml(manifest: impl Into<Bytes>) -> Self {
        Self { manifest: manifest.into(), format: ManifestFormat::Yaml, bundle: None }
    }

    /// Adds the code.
    #[must_use]
    pub fn with_bundle(mut self, bundle: impl Into<Bytes>) -> Self {
        self.bundle = Some(bundle.into());
        self
    }

    /// The content type and the body of the request.
    pub(crate) fn body(&self) -> (String, Bytes) {
        let content_type = self.format.content_type();
        let Some(bundle) = &self.bundle else {
            return (content_type.to_owned(), self.manifest.clone());
        };
        let boundary = boundary(&[&self.manifest, bundle]);
        let mut body = Vec::with_capacity(self.manifest.len() + bundle.len() + 512);
        part(&mut body, &boundary, &Part { name: "manifest", file: "agent", content_type, content: &self.manifest });
        let bundled =
            Part { name: "bundle", file: "bundle.tar.zst", content_type: "application/zstd", content: bundle };
        part(&mut body, &boundary, &bundled);
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        (format!("multipart/form-data; boundary={boundary}"), Bytes::from(body))
    }
}

struct Part<'a> {
    name: &'a str,
    file: &'a str,
    content_type: &'a str,
    content: &'a [u8],
}

fn part(body: &mut Vec<u8>, boundary: &str, part: &Part<'_>) {
    let Part { name, file, content_type, content } = part;
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\nContent-Type: {content_type}\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(content);
    body.extend_from_slice(b"\r\n");
}

/// The first boundary of a fixed row that occurs in no content.
fn boundary(contents: &[&[u8]]) -> String {
    let occurs = |boundary: &str| {
        contents.iter().any(|content| content.windows(boundary.len()).any(|window| window == boundary.as_bytes()))
    };
    let mut boundary = "aegis-part-0".to_owned();
    let mut number = 0_u64;
    while occurs(&boundary) {
        number += 1;
        boundary = format!("aegis-part-{number}");
    }
    boundary
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_deployment_is_the_same_bytes() {
        let deployment = Deployment::yaml("a: 1").with_bundle(vec![1, 2, 3]);
        assert_eq!(deployment.body(), deployment.body());
    }

    #[test]
    fn a_bundle_that_holds_the_boundary_cannot_end_its_part() {
        let hostile = b"x\r\n--aegis-part-0--\r\n aegis-part-1".to_vec();
        let (content_type, body) = Deployment::yaml("a: 1").with_bundle(hostile.clone()).body();
        assert_eq!(content_type, "multipart/form-data; boundary=aegis-part-2");
        assert!(body.windows(hostile.len()).any(|window| window == hostile));
        assert!(body.ends_with(b"\r\n--aegis-part-2--\r\n"));
    }

    #[test]
    fn a_manifest_alone_is_sent_as_it_is() {
        let (content_type, body) = Deployment::yaml("a: 1").body();
        assert_eq!((content_type.as_str(), body.as_ref()), ("application/yaml", b"a: 1".as_slice()));
    }
}
