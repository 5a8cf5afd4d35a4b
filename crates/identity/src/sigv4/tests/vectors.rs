//! AWS's published vectors, read from where cargo keeps the package of AWS's own signer.

use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;
use serde::Deserialize;

use super::requests::{Key, Request, SECRET, now, options, secret};
use crate::sigv4::query::Query;
use crate::sigv4::{
    BodyHeader, Claims, PathRule, ReadError, SigningKey, VerifyError, VerifyOptions, canonical, verify,
};

#[derive(Deserialize)]
struct Context {
    credentials: Credentials,
    expiration_in_seconds: u32,
    normalize: bool,
    sign_body: bool,
    #[serde(default)]
    omit_session_token: bool,
}

#[derive(Deserialize)]
struct Credentials {
    secret_access_key: String,
    token: Option<String>,
}

struct Vector {
    name: String,
    folder: PathBuf,
}

impl Vector {
    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap_or_else(|error| panic!("{}/{file}: {error}", self.name))
    }

    fn request(&self, file: &str) -> Request {
        parse(&self.text(file))
    }

    /// The request before it was signed. `get-space-normalized` writes its path encoded here and
    /// raw where it is signed; the signature is the raw one's.
    fn unsigned(&self) -> Request {
        let request = self.request("request.txt");
        Request { path: request.path.replace("%20", " "), ..request }
    }

    /// Two of the vectors are only a canonical request.
    fn context(&self) -> Option<Context> {
        let text = fs::read_to_string(self.folder.join("context.json")).ok()?;
        Some(serde_json::from_str(&text).expect("context.json"))
    }

    fn key(&self, context: &Context) -> Key {
        assert_eq!(context.credentials.secret_access_key, SECRET);
        Key {
            session_token: context.credentials.token.clone().filter(|_| !context.omit_session_token),
            path: if context.normalize { PathRule::Normalised } else { PathRule::AsSent },
            body_header: if context.sign_body { BodyHeader::Stated } else { BodyHeader::Absent },
            ..Key::sample()
        }
    }
}

fn suite() -> Vec<Vector> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let options = ["--offline".to_owned(), "--filter-platform".to_owned(), platform];
    let metadata = MetadataCommand::new().manifest_path(manifest).other_options(options).exec().expect("metadata");
    let signer = metadata.packages.iter().find(|package| package.name.as_str() == "aws-sigv4").expect("aws-sigv4");
    let folder = signer.manifest_path.parent().expect("a folder").join("aws-signing-test-suite/v4");
    let entries = fs::read_dir(folder).expect("the vectors come with the package");
    let mut suite: Vec<_> = entries
        .map(|entry| entry.expect("entry"))
        .map(|entry| Vector { name: entry.file_name().to_string_lossy().into_owned(), folder: entry.path() })
        .collect();
    suite.sort_by(|one, other| one.name.cmp(&other.name));
    suite
}

/// Reads a request as the vectors write them: raw targets with spaces, and folded headers.
fn parse(text: &str) -> Request {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let line = lines.next().expect("a request line");
    let (method, target) = line.split_once(' ').expect("a method");
    let target = target.strip_suffix(" HTTP/1.1").unwrap_or(target);
    let mut request = Request::new(method, target, &[], body.as_bytes());
    for line in lines {
        match line.split_once(':').filter(|_| !line.starts_with(' ')) {
            Some((name, value)) => request = request.with(name, value),
            None => request.headers.last_mut().expect("a header").1.extend_from_slice(line.as_bytes()),
        }
    }
    request
}

/// The canonical request of a signed request, made by what verifies.
fn canonical_text(request: &Request, options: &VerifyOptions) -> String {
    request.with_head(|head| {
        let claims = Claims::read(head).expect("claims");
        let payload = crate::mac::to_hex(&request.body_sha256());
        let query = claims.query.canonical();
        let text = canonical::request(head, &query, claims.signed_headers(), options.path, &payload);
        String::from_utf8(text.expect("a path")).expect("text")
    })
}

fn header<'r>(request: &'r Request, name: &str) -> &'r str {
    let found = request.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).expect(name);
    std::str::from_utf8(&found.1).expect("text")
}

/// A token that was added after signing is refused by name; without it the request is good.
fn strip_unsigned_token(vector: &Vector, request: Request, context: &Context) -> Request {
    if !context.omit_session_token {
        return request;
    }
    let refused = request.with_head(|head| Claims::read(head).map(|_| ()));
    let in_header = request.query.is_empty();
    if in_header {
        assert_eq!(refused, Err(ReadError::Unsigned("X-Amz-Security-Token".to_owned())), "{}", vector.name);
        return request.without("x-amz-security-token");
    }
    assert_eq!(request.verify(&options(), now()), Err(VerifyError::Signature.to_string()), "{}", vector.name);
    let kept: Vec<_> = request.query.split('&').filter(|pair| !pair.starts_with("X-Amz-Security-Token=")).collect();
    Request { query: kept.join("&"), ..request }
}

fn check_verifies(vector: &Vector, form: &str, context: &Context) {
    let options = VerifyOptions { path: vector.key(context).path, ..options() };
    let request = vector.request(&format!("{form}-signed-request.txt"));
    let request = strip_unsigned_token(vector, request, context);
    let expected = vector.text(&format!("{form}-canonical-request.txt"));
    assert_eq!(canonical_text(&request, &options), expected, "{} {form}", vector.name);
    assert_eq!(request.verify(&options, now()), Ok(()), "{} {form}", vector.name);
}

fn check_signs_header(vector: &Vector, context: &Context) {
    let signed = vector.unsigned().signed(&vector.key(context));
    let expected = vector.request("header-signed-request.txt");
    assert_eq!(header(&signed, "authorization"), header(&expected, "authorization").trim(), "{}", vector.name);
}

fn check_signs_query(vector: &Vector, context: &Context) {
    let signed = vector.unsigned().presigned(&vector.key(context), context.expiration_in_seconds);
    let expected = strip_unsigned_token(vector, vector.request("query-signed-request.txt"), context);
    let pairs = |request: &Request| Query::parse(&request.query).map(|query| query.canonical());
    assert_eq!(pairs(&signed), pairs(&expected), "{}", vector.name);
    let signature = vector.text("query-signature.txt");
    assert!(signed.query.ends_with(&format!("&X-Amz-Signature={signature}")), "{}: {}", vector.name, signed.query);
}

#[test]
fn every_published_vector_is_signed_and_verified_in_both_forms() {
    let suite = suite();
    let whole: Vec<_> = suite.iter().filter_map(|vector| Some((vector, vector.context()?))).collect();
    assert_eq!((suite.len(), whole.len()), (40, 38), "the package brings other vectors: look at them");
    for (vector, context) in whole {
        check_verifies(vector, "header", &context);
        check_verifies(vector, "query", &context);
        check_signs_header(vector, &context);
        check_signs_query(vector, &context);
    }
}

/// The two vectors without a context: their paths are encoded already and are encoded again.
#[test]
fn encoded_paths_are_encoded_once_more_as_published() {
    let suite: Vec<_> = suite().into_iter().filter(|vector| vector.context().is_none()).collect();
    assert_eq!(suite.len(), 2);
    for vector in suite {
        let request = vector.request("header-signed-request.txt");
        let made = canonical_text(&request, &options());
        let expected = vector.text("header-canonical-request.txt");
        let without_date = |text: &str| -> String {
            text.lines().filter(|line| !line.starts_with("x-amz-date:")).collect::<Vec<_>>().join("\n")
        };
        // One of them mixes two dates.
        assert_eq!(without_date(&made), without_date(&expected), "{}", vector.name);
    }
}

/// The suite has no vector for S3; this is the example of S3's own documentation.
#[test]
fn the_published_example_of_a_presigned_request_to_s3_verifies() {
    let query = "X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
        &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
        &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    let headers = [("host", "examplebucket.s3.amazonaws.com")];
    let request = Request::new("GET", &format!("/test.txt?{query}"), &headers, b"");
    let now = crate::sigv4::moment::parse("20130524T120000Z").unwrap();
    let strict = VerifyOptions { path: PathRule::S3, ..VerifyOptions::new("us-east-1", "s3") };
    let open = VerifyOptions { payload: crate::sigv4::PayloadRule::UnsignedAllowed, ..strict.clone() };
    request.with_head(|head| {
        let claims = Claims::read(head).unwrap();
        let example = secret().reveal().replace("nFEMI/K7MDENG+b", "nFEMI/K7MDENG/b");
        let secret = crate::sigv4::SecretAccessKey::parse(&example).unwrap();
        let key = SigningKey::derive(&secret, claims.scope());
        assert_eq!(verify(&claims, &[0; 32], &key, &open, now), Ok(()));
        assert_eq!(verify(&claims, &[0; 32], &key, &strict, now), Err(VerifyError::UnsignedPayload));
    });
}
