//! The logins: for which server somebody has logged in at which issuer, and with what tokens.
//! One file beside the profile, readable by its owner only. Whoever changes it holds a lock, so
//! that two commands do not renew the same login at once.
//!
//! Must not know: how a login is made, renewed or ended.

use std::fs::File;
use std::path::{Path, PathBuf};

use aegis_model::Timestamp;
use aegis_sdk::{Token, Tokens};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::connection::same_server;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::private_file;

/// A login for one server, or what is remembered of one for the next.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Login {
    /// The server's address.
    pub(crate) url: String,
    /// Who gives the tokens.
    pub(crate) issuer: String,
    /// As which program they are asked for.
    pub(crate) client_id: String,
    /// What for, where somebody said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
    /// For whom, where somebody said it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) audiences: Vec<String>,
    /// What became of it.
    pub(crate) tokens: State,
}

/// What became of a login.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum State {
    /// It holds.
    Holds(Held),
    /// The issuer does not renew it any more. Nobody goes on as somebody else because of that.
    Ended,
    /// Somebody logged out.
    LoggedOut,
}

/// Tokens that are held.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Held {
    /// Which token the server takes.
    pub(crate) kind: Kind,
    /// Until when, by the clock of this machine.
    pub(crate) expires_at: Timestamp,
    /// It.
    #[serde(with = "text_of_token")]
    pub(crate) token: Token,
    /// For new ones.
    #[serde(default, with = "text_of_option", skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<Token>,
}

/// Which token the server takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// The access token.
    Access,
    /// The id token.
    Id,
}

impl Kind {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access token",
            Self::Id => "id token",
        }
    }

    /// That token among those an issuer gave.
    pub(crate) fn of(self, tokens: &Tokens) -> Option<&Token> {
        match self {
            Self::Access => Some(&tokens.access),
            Self::Id => tokens.id.as_ref(),
        }
    }
}

impl Held {
    /// What is held of tokens that an issuer gave `now`; `None` when the one is not among them.
    pub(crate) fn of(kind: Kind, tokens: &Tokens, now: Timestamp) -> Option<Self> {
        let token = kind.of(tokens)?.clone();
        let said = tokens.access_lifetime_s.filter(|_| kind == Kind::Access);
        // How long, not until when: the issuer's clock may be another than this machine's.
        let claims = token.claims();
        let by_claims = claims.and_then(|claims| {
            let now_s = now.as_millis() / 1_000;
            Some(claims.expires_at_s?.saturating_sub(claims.issued_at_s.unwrap_or(now_s)))
        });
        let lifetime_s = said.or(by_claims).unwrap_or(0);
        let expires_at = now.plus_ms(lifetime_s.saturating_mul(1_000));
        Some(Self { kind, expires_at, token, refresh_token: tokens.refresh.clone() })
    }
}

/// What is in the file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    #[serde(default)]
    login: Vec<Login>,
}

/// The file, whether there is one or not.
pub(crate) struct Logins {
    path: PathBuf,
}

/// The file, while nobody else changes it.
pub(crate) struct Locked<'a> {
    logins: &'a Logins,
    _held: File,
}

impl Logins {
    /// Beside the profile; `None` where that has no place.
    pub(crate) fn of(environment: &Environment) -> Option<Self> {
        Some(Self { path: environment.profile.as_ref()?.with_file_name("logins.toml") })
    }

    /// The login for that server.
    pub(crate) fn find(&self, url: &str) -> Result<Option<Login>, Failure> {
        Ok(self.read()?.login.into_iter().find(|login| same_server(&login.url, url)))
    }

    /// Waits until nobody else changes the file.
    pub(crate) fn lock(&self) -> Result<Locked<'_>, Failure> {
        let path = self.path.with_extension("lock");
        let held = private_file::lock(&path).map_err(|error| Failure::unwritable(&path, &error))?;
        Ok(Locked { logins: self, _held: held })
    }

    /// What a person should know about the file.
    pub(crate) fn warning(&self) -> Option<String> {
        let path = self.path.display();
        let told = || format!("others can read the tokens in `{path}`; run `chmod 600 {path}`");
        private_file::is_readable_by_others(&self.path).then(told)
    }

    fn read(&self) -> Result<Content, Failure> {
        let text = private_file::read(&self.path).map_err(|error| Failure::unreadable(&self.path, &error))?;
        let Some(text) = text.map(Zeroizing::new) else { return Ok(Content::default()) };
        // The library's own message would repeat lines of the file, and a line may be a token.
        toml::from_str(&text).map_err(|error: toml::de::Error| damaged(&self.path, &text, error.span()))
    }
}

fn damaged(path: &Path, text: &str, span: Option<std::ops::Range<usize>>) -> Failure {
    let line = span.map_or(1, |span| text.get(..span.start).unwrap_or_default().matches('\n').count() + 1);
    let message = format!("the logins in `{}` are not valid at line {line}", path.display());
    Failure::usage(message, "remove the file and run `aegis login`")
}

impl Locked<'_> {
    /// The login for that server, as it is now.
    pub(crate) fn find(&self, url: &str) -> Result<Option<Login>, Failure> {
        self.logins.find(url)
    }

    /// Keeps a login in place of the one before for that server.
    pub(crate) fn put(&self, login: Login) -> Result<(), Failure> {
        let mut content = self.logins.read()?;
        content.login.retain(|other| !same_server(&other.url, &login.url));
        content.login.push(login);
        let text = toml::to_string(&content).map(Zeroizing::new);
        // The library's own message could repeat a value.
        let text = text.map_err(|_| Failure::internal("the logins cannot be written as text"))?;
        let path = &self.logins.path;
        private_file::write(path, &text).map_err(|error| Failure::unwritable(path, &error))
    }
}

/// A token in the file.
mod text_of_token {
    use aegis_sdk::Token;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(token: &Token, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(token.expose())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Token, D::Error> {
        Token::new(String::deserialize(from)?).ok_or_else(|| D::Error::custom("not a token"))
    }
}

/// A token in the file that may be absent.
mod text_of_option {
    use aegis_sdk::Token;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(token: &Option<Token>, to: S) -> Result<S::Ok, S::Error> {
        match token {
            Some(token) => super::text_of_token::serialize(token, to),
            None => to.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Token>, D::Error> {
        super::text_of_token::deserialize(from).map(Some)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn logins(directory: &tempfile::TempDir) -> Logins {
        Logins { path: directory.path().join("deep/logins.toml") }
    }

    fn token(text: &str) -> Token {
        Token::new(text.to_owned()).expect("a token")
    }

    /// A login for that server.
    pub(crate) fn login(url: &str, text: &str) -> Login {
        let expires_at = Timestamp::from_millis(1_000);
        let held = Held { kind: Kind::Access, expires_at, token: token(text), refresh_token: Some(token("hunter2-r")) };
        Login {
            url: url.to_owned(),
            issuer: "https://login.example".to_owned(),
            client_id: "cli".to_owned(),
            scope: None,
            audiences: vec!["aegis".to_owned()],
            tokens: State::Holds(held),
        }
    }

    fn held(login: Option<Login>) -> Option<String> {
        match login?.tokens {
            State::Holds(held) => Some(held.token.expose().to_owned()),
            State::Ended | State::LoggedOut => None,
        }
    }

    #[test]
    fn logins_read_back_server_by_server_and_belong_to_their_owner_only() {
        let directory = tempfile::tempdir().expect("a directory");
        let logins = logins(&directory);
        assert!(logins.find("https://one.example").expect("no file").is_none());
        for (url, text) in [("https://one.example", "a"), ("https://two.example", "b"), ("https://ONE.example/", "c")] {
            logins.lock().expect("a lock").put(login(url, text)).expect("kept");
        }
        assert_eq!(held(logins.find("https://one.example").expect("read")).as_deref(), Some("c"));
        assert_eq!(held(logins.find("https://two.example").expect("read")).as_deref(), Some("b"));
        assert!(logins.find("https://one.example.evil.example").expect("read").is_none());
        let names = fs::read_dir(logins.path.parent().expect("parent")).expect("listing").flatten();
        let mut names: Vec<_> = names.map(|entry| (entry.file_name(), entry.metadata().expect("metadata"))).collect();
        names.sort_by(|one, other| one.0.cmp(&other.0));
        let modes: Vec<_> = names.iter().map(|(_, metadata)| metadata.permissions().mode() & 0o777).collect();
        assert_eq!((names.len(), modes), (2, vec![0o600, 0o600]), "the file and its lock");
        assert!(logins.warning().is_none());
        fs::set_permissions(&logins.path, fs::Permissions::from_mode(0o640)).expect("mode");
        assert!(logins.warning().is_some_and(|told| told.contains("chmod 600")));
    }

    #[test]
    fn every_state_of_a_login_reads_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let logins = logins(&directory);
        for state in [State::Ended, State::LoggedOut] {
            let kept = Login { tokens: state.clone(), ..login("https://one.example", "a") };
            logins.lock().expect("a lock").put(kept).expect("kept");
            let found = logins.find("https://one.example").expect("read").expect("a login");
            assert_eq!(std::mem::discriminant(&found.tokens), std::mem::discriminant(&state));
            assert!(!fs::read_to_string(&logins.path).expect("text").contains("hunter2"), "no token is left");
        }
    }

    #[test]
    fn a_damaged_file_is_named_without_repeating_its_tokens() {
        let directory = tempfile::tempdir().expect("a directory");
        let logins = logins(&directory);
        logins.lock().expect("a lock").put(login("https://one.example", "hunter2")).expect("kept");
        let good = fs::read_to_string(&logins.path).expect("text");
        for (from, to) in
            [("token = \"hunter2\"", "token = \"hunter2"), ("kind = ", "kin = "), ("hunter2\"", "hunter 2\"")]
        {
            fs::write(&logins.path, good.replacen(from, to, 1)).expect("written");
            let failure = logins.find("https://one.example").expect_err("damaged");
            let text = format!("{failure} {failure:?} {}", failure.json().unwrap_or_default());
            assert!(!text.contains("hunter") && text.contains("aegis login"), "{text}");
            assert_eq!(failure.exit_code(), 2);
        }
    }

    #[test]
    fn tokens_are_never_printed() {
        let text = format!("{:?}", login("https://one.example", "hunter2"));
        assert!(!text.contains("hunter2"), "{text}");
    }

    #[test]
    fn how_long_a_token_is_good_does_not_depend_on_the_issuer_s_clock() {
        let now = Timestamp::from_millis(1_000_000_000);
        // {"alg":"x"} and {"iat":10,"exp":70}
        let jwt = "eyJhbGciOiJ4In0.eyJpYXQiOjEwLCJleHAiOjcwfQ.c2ln";
        let tokens = |lifetime_s| Tokens {
            access: token(jwt),
            access_lifetime_s: lifetime_s,
            id: Some(token(jwt)),
            refresh: None,
        };
        let good_ms = |kind, tokens| Held::of(kind, &tokens, now).map(|held| held.expires_at.since_ms(now));
        assert_eq!(good_ms(Kind::Access, tokens(Some(300))), Some(300_000));
        assert_eq!(good_ms(Kind::Access, tokens(None)), Some(60_000));
        assert_eq!(good_ms(Kind::Id, tokens(Some(300))), Some(60_000));
        assert_eq!(good_ms(Kind::Id, Tokens { id: None, ..tokens(None) }), None);
    }
}
