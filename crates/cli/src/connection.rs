//! Which server, and which credential goes to it: the environment's, then the login of this very
//! server, then the profile's. None ever goes to a server it was not meant for: a login's token
//! only to the server of the login, the profile's key only to the profile's server.

use aegis_sdk::{Client, ClientOptions};

use crate::context::Context;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::logins::{Login, Logins, State};
use crate::profile::{self, Profile};
use crate::renewal;

/// Where a server is when nobody says.
pub(crate) const URL_DEFAULT: &str = "http://127.0.0.1:7700";

/// A server and the credential for it.
struct Chosen {
    url: String,
    credential: Credential,
    allow_plain_http: bool,
    /// The profile has a key, but for another server, and there is nothing else.
    withheld: bool,
}

/// What proves who asks.
enum Credential {
    /// Nothing.
    None,
    /// An API key, or a token that somebody put in its place.
    Key(String),
    /// A login at an issuer.
    Login(Box<Login>),
}

/// Opens a client of the server that was named.
pub(crate) fn open(context: &mut Context) -> Result<Client, Failure> {
    let profile = read_profile(context)?;
    let logins = Logins::of(&context.environment);
    let find = |url: &str| logins.as_ref().map_or(Ok(None), |logins| logins.find(url));
    let chosen = choose(context.global.url.as_deref(), &context.environment, profile.as_ref(), find)?;
    if chosen.withheld {
        let known = profile.map(|profile| profile.url).unwrap_or_default();
        context
            .warn(&format!("the profile's key is for `{known}` and is not sent to another server; set AEGIS_API_KEY"));
    }
    match (chosen.credential, &logins) {
        (Credential::Login(login), Some(logins)) => open_with_login(context, logins, &chosen.url, *login),
        (Credential::Key(key), _) => Ok(client(&chosen.url, &key, chosen.allow_plain_http)?),
        _ => Ok(client(&chosen.url, "", chosen.allow_plain_http)?),
    }
}

/// The server that was named, whoever asks.
pub(crate) fn server(context: &mut Context) -> Result<String, Failure> {
    let profile = read_profile(context)?;
    Ok(address(context.global.url.as_deref(), &context.environment, profile.as_ref()))
}

/// Makes sure that a token may travel to that server. What the profile allows its key counts
/// for no token: who reads it can be somebody else until it runs out.
pub(crate) fn check_private(url: &str) -> Result<(), Failure> {
    if client(url, "", false)?.is_private() {
        return Ok(());
    }
    let told = format!("refusing to send a token to `{url}` over plain http");
    Err(Failure::usage(told, "use https; a login works for no other server"))
}

fn open_with_login(context: &mut Context, logins: &Logins, url: &str, login: Login) -> Result<Client, Failure> {
    check_private(url)?;
    if let Some(warning) = logins.warning() {
        context.warn(&warning);
    }
    let token = renewal::token(context, logins, login)?;
    Ok(client(url, token.expose(), false)?)
}

fn client(url: &str, credential: &str, allow_plain_http: bool) -> Result<Client, aegis_sdk::ClientError> {
    Client::with_options(url, credential, ClientOptions { allow_plain_http, ..ClientOptions::default() })
}

fn read_profile(context: &mut Context) -> Result<Option<Profile>, Failure> {
    let Some(path) = &context.environment.profile else {
        context.tell("`HOME` is not set: going on without a profile");
        return Ok(None);
    };
    let profile = profile::read(path)?;
    if let Some(warning) = profile.as_ref().and_then(Profile::warning) {
        context.warn(&warning);
    }
    Ok(profile)
}

fn address(flag: Option<&str>, environment: &Environment, profile: Option<&Profile>) -> String {
    let named = flag.or(environment.url.as_deref());
    named.or(profile.map(|profile| profile.url.as_str())).unwrap_or(URL_DEFAULT).to_owned()
}

fn choose(
    flag: Option<&str>,
    environment: &Environment,
    profile: Option<&Profile>,
    find: impl FnOnce(&str) -> Result<Option<Login>, Failure>,
) -> Result<Chosen, Failure> {
    let url = address(flag, environment, profile);
    let profile = profile.filter(|profile| same_server(&profile.url, &url)).ok_or(profile);
    let allow_plain_http = profile.is_ok_and(|profile| profile.allow_plain_http);
    let chosen = |credential, withheld| Ok(Chosen { url: url.clone(), credential, allow_plain_http, withheld });
    if let Some(key) = &environment.api_key {
        return chosen(Credential::Key(key.clone()), false);
    }
    if let Some(login) = find(&url)?.filter(|login| !matches!(login.tokens, State::LoggedOut)) {
        return chosen(Credential::Login(Box::new(login)), false);
    }
    match profile {
        Ok(profile) => chosen(profile.key()?.map_or(Credential::None, Credential::Key), false),
        Err(other) => chosen(Credential::None, other.is_some_and(Profile::has_key)),
    }
}

/// Whether two addresses are written the same, but for the case of scheme and host, and a slash
/// at the end.
pub(crate) fn same_server(one: &str, other: &str) -> bool {
    let ((one, at), (other, there)) = (host_and_path(one), host_and_path(other));
    one.eq_ignore_ascii_case(other) && at == there
}

/// Scheme and host of an address, and what follows them.
fn host_and_path(url: &str) -> (&str, &str) {
    let url = url.trim().trim_end_matches('/');
    let host = url.find("://").map_or(0, |at| at + 3);
    match url.get(host..).and_then(|rest| rest.find('/')) {
        Some(path) => url.split_at(host + path),
        None => (url, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logins::tests::login;

    fn profile() -> Profile {
        Profile { api_key: Some("key-of-profile".to_owned()), ..Profile::of("https://one.example") }
    }

    /// What is sent, by name.
    fn told(chosen: &Chosen) -> Option<String> {
        match &chosen.credential {
            Credential::None => None,
            Credential::Key(key) => Some(key.clone()),
            Credential::Login(login) => Some(format!("login for {}", login.url)),
        }
    }

    fn check(flag: Option<&str>, url: Option<&str>, key: Option<&str>, expected: (&str, Option<&str>, bool)) {
        let environment =
            Environment { url: url.map(str::to_owned), api_key: key.map(str::to_owned), ..Environment::default() };
        let chosen = choose(flag, &environment, Some(&profile()), |_| Ok(None)).expect("a choice");
        assert_eq!((chosen.url.as_str(), told(&chosen).as_deref(), chosen.withheld), expected);
    }

    /// What is chosen for a server when there is a login for one, and a key of the environment.
    fn check_login(url: &str, of: &Login, key: Option<&str>, expected: Option<&str>) {
        let environment = Environment { api_key: key.map(str::to_owned), ..Environment::default() };
        let find = |url: &str| Ok(Some(of.clone()).filter(|login| same_server(&login.url, url)));
        let chosen = choose(Some(url), &environment, Some(&profile()), find).expect("a choice");
        assert_eq!(told(&chosen).as_deref(), expected, "{url} {key:?}");
    }

    #[test]
    fn the_environment_s_key_comes_before_the_login_and_that_before_the_profile_s_key() {
        let one = login("https://one.example", "a");
        check_login("https://one.example", &one, Some("k"), Some("k"));
        check_login("https://one.example", &one, None, Some("login for https://one.example"));
        check_login("https://ONE.example/", &one, None, Some("login for https://one.example"));
        let out = Login { tokens: State::LoggedOut, ..one.clone() };
        check_login("https://one.example", &out, None, Some("key-of-profile"));
        // Who was somebody does not go on as somebody else because the login has run out.
        let ended = Login { tokens: State::Ended, ..one };
        check_login("https://one.example", &ended, None, Some("login for https://one.example"));
    }

    #[test]
    fn a_login_goes_only_to_its_own_server() {
        let two = login("https://two.example", "a");
        check_login("https://two.example", &two, None, Some("login for https://two.example"));
        check_login("https://one.example", &two, None, Some("key-of-profile"));
        for other in [
            "https://evil.example",
            "https://two.example.evil.example",
            "http://two.example",
            "https://two.example:8443",
        ] {
            check_login(other, &two, None, None);
        }
    }

    #[test]
    fn a_damaged_file_of_logins_does_not_stop_the_environment_s_key() {
        let damaged = |_: &str| Err(Failure::usage("damaged", "remove it"));
        let with_key = Environment { api_key: Some("k".to_owned()), ..Environment::default() };
        let chosen = choose(None, &with_key, Some(&profile()), damaged).expect("a choice");
        assert_eq!(told(&chosen).as_deref(), Some("k"));
        assert!(choose(None, &Environment::default(), Some(&profile()), damaged).is_err());
    }

    #[test]
    fn a_token_never_travels_in_the_clear() {
        for url in ["http://aegis.example", "http://10.0.0.1:7700", "http://127.0.0.1.evil.example"] {
            let failure = check_private(url).expect_err("in the clear");
            assert_eq!((failure.exit_code(), failure.to_string().contains(url)), (2, true));
        }
        assert!(check_private("http://127.0.0.1:7700").is_ok());
    }

    #[test]
    fn the_flag_comes_before_the_environment_and_that_before_the_profile() {
        check(None, None, None, ("https://one.example", Some("key-of-profile"), false));
        check(None, Some("https://two.example"), Some("k"), ("https://two.example", Some("k"), false));
        check(
            Some("https://3.example"),
            Some("https://two.example"),
            Some("k"),
            ("https://3.example", Some("k"), false),
        );
        check(None, None, Some("k"), ("https://one.example", Some("k"), false));
    }

    #[test]
    fn the_profile_s_key_goes_only_to_the_profile_s_server() {
        check(Some("https://evil.example"), None, None, ("https://evil.example", None, true));
        check(None, Some("https://evil.example"), None, ("https://evil.example", None, true));
        check(None, Some("https://one.example.evil.example"), None, ("https://one.example.evil.example", None, true));
        check(Some("https://ONE.example/"), None, None, ("https://ONE.example/", Some("key-of-profile"), false));
    }

    #[test]
    fn hosts_are_the_same_in_any_case_and_paths_are_not() {
        for (one, other, same) in [
            ("https://one.example", "HTTPS://One.Example/", true),
            ("https://one.example/a", "https://ONE.example/a/", true),
            ("https://one.example/a", "https://one.example/A", false),
            ("https://one.example/a", "https://one.example", false),
            ("https://one.example", "http://one.example", false),
            ("one.example", "one.example", true),
        ] {
            assert_eq!(same_server(one, other), same, "{one} {other}");
        }
    }

    #[test]
    fn without_anything_the_server_of_this_machine_is_meant() {
        let chosen = choose(None, &Environment::default(), None, |_| Ok(None)).expect("a choice");
        assert_eq!((chosen.url.as_str(), told(&chosen), chosen.withheld), (URL_DEFAULT, None, false));
    }
}
