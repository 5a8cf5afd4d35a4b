//! Texts with a form of their own: hosts, paths, patterns of tools and models, variable names.
//! Whatever carries one of these types has been checked. Must not know: what is granted.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::units::{UnitError, quoted};
use crate::id::name_problem;

macro_rules! text {
    ($(#[doc = $doc:literal])+ $type:ident, $format:literal, $pattern:literal, $check:path) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// What its schema calls this form.
            pub(super) const FORMAT: &'static str = $format;
            /// The same for programs that know no formats; names of fields have only this.
            const PATTERN: &'static str = $pattern;

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = UnitError;
            fn from_str(text: &str) -> Result<Self, UnitError> {
                $check(text)?;
                Ok(Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $type {
            type Error = UnitError;
            fn try_from(text: String) -> Result<Self, UnitError> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(text: $type) -> String {
                text.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let what = concat!($($doc),+).trim_ascii();
                json_schema!({"type": "string", "format": $format, "pattern": $pattern, "description": what})
            }
        }
    };
}

text!(
    /// A host, or `*.` and a domain for every host below it.
    HostPattern, "aegis-host-pattern", "^(\\*\\.)?([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$", host_pattern
);
text!(
    /// One host by its exact name.
    Host, "aegis-host", "^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)*[a-z0-9]([a-z0-9-]*[a-z0-9])?$", host
);
text!(
    /// A path of a URL; `*` stands for a part of a segment, `/**` at the end for everything below.
    PathPattern, "aegis-path-pattern", "^/[^?#\\\\\\s]*$", path_pattern
);
text!(
    /// An absolute path in the box, below no directory of the box's own such as `/app` or `/tmp`.
    BoxPath, "aegis-box-path", "^/.+$", box_path
);
text!(
    /// A path relative to the manifest.
    BundlePath, "aegis-bundle-path", "^[^/].*$", bundle_path
);
text!(
    /// What the box sees as `/`: `host`, or a directory or tar in the bundle.
    Root, "aegis-root", "^[^/].*$", root
);
text!(
    /// The name of a secret of the tenant.
    SecretName, "aegis-secret-name", "^[a-z0-9][a-z0-9-]{0,62}$", secret_name
);
text!(
    /// The name of a volume of the tenant.
    VolumeName, "aegis-volume-name", "^[a-z0-9][a-z0-9-]{0,62}$", volume_name
);
text!(
    /// A tool, `mcp:SERVER/TOOL` for a tool of an MCP server, or a pattern with `*`.
    ToolPattern, "aegis-tool-pattern", "^[a-zA-Z0-9_.:/*-]{1,128}$", tool_pattern
);
text!(
    /// A model, or a pattern with `*`.
    ModelPattern, "aegis-model-pattern", "^[a-zA-Z0-9_.:/@*-]{1,128}$", model_pattern
);
text!(
    /// A container image, best with its digest.
    ImageReference, "aegis-image", "^[a-z0-9][a-z0-9._/:-]*(@sha256:[0-9a-f]{64})?$", image_reference
);
text!(
    /// The name of an environment variable.
    VariableName, "aegis-variable", "^[A-Za-z_][A-Za-z0-9_]{0,127}$", variable_name
);
text!(
    /// The name of an HTTP header; none that frames the request.
    HeaderName, "aegis-header", "^[A-Za-z0-9_-]{1,64}$", header_name
);
text!(
    /// The key of a label: up to 63 lower-case letters, digits and `._/-`.
    LabelKey, "aegis-label", "^[a-z0-9]([a-z0-9._/-]{0,61}[a-z0-9])?$", label_key
);

impl HostPattern {
    /// Whether it names that host, which is in normal form: exactly it, or with `*.` every host
    /// below the domain and not the domain itself.
    pub fn covers(&self, host: &str) -> bool {
        match self.0.strip_prefix("*.") {
            None => self.0 == host,
            Some(domain) => host.strip_suffix(domain).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        }
    }
}

impl Root {
    /// The host's `/usr`, read-only.
    pub const HOST: &'static str = "host";

    /// Whether the box sees the host's `/usr`, read-only, and nothing from the bundle.
    pub fn is_host(&self) -> bool {
        self.0 == Self::HOST
    }
}

/// Says whether `text` has the form that a schema calls by this format or pattern; `None` for
/// other forms.
pub(super) fn check_form(form: &str, text: &str) -> Option<Result<(), UnitError>> {
    type Check = fn(&str) -> Result<(), UnitError>;
    macro_rules! table {
        ($($type:ident $check:path),* $(,)?) => {
            [$(($type::FORMAT, $type::PATTERN, $check as Check)),*]
        };
    }
    let table = table!(
        HostPattern host_pattern, Host host, PathPattern path_pattern, BoxPath box_path, BundlePath bundle_path, Root root,
        SecretName secret_name, VolumeName volume_name, ToolPattern tool_pattern, ModelPattern model_pattern,
        ImageReference image_reference, VariableName variable_name, HeaderName header_name, LabelKey label_key,
    );
    let row = table.into_iter().find(|(format, pattern, _)| form == *format || form == *pattern);
    row.map(|(_, _, check)| check(text))
}

/// Longest host name.
const HOST_LENGTH_MAX: usize = 253;
/// Longest path, in a URL or a box.
const PATH_LENGTH_MAX: usize = 1024;

fn host_pattern(text: &str) -> Result<(), UnitError> {
    let Some(domain) = text.strip_prefix("*.") else {
        return host(text);
    };
    host(domain).map_err(|error| UnitError {
        suggestion: error.suggestion.map(|meant| format!("*.{meant}")),
        message: format!("{} is not a host pattern: after `*.`, {}", quoted(text), error.message),
    })?;
    if domain.contains('.') {
        Ok(())
    } else {
        Err(UnitError::new(format!("{} covers a whole top-level domain; name at least two labels", quoted(text))))
    }
}

fn host(text: &str) -> Result<(), UnitError> {
    if let Some(error) = not_only_a_host(text) {
        return Err(error);
    }
    let wrong = |why: &str| UnitError::new(format!("{} is not a host: {why}", quoted(text)));
    if text.is_empty() {
        return Err(wrong("it is empty"));
    }
    if text.len() > HOST_LENGTH_MAX {
        return Err(wrong("it is longer than 253 characters"));
    }
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(UnitError::meant(wrong("it has upper-case letters").message, text.to_ascii_lowercase()));
    }
    if !text.is_ascii() {
        return Err(wrong("write it in its `xn--` form"));
    }
    if let Some(bare) = text.strip_suffix('.') {
        return Err(UnitError::meant(wrong("it ends with a dot").message, bare));
    }
    if let Some(why) = text.split('.').find_map(label_problem) {
        return Err(wrong(why));
    }
    if text.rsplit('.').next().is_some_and(is_number) {
        return Err(wrong("it is an address; name the host"));
    }
    Ok(())
}

/// The complaint about a URL, a port, a user or a wildcard where only a host belongs.
fn not_only_a_host(text: &str) -> Option<UnitError> {
    // What stands before an `@` may be a password.
    let shown = if text.contains('@') { "the text".to_owned() } else { quoted(text) };
    let meant = |why: &str, bare: &str| {
        let message = format!("{shown} is not a host: {why}");
        if host(bare).is_ok() { UnitError::meant(message, bare) } else { UnitError::new(message) }
    };
    if let Some((_, rest)) = text.split_once("://") {
        let bare = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let bare = bare.rsplit('@').next().unwrap_or_default().split(':').next().unwrap_or_default();
        return Some(meant("it is a URL; write only the host", bare));
    }
    if let Some((_, bare)) = text.rsplit_once('@') {
        return Some(meant("it carries a user", bare));
    }
    if let Some((bare, _)) = text.split_once('/') {
        return Some(meant("it carries a path; list it under `paths`", bare));
    }
    if let Some((bare, _)) = text.split_once(':') {
        return Some(meant("it carries a port; list it under `ports`", bare));
    }
    text.contains('*').then(|| meant("a wildcard may stand only first, as `*.` before a domain", ""))
}

fn label_problem(label: &str) -> Option<&'static str> {
    if label.is_empty() {
        Some("it has an empty label")
    } else if label.len() > 63 {
        Some("a label is longer than 63 characters")
    } else if label.starts_with('-') || label.ends_with('-') {
        Some("a label begins or ends with `-`")
    } else if !label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        Some("it may hold only letters, digits, `-` and `.`")
    } else {
        None
    }
}

/// Whether resolvers would take a last label like this as the end of an IPv4 address.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hexadecimal || label.bytes().all(|byte| byte.is_ascii_digit())
}

fn path_pattern(text: &str) -> Result<(), UnitError> {
    let wrong = |why: &str| UnitError::new(format!("{} is not a path: {why}", quoted(text)));
    let Some(rest) = text.strip_prefix('/') else {
        return Err(UnitError::meant(wrong("it must begin with `/`").message, format!("/{text}")));
    };
    if text.len() > PATH_LENGTH_MAX {
        return Err(wrong("it is longer than 1024 bytes"));
    }
    if text.contains(['?', '#']) {
        return Err(wrong("a query or fragment is no part of it"));
    }
    if text.contains(['\\', '%']) || text.chars().any(|char| char.is_whitespace() || char.is_control()) {
        return Err(wrong("it may hold no escape, backslash, space or control character"));
    }
    let mut segments = rest.split('/').peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        if matches!(segment, "." | "..") || (segment.is_empty() && !last) {
            return Err(wrong("it may hold no `.`, `..` or empty segment"));
        }
        if segment.contains("**") && segment != "**" {
            return Err(wrong("`**` must be a whole segment"));
        }
    }
    Ok(())
}

/// Why a path is not a plain one: every segment a name, nothing to be resolved.
fn plain_path_problem(path: &str) -> Option<&'static str> {
    if path.len() > PATH_LENGTH_MAX {
        Some("it is longer than 1024 bytes")
    } else if path.contains('\\') || path.chars().any(char::is_control) {
        Some("it may hold no backslash or control character")
    } else if path.split('/').any(|segment| segment == "..") {
        Some("`..` is not taken")
    } else if path.split('/').any(|segment| segment.is_empty() || segment == ".") {
        Some("it may hold no `.` or empty segment")
    } else {
        None
    }
}

/// Directories that belong to the box itself.
const BOX_OWN: &[&str] =
    &["proc", "sys", "dev", "app", "workspace", "tmp", "usr", "lib", "lib64", "bin", "sbin", "etc"];

fn box_path(text: &str) -> Result<(), UnitError> {
    let wrong = |why: &str| UnitError::new(format!("{} is not a path in the box: {why}", quoted(text)));
    let Some(rest) = text.strip_prefix('/') else {
        return Err(wrong("it must begin with `/`"));
    };
    if rest.is_empty() {
        return Err(wrong("it is the root itself"));
    }
    if let Some(why) = plain_path_problem(rest) {
        return Err(wrong(why));
    }
    if rest.split('/').next().is_some_and(|first| BOX_OWN.contains(&first)) {
        return Err(wrong("that directory is the box's own; choose one like `/data`"));
    }
    Ok(())
}

fn bundle_path(text: &str) -> Result<(), UnitError> {
    let wrong = |why: &str| UnitError::new(format!("{} is not a path in the bundle: {why}", quoted(text)));
    if text.starts_with('/') {
        return Err(wrong("it must be relative"));
    }
    let inside = text.strip_prefix("./").unwrap_or(text);
    let inside = inside.strip_suffix('/').unwrap_or(inside);
    if matches!(text, "." | "./") {
        return Ok(());
    }
    plain_path_problem(inside).map_or(Ok(()), |why| Err(wrong(why)))
}

fn root(text: &str) -> Result<(), UnitError> {
    if text == Root::HOST { Ok(()) } else { bundle_path(text) }
}

/// Says whether a text is a name that people choose.
pub(super) fn named(text: &str) -> Result<(), UnitError> {
    name_problem(text).map_or(Ok(()), |problem| {
        let meant: String = text.to_ascii_lowercase().replace(['_', ' ', '.'], "-");
        let message = format!("{} {problem}", quoted(text));
        Err(if name_problem(&meant).is_none() { UnitError::meant(message, meant) } else { UnitError::new(message) })
    })
}

fn secret_name(text: &str) -> Result<(), UnitError> {
    named(text)
}

fn volume_name(text: &str) -> Result<(), UnitError> {
    named(text)
}

/// Says whether a text is between 1 and `length_max` characters that all are letters, digits or in `more`.
fn charset(text: &str, what: &str, more: &str, length_max: usize) -> Result<(), UnitError> {
    let wrong = |why: String| Err(UnitError::new(format!("{} is not {what}: {why}", quoted(text))));
    if text.is_empty() {
        return wrong("it is empty".to_owned());
    }
    if text.len() > length_max {
        return wrong(format!("it is longer than {length_max} characters"));
    }
    if !text.chars().all(|char| char.is_ascii_alphanumeric() || more.contains(char)) {
        return wrong(format!("it may hold only letters, digits and `{more}`"));
    }
    Ok(())
}

fn tool_pattern(text: &str) -> Result<(), UnitError> {
    charset(text, "a tool", "_.-:/*", 128)?;
    let wrong = |why: &str| UnitError::new(format!("{} is not a tool: {why}", quoted(text)));
    match text.split_once(':') {
        Some(("mcp", rest)) => match rest.split_once('/') {
            Some((server, tool)) if name_problem(server).is_none() && !tool.is_empty() && !tool.contains(':') => Ok(()),
            Some(_) => Err(wrong("write it as `mcp:SERVER/TOOL`")),
            None => Err(UnitError::meant(wrong("it names a server but no tool").message, format!("{text}/*"))),
        },
        Some(_) => Err(wrong("the only prefix is `mcp:`")),
        None if text.contains('/') => Err(wrong("only an `mcp:` tool has a `/`")),
        None => Ok(()),
    }
}

fn model_pattern(text: &str) -> Result<(), UnitError> {
    charset(text, "a model", "_.-:/@*", 128)
}

fn image_reference(text: &str) -> Result<(), UnitError> {
    let wrong = |why: &str| Err(UnitError::new(format!("{} is not an image: {why}", quoted(text))));
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    if name.is_empty() || name.len() > 255 || !name.starts_with(|char: char| char.is_ascii_alphanumeric()) {
        return wrong("it must begin with a name of at most 255 characters");
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._/:-".contains(&byte);
    if !name.bytes().all(plain) || name.contains("..") || name.contains("//") {
        return wrong("its name may hold only lower-case letters, digits and `._/:-`");
    }
    match digest.map(|digest| digest.strip_prefix("sha256:").unwrap_or_default()) {
        Some(hex) if hex.len() != 64 || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) => {
            wrong("its digest must be `sha256:` and 64 hexadecimal digits")
        }
        _ => Ok(()),
    }
}

fn variable_name(text: &str) -> Result<(), UnitError> {
    charset(text, "a variable", "_", 128)?;
    if text.starts_with(|char: char| char.is_ascii_digit()) {
        return Err(UnitError::new(format!("{} is not a variable: it begins with a digit", quoted(text))));
    }
    Ok(())
}

fn header_name(text: &str) -> Result<(), UnitError> {
    charset(text, "a header", "-_", 64)?;
    const FRAMING: &[&str] = &["host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"];
    if FRAMING.contains(&text.to_ascii_lowercase().as_str()) {
        return Err(UnitError::new(format!("{} cannot carry a secret: it frames the request", quoted(text))));
    }
    Ok(())
}

fn label_key(text: &str) -> Result<(), UnitError> {
    charset(text, "a label", "._/-", 63)?;
    let edge = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit();
    let lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    if !lower || !text.starts_with(edge) || !text.ends_with(edge) {
        let why = "it must be lower-case and begin and end with a letter or digit";
        return Err(UnitError::new(format!("{} is not a label: {why}", quoted(text))));
    }
    Ok(())
}
