//! The path as it is signed. Must not know: what a path leads to.

use std::borrow::Cow;

use super::percent::push_encoded;

/// How the path of a request is signed. Every service of AWS but S3 encodes the path, which
/// is encoded already, once more: `%3A` is signed as `%253A`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PathRule {
    /// Encoded once more; a path with empty or dot segments is refused. What is signed is
    /// then what is routed: `/a/../b` cannot be sent with the signature of `/b`.
    #[default]
    Strict,
    /// Encoded once more after empty and dot segments were removed, as most services of AWS
    /// do. Route by the normalised path, or a signature for `/b` opens `/a/../b`.
    Normalised,
    /// Encoded once more, segments as they were sent.
    AsSent,
    /// Signed exactly as it was sent, as S3 does.
    S3,
}

/// The path as it is signed; `None` if the rule does not allow it.
pub(super) fn canonical(path: &str, rule: PathRule) -> Option<String> {
    let path = if path.is_empty() { "/" } else { path };
    match rule {
        PathRule::Strict => (normalised(path) == path).then(|| encoded(path)),
        PathRule::Normalised => Some(encoded(&normalised(path))),
        PathRule::AsSent => Some(encoded(path)),
        PathRule::S3 => Some(path.to_owned()),
    }
}

fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len() + 32);
    push_encoded(&mut text, path.as_bytes(), Some(b'/'));
    text
}

/// RFC 3986, 5.2.4, and without empty segments.
fn normalised(path: &str) -> Cow<'_, str> {
    if !path.contains("/.") && !path.contains("//") {
        return Cow::Borrowed(path);
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    let open = ["/", "/.", "/.."].iter().any(|end| path.ends_with(end));
    let end = if open && !kept.is_empty() { "/" } else { "" };
    Cow::Owned(format!("/{}{end}", kept.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, expected: &str) {
        assert_eq!(normalised(path), expected, "{path}");
        assert_eq!(canonical(path, PathRule::Strict).is_some(), path == expected, "{path}");
    }

    #[test]
    fn dot_and_empty_segments_are_removed_or_refused() {
        check("/", "/");
        check("//", "/");
        check("/.", "/");
        check("/..", "/");
        check("/../../a", "/a");
        check("/a/./b/", "/a/b/");
        check("/a//b", "/a/b");
        check("/a/b/..", "/a/");
        check("/a/b/../", "/a/");
        check("/a/b/.", "/a/b/");
        check("/a/..b/.c/d.", "/a/..b/.c/d.");
        check("/%2e%2e/a", "/%2e%2e/a");
    }

    #[test]
    fn the_path_is_encoded_once_more_but_for_s3() {
        let arn = "/runtimes/arn%3Aaws/@x";
        assert_eq!(canonical(arn, PathRule::Strict).as_deref(), Some("/runtimes/arn%253Aaws/%40x"));
        assert_eq!(canonical(arn, PathRule::Normalised).as_deref(), Some("/runtimes/arn%253Aaws/%40x"));
        assert_eq!(canonical("/a/../b", PathRule::AsSent).as_deref(), Some("/a/../b"));
        assert_eq!(canonical(arn, PathRule::S3).as_deref(), Some(arn));
        assert_eq!(canonical("", PathRule::Strict).as_deref(), Some("/"));
    }
}
