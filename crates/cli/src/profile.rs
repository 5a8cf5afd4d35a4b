//! The profile: which server the next command talks to, and where its key is. Written by
//! `aegis up`, readable by its owner only.

use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::private_file;

/// Which server, and its key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// The server's address.
    pub(crate) url: String,
    /// The file that holds the key, alone on a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_file: Option<PathBuf>,
    /// The key itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) api_key: Option<String>,
    /// Whether the key may go to another machine over plain http.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) allow_plain_http: bool,
    /// Whether others than the owner may read the file.
    #[serde(skip)]
    pub(crate) readable_by_others: Option<PathBuf>,
}

impl fmt::Debug for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Profile({})", self.url)
    }
}

impl Profile {
    /// A profile without a key.
    pub(crate) fn of(url: &str) -> Self {
        Self { url: url.to_owned(), key_file: None, api_key: None, allow_plain_http: false, readable_by_others: None }
    }

    /// Whether there is a key in it.
    pub(crate) fn has_key(&self) -> bool {
        self.api_key.is_some() || self.key_file.is_some()
    }

    /// The key.
    pub(crate) fn key(&self) -> Result<Option<String>, Failure> {
        match (&self.api_key, &self.key_file) {
            (Some(key), _) => Ok(Some(key.trim().to_owned())),
            (None, Some(path)) => match fs::read_to_string(path) {
                Ok(text) => Ok(Some(text.trim().to_owned())),
                Err(error) => Err(Failure::unreadable(path, &error)),
            },
            (None, None) => Ok(None),
        }
    }

    /// What a person should know about the file.
    pub(crate) fn warning(&self) -> Option<String> {
        let path = self.readable_by_others.as_ref().filter(|_| self.api_key.is_some())?;
        Some(format!("others can read the key in `{0}`; run `chmod 600 {0}`", path.display()))
    }
}

/// Reads the profile, if there is one.
pub(crate) fn read(path: &Path) -> Result<Option<Profile>, Failure> {
    let text = private_file::read(path).map_err(|error| Failure::unreadable(path, &error))?;
    let Some(text) = text else { return Ok(None) };
    // The library's own message would repeat lines of the file, and a line may be the key.
    let mut profile: Profile = toml::from_str(&text).map_err(|error: toml::de::Error| {
        let line = error.span().map_or(1, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
        let known = "it may hold `url`, `key_file`, `api_key` and `allow_plain_http`";
        Failure::usage(format!("the profile `{}` is not valid at line {line}", path.display()), known)
    })?;
    profile.readable_by_others = private_file::is_readable_by_others(path).then(|| path.to_owned());
    Ok(Some(profile))
}

/// Writes the profile whole or not at all, for its owner only.
pub(crate) fn write(path: &Path, profile: &Profile) -> io::Result<()> {
    let text = toml::to_string(profile).map_err(io::Error::other)?;
    private_file::write(path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_profile_reads_back_and_belongs_to_its_owner_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("deep/profile.toml");
        let profile = Profile { key_file: Some("/data/admin.key".into()), ..Profile::of("http://127.0.0.1:7700") };
        write(&path, &profile).expect("written");
        write(&path, &profile).expect("written again");
        assert_eq!(read(&path).expect("read"), Some(profile));
        assert_eq!(fs::metadata(&path).expect("metadata").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().expect("parent")).expect("listing").count(), 1);
    }

    #[test]
    fn no_profile_is_no_failure() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(read(&directory.path().join("none.toml")).expect("read"), None);
    }

    #[test]
    fn a_damaged_profile_is_named_without_repeating_its_key() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("profile.toml");
        for text in ["url = \"x\"\napi_key = \"hunter2", "url = \"x\"\napi-key = \"hunter2\""] {
            fs::write(&path, text).expect("written");
            let failure = read(&path).expect_err("damaged");
            assert!(!failure.to_string().contains("hunter2") && failure.to_string().contains("line 2"), "{failure}");
            assert_eq!(failure.exit_code(), 2);
        }
    }

    #[test]
    fn a_key_that_others_can_read_is_warned_about() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("profile.toml");
        fs::write(&path, "url = \"x\"\napi_key = \"hunter2\"").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("mode");
        assert!(read(&path).expect("read").expect("profile").warning().is_some());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("mode");
        assert!(read(&path).expect("read").expect("profile").warning().is_none());
    }
}
