//! An issuer of tokens (OpenID provider): what it says of itself, and what a program without a
//! secret of its own may ask of it: to let somebody log in on another device, to renew a login,
//! to end one.
//!
//! Must not know: where tokens are kept, what a server of Aegis takes, how a code is shown.

mod device;
mod error;
mod exchange;
mod pace;
mod token;

use std::fmt;

use reqwest::Url;
use serde::Deserialize;

pub use device::{DeviceLogin, DeviceWish};
pub use error::IssuerError;
pub use token::{Token, TokenClaims, Tokens};

use crate::address;
use exchange::{Exchange, Heard};

/// Where an issuer says what it is.
const DISCOVERY: &str = "/.well-known/openid-configuration";
/// The scope that asks for a refresh token.
const OFFLINE: &str = "offline_access";

/// An issuer that said what it is, and was believed.
pub struct Issuer {
    exchange: Exchange,
    name: String,
    token_endpoint: Url,
    device_endpoint: Option<Url>,
    revocation_endpoint: Option<Url>,
    scope: String,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.name)
    }
}

/// What of a discovery document counts.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    token_endpoint: String,
    #[serde(default)]
    device_authorization_endpoint: Option<String>,
    #[serde(default)]
    revocation_endpoint: Option<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
}

impl Issuer {
    /// Asks an issuer what it is. One that says it is another is not believed, nor one that
    /// names places where others could listen.
    ///
    /// # Errors
    /// When it cannot be asked, or is not to be believed.
    pub async fn discover(name: &str) -> Result<Self, IssuerError> {
        let place = checked(name)?;
        let exchange = Exchange::new(&place)?;
        let discovery: Discovery = exchange.get(&place).await?.json()?;
        if discovery.issuer != name {
            return Err(IssuerError::Other { asked: name.to_owned(), said: address::shown(&discovery.issuer) });
        }
        let endpoint = |text: &str| endpoint(&place, text);
        let offline = discovery.scopes_supported.iter().any(|scope| scope == OFFLINE);
        Ok(Self {
            token_endpoint: endpoint(&discovery.token_endpoint)?,
            device_endpoint: discovery.device_authorization_endpoint.as_deref().map(endpoint).transpose()?,
            revocation_endpoint: discovery.revocation_endpoint.as_deref().map(endpoint).transpose()?,
            scope: if offline { format!("openid {OFFLINE}") } else { "openid".to_owned() },
            name: name.to_owned(),
            exchange,
        })
    }

    /// The name, as it was asked for and as the issuer says it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Renews a login. What the answer does not name, such as the refresh token, stays as it was.
    ///
    /// # Errors
    /// [`IssuerError::Ended`] when the login is over; otherwise see [`IssuerError`].
    pub async fn refresh(&self, client_id: &str, refresh_token: &Token) -> Result<Tokens, IssuerError> {
        let fields =
            [("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose()), ("client_id", client_id)];
        let heard = self.exchange.post(&self.token_endpoint, &fields).await?;
        match heard.refusal(&[refresh_token]) {
            Some(refusal) if refusal.error == "invalid_grant" => Err(IssuerError::Ended),
            Some(refusal) => Err(refusal.into_error()),
            None => heard.tokens(),
        }
    }

    /// Ends a login at the issuer; says whether the issuer offers that.
    ///
    /// # Errors
    /// See [`IssuerError`].
    pub async fn revoke(&self, client_id: &str, refresh_token: &Token) -> Result<bool, IssuerError> {
        let Some(endpoint) = &self.revocation_endpoint else { return Ok(false) };
        let fields =
            [("token", refresh_token.expose()), ("token_type_hint", "refresh_token"), ("client_id", client_id)];
        let heard = self.exchange.post(endpoint, &fields).await?;
        match heard.refusal(&[refresh_token]) {
            Some(refusal) => Err(refusal.into_error()),
            None => heard.success().map(|()| true),
        }
    }
}

/// Where the issuer of that name says what it is, if nobody can listen in on the way.
fn checked(name: &str) -> Result<Url, IssuerError> {
    let wrong = |problem: String| IssuerError::AddressInvalid { issuer: address::shown(name), problem };
    let mut place = address::parse(name).map_err(|error| wrong(error.to_string()))?;
    if !address::is_private_way(&place) {
        return Err(wrong("it must be https, or http on this machine".to_owned()));
    }
    let path = format!("{}{DISCOVERY}", place.path().trim_end_matches('/'));
    place.set_path(&path);
    Ok(place)
}

/// An address that an issuer names, if what is sent there stays between the two. An issuer
/// elsewhere does not make this machine ask around on itself.
fn endpoint(issuer: &Url, text: &str) -> Result<Url, IssuerError> {
    let wrong = || IssuerError::Protocol {
        url: issuer.to_string(),
        problem: format!("it names `{}`, where tokens must not be sent", address::shown(text)),
    };
    let url = Url::parse(text).map_err(|_| wrong())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    let both_here = issuer.scheme() == "http" && url.scheme() == "http" && address::is_loopback(&url);
    if plain && (url.scheme() == "https" || both_here) { Ok(url) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_asked_where_nobody_can_listen() {
        for good in ["https://a.example", "https://a.example/realms/main/", "http://127.0.0.1:9", "http://localhost"] {
            assert!(checked(good).is_ok(), "{good}");
        }
        let bad =
            ["", "a.example", "http://a.example", "ftp://a.example", "https://u:hunter2@a.example", "https://a/?x=1"];
        for name in bad {
            let error = checked(name).expect_err(name);
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        }
        let place = checked("https://a.example/realms/main/").expect("good");
        assert_eq!(place.as_str(), "https://a.example/realms/main/.well-known/openid-configuration");
    }

    #[test]
    fn an_endpoint_is_private_and_not_on_this_machine_unless_the_issuer_is() {
        let (far, here) = (checked("https://a.example").expect("far"), checked("http://localhost:9").expect("here"));
        for (issuer, text, good) in [
            (&far, "https://a.example/token", true),
            (&far, "https://other.example/token?v=2", true),
            (&far, "http://a.example/token", false),
            (&far, "http://127.0.0.1/token", false),
            (&far, "https://u:p@a.example/token", false),
            (&far, "javascript:alert(1)", false),
            (&far, "/token", false),
            (&here, "http://127.0.0.1:9/token", true),
            (&here, "http://a.example/token", false),
            (&here, "https://a.example/token", true),
        ] {
            assert_eq!(endpoint(issuer, text).is_ok(), good, "{text}");
        }
    }
}
