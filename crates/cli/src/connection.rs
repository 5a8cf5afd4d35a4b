//! Which server, and which key goes to it. A key never goes to a server it was not meant for:
//! the profile's key is sent only to the profile's server.

use aegis_sdk::{Client, ClientOptions};

use crate::context::Context;
use crate::environment::Environment;
use crate::failure::Failure;
use crate::profile::{self, Profile};

/// Where a server is when nobody says.
pub(crate) const URL_DEFAULT: &str = "http://127.0.0.1:7700";

/// A server and the key for it.
#[derive(PartialEq, Eq)]
struct Chosen {
    url: String,
    api_key: Option<String>,
    allow_plain_http: bool,
    /// The profile has a key, but for another server.
    withheld: bool,
}

/// Opens a client of the server that was named.
pub(crate) fn open(context: &mut Context) -> Result<Client, Failure> {
    let profile = match &context.environment.profile {
        Some(path) => profile::read(path)?,
        None => {
            context.tell("`HOME` is not set: going on without a profile");
            None
        }
    };
    if let Some(warning) = profile.as_ref().and_then(Profile::warning) {
        context.warn(&warning);
    }
    let chosen = choose(context.global.url.as_deref(), &context.environment, profile.as_ref())?;
    if chosen.withheld {
        let known = profile.map(|profile| profile.url).unwrap_or_default();
        context
            .warn(&format!("the profile's key is for `{known}` and is not sent to another server; set AEGIS_API_KEY"));
    }
    let options = ClientOptions { allow_plain_http: chosen.allow_plain_http, ..ClientOptions::default() };
    Ok(Client::with_options(&chosen.url, chosen.api_key.as_deref().unwrap_or_default(), options)?)
}

fn choose(flag: Option<&str>, environment: &Environment, profile: Option<&Profile>) -> Result<Chosen, Failure> {
    let named = flag.or(environment.url.as_deref());
    let url = named.or(profile.map(|profile| profile.url.as_str())).unwrap_or(URL_DEFAULT).to_owned();
    let profile = profile.filter(|profile| same_server(&profile.url, &url)).ok_or(profile);
    let allow_plain_http = profile.is_ok_and(|profile| profile.allow_plain_http);
    let (api_key, withheld) = match (&environment.api_key, profile) {
        (Some(key), _) => (Some(key.clone()), false),
        (None, Ok(profile)) => (profile.key()?, false),
        (None, Err(other)) => (None, other.is_some_and(Profile::has_key)),
    };
    Ok(Chosen { url, api_key, allow_plain_http, withheld })
}

/// Whether two addresses are written the same, but for case and a slash at the end.
fn same_server(one: &str, other: &str) -> bool {
    one.trim().trim_end_matches('/').eq_ignore_ascii_case(other.trim().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        Profile { api_key: Some("key-of-profile".to_owned()), ..Profile::of("https://one.example") }
    }

    fn check(flag: Option<&str>, url: Option<&str>, key: Option<&str>, expected: (&str, Option<&str>, bool)) {
        let environment =
            Environment { url: url.map(str::to_owned), api_key: key.map(str::to_owned), ..Environment::default() };
        let chosen = choose(flag, &environment, Some(&profile())).expect("a choice");
        assert_eq!((chosen.url.as_str(), chosen.api_key.as_deref(), chosen.withheld), expected);
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
    fn without_anything_the_server_of_this_machine_is_meant() {
        let chosen = choose(None, &Environment::default(), None).expect("a choice");
        assert_eq!((chosen.url.as_str(), chosen.api_key, chosen.withheld), (URL_DEFAULT, None, false));
    }
}
